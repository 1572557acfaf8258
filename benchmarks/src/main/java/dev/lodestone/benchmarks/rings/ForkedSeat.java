package dev.lodestone.benchmarks.rings;

import dev.lodestone.benchmarks.rings.CoreToCore.Placement;
import dev.lodestone.benchmarks.rings.Rows.Seat;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A contender in a {@linkplain Fork JVM of its own}, as the one who orders trials sees it. */
final class ForkedSeat implements AutoCloseable {
    private static final int END_SECONDS_MAX = 10;

    private final Seat seat;
    /** In this JVM, or in a process of its own. */
    private final Fork local;
    private final Process process;
    private final BufferedReader answers;
    private final Writer orders;

    /**
     * Has it in this JVM, only to see that it works: its figures mean nothing.
     *
     * @param seat which contender
     * @param local the contender
     */
    ForkedSeat(Seat seat, Fork local) {
        this.seat = seat;
        this.local = local;
        this.process = null;
        this.answers = null;
        this.orders = null;
    }

    /**
     * Starts it, with the flags of this JVM, and waits until it is warm.
     *
     * @param seat which contender
     * @param arguments those of {@link Fork} behind the seat
     * @throws IOException when it does not start, or fails
     */
    ForkedSeat(Seat seat, String... arguments) throws IOException {
        this.seat = seat;
        this.local = null;
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Fork.class.getName(), seat.row(), seat.name()));
        command.addAll(Arrays.asList(arguments));
        process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        answers = process.inputReader();
        orders = process.outputWriter();
        String said = answers.readLine();
        // Some peers greet.
        while (said != null && !said.equals("ready")) {
            said = answers.readLine();
        }
        if (said == null) {
            throw new IOException(seat.figure() + " ended before its first trial");
        }
    }

    Seat seat() {
        return seat;
    }

    /**
     * Has it make a trial.
     *
     * @param results where its values go
     * @throws IOException when it ends
     */
    void trial(Results results) throws IOException {
        String said = local == null ? ask() : local.trial();
        double[] values = Arrays.stream(said.split(" ")).mapToDouble(Double::parseDouble).toArray();
        double took = values[2];
        double count = values[3];
        results.addBytes(seat.figure(), values[4] / count);
        if (seat.isCall()) {
            results.add(seat.figure(), took / count);
            return;
        }
        Placement found = CoreToCore.placement(values[0], values[1]);
        // One that means nothing counts as near and as far, so that every figure is there.
        for (Placement placement : local != null ? List.of(Placement.NEAR, Placement.FAR) : List.of(found)) {
            results.add("core_to_core.limit", placement, (values[0] + values[1]) / 2);
            if (seat.isTrips()) {
                results.add(seat.figure() + ".p50", placement, values[5]);
                results.add(seat.figure() + ".p99", placement, values[6]);
            } else {
                results.add(seat.figure(), placement, count * 1e3 / took);
            }
        }
    }

    private String ask() throws IOException {
        orders.write("trial\n");
        orders.flush();
        String said = answers.readLine();
        if (said == null) {
            throw new IOException(seat.figure() + " ended in a trial");
        }
        return said;
    }

    @Override
    public void close() {
        if (local != null) {
            local.close();
            return;
        }
        try {
            orders.close();
            if (!process.waitFor(END_SECONDS_MAX, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (IOException | InterruptedException failure) {
            process.destroyForcibly();
        }
    }
}
