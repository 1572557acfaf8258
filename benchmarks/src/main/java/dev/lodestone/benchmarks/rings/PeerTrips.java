package dev.lodestone.benchmarks.rings;

/** Records of 32 bytes through a queue of this JVM, each answered by another one, one at a time. */
abstract class PeerTrips implements Contender {
    private final Partner partner;
    private final String row;
    private final String name;

    PeerTrips(Partner partner, String row, String name) {
        this.partner = partner;
        this.row = row;
        this.name = name;
    }

    /** Sends a record and waits for its answer, whose sum it gives. */
    abstract long trip(long value);

    /** Takes so many records and answers each. */
    abstract long echo(int count);

    @Override
    public final String row() {
        return row;
    }

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final long run(int count) {
        partner.start(() -> echo(count));
        long begun = Clock.begin();
        long before = begun;
        long sum = 0;
        for (int trip = 0; trip < count; trip++) {
            sum += trip(trip);
            long now = System.nanoTime();
            Trips.keep(trip, now - before);
            before = now;
        }
        Clock.end();
        partner.result();
        Message.check(name, sum, count, false);
        return before - begun;
    }
}
