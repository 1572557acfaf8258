package dev.lodestone;

import java.nio.file.Path;

/** An engine of another process cannot be attached to; {@link #reason()} tells why. Nothing was mapped. */
public final class AttachException extends EngineException {
    private static final long serialVersionUID = 1L;

    /** Why not. */
    public enum Reason {
        /** There is no such file, or no region in the folder. */
        ABSENT("start the engine, or name the region file that it tells"),
        /** The folder holds the regions of several living engines. */
        SEVERAL("name the file of one of them"),
        /** This user may not open the file: it belongs to whoever started the engine. */
        PERMISSION("run as the user of the engine, or attach with AttachMode.READ_ONLY if only writing is refused"),
        /** The engine is starting: the file has no header yet. */
        STARTING("try again in a moment"),
        /** The file is something else. */
        FOREIGN("name the region file that the engine tells"),
        /** The engine is of another version, whose memory has another layout. */
        VERSION("use the jars of the engine's version"),
        /** The numbers in the header contradict each other or the size of the file. */
        DAMAGED("restart the engine"),
        /** The system refused to read or map the file. */
        SYSTEM("look at the system's message above");

        private final String advice;

        Reason(String advice) {
            this.advice = advice;
        }
    }

    private final Reason reason;
    private final String path;

    /**
     * Creates the exception.
     *
     * @param reason why not
     * @param path what was to be attached to
     * @param what what is wrong with it: the message begins with the path and goes on with this
     * @param cause the reason behind it, or null
     */
    public AttachException(Reason reason, Path path, String what, Throwable cause) {
        super(Status.ATTACH, path + " " + what, reason.advice, cause);
        this.reason = reason;
        this.path = path.toString();
    }

    /**
     * Why not.
     *
     * @return the reason
     */
    public Reason reason() {
        return reason;
    }

    /**
     * What was to be attached to.
     *
     * @return the file or folder
     */
    public Path path() {
        return Path.of(path);
    }
}
