package dev.lodestone.bridge;

import dev.lodestone.AttachMode;
import dev.lodestone.AttachedEngine;
import dev.lodestone.Engine;
import dev.lodestone.EngineException;
import dev.lodestone.EventHandler;
import dev.lodestone.EventReader;
import dev.lodestone.SlotBusyException;
import dev.lodestone.SlotReader;
import java.io.IOException;
import java.nio.file.Path;

/** The program of a JVM that attaches to an engine elsewhere and reads until its input ends or the engine does. */
public final class AttachedReader {
    private static final int POLL_MAX = 1_000;
    private static final int READS_BETWEEN_LOOKS = 1_000;

    private AttachedReader() {}

    /**
     * Attaches to the region that the first argument names; with a second and third one, events go on at that position of that
     * engine. Prints {@code attached INSTANCE POSITION}, and at the end what it saw. Slots are read as
     * {@link Burst}-like moves leave them: all words of a payload are equal.
     *
     * @param arguments the region, and perhaps instance and position
     */
    public static void main(String[] arguments) {
        try (AttachedEngine engine = Engine.attach(Path.of(arguments[0]), AttachMode.READ_ONLY)) {
            EventReader events = arguments.length > 1
                    ? engine.events(Long.parseLong(arguments[1]), Long.parseLong(arguments[2]))
                    : engine.events();
            System.out.println("attached " + engine.instance() + " " + events.position());
            System.out.println(follow(engine, events));
        } catch (EngineException refused) {
            System.out.println("refused " + refused.status() + " " + refused.getMessage());
        } catch (IOException broken) {
            System.out.println("broken " + broken);
        }
    }

    private static String follow(AttachedEngine engine, EventReader events) throws IOException {
        SlotReader slot = engine.slotReader();
        long first = events.position();
        long[] seen = {0, 0, first};
        long reads = 0;
        String end = "stopped";
        try {
            EventHandler handler = (type, session, position, body) -> {
                seen[0]++;
                seen[1] += position < seen[2] ? 1 : 0;
                seen[2] = position + 1;
            };
            boolean more = true;
            while (more) {
                // What was there when it was asked to end is read all the same.
                more = System.in.available() == 0 && engine.isAlive();
                while (events.poll(handler, POLL_MAX) == POLL_MAX) {
                    reads++;
                }
                for (int node = 0; node < READS_BETWEEN_LOOKS; node++) {
                    seen[1] += isRead(slot, node % 8) && isTorn(slot) ? 1 : 0;
                    reads++;
                }
            }
            end = engine.isAlive() ? "stopped" : "ended";
        } catch (EngineException ended) {
            end = "threw " + ended.status();
        }
        boolean whole = seen[0] + events.missed() == events.position() - first;
        return end + " state=" + engine.state() + " seen=" + seen[0] + " missed=" + events.missed() + " torn=" + seen[1]
                + " counted=" + whole + " reads=" + (reads > 0) + " position=" + events.position();
    }

    /** Where the engine is kept from the processor in the middle of a move, its slot cannot be read for that long. */
    private static boolean isRead(SlotReader slot, int node) {
        try {
            return slot.read(node);
        } catch (SlotBusyException engineStandsStill) {
            return false;
        }
    }

    /** Whether the payload is half of one move and half of another. */
    private static boolean isTorn(SlotReader slot) {
        long first = slot.payloadLong(0);
        for (int offset = Long.BYTES; offset + Long.BYTES <= slot.payloadLength(); offset += Long.BYTES) {
            if (slot.payloadLong(offset) != first) {
                return true;
            }
        }
        return false;
    }
}
