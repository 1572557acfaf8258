package dev.lodestone.bridge;

import dev.lodestone.AttachedEngine;
import dev.lodestone.CommandBatch;
import dev.lodestone.Commands;
import dev.lodestone.Engine;
import dev.lodestone.EngineException;
import dev.lodestone.EngineGoneException;
import dev.lodestone.SlotReader;
import dev.lodestone.Status;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/**
 * The program of a JVM that attaches to an engine elsewhere and sends moves of one node until it is killed. Each expects the
 * version that the one before it made, and has a payload of nothing but its own version: one that is lost, doubled or torn shows.
 */
public final class AttachedProducer {
    /** Bytes of the file in which it tells how far it is: version committed, version known to be decided. */
    static final int TOLD_BYTES = 16;
    static final int PAYLOAD_BYTES = 232;

    private static final VarHandle WORD = ValueLayout.JAVA_LONG.varHandle();
    private static final Duration LONG = Duration.ofSeconds(120);
    private static final int BATCHES_BETWEEN_LOOKS = 8;
    private static final long RETRY_NS = 2_000_000;
    private static final long SPINS_MAX = 1_000;

    private final AttachedEngine engine;
    private final int node;
    private final MemorySegment told;

    private AttachedProducer(AttachedEngine engine, int node, MemorySegment told) {
        this.engine = engine;
        this.node = node;
        this.told = told;
    }

    /**
     * Attaches to the engine of the first argument and produces moves of the node that the third one names; the fourth is the
     * file in which it tells how far it is. The second is {@code lane}, {@code ring}, or {@code hold}: claims in the ring, prints
     * {@code held}, and goes on when a line comes; or {@code step}: prints {@code here}, and sends two moves through the ring
     * when a line comes. When the engine is gone it prints {@code gone}, and with the next line attaches anew.
     *
     * @param arguments region, role, node, file
     * @throws IOException when the file cannot be mapped
     */
    public static void main(String[] arguments) throws IOException {
        try (FileChannel file = FileChannel.open(Path.of(arguments[3]), StandardOpenOption.READ, StandardOpenOption.WRITE);
                Arena lifetime = Arena.ofShared()) {
            MemorySegment told = file.map(MapMode.READ_WRITE, 0, TOLD_BYTES, lifetime);
            int next = '\n';
            while (next == '\n') {
                try (AttachedEngine engine = Engine.attach(Path.of(arguments[0]))) {
                    new AttachedProducer(engine, Integer.parseInt(arguments[2]), told).produce(arguments[1]);
                } catch (EngineGoneException gone) {
                    System.out.println("gone");
                    next = System.in.read();
                }
            }
        } catch (EngineException refused) {
            System.out.println("refused " + refused.status() + " " + refused.getMessage());
        }
    }

    private void produce(String role) throws IOException {
        try (Commands commands = commands(role.equals("lane"))) {
            SlotReader slot = engine.slotReader();
            slot.read(node);
            long first = slot.version(node);
            WORD.setRelease(told, 0L, first);
            WORD.setRelease(told, 8L, first);
            long version = switch (role) {
                case "hold" -> hold(commands, first);
                case "step" -> step(commands, first);
                default -> first;
            };
            System.out.println("ready " + engine.instance());
            for (long batches = 0;; batches++) {
                version = batch(commands, version, 1 + (int) (version % 3));
                WORD.setRelease(told, 0L, version);
                if (batches % BATCHES_BETWEEN_LOOKS == 0) {
                    requireAccepted(commands);
                    WORD.setRelease(told, 8L, first + commands.decided());
                }
            }
        }
    }

    private static void requireAccepted(Commands commands) {
        if (!commands.awaitDecided(commands.sent(), LONG) || commands.rejected() != 0) {
            throw new EngineException(Status.CONFLICT, "decided " + commands.decided() + ", refused " + commands.rejected());
        }
    }

    /** Commands with a lane, or without; those of a producer that was killed come free a moment later. */
    private Commands commands(boolean lane) {
        while (true) {
            try {
                Commands commands = engine.commands();
                if (commands.hasLane() == lane) {
                    return commands;
                }
                commands.close();
            } catch (EngineException taken) {
                if (taken.status() != Status.OVERLOADED) {
                    throw taken;
                }
            }
            LockSupport.parkNanos(RETRY_NS);
        }
    }

    private long batch(Commands commands, long version, int count) {
        CommandBatch batch = commands.batch();
        while (!batch.tryClaim(count, PAYLOAD_BYTES)) {
            Thread.onSpinWait();
        }
        long last = fill(batch, version, count);
        batch.commit();
        return last;
    }

    private long fill(CommandBatch batch, long version, int count) {
        for (long next = version + 1; next <= version + count; next++) {
            batch.move(node, node + 1, 0x1_0001, next - 1);
            for (int offset = 0; offset < PAYLOAD_BYTES; offset += Long.BYTES) {
                batch.putLong(offset, next);
            }
            // Much of its life it is in the middle of a claim.
            for (long spins = next * 37 % SPINS_MAX; spins > 0; spins--) {
                Thread.onSpinWait();
            }
        }
        return version + count;
    }

    private long hold(Commands commands, long version) throws IOException {
        CommandBatch batch = commands.batch();
        while (!batch.tryClaim(2, PAYLOAD_BYTES)) {
            Thread.onSpinWait();
        }
        fill(batch, version, 1);
        System.out.println("held");
        int line = System.in.read();
        long last = fill(batch, version + 1, line == '\n' ? 1 : 0);
        batch.commit();
        requireAccepted(commands);
        WORD.setRelease(told, 0L, last);
        return last;
    }

    private long step(Commands commands, long version) throws IOException {
        System.out.println("here");
        if (System.in.read() != '\n') {
            return version;
        }
        long last = batch(commands, version, Stopped.BATCH);
        requireAccepted(commands);
        return last;
    }
}
