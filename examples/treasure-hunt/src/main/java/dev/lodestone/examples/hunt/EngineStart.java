package dev.lodestone.examples.hunt;

import dev.lodestone.Engine;
import dev.lodestone.EngineConfig;
import dev.lodestone.Status;
import dev.lodestone.TransportException;

/** Opens the engine as the options ask for. */
final class EngineStart {
    private EngineStart() {}

    /** The configuration that the options ask for. */
    static EngineConfig config(HuntOptions options) {
        // The show tells itself what an engine would tell on a healthy day.
        EngineConfig config = options.config().map(EngineConfig::load)
                .orElseGet(() -> EngineConfig.builder().set("log.level", "warn").build());
        return options.port().map(port -> withPort(config, port)).orElse(config);
    }

    /**
     * Opens it. A user who did not choose the port gets a free one when the default is taken.
     *
     * @param options the options
     * @param config the configuration made from them
     * @param console where to say which port was taken
     * @return the engine
     */
    static Engine open(HuntOptions options, EngineConfig config, Console console) {
        try {
            return Engine.open(config);
        } catch (TransportException bad) {
            if (bad.status() != Status.BIND || options.port().isPresent() || options.config().isPresent()) {
                throw bad;
            }
            console.line("%s is taken by another program; using a free port instead.", config.listen());
            return Engine.open(withPort(config, 0));
        }
    }

    private static EngineConfig withPort(EngineConfig config, int port) {
        String listen = config.listen();
        return config.toBuilder().listen(listen.substring(0, listen.lastIndexOf(':') + 1) + port).build();
    }
}
