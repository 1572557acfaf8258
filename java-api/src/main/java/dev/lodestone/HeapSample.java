package dev.lodestone;

import java.time.Instant;

/**
 * Memory of this process at one moment.
 *
 * @param time when
 * @param heapUsedBytes bytes of the Java heap in use, garbage included
 * @param heapCommittedBytes bytes of the Java heap that the system has given
 * @param rssBytes resident bytes of the whole process, -1 where the system does not tell
 */
public record HeapSample(Instant time, long heapUsedBytes, long heapCommittedBytes, long rssBytes) {}
