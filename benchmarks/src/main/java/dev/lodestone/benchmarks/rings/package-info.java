/**
 * The command rings of the bridge beside queues of other libraries: streams, batches and round trips between two cores.
 *
 * <p>{@link dev.lodestone.benchmarks.rings.RingBenchmark} says how it measures and what it leaves out.
 */
package dev.lodestone.benchmarks.rings;
