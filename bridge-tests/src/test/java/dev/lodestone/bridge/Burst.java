package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Status;
import dev.lodestone.bridge.Probe.Line;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Frames that leave together on one stream of a probe, and what the model says that must come back. */
final class Burst {
    /** A question and what may be answered: a later frame of the same burst may already be seen in it. */
    private record Asked(long offset, int node, Set<String> slots) {}

    /** A route asked for and its answer: distance and nodes, or nothing. */
    private record Route(long offset, List<Long> expected) {}

    private final List<String> frames = new ArrayList<>();
    private final List<Status> statuses = new ArrayList<>();
    private final List<Long> each = new ArrayList<>();
    private final List<Asked> reads = new ArrayList<>();
    private final List<Route> routes = new ArrayList<>();
    private Probe probe;
    private int stream;
    private long first;

    /** Adds a MOVE or RELEASE; the model has decided it already. */
    void decided(String frame, boolean ackEach, Status status, Model model) {
        if (ackEach) {
            each.add((long) frames.size());
        }
        add(ackEach ? frame + " each" : frame, status);
        reads.forEach(read -> read.slots().add(model.slotHex(read.node())));
    }

    /** Adds a READ of a node. */
    void read(int node, Model model) {
        boolean exists = node < model.nodesMax;
        if (exists) {
            reads.add(new Asked(frames.size(), node, new HashSet<>(Set.of(model.slotHex(node)))));
        }
        add("read " + node, exists ? null : Status.OUT_OF_BOUNDS);
    }

    /** Adds a ROUTE; nothing that changes may follow it. */
    void route(int source, int target, Model model) {
        boolean exists = Math.max(source, target) < model.nodesMax;
        if (exists) {
            routes.add(new Route(frames.size(), model.route(source, target)));
        }
        add("route " + source + " " + target, exists ? null : Status.OUT_OF_BOUNDS);
    }

    /** A null status is a question that is answered. */
    private void add(String frame, Status status) {
        frames.add(frame);
        statuses.add(status);
    }

    void send(Probe to, int number) {
        probe = to;
        stream = number;
        first = to.frames(number, frames);
    }

    /**
     * Waits for all answers and compares them.
     *
     * @return the highest revision seen, at least the one given
     */
    long check(long revisionBefore) {
        return checkTogether(probe, List.of(this), revisionBefore);
    }

    /** As {@link #check}, for bursts on different streams of one probe, whose answers come mixed. */
    static long checkTogether(Probe probe, List<Burst> bursts, long revisionBefore) {
        List<Answers> all = bursts.stream().map(burst -> burst.new Answers(revisionBefore)).toList();
        while (!all.stream().allMatch(Answers::complete)) {
            Line line = probe.next();
            // An ACK may also come late, for questions that were answered before it.
            all.stream().filter(answers -> line.isOn(answers.stream())).findFirst().ifPresentOrElse(
                    answers -> answers.take(line), () -> assertTrue(line.is("ack"), line.text()));
        }
        long highest = revisionBefore;
        for (Answers answers : all) {
            answers.compare();
            highest = Math.max(highest, answers.revision);
        }
        return highest;
    }

    private boolean isQuestion(int offset) {
        return frames.get(offset).startsWith("read") || frames.get(offset).startsWith("route");
    }

    /** The answers so far. */
    private final class Answers {
        private final List<Status> refused = new ArrayList<>();
        private final Set<Long> acks = new HashSet<>();
        private long acknowledged = -1;
        private long lastDecided = -1;
        private long questions;
        private long questionsDue;
        private long revision;

        Answers(long revision) {
            this.revision = revision;
            for (int offset = 0; offset < frames.size(); offset++) {
                refused.add(null);
                questionsDue += isQuestion(offset) ? 1 : 0;
                lastDecided = isQuestion(offset) ? lastDecided : first + offset;
            }
        }

        int stream() {
            return stream;
        }

        boolean complete() {
            return acknowledged >= lastDecided && questions == questionsDue;
        }

        void compare() {
            for (int offset = 0; offset < frames.size(); offset++) {
                Status expected = statuses.get(offset) == Status.OK ? null : statuses.get(offset);
                assertEquals(expected, refused.get(offset), frames.get(offset));
            }
            for (long offset : each) {
                assertTrue(acks.contains(first + offset), () -> "no ACK of its own for " + frames.get((int) offset));
            }
        }

        void take(Line line) {
            if (line.is("frame") || line.is("ack") && line.number("counter") < first) {
                return;
            }
            switch (line.event()) {
                case "ack" -> {
                    acknowledged = line.number("counter");
                    acks.add(acknowledged);
                }
                case "reject" -> reject(line);
                case "state" -> state(line);
                case "path" -> path(line);
                default -> throw new AssertionError(line.text());
            }
            if (!line.is("reject")) {
                long told = line.number("revision");
                assertTrue(told >= revision, () -> "the revision fell from " + revision + ": " + line.text());
                revision = told;
            }
        }

        private void reject(Line line) {
            int offset = (int) (line.number("counter") - first);
            assertEquals(null, refused.set(offset, line.status()), "refused twice: " + line.text());
            questions += isQuestion(offset) ? 1 : 0;
            if (!frames.get(offset).startsWith("route")) {
                assertEquals(Long.parseLong(frames.get(offset).split(" ")[1]), line.number("node"), line.text());
            }
        }

        private void state(Line line) {
            long offset = line.number("counter") - first;
            Asked read = reads.stream().filter(one -> one.offset() == offset).findFirst().orElseThrow();
            assertTrue(read.slots().contains(line.members().get("slot")),
                    () -> "node " + read.node() + ": " + line.text() + " is none of " + read.slots());
            questions++;
        }

        private void path(Line line) {
            long offset = line.number("counter") - first;
            Route route = routes.stream().filter(one -> one.offset() == offset).findFirst().orElseThrow();
            List<Long> found = new ArrayList<>();
            if (line.members().get("found").equals("true")) {
                found.add(line.number("distance"));
                found.addAll(line.numbers("nodes"));
            }
            assertEquals(route.expected(), found, () -> frames.get((int) offset) + ": " + line.text());
            questions++;
        }
    }
}
