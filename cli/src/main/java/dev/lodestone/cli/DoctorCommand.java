package dev.lodestone.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Looks at this machine. */
@Command(
        name = "doctor",
        header = "Tells what to change on this machine.",
        description = {
            "Looks at what an engine needs: JDK and flags, native library, limits, socket buffers, huge pages, shared memory,"
                + " cores, memory. A line says OK, or CHANGE with what to change and how.",
            "Run it as the user, and in the container, that the engine will have. It opens a small engine of its own for a"
                + " moment. Ends with 1 when something needs changing."
        },
        footerHeading = "%nExamples:%n",
        footer = {"  lodestone doctor", "  lodestone doctor --json | jq '.checks[] | select(.verdict == \"change\")'"})
final class DoctorCommand implements Callable<Integer> {
    @Option(names = "--json", description = "Print one JSON object.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        List<Finding> findings = new ArrayList<>(JvmChecks.all());
        findings.addAll(new SystemChecks(Path.of("/"), Runtime.getRuntime().availableProcessors()).all());
        long changes = findings.stream().filter(finding -> !finding.isFine()).count();
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            Map<String, Object> object = new LinkedHashMap<>();
            object.put("fine", changes == 0);
            object.put("checks", findings.stream().map(Finding::json).toList());
            out.println(Json.text(object));
        } else {
            findings.stream().map(Finding::text).forEach(out::println);
            out.println(changes == 0 ? "Nothing needs changing." : "To change: " + changes + ".");
        }
        return changes == 0 ? Exit.FINE : Exit.WRONG;
    }
}
