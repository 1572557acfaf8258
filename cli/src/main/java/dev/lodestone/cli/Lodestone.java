package dev.lodestone.cli;

import dev.lodestone.AttachException;
import dev.lodestone.EngineClosedException;
import dev.lodestone.EngineException;
import dev.lodestone.EngineGoneException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The program {@code lodestone}. */
@Command(
        name = "lodestone",
        mixinStandardHelpOptions = true,
        scope = ScopeType.INHERIT,
        versionProvider = Lodestone.Version.class,
        description = "Looks at running engines, at this machine and at configuration files. Only rollback changes anything.",
        subcommands = {
            StatCommand.class, EventsCommand.class, LogsCommand.class, SlotsCommand.class, RouteCommand.class,
            RollbackCommand.class, EnginesCommand.class, DoctorCommand.class, ConfigCommand.class
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:all is well",
            "1:something is wrong: what was looked at, or access to it; there is no path; what was asked for was refused",
            "2:the command line makes no sense, or does not say which of several engines is meant",
            "3:no living engine is there, or it went away without being closed"
        })
public final class Lodestone implements Runnable {
    @Spec
    private CommandSpec spec;

    private Lodestone() {}

    /** The version in the jar's manifest. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = Lodestone.class.getPackage().getImplementationVersion();
            return new String[] {
                "lodestone " + (version == null ? "(built from source)" : version),
                "Java " + Runtime.version()
            };
        }
    }

    /**
     * Runs a command and ends the process.
     *
     * @param arguments the command line
     */
    public static void main(String[] arguments) {
        System.exit(run(arguments));
    }

    private static int run(String[] arguments) {
        PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
        PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
        int exit = new CommandLine(new Lodestone())
                .setOut(out)
                .setErr(err)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setParameterExceptionHandler((problem, given) -> misused(problem))
                .setExecutionExceptionHandler((problem, command, parsed) -> failed(problem, command))
                .execute(arguments);
        out.flush();
        return exit;
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing");
    }

    private static int misused(ParameterException problem) {
        CommandLine command = problem.getCommandLine();
        command.getErr().println("lodestone: " + problem.getMessage() + ". What to do: see "
                + command.getCommandSpec().qualifiedName() + " --help.");
        return Exit.USAGE;
    }

    /** What an engine or its configuration says is told as it is; anything else is our mistake and keeps its trace. */
    private static int failed(Exception problem, CommandLine command) throws Exception {
        if (!(problem instanceof EngineException refused)) {
            throw problem;
        }
        command.getErr().println("lodestone: " + refused.getMessage());
        return switch (refused) {
            case EngineGoneException _, EngineClosedException _ -> Exit.NO_ENGINE;
            case AttachException attach -> switch (attach.reason()) {
                case ABSENT, FOREIGN, STARTING -> Exit.NO_ENGINE;
                case SEVERAL -> several(attach, command);
                case PERMISSION, VERSION, DAMAGED, SYSTEM -> Exit.WRONG;
            };
            default -> Exit.WRONG;
        };
    }

    private static int several(AttachException attach, CommandLine command) {
        EngineList.of(attach.path()).table().forEach(command.getErr()::println);
        return Exit.USAGE;
    }
}
