package dev.lodestone.cli;

import dev.lodestone.AttachedEngine;
import dev.lodestone.Counter;
import dev.lodestone.EngineClosedException;
import dev.lodestone.EventReader;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Prints an engine's events. */
@Command(
        name = "events",
        header = "Prints the events of an engine.",
        description = {
            "One event a line: sequence, name, session, and what belongs to it. How many could not be"
                + " read, because the ring holds the last 16,384 only, is a line of its own.",
            "Without --follow: those that the ring still holds. With --follow: those to come, until the engine ends or Ctrl-C."
        },
        footerHeading = "%nExamples:%n",
        footer = {"  lodestone events", "  lodestone events --follow --json", "  lodestone events --from 120000 --follow"})
final class EventsCommand implements Callable<Integer> {
    private static final int POLL_MAX = 1_024;
    private static final Duration PAUSE = Duration.ofMillis(20);

    @Mixin
    private Target target;

    @Option(names = "--from", paramLabel = "SEQUENCE", description = "Begin with the event of this sequence; the first has 0.")
    private Long from;

    @Option(names = {"-f", "--follow"}, description = "Go on with what comes.")
    private boolean follow;

    @Option(names = "--json", description = "Print JSON, one object a line; missed events as {\"missed\": NUMBER}.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    private long missedTold;

    @Override
    public Integer call() throws InterruptedException {
        PrintWriter out = spec.commandLine().getOut();
        try (AttachedEngine engine = target.attach()) {
            long published = engine.metrics().counter(Counter.EVENTS_PUBLISHED);
            EventReader reader = reader(engine, published);
            try {
                do {
                    // No more than was there at first: an engine may publish as fast as anybody prints.
                    drain(reader, published, out);
                    if (!follow || out.checkError()) {
                        return Exit.FINE;
                    }
                    published = Long.MAX_VALUE;
                } while (!engine.awaitEnd(PAUSE));
                drain(reader, published, out);
            } catch (EngineClosedException closed) {
                // What was published before the close has been printed as far as it was seen.
                return Target.tellEnd(engine, spec.commandLine().getErr());
            }
            return Target.tellEnd(engine, spec.commandLine().getErr());
        }
    }

    private EventReader reader(AttachedEngine engine, long published) {
        if (from == null) {
            return follow ? engine.events() : engine.events(0);
        }
        try {
            return engine.events(from);
        } catch (IllegalArgumentException ahead) {
            throw new ParameterException(spec.commandLine(),
                    "--from " + from + " is not from 0 to " + published + ", which is as far as this engine has come", ahead);
        }
    }

    private void drain(EventReader reader, long end, PrintWriter out) {
        int taken;
        do {
            taken = reader.poll((type, session, position, body) -> {
                tellMissed(reader.missed(), out);
                Map<String, Object> event = EventText.json(type, session, position, body);
                out.println(json ? Json.text(event) : EventText.line(event));
            }, Math.clamp(end - reader.position(), 1, POLL_MAX));
        } while (taken > 0 && reader.position() < end && !out.checkError());
        tellMissed(reader.missed(), out);
    }

    private void tellMissed(long missed, PrintWriter out) {
        long fresh = missed - missedTold;
        if (fresh > 0) {
            missedTold = missed;
            out.println(json ? Json.text(Map.of("missed", fresh)) : "missed " + Texts.number(fresh) + " events");
        }
    }
}
