package dev.lodestone;

import java.nio.file.Path;
import java.util.Optional;

/** The configuration is wrong: says where, which key, what was found and what is allowed. */
public final class ConfigException extends EngineException {
    private static final long serialVersionUID = 1L;

    private final transient Path file;
    private final int line;
    private final String key;
    private final String found;
    private final String allowed;

    /**
     * Creates the exception.
     *
     * @param file the file, or null when the configuration was built in Java
     * @param line the line in that file, from 1; 0 when there is none
     * @param key the key's dotted path, empty when the whole text is meant
     * @param found what was found
     * @param allowed what is allowed there
     * @param cause the reason, or null
     */
    public ConfigException(Path file, int line, String key, String found, String allowed, Throwable cause) {
        super(Status.CONFIG, message(file, line, key, found, allowed), "", cause);
        this.file = file;
        this.line = line;
        this.key = key;
        this.found = found;
        this.allowed = allowed;
    }

    /**
     * Creates the exception for what the data plane refused.
     *
     * @param what its message
     */
    public ConfigException(String what) {
        super(Status.CONFIG, what, Status.CONFIG.advice(), null);
        this.file = null;
        this.line = 0;
        this.key = "";
        this.found = what;
        this.allowed = "";
    }

    private static String message(Path file, int line, String key, String found, String allowed) {
        StringBuilder text = new StringBuilder();
        if (file != null) {
            text.append(file).append(line > 0 ? ":" + line : "").append(": ");
        } else if (line > 0) {
            text.append("line ").append(line).append(": ");
        }
        if (!key.isEmpty()) {
            text.append(key).append(": ");
        }
        return text.append("found ").append(found).append(", allowed is ").append(allowed).toString();
    }

    /**
     * The file.
     *
     * @return the file, empty when the configuration was built in Java
     */
    public Optional<Path> file() {
        return Optional.ofNullable(file);
    }

    /**
     * The line in the file.
     *
     * @return the line, from 1; 0 when there is none
     */
    public int line() {
        return line;
    }

    /**
     * The key.
     *
     * @return its dotted path, empty when the whole text is meant
     */
    public String key() {
        return key;
    }

    /**
     * What was found.
     *
     * @return the value, or a description of it
     */
    public String found() {
        return found;
    }

    /**
     * What is allowed.
     *
     * @return a description in words
     */
    public String allowed() {
        return allowed;
    }
}
