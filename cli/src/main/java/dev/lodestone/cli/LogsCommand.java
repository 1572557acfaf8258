package dev.lodestone.cli;

import dev.lodestone.AttachedEngine;
import dev.lodestone.EngineClosedException;
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
import picocli.CommandLine.ParameterException;
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
    private static final int POLL_MAX = 1_024;
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

    private long missedTold;

    @Override
    public Integer call() throws InterruptedException {
        PrintWriter out = spec.commandLine().getOut();
        try (AttachedEngine engine = target.attach()) {
            // No more than there is at first: an engine may write as fast as anybody prints.
            long end = engine.logs().position();
            LogReader reader = reader(engine, end);
            try {
                do {
                    drain(reader, end, out);
                    if (!follow || out.checkError()) {
                        return Exit.FINE;
                    }
                    end = Long.MAX_VALUE;
                } while (!engine.awaitEnd(PAUSE));
                drain(reader, end, out);
            } catch (EngineClosedException closed) {
                // What was written before the close has been printed as far as it was seen.
                return Target.tellEnd(engine, spec.commandLine().getErr());
            }
            return Target.tellEnd(engine, spec.commandLine().getErr());
        }
    }

    private LogReader reader(AttachedEngine engine, long end) {
        if (from == null) {
            return follow ? engine.logs() : engine.logs(0);
        }
        try {
            return engine.logs(from);
        } catch (IllegalArgumentException ahead) {
            throw new ParameterException(spec.commandLine(),
                    "--from " + from + " is not from 0 to " + end + ", which is as far as this engine has come", ahead);
        }
    }

    private void drain(LogReader reader, long end, PrintWriter out) {
        int taken;
        do {
            taken = reader.poll((recordLevel, position, record) -> {
                tellMissed(reader.missed(), out);
                if (recordLevel.getSeverity() >= level.getSeverity()) {
                    out.println(json ? json(recordLevel, position, record) : line(recordLevel, record));
                }
            }, Math.clamp(end - reader.position(), 1, POLL_MAX));
        } while (taken > 0 && reader.position() < end && !out.checkError());
        tellMissed(reader.missed(), out);
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

    private void tellMissed(long missed, PrintWriter out) {
        long fresh = missed - missedTold;
        if (fresh > 0) {
            missedTold = missed;
            out.println(json ? Json.text(Map.of("missed", fresh)) : "missed " + Texts.number(fresh) + " records");
        }
    }
}
