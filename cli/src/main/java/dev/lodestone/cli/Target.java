package dev.lodestone.cli;

import dev.lodestone.AttachMode;
import dev.lodestone.AttachedEngine;
import dev.lodestone.Engine;
import dev.lodestone.EngineState;
import java.io.PrintWriter;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Which engine a command looks at: an option of several commands. */
final class Target {
    /** Where engines put their regions unless configured otherwise. */
    static final String FOLDER = "/dev/shm";

    @Option(
            names = {"-e", "--engine"},
            paramLabel = "PATH",
            defaultValue = FOLDER,
            description = "The region file of the engine, or a folder that holds the one of one living engine"
                    + " (default: ${DEFAULT-VALUE}).")
    private Path path;

    /** Attaches to it, for reading only. */
    AttachedEngine attach() {
        return Engine.attach(path, AttachMode.READ_ONLY);
    }

    /** Attaches to it in order to ask it something. */
    AttachedEngine attachToAsk() {
        return Engine.attach(path, AttachMode.READ_WRITE);
    }

    /** Tells how a watched engine ended; the exit code that goes with it. */
    static int tellEnd(AttachedEngine engine, PrintWriter err) {
        if (engine.state() == EngineState.CLOSED) {
            err.println("lodestone: the engine of process " + engine.pid() + " was closed");
            return Exit.FINE;
        }
        err.println("lodestone: the engine of process " + engine.pid() + " is gone: the process ended without closing it."
                + " What to do: look for the reason in its log and in the system's, and start it again.");
        return Exit.NO_ENGINE;
    }
}
