/**
 * Each class is a few steps of two threads, tried millions of times by jcstress: the product's own Java classes on one side,
 * on the other the engine's steps as {@code docs/shared-memory.md} tells them. An outcome that is not listed fails the run.
 */
package dev.lodestone.stress;
