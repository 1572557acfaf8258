package dev.lodestone.cli;

import dev.lodestone.AttachedEngine;
import dev.lodestone.Commit;
import dev.lodestone.RollbackReport;
import java.io.Console;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Lets an engine go back. */
@Command(
        name = "rollback",
        header = "Lets an engine go back to a revision: every later change is undone, for good.",
        description = {
            "Goes back to REV, or to the newest revision that is at least as old as --before says. Connected clients are told."
                + " Prints what was done: changes undone, time, hash.",
            "On a terminal it asks first; elsewhere it takes --yes. 'lodestone stat --once' tells which revisions the engine"
                + " can go back to."
        },
        footerHeading = "%nExamples:%n",
        footer = {"  lodestone rollback 105727", "  lodestone rollback --before 30s --yes --json"})
final class RollbackCommand implements Callable<Integer> {
    @Mixin
    private Target target;

    @ArgGroup(multiplicity = "1")
    private Where where;

    @Option(names = {"-y", "--yes"}, description = "Do not ask.")
    private boolean yes;

    @Option(names = "--json", description = "Print JSON, one object.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    /** Which revision. */
    static final class Where {
        @Parameters(index = "0", paramLabel = "REV", description = "The revision to go back to.")
        private String revision;

        @Option(
                names = "--before",
                paramLabel = "TIME",
                converter = Age.class,
                description = "Undo what was committed within this time: 500ms, 30s, 5m or 2h.")
        private Duration age;
    }

    @Override
    public Integer call() {
        Console terminal = System.console();
        boolean asks = terminal != null && terminal.isTerminal();
        if (!yes && !asks) {
            throw new ParameterException(spec.commandLine(), "this is no terminal to ask on: say --yes to go back");
        }
        long wanted = where.revision == null ? 0 : number(where.revision);
        try (AttachedEngine engine = target.attachToAsk()) {
            long revision = where.revision == null ? engine.revisionBefore(where.age) : wanted;
            // Refused before anybody is asked, if it is to be.
            engine.stateHash(revision);
            Commit now = engine.commit();
            if (!yes && !isAgreed(terminal, engine, now, revision)) {
                spec.commandLine().getErr().println("lodestone: nothing was changed");
                return Exit.WRONG;
            }
            PrintWriter out = spec.commandLine().getOut();
            RollbackReport done = engine.rollback(revision);
            out.println(json ? Json.text(json(done)) : text(done));
            return Exit.FINE;
        }
    }

    private long number(String text) {
        try {
            return Long.parseUnsignedLong(text);
        } catch (NumberFormatException bad) {
            throw new ParameterException(spec.commandLine(), "'" + text + "' is no revision: they are numbers from 0 on", bad);
        }
    }

    private static boolean isAgreed(Console terminal, AttachedEngine engine, Commit now, long revision) {
        String answer = terminal.readLine("The engine of process %d is at revision %s. Going back to %s undoes %s revisions, for"
                + " good. Go back? [y/N] ", engine.pid(), Long.toUnsignedString(now.revision()), Long.toUnsignedString(revision),
                Texts.number(Math.max(0, now.revision() - revision)));
        return answer != null && (answer.strip().equalsIgnoreCase("y") || answer.strip().equalsIgnoreCase("yes"));
    }

    private static Map<String, Object> json(RollbackReport done) {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("from_revision", Json.unsigned(done.fromRevision()));
        object.put("to_revision", Json.unsigned(done.toRevision()));
        object.put("revisions_undone", Json.unsigned(done.revisions()));
        object.put("changes_undone", Json.unsigned(done.records()));
        object.put("elapsed_ns", done.elapsed().toNanos());
        object.put("within_sla", done.withinSla());
        object.put("branch", Json.unsigned(done.branch()));
        object.put("edges", Json.unsigned(done.edges()));
        object.put("hash", done.hash().toString());
        return object;
    }

    private static String text(RollbackReport done) {
        return "went back from revision " + Long.toUnsignedString(done.fromRevision()) + " to "
                + Long.toUnsignedString(done.toRevision()) + ": " + Texts.number(done.records()) + " changes of "
                + Texts.number(done.revisions()) + " revisions undone in " + Texts.nanos(done.elapsed().toNanos())
                + (done.withinSla() ? "" : ", more than rollback.sla_ms") + "\nbranch " + Long.toUnsignedString(done.branch())
                + "  edges " + Texts.number(done.edges()) + "  hash " + done.hash();
    }
}
