/**
 * A treasure hunt in Delaware: a Java service that embeds the engine, watches hunters who move over QUIC, asks for routes,
 * and takes the last seconds back. Start at {@link dev.lodestone.examples.hunt.TreasureHunt}.
 */
package dev.lodestone.examples.hunt;
