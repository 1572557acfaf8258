package dev.lodestone.examples.hunt;

import java.util.Optional;
import java.util.function.Consumer;

/** Shows the hunt while it runs: a live line each second, and now and then where a hunter is. */
final class LiveView implements Consumer<LoadEvent> {
    private static final int SECONDS_PER_SIGHTING = 5;
    private static final long CONNECTING_NANOS_MIN = 500_000_000;

    private final Console console;
    private final RoadMap map;
    private final HunterWatch watch;
    private final GcWatch gc;
    private LoadEvent.Tick before = new LoadEvent.Tick(0, 0, 0, 0, 0, 0);
    private LoadEvent.Done done;
    private long connectingShown = System.nanoTime() - CONNECTING_NANOS_MIN;

    LiveView(Console console, RoadMap map, HunterWatch watch, GcWatch gc) {
        this.console = console;
        this.map = map;
        this.watch = watch;
        this.gc = gc;
    }

    @Override
    public void accept(LoadEvent event) {
        switch (event) {
            case LoadEvent.Connecting connecting -> show(connecting);
            case LoadEvent.Tick tick -> show(tick);
            case LoadEvent.Done end -> show(end);
        }
    }

    private void show(LoadEvent.Connecting connecting) {
        long now = System.nanoTime();
        if (connecting.done() == connecting.total() || now - connectingShown >= CONNECTING_NANOS_MIN) {
            console.live(Console.text("  connecting: %,d of %,d", connecting.done(), connecting.total()));
            connectingShown = now;
        }
    }

    private void show(LoadEvent.Tick tick) {
        if (before.second() == 0) {
            console.endLive();
        }
        console.live(line(before, tick, ProcessMemory.residentBytes(), gc.pauses()));
        if (tick.second() % SECONDS_PER_SIGHTING == 0) {
            watch.sighting(tick.second() / SECONDS_PER_SIGHTING).ifPresent(this::show);
        }
        before = tick;
    }

    /** The text of the live line. */
    static String line(LoadEvent.Tick before, LoadEvent.Tick now, long residentBytes, GcWatch.Pauses pauses) {
        long seconds = Math.max(1, now.second() - before.second());
        return Console.text("  %3d s  %,7d moves/s  p50 %,d us  p99 %,d us  RSS %s  GC pauses %d (max %d ms)  rejected %,d",
                now.second(), (now.movesAcked() - before.movesAcked()) / seconds, Math.round(now.p50Micros()),
                Math.round(now.p99Micros()), ProcessMemory.describe(residentBytes), pauses.count(), pauses.maxMillis(),
                now.movesRejected());
    }

    private void show(HunterWatch.Sighting sighting) {
        int crossing = sighting.crossing();
        String place = Place.describe(Place.DELAWARE, map.latitude(crossing), map.longitude(crossing));
        console.line("         read from a slot: hunter %d, after %,d steps, is %s", sighting.hunter(), sighting.step() + 1L,
                place);
    }

    private void show(LoadEvent.Done end) {
        done = end;
        console.line("  %,d moves sent, %,d acknowledged, %,d rejected; p50 %,d us, p99 %,d us, p99.9 %,d us from when each was"
                + " due", end.movesSent(), end.movesAcked(), end.movesRejected(), Math.round(end.endToEnd().p50()),
                Math.round(end.endToEnd().p99()), Math.round(end.endToEnd().p999()));
        end.rejectedByStatus().forEach((status, count) -> console.line("  rejected as %s: %,d", status, count));
    }

    /** The client's report, once it has come. */
    Optional<LoadEvent.Done> done() {
        return Optional.ofNullable(done);
    }
}
