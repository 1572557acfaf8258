package dev.lodestone.cli;

import dev.lodestone.AttachedEngine;
import dev.lodestone.SlotBusyException;
import dev.lodestone.SlotReader;
import java.io.PrintWriter;
import java.lang.foreign.ValueLayout;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Prints slots. */
@Command(
        name = "slots",
        header = "Prints the slots of nodes.",
        description = "A line for each: version, target, mask, weight, and the payload as hexadecimal and as text, with"
                + " a dot for each byte that is no printable ASCII.",
        footerHeading = "%nExamples:%n",
        footer = {"  lodestone slots 7", "  lodestone slots 1 2 3 --json"})
final class SlotsCommand implements Callable<Integer> {
    private static final long NODE_MAX = 0xffff_ffffL;
    private static final int READS_MAX = 100;
    private static final int FIRST_PRINTABLE = 0x20;
    private static final int LAST_PRINTABLE = 0x7e;

    @Mixin
    private Target target;

    @Parameters(arity = "1..*", paramLabel = "ID", description = "Nodes.")
    private List<Long> nodes;

    @Option(names = "--json", description = "Print JSON, one object a line.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        for (long node : nodes) {
            if (node < 0 || node > NODE_MAX) {
                throw noNode(node, null);
            }
        }
        PrintWriter out = spec.commandLine().getOut();
        try (AttachedEngine engine = target.attach()) {
            SlotReader slot = engine.slotReader();
            for (long node : nodes) {
                boolean present = read(slot, node);
                long version = present ? slot.version() : slot.version((int) node);
                out.println(json ? Json.text(json(slot, node, present, version)) : text(slot, node, present, version));
            }
            return Exit.FINE;
        }
    }

    private boolean read(SlotReader slot, long node) {
        for (int reads = 1;; reads++) {
            try {
                return slot.read((int) node);
            } catch (SlotBusyException busy) {
                if (reads == READS_MAX) {
                    throw busy;
                }
                Thread.yield();
            } catch (IndexOutOfBoundsException outside) {
                throw noNode(node, outside);
            }
        }
    }

    private ParameterException noNode(long node, Throwable cause) {
        return new ParameterException(spec.commandLine(), "there is no node " + node + " in this engine: see graph.nodes_max",
                cause);
    }

    private static Map<String, Object> json(SlotReader slot, long node, boolean present, long version) {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("node", node);
        object.put("slot", present);
        object.put("version", Json.unsigned(version));
        if (present) {
            byte[] payload = payload(slot);
            object.put("target", Integer.toUnsignedLong(slot.target()));
            object.put("mask", Integer.toUnsignedLong(slot.edgeMask()));
            object.put("weight", slot.weight());
            object.put("payload_hex", HexFormat.of().formatHex(payload));
            object.put("payload_text", printable(payload));
        }
        return object;
    }

    private static String text(SlotReader slot, long node, boolean present, long version) {
        String head = "node " + node + "  version " + Long.toUnsignedString(version);
        if (!present) {
            return head + "  no slot";
        }
        byte[] payload = payload(slot);
        String line = head + "  target " + Integer.toUnsignedString(slot.target())
                + String.format("  mask 0x%08x", slot.edgeMask()) + "  weight " + slot.weight() + "  payload " + payload.length
                + " bytes";
        return payload.length == 0 ? line
                : line + "\n  " + HexFormat.of().formatHex(payload) + "\n  " + printable(payload);
    }

    private static byte[] payload(SlotReader slot) {
        return slot.payload().asSlice(0, slot.payloadLength()).toArray(ValueLayout.JAVA_BYTE);
    }

    private static String printable(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte letter : bytes) {
            text.append(letter >= FIRST_PRINTABLE && letter <= LAST_PRINTABLE ? (char) letter : '.');
        }
        return text.toString();
    }
}
