/** The server that is measured beside Lodestone, as a Java team would write it with Netty. */
package dev.lodestone.benchmarks.peers;
