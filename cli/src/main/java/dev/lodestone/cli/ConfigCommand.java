package dev.lodestone.cli;

import dev.lodestone.EngineConfig;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Checks a configuration file. */
@Command(
        name = "config",
        header = "Checks a configuration file.",
        description = "Prints every key with the value in effect, token secrets included, as"
                + " YAML. Without a file: the defaults. A mistake is told with file, line and key, and ends with 1.",
        footerHeading = "%nExamples:%n",
        footer = {"  lodestone config engine.yaml", "  lodestone config > all-keys.yaml"})
final class ConfigCommand implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "FILE", description = "The configuration file.")
    private Path file;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        EngineConfig config = file == null ? EngineConfig.defaults() : EngineConfig.load(file);
        PrintWriter out = spec.commandLine().getOut();
        out.print(config.toYaml());
        out.flush();
        return Exit.FINE;
    }
}
