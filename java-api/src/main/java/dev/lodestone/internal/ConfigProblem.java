package dev.lodestone.internal;

/** A value that is refused; whoever knows the file turns it into a ConfigException with its place. */
public final class ConfigProblem extends Exception {
    private static final long serialVersionUID = 1L;

    private final String key;
    private final String found;
    private final String allowed;

    /**
     * Creates the problem.
     *
     * @param key dotted path of the key
     * @param found what was found
     * @param allowed what is allowed
     */
    public ConfigProblem(String key, String found, String allowed) {
        super(key);
        this.key = key;
        this.found = found;
        this.allowed = allowed;
    }

    /**
     * The key.
     *
     * @return its dotted path
     */
    public String key() {
        return key;
    }

    /**
     * What was found.
     *
     * @return the value as text
     */
    public String found() {
        return found;
    }

    /**
     * What is allowed.
     *
     * @return a description
     */
    public String allowed() {
        return allowed;
    }
}
