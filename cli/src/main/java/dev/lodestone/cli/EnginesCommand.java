package dev.lodestone.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Lists the engines of a folder. */
@Command(
        name = "engines",
        header = "Lists the engines of this machine.",
        description = "Lists the engines whose regions lie in a folder: file, process, age, revision, state. Ends with 3 when"
                + " none of them lives.",
        footerHeading = "%nExamples:%n",
        footer = {"  lodestone engines", "  lodestone engines /var/lib/regions --json"})
final class EnginesCommand implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "FOLDER", defaultValue = Target.FOLDER,
            description = "The folder (default: ${DEFAULT-VALUE}).")
    private Path folder;

    @Option(names = "--json", description = "Print one JSON object.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        EngineList list = EngineList.of(folder);
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(Json.text(Map.of("engines", list.rows().stream().map(EngineList.Row::json).toList())));
        } else if (list.rows().isEmpty()) {
            out.println(folder + " holds no region of an engine");
        } else {
            out.println(folder);
            list.table().forEach(out::println);
        }
        return list.hasLiving() ? Exit.FINE : Exit.NO_ENGINE;
    }
}
