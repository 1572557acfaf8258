package dev.lodestone.cli;

import dev.lodestone.EventReader;
import dev.lodestone.EventType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** An event as one line and as JSON. */
final class EventText {
    private static final int TYPE_UNKNOWN_WORDS = EventReader.BODY_BYTES / Long.BYTES;

    /**
     * What is known of a type of event.
     *
     * @param name its name in output
     * @param fields the names of its body's words
     */
    private record Form(String name, List<String> fields) {}

    private EventText() {}

    private static Form form(int type) {
        return switch (type) {
            case EventType.SESSION_OPENED -> new Form("session_opened", List.of("tenant"));
            case EventType.SESSION_CLOSED -> new Form("session_closed", List.of("status"));
            case EventType.ROLLED_BACK -> new Form("rolled_back", List.of("revision", "branch", "revisions_undone"));
            case EventType.SLOTS_EXHAUSTED -> new Form("slots_exhausted", List.of("tenant"));
            case EventType.FRAGMENTED -> new Form("fragmented", List.of("holes"));
            case EventType.POISONED -> new Form("poisoned", List.of());
            default -> new Form("type_" + type, List.of());
        };
    }

    /** The event at hand, in the order of output. Words of a type that is not known are listed as they are. */
    static Map<String, Object> json(int type, int session, long position, EventReader body) {
        Form form = form(type);
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("sequence", position);
        object.put("event", form.name());
        object.put("session", Integer.toUnsignedLong(session));
        for (int index = 0; index < form.fields().size(); index++) {
            object.put(form.fields().get(index), Json.unsigned(body.bodyLong(index)));
        }
        if (form.name().startsWith("type_")) {
            for (int index = 0; index < TYPE_UNKNOWN_WORDS; index++) {
                object.put("word_" + index, Json.unsigned(body.bodyLong(index)));
            }
        }
        return object;
    }

    static String line(Map<String, Object> event) {
        return event.entrySet().stream()
                .filter(entry -> !entry.getKey().equals("event") && !entry.getKey().equals("sequence"))
                .filter(entry -> !entry.getKey().equals("session") || !entry.getValue().equals(0L))
                .map(entry -> "  " + entry.getKey() + " " + entry.getValue())
                .collect(Collectors.joining("", event.get("sequence") + "  " + event.get("event"), ""));
    }
}
