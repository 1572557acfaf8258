/**
 * A client of engines elsewhere: {@link dev.lodestone.client.LodestoneClient} speaks to any Lodestone server over QUIC. No
 * engine is needed in this process; the native library is the same.
 *
 * <p>Node, session and tenant numbers are unsigned 32-bit integers in Java {@code int}s; revisions, versions and distances
 * are unsigned 64-bit integers in Java {@code long}s. Every failure is a {@link dev.lodestone.client.ClientException}.
 */
package dev.lodestone.client;
