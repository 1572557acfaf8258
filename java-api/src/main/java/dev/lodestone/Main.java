package dev.lodestone;

import dev.lodestone.internal.PrivateFolder;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;

/** The command line: {@code serve} runs an engine in the foreground. */
public final class Main {
    private static final int EXIT_OK = 0;
    private static final int EXIT_FAILED = 1;
    private static final int EXIT_USAGE = 2;
    private static final int PORT_MAX = 65_535;
    private static final long TELL_EVERY_SECONDS = 2;

    private static final String HELP = """
            usage: lodestone serve [--config FILE] [--port N] [--graph FILE] [--print-config]
              serve            opens an engine and serves QUIC until SIGINT or SIGTERM
              --config FILE    the configuration, YAML; without it every key has its default
              --port N         the port to listen on instead of the configured one; 0 means any free one
              --graph FILE     a graph to load before READY: a road graph (.lsg) or a list of arcs (.arcs)
              --print-config   prints the effective configuration (token secrets included) and ends
              --help           prints this and ends
            When it accepts connections it prints one line:
              LODESTONE READY quic=HOST:PORT cert=FILE pid=N""";

    /**
     * What the command line asks for.
     *
     * @param config the configuration file, or null
     * @param port the port, -1 for the configured one
     * @param graph the graph to load, or null
     * @param printConfig whether to print the configuration only
     * @param help whether to print the help only
     */
    private record Options(Path config, int port, Path graph, boolean printConfig, boolean help) {}

    /** A command line that makes no sense. */
    private static final class UsageException extends Exception {
        private static final long serialVersionUID = 1L;

        UsageException(String what) {
            super(what);
        }
    }

    private Main() {}

    /**
     * Runs the command and ends the process: 0 done, 1 failed, 2 a wrong command line.
     *
     * @param arguments the command line
     */
    public static void main(String[] arguments) {
        System.exit(run(arguments, System.out, System.err));
    }

    private static int run(String[] arguments, PrintStream out, PrintStream err) {
        try {
            Options options = parse(arguments);
            if (options.help) {
                out.println(HELP);
                return EXIT_OK;
            }
            EngineConfig config = configOf(options);
            if (options.printConfig) {
                out.print(config.toYaml());
                return EXIT_OK;
            }
            serve(config, options.graph, out, err);
            return EXIT_OK;
        } catch (UsageException wrong) {
            err.println("lodestone: " + wrong.getMessage());
            err.println(HELP);
            return EXIT_USAGE;
        } catch (EngineException failed) {
            err.println("lodestone: " + failed.getMessage());
            return EXIT_FAILED;
        } catch (IOException failed) {
            err.println("lodestone: cannot write the certificate for clients: " + failed
                    + ". What to do: make the folder of java.io.tmpdir writable.");
            return EXIT_FAILED;
        } catch (InterruptedException ended) {
            return EXIT_FAILED;
        }
    }

    private static Options parse(String[] arguments) throws UsageException {
        Path config = null;
        int port = -1;
        Path graph = null;
        boolean printConfig = false;
        boolean help = false;
        boolean serve = false;
        for (int index = 0; index < arguments.length; index++) {
            switch (arguments[index]) {
                case "serve" -> serve = true;
                case "--config" -> config = Path.of(valueOf(arguments, ++index, "--config needs a file"));
                case "--port" -> port = portOf(valueOf(arguments, ++index, "--port needs a number"));
                case "--graph" -> graph = Path.of(valueOf(arguments, ++index, "--graph needs a file"));
                case "--print-config" -> printConfig = true;
                case "--help", "-h" -> help = true;
                default -> throw new UsageException("unknown argument " + arguments[index]);
            }
        }
        if (!serve && !help && !printConfig) {
            throw new UsageException("a command is missing: serve");
        }
        return new Options(config, port, graph, printConfig, help);
    }

    private static String valueOf(String[] arguments, int index, String otherwise) throws UsageException {
        if (index >= arguments.length || arguments[index].isBlank()) {
            throw new UsageException(otherwise);
        }
        return arguments[index];
    }

