/** The layer between generated bindings and public classes: makes the calls, turns statuses into exceptions. Not exported. */
package dev.lodestone.internal;
