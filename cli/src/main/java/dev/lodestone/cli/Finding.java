package dev.lodestone.cli;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What one check of the doctor found.
 *
 * @param name what was looked at
 * @param found what is there
 * @param advice what to change and how; empty when nothing needs changing
 */
record Finding(String name, String found, String advice) {
    static Finding fine(String name, String found) {
        return new Finding(name, found, "");
    }

    static Finding of(boolean fine, String name, String found, String advice) {
        return new Finding(name, found, fine ? "" : advice);
    }

    boolean isFine() {
        return advice.isEmpty();
    }

    String text() {
        String line = String.format("%-6s  %-20s  %s", isFine() ? "OK" : "CHANGE", name, found);
        return isFine() ? line : line + "\n" + " ".repeat(30) + advice;
    }

    Map<String, Object> json() {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("check", name);
        object.put("verdict", isFine() ? "ok" : "change");
        object.put("found", found);
        object.put("advice", isFine() ? null : advice);
        return object;
    }
}
