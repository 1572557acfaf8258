package dev.lodestone.cli;

import dev.lodestone.AttachedEngine;
import dev.lodestone.LogReader;
import java.io.PrintWriter;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Prints an engine's log. */
@Command(
        name = "logs",
        header = "Prints the log of an engine.",
        description = {
            "One record a line: time, level, module, message, session. How many could not be read, because the ring holds the"
                + " last ones only (log.ring_kib), is a line of its own.",
            "Without --follow: those that the ring still holds. With --follow: those to come, until the engine ends or Ctrl-C.",
            "What the engine does not write at all, because of its log.level, is not to be had here either."
        },
        footerHeading = "%nExamples:%n",
        footer = {"  lodestone logs", "  lodestone logs --follow --level warning", "  lodestone logs --from 200 --json"})
final class LogsCommand implements Callable<Integer> {
    private static final Duration PAUSE = Duration.ofMillis(100);
    private static final String UNPRINTABLE = "[\\p{Cc}\\u2028\\u2029]";

    @Mixin
    private Target target;

    @Option(names = "--from", paramLabel = "SEQUENCE", description = "Begin with the record of this sequence; the first has 0.")
    private Long from;

    @Option(names = {"-f", "--follow"}, description = "Go on with what comes.")
    private boolean follow;

    @Option(
            names = {"-l", "--level"},
            paramLabel = "LEVEL",
            defaultValue = "TRACE",
            description = "The least level to print: error, warning, info, debug or trace (default: trace).")
    private Level level;

    @Option(names = "--json", description = "Print JSON, one object a line; missed records as {\"missed\": NUMBER}.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws InterruptedException {
        try (AttachedEngine engine = target.attach()) {
            long end = engine.logs().position();
            Follower follower = new Follower(spec.commandLine(), json, "records");
            LogReader reader = follower.begin(from, end, follow, engine::logs, engine::logs);
            Follower.Source source =
                    new Follower.Source(limit -> print(reader, follower, limit), reader::position, reader::missed);
            return follower.print(engine, source, end, follow, PAUSE);
        }
    }

    private int print(LogReader reader, Follower follower, int limit) {
        PrintWriter out = spec.commandLine().getOut();
        return reader.poll((recordLevel, position, record) -> {
            follower.tellMissed(reader.missed());
            if (recordLevel.getSeverity() >= level.getSeverity()) {
                out.println(json ? json(recordLevel, position, record) : line(recordLevel, record));
            }
        }, limit);
    }

    private static String line(Level level, LogReader record) {
        String text = record.time() + " " + String.format("%-7s", level) + " " + record.target() + ": " + record.message()
                + (record.session() == 0 ? "" : " session=" + Integer.toUnsignedString(record.session()));
        // Engines write no control characters; whoever else may write the file must not write to this terminal.
        return text.replaceAll(UNPRINTABLE, " ");
    }

    private static String json(Level level, long position, LogReader record) {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("sequence", position);
        object.put("time", record.time().toString());
        object.put("level", level.toString());
        object.put("target", record.target());
        object.put("message", record.message());
        object.put("cut", record.isCut());
        object.put("session", Integer.toUnsignedLong(record.session()));
        object.put("thread", record.threadName());
        object.put("thread_id", Integer.toUnsignedLong(record.threadId()));
        return Json.text(object);
    }
}
