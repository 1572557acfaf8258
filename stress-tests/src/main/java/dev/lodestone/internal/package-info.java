/** What the stress tests need from inside the internal package. */
package dev.lodestone.internal;
