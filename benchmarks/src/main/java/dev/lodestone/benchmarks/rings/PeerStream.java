package dev.lodestone.benchmarks.rings;

/** A stream of records through a queue of this JVM, from the main thread to the partner. */
abstract class PeerStream implements Contender {
    private final Partner partner;
    private final String row;
    private final String name;
    /** Whether a record has 64 bytes, else 32. */
    final boolean wide;

    PeerStream(Partner partner, String row, String name, boolean wide) {
        this.partner = partner;
        this.row = row;
        this.name = name;
        this.wide = wide;
    }

    /** Makes room before the clock starts; a ring has all it needs. */
    void prepare() {}

    /** Sends so many records. */
    abstract void produce(int count);

    /** Takes so many records, and gives the sum of their words. */
    abstract long consume(int count);

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
        prepare();
        partner.start(() -> consume(count));
        long begun = Clock.begin();
        produce(count);
        long sum = partner.result();
        Clock.end();
        Message.check(name, sum, count, wide);
        return partner.doneNs() - begun;
    }
}
