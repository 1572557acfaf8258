package dev.lodestone.cli;

import dev.lodestone.AttachedEngine;
import dev.lodestone.Counter;
import dev.lodestone.EventReader;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
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

    @Override
    public Integer call() throws InterruptedException {
        try (AttachedEngine engine = target.attach()) {
            long published = engine.metrics().counter(Counter.EVENTS_PUBLISHED);
            Follower follower = new Follower(spec.commandLine(), json, "events");
            EventReader reader = follower.begin(from, published, follow, engine::events, engine::events);
            Follower.Source source =
                    new Follower.Source(limit -> print(reader, follower, limit), reader::position, reader::missed);
            return follower.print(engine, source, published, follow, PAUSE);
        }
    }

    private int print(EventReader reader, Follower follower, int limit) {
        PrintWriter out = spec.commandLine().getOut();
        return reader.poll((type, session, position, body) -> {
            follower.tellMissed(reader.missed());
            Map<String, Object> event = EventText.json(type, session, position, body);
            out.println(json ? Json.text(event) : EventText.line(event));
        }, limit);
    }
}
