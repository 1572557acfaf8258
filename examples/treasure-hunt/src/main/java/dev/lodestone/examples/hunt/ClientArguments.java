package dev.lodestone.examples.hunt;

import dev.lodestone.Engine;
import dev.lodestone.EngineConfig;
import dev.lodestone.TokenRequest;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** What the client process is told: where the engine is, how to trust it, and what to do. */
final class ClientArguments {
    /** A token outlives the run by this much, for slow connecting. */
    private static final Duration TOKEN_EXTRA = Duration.ofMinutes(10);

    private ClientArguments() {}

    /**
     * The arguments; writes the files that they name: the certificate beside the report, and a token when the configuration
     * asks for tokens.
     */
    static List<String> of(Engine engine, EngineConfig config, HuntOptions options) throws HuntException {
        Path folder = options.report().toAbsolutePath().getParent();
        Path certificate = folder.resolve("certificate.pem");
        TextFiles.write(certificate, engine.certificatePem());
        List<String> arguments = new ArrayList<>(List.of("--target", target(engine), "--certificate", certificate.toString(),
                "--map", options.map().toString(), "--connections", Long.toString(options.connections()),
                "--rate", Long.toString(options.rate()), "--seconds", Long.toString(options.seconds()),
                "--seed", Long.toString(options.seed()), "--report", folder.resolve("client.json").toString()));
        if (!config.tokenKeys().isEmpty()) {
            arguments.addAll(List.of("--token-file", tokenFile(engine, options).toString()));
        }
        return arguments;
    }

    private static Path tokenFile(Engine engine, HuntOptions options) throws HuntException {
        Duration validFor = Duration.ofSeconds(options.seconds()).plus(TOKEN_EXTRA);
        byte[] token = engine.sessions().issueToken(TokenRequest.of(0, validFor));
        return TextFiles.writeSecret(HexFormat.of().formatHex(token) + "\n");
    }

    /** Where the client, which runs on the same machine, finds the engine: host:port. */
    static String target(Engine engine) {
        InetSocketAddress address = engine.quicAddress();
        InetAddress host = address.getAddress().isAnyLocalAddress() ? InetAddress.getLoopbackAddress() : address.getAddress();
        String text = host.getHostAddress();
        return (text.contains(":") ? "[" + text + "]" : text) + ":" + address.getPort();
    }
}
