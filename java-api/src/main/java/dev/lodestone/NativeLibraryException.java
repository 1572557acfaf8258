package dev.lodestone;

/** The native library cannot be used: not there, of another version, for another platform, or native access is denied. */
public final class NativeLibraryException extends EngineException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param what what is wrong with the library
     * @param advice what to do about it
     * @param cause the reason, or null
     */
    public NativeLibraryException(String what, String advice, Throwable cause) {
        super(Status.LIBRARY, what, advice, cause);
    }
}
