/** The program {@code lodestone}: looks at running engines, at this machine and at configuration files. Changes nothing. */
package dev.lodestone.cli;