    private static int portOf(String text) throws UsageException {
        try {
            int port = Integer.parseInt(text);
            if (port >= 0 && port <= PORT_MAX) {
                return port;
            }
        } catch (NumberFormatException bad) {
            throw new UsageException("--port needs a number, found " + text);
        }
        throw new UsageException("--port needs a number from 0 to " + PORT_MAX + ", found " + text);
    }

    private static EngineConfig configOf(Options options) {
        EngineConfig config = options.config == null ? EngineConfig.defaults() : EngineConfig.load(options.config);
        if (options.port < 0) {
            return config;
        }
        String host = config.listen().substring(0, config.listen().lastIndexOf(':'));
        return config.toBuilder().listen(host + ":" + options.port).build();
    }

    private static void serve(EngineConfig config, Path graph, PrintStream out, PrintStream err)
            throws IOException, InterruptedException {
        Service service = new Service();
        try {
            // Before the engine opens: a signal that comes meanwhile ends it too.
            Runtime.getRuntime().addShutdownHook(new Thread(service::end, "lodestone-end"));
        } catch (IllegalStateException ending) {
            return;
        }
        service.start(config, graph, out, err);
        new CountDownLatch(1).await();
    }

    /** What {@code serve} has opened, and how it is closed whenever the process ends. */
    private static final class Service {
        private final CountDownLatch startOver = new CountDownLatch(1);
        private volatile boolean ending;
        // All are written before the latch opens and read after.
        private Engine engine;
        private boolean started;
        private PrivateFolder.Held certificate;

        void start(EngineConfig config, Path graph, PrintStream out, PrintStream err) throws IOException {
            try {
                engine = Engine.open(config, Level.INFO);
                Path file = config.certificate().map(CertificateFiles::certificateFile).orElse(null);
                if (file == null) {
                    certificate = PrivateFolder.hold(engine.certificatePem(), "certificate.pem");
                    file = certificate.file();
                }
                if (graph != null) {
                    load(graph, err);
                }
                if (!ending) {
                    ready(file, out);
                }
                started = true;
            } finally {
                startOver.countDown();
            }
        }

        /** A load that takes long says how far it is; a signal ends it. */
        private void load(Path graph, PrintStream err) {
            long[] toldSeconds = {0};
            LoadReport report = engine.graph().load(graph, (done, total, elapsed) -> {
                if (elapsed.toSeconds() >= toldSeconds[0] + TELL_EVERY_SECONDS) {
                    toldSeconds[0] = elapsed.toSeconds();
                    err.printf("lodestone: %s: %,d of %,d arcs after %d s%n", graph, done, total, elapsed.toSeconds());
                }
                return !ending;
            });
            err.printf("lodestone: %s: %,d arcs in %d ms%n", graph, report.arcs(), report.elapsed().toMillis());
        }

        private void ready(Path file, PrintStream out) {
            String host = engine.quicAddress().getAddress().getHostAddress();
            out.println("LODESTONE READY quic=" + (host.contains(":") ? "[" + host + "]" : host) + ":"
                    + engine.quicAddress().getPort() + " cert=" + file + " pid=" + ProcessHandle.current().pid());
            out.flush();
        }

        /** Ends everything, on a signal or after a start that failed. */
        void end() {
            ending = true;
            if (startOver.getCount() > 0) {
                System.err.println("lodestone: asked to end while the engine opens: closing it as soon as it is open");
            }
            try {
                startOver.await();
                if (engine != null) {
                    // Halting with 0 tells a signal that ended us cleanly from one that did not: the JVM itself would report
                    // 143 or 130.
                    int exit = close();
                    Runtime.getRuntime().halt(started ? exit : EXIT_FAILED);
                }
            } catch (InterruptedException impatient) {
                Thread.currentThread().interrupt();
            }
        }

        private int close() {
            int exit = EXIT_OK;
            try {
                engine.close();
            } catch (EngineException failed) {
                exit = failed(failed);
            }
            try {
                if (certificate != null) {
                    certificate.close();
                }
            } catch (IOException failed) {
                exit = failed(failed);
            }
            return exit;
        }

        private static int failed(Exception failure) {
            System.err.println("lodestone: could not end cleanly: " + failure.getMessage());
            return EXIT_FAILED;
        }
    }
}
