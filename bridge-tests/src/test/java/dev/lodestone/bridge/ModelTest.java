package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.lodestone.Commit;
import dev.lodestone.Engine;
import dev.lodestone.MoveBatch;
import dev.lodestone.RollbackException;
import dev.lodestone.RollbackReport;
import dev.lodestone.Route;
import dev.lodestone.SlotReader;
import dev.lodestone.StateHash;
import dev.lodestone.Status;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Random moves, releases, routes and rollbacks through the Java API against {@link Model}. A failure names its seed;
 * {@code -Dlodestone.seed=N} runs that one alone, {@code -Dlodestone.seeds=N} that many.
 */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class ModelTest {
    private static final int NODES = 40;
    private static final int SLOTS = 24;
    private static final int EDGES = 300;
    private static final int STEPS = 60;

    /** Every second seed has its routes found by the engine thread, every fourth verifies its rollbacks. */
    private static Engine open(int seed) {
        return Engine.open(Engines.small().arenaCapacity(SLOTS).nodesMax(NODES).set("graph.edges_max", EDGES)
                .set("graph.pathfinder", seed % 2 == 0 ? "thread" : "inline")
                .set("rollback.verify", seed % 4 < 2 ? "false" : "true").build());
    }

    @Test
    void theEngineDoesWhatTheModelDoes() {
        Integer one = Integer.getInteger("lodestone.seed");
        int first = one == null ? 0 : one;
        int seeds = one == null ? Integer.getInteger("lodestone.seeds", 40) : 1;
        for (int seed = first; seed < first + seeds; seed++) {
            try (Engine engine = open(seed)) {
                new Run(engine, seed).all();
            } catch (AssertionError | RuntimeException failure) {
                throw new AssertionError("seed " + seed + " (again with -Dlodestone.seed=" + seed + ")", failure);
            }
        }
    }

    /** One seed's run. */
    private static final class Run {
        private final Engine engine;
        private final Random random;
        private final MoveBatch batch;
        private final SlotReader reader;
        private final TreeMap<Long, Model> history = new TreeMap<>();
        private final TreeMap<Long, StateHash> hashes = new TreeMap<>();
        private Model model = new Model(NODES, SLOTS, EDGES);
        private long revision;
        private long branch;

        Run(Engine engine, int seed) {
            this.engine = engine;
            this.random = new Random(seed);
            this.batch = engine.moveBatch(MoveBatch.CAPACITY_MAX);
            this.reader = engine.slotReader();
            remember();
        }

        void all() {
            for (int step = 0; step < STEPS; step++) {
                switch (random.nextInt(8)) {
                    case 0 -> rollback();
                    case 1 -> outside();
                    case 2 -> routes();
                    default -> moves();
                }
                compare();
            }
            assertEquals(engine.verifyHash(), engine.stateHash());
        }

        private void remember() {
            history.put(revision, model.copy());
            hashes.put(revision, engine.stateHash());
        }

        /** Mostly good nodes; now and then one that does not exist. */
        private int node() {
            return random.nextInt(50) == 0 ? NODES + random.nextInt(3) : random.nextInt(NODES);
        }

        private void moves() {
            batch.clear();
            List<Status> expected = new ArrayList<>();
            int count = 1 + random.nextInt(random.nextBoolean() ? 4 : MoveBatch.CAPACITY_MAX);
            while (batch.size() < count) {
                expected.add(random.nextInt(5) == 0 ? release() : move());
            }
            revision += expected.contains(Status.OK) ? 1 : 0;
            batch.submit();
            for (int index = 0; index < count; index++) {
                assertEquals(expected.get(index), batch.status(index), "move " + index);
            }
            assertEquals(revision, engine.revision());
            remember();
        }

        private Status move() {
            int source = node();
            int target = node();
            int mask = random.nextInt(4) == 0 ? 0 : random.nextInt();
            long version = switch (random.nextInt(4)) {
                case 0 -> model.version(source);
                case 1 -> random.nextInt(4);
                default -> 0;
            };
            byte[] payload = new byte[random.nextInt(3) == 0 ? random.nextInt(233) : random.nextInt(9)];
            random.nextBytes(payload);
            batch.add(source, target, mask, version);
            batch.putBytes(0, payload);
            return model.move(source, target, mask, version, payload);
        }

        private Status release() {
            int node = node();
            batch.addRelease(node);
            return model.release(node);
        }

        private void rollback() {
            long oldest = Math.max(engine.commit().oldestRevision(), history.firstKey());
            long to = random.nextLong(oldest, revision + 1);
            RollbackReport report = engine.rollback(to);
            assertEquals(revision, report.fromRevision());
            assertEquals(to, report.toRevision());
            assertEquals(revision - to, report.revisions());
            assertEquals(hashes.get(to), report.hash());
            assertEquals(++branch, report.branch());
            model = history.get(to).copy();
            history.tailMap(to, false).clear();
            hashes.tailMap(to, false).clear();
            revision = to;
        }

        private void outside() {
            Commit before = engine.commit();
            assertThrows(RollbackException.class, () -> engine.rollback(revision + 1 + random.nextInt(5)));
            assertEquals(before, engine.commit());
        }

        private void routes() {
            for (int index = 0; index < 5; index++) {
                int source = random.nextInt(NODES);
                int target = random.nextInt(NODES);
                Route route = engine.graph().route(source, target);
                List<Long> expected = model.route(source, target);
                List<Long> found = new ArrayList<>();
                if (route.found()) {
                    found.add(route.distance());
                    Arrays.stream(route.nodes()).forEach(node -> found.add((long) node));
                }
                assertEquals(expected, found, "route from " + source + " to " + target);
                assertEquals(revision, route.revision());
                assertEquals(route.nodes().length, route.nodesTotal());
            }
        }

        private void compare() {
            Commit commit = engine.commit();
            assertEquals(revision, commit.revision());
            assertEquals(branch, commit.branch());
            assertEquals(model.edgesCount(), commit.edges());
            assertEquals(model.slots.size(), commit.slotsUsed());
            assertEquals(hashes.get(revision), commit.hash());
            assertEquals(hashes.get(revision), engine.stateHash(revision));
            for (int node = 0; node < NODES; node++) {
                Model.Slot slot = model.slots.get(node);
                assertEquals(slot != null, reader.read(node), "node " + node);
                assertEquals(model.version(node), reader.version(node), "version of node " + node);
                if (slot != null) {
                    compare(node, slot);
                }
            }
        }

        private void compare(int node, Model.Slot slot) {
            assertEquals(List.of(node, slot.target(), slot.mask(), Model.weight(slot.mask()), 1),
                    List.of(reader.source(), reader.target(), reader.edgeMask(), reader.weight(), reader.state()));
            assertEquals(slot.version(), reader.version());
            assertEquals(slot.payload().length, reader.payloadLength());
            for (int offset = 0; offset < MoveBatch.PAYLOAD_BYTES_MAX; offset++) {
                byte expected = offset < slot.payload().length ? slot.payload()[offset] : 0;
                assertEquals(expected, reader.payloadByte(offset), "payload byte " + offset + " of node " + node);
            }
        }
    }

    @Test
    void equalMovesGiveEqualHashesHoweverTheyAreBatched() {
        for (int seed = 0; seed < 5; seed++) {
            StateHash hash = null;
            for (int batchMax : new int[] {1, 7, 128}) {
                try (Engine engine = open(seed + batchMax)) {
                    StateHash found = play(engine, new Random(seed), batchMax);
                    assertEquals(hash == null ? found : hash, found, "seed " + seed + ", batches of " + batchMax);
                    hash = found;
                }
            }
        }
    }

    private static StateHash play(Engine engine, Random random, int batchMax) {
        MoveBatch batch = engine.moveBatch(batchMax);
        for (int step = 0; step < 500; step++) {
            if (random.nextInt(6) == 0) {
                batch.addRelease(random.nextInt(NODES));
            } else {
                batch.add(random.nextInt(NODES), random.nextInt(NODES), random.nextInt(), 0);
                batch.putLong(0, random.nextLong());
            }
            if (batch.size() == batchMax) {
                batch.submit();
                batch.clear();
            }
        }
        batch.submit();
        return engine.stateHash();
    }
}
