package dev.lodestone.benchmarks.rings;

import io.aeron.Aeron;
import io.aeron.CommonContext;
import io.aeron.ExclusivePublication;
import io.aeron.Publication;
import io.aeron.Subscription;
import io.aeron.driver.MediaDriver;
import io.aeron.driver.ThreadingMode;
import io.aeron.logbuffer.BufferClaim;
import io.aeron.logbuffer.FragmentHandler;
import io.aeron.logbuffer.Header;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.BackoffIdleStrategy;

/** Aeron IPC with terms of 16 MiB and a conductor that backs off: with small terms or a sleepy conductor it would starve. */
final class AeronPeers implements AutoCloseable {
    private static final String CHANNEL = "aeron:ipc?term-length=16m";
    private static final int POLL_MAX = 512;

    private final MediaDriver driver;
    private final Aeron aeron;
    private int streams;

    AeronPeers() {
        String folder = CommonContext.generateRandomDirName();
        driver = MediaDriver.launch(new MediaDriver.Context().aeronDirectoryName(folder).dirDeleteOnStart(true)
                .dirDeleteOnShutdown(true).threadingMode(ThreadingMode.SHARED)
                .sharedIdleStrategy(new BackoffIdleStrategy()));
        aeron = Aeron.connect(new Aeron.Context().aeronDirectoryName(folder).idleStrategy(new BackoffIdleStrategy()));
    }

    private Pipe pipe(boolean exclusive) {
        int stream = ++streams;
        Subscription subscription = aeron.addSubscription(CHANNEL, stream);
        Publication publication = exclusive ? null : aeron.addPublication(CHANNEL, stream);
        Pipe pipe = exclusive ? new Exclusive(subscription, aeron.addExclusivePublication(CHANNEL, stream))
                : new Concurrent(subscription, publication);
        while (!subscription.isConnected()) {
            Thread.onSpinWait();
        }
        return pipe;
    }

    /** One stream of Aeron: the way to write differs by the kind of publication. */
    private abstract static class Pipe {
        private final Subscription subscription;
        final BufferClaim claim = new BufferClaim();

        Pipe(Subscription subscription) {
            this.subscription = subscription;
        }

        abstract long tryClaim(int bytes);

        final void send(long value, boolean wide) {
            while (tryClaim(wide ? 64 : 32) < 0) {
                Thread.onSpinWait();
            }
            AgronaPeers.put(claim.buffer(), claim.offset(), value, wide);
            claim.commit();
        }

        final int poll(FragmentHandler handler, int limit) {
            int taken = subscription.poll(handler, limit);
            if (taken == 0) {
                Thread.onSpinWait();
            }
            return taken;
        }
    }

    /** With one producer. */
    private static final class Exclusive extends Pipe {
        private final ExclusivePublication publication;

        Exclusive(Subscription subscription, ExclusivePublication publication) {
            super(subscription);
            this.publication = publication;
        }

        @Override
        long tryClaim(int bytes) {
            return publication.tryClaim(bytes, claim);
        }
    }

    /** With many producers. */
    private static final class Concurrent extends Pipe {
        private final Publication publication;

        Concurrent(Subscription subscription, Publication publication) {
            super(subscription);
            this.publication = publication;
        }

        @Override
        long tryClaim(int bytes) {
            return publication.tryClaim(bytes, claim);
        }
    }

    /** Adds up what it is shown. */
    private static final class Summing implements FragmentHandler {
        private final boolean wide;
        private long sum;

        Summing(boolean wide) {
            this.wide = wide;
        }

        @Override
        public void onFragment(DirectBuffer buffer, int offset, int length, Header header) {
            sum += AgronaPeers.sum(buffer, offset, wide);
        }
    }

    /** A stream. */
    final class Stream extends PeerStream {
        private final Pipe pipe;

        Stream(Partner partner, String row, boolean exclusive, boolean wide) {
            super(partner, row, exclusive ? "aeron_exclusive" : "aeron_concurrent", wide);
            pipe = pipe(exclusive);
        }

        @Override
        void produce(int count) {
            for (int record = 0; record < count; record++) {
                pipe.send(record, wide);
            }
        }

        @Override
        long consume(int count) {
            Summing handler = new Summing(wide);
            for (int taken = 0; taken < count;) {
                taken += pipe.poll(handler, POLL_MAX);
            }
            return handler.sum;
        }

        @Override
        public void close() {
            AeronPeers.this.close();
        }
    }

    /** Round trips through two exclusive streams. */
    final class RoundTrips extends PeerTrips {
        private final Pipe there = pipe(true);
        private final Pipe back = pipe(true);
        private final Summing answers = new Summing(false);
        private final FragmentHandler echo = (buffer, offset, length, header) -> back.send(buffer.getLong(offset), false);

        RoundTrips(Partner partner) {
            super(partner, "round_trip", "aeron_exclusive");
        }

        @Override
        long trip(long value) {
            answers.sum = 0;
            there.send(value, false);
            for (int taken = 0; taken == 0;) {
                taken = back.poll(answers, 1);
            }
            return answers.sum;
        }

        @Override
        long echo(int count) {
            for (int taken = 0; taken < count;) {
                taken += there.poll(echo, 1);
            }
            return count;
        }

        @Override
        public void close() {
            AeronPeers.this.close();
        }
    }

    @Override
    public void close() {
        aeron.close();
        driver.close();
    }
}
