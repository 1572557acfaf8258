package dev.lodestone.cli;

import dev.lodestone.AttachedEngine;
import dev.lodestone.EngineClosedException;
import dev.lodestone.EngineState;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Shows what an engine counts, again and again. */
@Command(
        name = "stat",
        header = "Shows what a running engine does, live.",
        description = {
            "Shows the counters, rates, latencies, revision and memory of a running engine, until it ends or Ctrl-C. On a"
                + " terminal a table, of what is not 0, is refreshed in place; otherwise each interval is one line.",
            "Rates and latencies are those of the interval; of the first output, since the engine was opened."
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  lodestone stat",
            "  lodestone stat --once --json | jq .counters.moves_accepted",
            "  lodestone stat --engine /dev/shm/lodestone-4711-1.region --interval 5s"
        })
final class StatCommand implements Callable<Integer> {
    @Mixin
    private Target target;

    @Option(names = "--once", description = "Print one table and end; ends with 1 when the engine has failed.")
    private boolean once;

    @Option(names = "--json", description = "Print JSON, one object a line.")
    private boolean json;

    @Option(names = "--interval", paramLabel = "TIME", defaultValue = "1s", converter = Interval.class,
            description = "Time between two outputs, 100ms to 1h (default: ${DEFAULT-VALUE}).")
    private Duration interval;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws InterruptedException {
        PrintWriter out = spec.commandLine().getOut();
        try (AttachedEngine engine = target.attach()) {
            if (once) {
                Window window = new Window(Sample.of(engine), null);
                show(window, out, null);
                return window.now().state() == EngineState.POISONED ? Exit.WRONG : Exit.FINE;
            }
            return follow(engine, out);
        }
    }

    private int follow(AttachedEngine engine, PrintWriter out) throws InterruptedException {
        Screen screen = !json && Screen.isThere() ? new Screen(out, Screen::terminalSize) : null;
        Sample before = null;
        try {
            do {
                Sample now = Sample.of(engine);
                show(new Window(now, before), out, screen);
                before = now;
                // A reader of our output that has left is a reason to stop, and none to complain.
                if (out.checkError()) {
                    return Exit.FINE;
                }
            } while (!engine.awaitEnd(interval));
        } catch (EngineClosedException closed) {
            // It ended while a sample was taken.
            return Target.tellEnd(engine, spec.commandLine().getErr());
        }
        return Target.tellEnd(engine, spec.commandLine().getErr());
    }

    private void show(Window window, PrintWriter out, Screen screen) {
        if (json) {
            out.println(Json.text(StatText.json(window)));
        } else if (screen != null) {
            screen.show(StatText.table(window, true));
        } else if (once) {
            StatText.table(window, false).forEach(out::println);
        } else {
            out.println(StatText.line(window));
        }
    }
}
