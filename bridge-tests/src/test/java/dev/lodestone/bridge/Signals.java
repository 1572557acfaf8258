package dev.lodestone.bridge;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/** Signals to other processes, which Java itself can only end. */
final class Signals {
    private Signals() {}

    /** Sends a signal, for example STOP, CONT, KILL, TERM. After STOP all threads of the process stand still. */
    static void send(long pid, String name) {
        try {
            Process kill = new ProcessBuilder("kill", "-" + name, Long.toString(pid)).redirectErrorStream(true).start();
            String said = new String(kill.getInputStream().readAllBytes());
            if (kill.waitFor() != 0) {
                throw new AssertionError("kill -" + name + " " + pid + ": " + said);
            }
            // The signal is under way when kill returns: a thread on another processor runs until it is told.
            while (name.equals("STOP") && !standsStill(pid)) {
                LockSupport.parkNanos(100_000);
            }
        } catch (IOException | InterruptedException broken) {
            throw new AssertionError(broken);
        }
    }

    private static boolean standsStill(long pid) throws IOException {
        try (Stream<Path> threads = Files.list(Path.of("/proc/" + pid + "/task"))) {
            for (Path thread : threads.toList()) {
                String stat = Files.readString(thread.resolve("stat"));
                // proc(5): the state follows the name, which is in brackets.
                char state = stat.charAt(stat.lastIndexOf(')') + 2);
                if (state != 'T') {
                    return false;
                }
            }
            return true;
        }
    }
}
