package dev.lodestone;

/** Takes log records from a {@link LogReader}. */
@FunctionalInterface
public interface LogHandler {
    /**
     * Takes one record. Called on the thread that polls. An exception leaves the poll; the record counts as taken.
     *
     * @param level how much it matters
     * @param position the record's position, rising by one
     * @param record the reader, whose methods show this record during the call
     */
    void onRecord(System.Logger.Level level, long position, LogReader record);
}
