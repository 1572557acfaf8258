/**
 * What jextract makes of {@code lodestone.h}, checked in and never edited: run {@code make bindings} instead.
 *
 * <p>Written by hand are only {@link dev.lodestone.bindings.NativeAccess} and this page.
 */
package dev.lodestone.bindings;
