package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Commit;
import dev.lodestone.Engine;
import dev.lodestone.EventType;
import dev.lodestone.MoveBatch;
import dev.lodestone.RollbackReport;
import dev.lodestone.SlotReader;
import dev.lodestone.StateHash;
import dev.lodestone.Status;
import dev.lodestone.bridge.Probe.Line;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random moves, releases, reads and routes over real QUIC, on several streams of several sessions, together with moves and
 * rollbacks from Java, against {@link Model}; and against a second engine that is given the same moves by Java alone. A
 * failure names its seed; {@code -Dlodestone.seed=N} runs that one alone, {@code -Dlodestone.seeds=N} that many.
 */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class QuicModelTest {
    private static final int NODES = 48;
    private static final int EDGES_ALL = NODES * (NODES - 1);
    private static final int STEPS = 30;
    private static final int SESSIONS = 2;
    private static final int STREAMS = 3;

    @TempDir
    private Path folder;

    /** What may happen at the same time without the order of it changing the outcome. */
    private enum Limits {
        /** Slots and edges run out: nothing, because whoever comes first gets the last one. */
        TIGHT(36, 400),
        /** Moves of nodes that have a slot: which slot a node takes depends on the order, and is part of the state hash. */
        EQUAL_HASH(NODES, EDGES_ALL),
        /** All moves and releases, as long as no hash is compared with the twin's. */
        FREE(NODES, EDGES_ALL);

        private final int slots;
        private final int edges;

        Limits(int slots, int edges) {
            this.slots = slots;
            this.edges = edges;
        }
    }

    private static Engine open(Limits limits, boolean inline) {
        return Engine.open(Engines.small()
                .nodesMax(NODES)
                .arenaCapacity(limits.slots)
                .set("graph.edges_max", limits.edges)
                .set("graph.pathfinder", inline ? "inline" : "thread")
                .build());
    }

    @Test
    void sessionsAndJavaTogetherDoWhatTheModelDoes() {
        Integer one = Integer.getInteger("lodestone.seed");
        int first = one == null ? 0 : one;
        int seeds = one == null ? Integer.getInteger("lodestone.seeds", 8) : 1;
        for (int seed = first; seed < first + seeds; seed++) {
            Limits limits = Limits.values()[seed % Limits.values().length];
            // Whoever finds the routes, the answers are the same.
            boolean inline = seed % 2 == 1;
            try (Engine engine = open(limits, inline); Engine twin = open(limits, !inline)) {
                new Run(engine, twin, limits, folder, seed).all();
            } catch (AssertionError | RuntimeException failure) {
                throw new AssertionError("seed " + seed + " (again with -Dlodestone.seed=" + seed + ")", failure);
            }
        }
    }

    /** What was true at a revision, and the twin's revision that it was true at too. */
    private record Point(Model model, StateHash hash, long twinRevision) {}

    /** One seed's run. */
    private static final class Run {
        private final Engine engine;
        private final Engine twin;
        private final Limits limits;
        private final Random random;
        private final SlotReader reader;
        private final Events events;
        private final List<Probe> probes = new ArrayList<>();
        private final MoveBatch batch;
        private final MoveBatch twinBatch;
        private final List<Status> twinExpected = new ArrayList<>();
        private final TreeMap<Long, Point> history = new TreeMap<>();
        private Model model;
        private long revision;
        private long branch;
        private long accepted;
        private long datagrams;

        Run(Engine engine, Engine twin, Limits limits, Path folder, int seed) {
            this.engine = engine;
            this.twin = twin;
            this.limits = limits;
            this.model = new Model(NODES, limits.slots, limits.edges);
            this.random = new Random(seed);
            this.reader = engine.slotReader();
            this.events = new Events(engine);
            this.batch = engine.moveBatch(MoveBatch.CAPACITY_MAX);
            this.twinBatch = twin.moveBatch(MoveBatch.CAPACITY_MAX);
            for (int index = 0; index < SESSIONS; index++) {
                probes.add(Probe.open(engine, folder));
            }
            remember();
        }

        void all() {
            try {
                for (int step = 0; step < STEPS; step++) {
                    accepted = 0;
                    switch (random.nextInt(9)) {
                        case 0 -> rollback();
                        case 1 -> java();
                        case 2 -> datagram();
                        case 3, 4, 5 -> together();
                        default -> alone();
                    }
                    compare();
                }
                assertEquals(engine.verifyHash(), engine.stateHash());
                for (Probe probe : probes) {
                    events.await(EventType.SESSION_OPENED, probe.session());
                    assertEquals(0, probe.end(), probe::problems);
                    assertEquals(0, events.await(EventType.SESSION_CLOSED, probe.session()).body().getFirst());
                }
            } finally {
                probes.forEach(Probe::close);
            }
        }

        private void remember() {
            history.put(revision, new Point(model.copy(), engine.stateHash(), twin.revision()));
        }

        /** Mostly good nodes of one class; now and then one that does not exist. */
        private int node(int from, int every) {
            return random.nextInt(50) == 0 ? NODES + random.nextInt(3) : from + every * random.nextInt(NODES / every);
        }

        /** A move or release of a node of a class, decided by the model and noted for the twin; its command. */
        private String change(int from, int every) {
            boolean keepsSlots = limits == Limits.EQUAL_HASH && every > 1;
            if (!keepsSlots && random.nextInt(5) == 0) {
                int node = node(from, every);
                twinBatch.addRelease(node);
                note(model.release(node));
                return "release " + node;
            }
            int source = node(from, every);
            if (keepsSlots && !model.slots.containsKey(source)) {
                source = NODES;
            }
            int target = node(0, 1);
            int mask = random.nextInt(4) == 0 ? 0 : random.nextInt();
            long version = switch (random.nextInt(4)) {
                case 0 -> model.version(source);
                case 1 -> random.nextInt(4);
                default -> 0;
            };
            byte[] payload = new byte[random.nextInt(3) == 0 ? random.nextInt(233) : 1 + random.nextInt(9)];
            random.nextBytes(payload);
            twinBatch.add(source, target, mask, version);
            twinBatch.putBytes(0, payload);
            note(model.move(source, target, mask, version, payload));
            String words = "move " + source + " " + target + " 0x" + Integer.toHexString(mask) + " version " + version;
            return payload.length == 0 ? words : words + " payload " + HexFormat.of().formatHex(payload);
        }

        private void note(Status status) {
            twinExpected.add(status);
            accepted += status == Status.OK ? 1 : 0;
            if (twinBatch.size() == MoveBatch.CAPACITY_MAX) {
                playTwin();
            }
        }

        private Status lastStatus() {
            return twinExpected.getLast();
        }

        private void playTwin() {
            twinBatch.submit();
            int start = twinExpected.size() - twinBatch.size();
            for (int index = 0; index < twinBatch.size(); index++) {
                assertEquals(twinExpected.get(start + index), twinBatch.status(index), "move " + index + " of the twin");
            }
            twinBatch.clear();
        }

        /** Frames of one stream alone, of any nodes, with reads between and routes at the end. */
        private void alone() {
            Burst burst = new Burst();
            fill(burst, 1 + random.nextInt(random.nextBoolean() ? 4 : 150), 0, 1);
            for (int index = random.nextInt(4); index > 0; index--) {
                burst.route(node(0, 1), node(0, 1), model);
            }
            burst.send(probes.get(random.nextInt(SESSIONS)), random.nextInt(STREAMS));
            settle(burst.check(revision));
        }

        private void fill(Burst burst, int count, int from, int every) {
            for (int index = 0; index < count; index++) {
                if (random.nextInt(6) == 0) {
                    burst.read(node(from, every), model);
                } else {
                    String frame = change(from, every);
                    burst.decided(frame, random.nextInt(8) == 0, lastStatus(), model);
                }
            }
        }

        /**
         * All streams of all sessions and Java at the same time, each with nodes of its own, so that any order does the
         * same; one after the other where slots and edges are tight.
         */
        private void together() {
            int parties = SESSIONS * STREAMS + 1;
            int most = 1 + random.nextInt(20);
            List<Burst> sent = new ArrayList<>();
            for (int party = 0; party + 1 < parties; party++) {
                Burst burst = new Burst();
                fill(burst, most, party, parties);
                burst.send(probes.get(party % SESSIONS), party / SESSIONS);
                if (limits == Limits.TIGHT) {
                    settle(burst.check(revision));
                } else {
                    sent.add(burst);
                }
            }
            javaMoves(most, parties - 1, parties);
            long highest = revision;
            for (int index = 0; index < SESSIONS; index++) {
                highest = Math.max(highest, Burst.checkTogether(probes.get(index), ofSession(sent, index), revision));
            }
            settle(highest);
        }

        private static List<Burst> ofSession(List<Burst> sent, int session) {
            List<Burst> own = new ArrayList<>();
            for (int party = session; party < sent.size(); party += SESSIONS) {
                own.add(sent.get(party));
            }
            return own;
        }

        private void java() {
            javaMoves(1 + random.nextInt(MoveBatch.CAPACITY_MAX), 0, 1);
            settle(engine.revision());
        }

        private void javaMoves(int count, int from, int every) {
            batch.clear();
            List<Status> expected = new ArrayList<>();
            for (int index = 0; index < count; index++) {
                String[] words = change(from, every).split(" ");
                expected.add(lastStatus());
                if (words[0].equals("release")) {
                    batch.addRelease(Integer.parseInt(words[1]));
                } else {
                    batch.add(Integer.parseInt(words[1]), Integer.parseInt(words[2]),
                            Integer.parseUnsignedInt(words[3].substring(2), 16), Long.parseLong(words[5]));
                    batch.putBytes(0, HexFormat.of().parseHex(words.length > 7 ? words[7] : ""));
                }
            }
            batch.submit();
            for (int index = 0; index < count; index++) {
                assertEquals(expected.get(index), batch.status(index), "move " + index + " of Java");
            }
        }

        /** Datagrams one at a time, because they keep no order. */
        private void datagram() {
            Probe probe = probes.getFirst();
            for (int index = random.nextInt(4); index >= 0; index--) {
                probe.send(List.of("datagram " + change(0, 1) + " each"));
                Line line = probe.await(one -> one.members().containsKey("datagram") && !one.is("frame"));
                assertEquals(datagrams++, line.number("counter"));
                assertEquals(lastStatus(), line.is("ack") ? Status.OK : line.status(), line.text());
            }
            settle(engine.revision());
        }

        /** Everything sent is answered: the revision rose by the batches that it took, at least one, at most one a move. */
        private void settle(long told) {
            long now = engine.revision();
            assertTrue(told <= now, () -> "told of revision " + told + " at revision " + now);
            assertTrue(accepted == 0 ? now == revision : now > revision && now <= revision + accepted,
                    () -> "from revision " + revision + " to " + now + " with " + accepted + " accepted");
            playTwin();
            accepted = 0;
            revision = now;
            remember();
        }

        private void rollback() {
            List<Long> known = List.copyOf(history.tailMap(engine.commit().oldestRevision()).keySet());
            long to = known.get(random.nextInt(known.size()));
            RollbackReport report = engine.rollback(to);
            Point point = history.get(to);
            assertEquals(List.of(revision, to, point.hash(), ++branch),
                    List.of(report.fromRevision(), report.toRevision(), report.hash(), report.branch()));
            assertEquals(List.of(to, branch, revision - to), events.await(EventType.ROLLED_BACK, 0).body());
            for (Probe probe : probes) {
                probe.await(line -> line.is("rolled_back") && line.isOn(0));
                Line ack = probe.await(line -> line.is("ack") && line.isOn(0));
                assertEquals(List.of(to, probe.counterNext(0) - 1), List.of(ack.number("revision"), ack.number("counter")));
            }
            twin.rollback(point.twinRevision());
            model = point.model().copy();
            history.tailMap(to, false).clear();
            revision = to;
        }

        private void compare() {
            Commit commit = engine.commit();
            assertEquals(List.of(revision, branch, (long) model.edgesCount(), (long) model.slots.size()),
                    List.of(commit.revision(), commit.branch(), commit.edges(), commit.slotsUsed()));
            assertEquals(history.get(revision).hash(), commit.hash());
            if (limits != Limits.FREE) {
                assertEquals(twin.stateHash(), commit.hash());
            }
            Burst burst = new Burst();
            for (int node = 0; node < NODES; node++) {
                assertEquals(model.slots.containsKey(node), reader.read(node), "node " + node);
                assertEquals(model.slotHex(node), hex(reader), "node " + node);
                assertEquals(model.version(node), reader.version(node), "version of node " + node);
                burst.read(node, model);
            }
            burst.send(probes.get(random.nextInt(SESSIONS)), random.nextInt(STREAMS));
            assertEquals(revision, burst.check(revision));
        }

        private static String hex(SlotReader slot) {
            ByteBuffer bytes = ByteBuffer.allocate(256).order(ByteOrder.LITTLE_ENDIAN);
            bytes.putInt(slot.source()).putInt(slot.target()).putInt(slot.edgeMask());
            bytes.put((byte) slot.weight()).put((byte) slot.state()).putShort((short) slot.payloadLength());
            bytes.putLong(slot.version()).put(slot.payload().asByteBuffer());
            return HexFormat.of().formatHex(bytes.array());
        }
    }
}
