/**
 * The public API: {@link dev.lodestone.Engine} opens the data plane inside this process, everything else is reached from it.
 *
 * <p>Node, session and tenant numbers are unsigned 32-bit integers in Java {@code int}s; revisions, versions and distances
 * are unsigned 64-bit integers in Java {@code long}s. Every failure is an {@link dev.lodestone.EngineException}.
 */
package dev.lodestone;
