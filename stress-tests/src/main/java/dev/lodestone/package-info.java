/** What the stress tests need from inside the public package. */
package dev.lodestone;
