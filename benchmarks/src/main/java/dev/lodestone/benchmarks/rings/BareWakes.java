package dev.lodestone.benchmarks.rings;

import dev.lodestone.benchmarks.rings.Rows.Seat;
import java.io.IOException;

/**
 * The limit of sides that sleep: two bare threads of lodestone-bench on the same two cores, which wake each other for each round
 * trip by a futex or an eventfd; paced, one wakes the other by a futex on the schedule of {@link PacedCommands} and looks for
 * the answer.
 */
final class BareWakes implements Contender {
    private final OwnTaker wakes;
    private final Seat seat;

    BareWakes(String program, String folder, Seat seat) throws IOException {
        this.wakes = OwnTaker.withoutRegion(program, "wakes", folder);
        this.seat = seat;
    }

    @Override
    public String row() {
        return seat.row();
    }

    @Override
    public String name() {
        return seat.name();
    }

    @Override
    public long run(int count) {
        String what = seat.name().substring("limit_".length()) + (seat.isPaced() ? " paced " : " trips ");
        Clock.begin();
        String[] times = wakes.ask(what + count).split(" ");
        Clock.end();
        if (times.length != count) {
            throw new IllegalStateException(times.length + " round trips instead of " + count);
        }
        long took = 0;
        for (int trip = 0; trip < count; trip++) {
            long time = Long.parseLong(times[trip]);
            Trips.keep(trip, time);
            took += time;
        }
        return took;
    }

    @Override
    public void close() {
        wakes.close();
    }
}
