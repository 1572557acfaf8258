package dev.lodestone.bridge;

import java.io.IOException;

/** Signals to other processes, which Java itself can only end. */
final class Signals {
    private Signals() {}

    /** Sends a signal, for example STOP, CONT, KILL, TERM. */
    static void send(long pid, String name) {
        try {
            Process kill = new ProcessBuilder("kill", "-" + name, Long.toString(pid)).redirectErrorStream(true).start();
            String said = new String(kill.getInputStream().readAllBytes());
            if (kill.waitFor() != 0) {
                throw new AssertionError("kill -" + name + " " + pid + ": " + said);
            }
        } catch (IOException | InterruptedException broken) {
            throw new AssertionError(broken);
        }
    }
}
