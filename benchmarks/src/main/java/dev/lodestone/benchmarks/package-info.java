/** JMH benchmarks of the Java side. Each class says what it leaves out; {@code claims.toml} says what is claimed. */
package dev.lodestone.benchmarks;
