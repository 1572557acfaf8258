package dev.lodestone.examples.hunt;

import dev.lodestone.Engine;
import dev.lodestone.EngineConfig;
import dev.lodestone.Histogram;
import dev.lodestone.HistogramSnapshot;
import dev.lodestone.LoadReport;
import java.time.Duration;
import java.util.List;

/** One hunt from the engine's start to the report. */
final class Hunt {
    private static final Duration ROLLBACK_MAX = Duration.ofSeconds(5);

    private final HuntOptions options;
    private final Console console;

    Hunt(HuntOptions options, Console console) {
        this.options = options;
        this.console = console;
    }

    /**
     * Runs it all and writes the report.
     *
     * @return true when all went well
     * @throws HuntException when it cannot go on
     * @throws InterruptedException when the user ends it
     */
    boolean run() throws HuntException, InterruptedException {
        RoadMap map = RoadMapReader.read(options.map());
        EngineConfig config = EngineStart.config(options);
        console.line("Opening the engine in this JVM ...");
        try (Engine engine = EngineStart.open(options, config, console); GcWatch gc = new GcWatch()) {
            console.line("  QUIC on %s, certificate SHA-256 %s", ClientArguments.target(engine), engine.certificateFingerprint());
            LoadReport load = load(engine, map);
            long edges = engine.commit().edges();
            RunReport report = hunt(engine, config, map, gc, load, edges);
            show(report);
            TextFiles.write(options.report(), report.json());
            return verdict(report);
        }
    }

    private LoadReport load(Engine engine, RoadMap map) {
        LoadReport load = engine.graph().load(options.map());
        console.line("  %s: %,d crossings and bends, %,d arcs, loaded in %d ms", options.map(), load.nodes(), load.arcs(),
                load.elapsed().toMillis());
        console.line("  %s", map.attribution());
        return load;
    }

    private RunReport hunt(Engine engine, EngineConfig config, RoadMap map, GcWatch gc, LoadReport load, long edges)
            throws HuntException, InterruptedException {
        List<String> arguments = ClientArguments.of(engine, config, options);
        HistogramSnapshot queueBefore = engine.metrics().histogram(Histogram.QUEUE);
        HistogramSnapshot engineBefore = engine.metrics().histogram(Histogram.ENGINE);
        long rssStart = ProcessMemory.residentBytes();
        console.line("%nThe hunt: a client process opens %,d QUIC connections; %,d moves/s for %d s", options.connections(),
                options.rate(), options.seconds());
        try (LoadGenerator client = LoadGenerator.start(options.loadGenerator(), arguments);
                HunterWatch watch = new HunterWatch(engine.slotReader(), map.crossings())) {
            LiveView view = new LiveView(console, map, watch, gc);
            client.events(view);
            int clientStatus = client.exitStatus();
            LoadEvent.Done done = view.done().orElseThrow(() -> new HuntException(
                    "The load generator gave no report: it " + LoadGenerator.ending(clientStatus)));
            HunterWatch.ReadCost reads = watch.finish();
            console.line("  %s", reads.describe());
            Percentiles queue = since(engine, Histogram.QUEUE, queueBefore);
            Percentiles inEngine = since(engine, Histogram.ENGINE, engineBefore);
            long rssEnd = ProcessMemory.residentBytes();
            List<RouteSurvey.Journey> journeys = routes(engine, map);
            RollbackCheck.Result rollback = rollback(engine);
            return new RunReport(options, done, clientStatus, queue, inEngine, rollback, rssStart, rssEnd, gc.pauses(), reads,
                    load.nodes(), edges, journeys);
        }
    }

    private static Percentiles since(Engine engine, Histogram histogram, HistogramSnapshot before) {
        HistogramSnapshot counted = engine.metrics().histogram(histogram).since(before);
        return Percentiles.ofNanos(counted.percentileNanos(50), counted.percentileNanos(99), counted.percentileNanos(99.9));
    }

    private List<RouteSurvey.Journey> routes(Engine engine, RoadMap map) {
        List<RouteSurvey.Journey> journeys = new RouteSurvey(map).routes(engine.graph());
        console.line("%nRoutes, answered by the engine's pathfinder:");
        journeys.forEach(journey -> console.line("%s", journey.describe()));
        if (journeys.isEmpty()) {
            console.line("  none: the towns that this program knows are not on this map");
        }
        return journeys;
    }

    private RollbackCheck.Result rollback(Engine engine) {
        Duration history = ROLLBACK_MAX.toSeconds() < options.seconds() ? ROLLBACK_MAX : Duration.ofSeconds(options.seconds());
        RollbackCheck.Result result = RollbackCheck.run(engine, history);
        console.line("%nRollback of the last %d s of the hunt: revision %,d to %,d, %,d changes undone in %.2f ms",
                history.toSeconds(), result.report().fromRevision(), result.report().toRevision(),
                result.report().records(), result.millis());
        if (result.shortened()) {
            console.line("  The rollback window does not reach that far: this is its oldest revision.");
        }
        console.line("  hash recorded then    %s", result.recorded());
        console.line("  hash now              %s", result.now());
        console.line("  recomputed from all   %s  %s", result.recomputed(), result.hashEqual() ? "equal" : "NOT EQUAL");
        return result;
    }

    private void show(RunReport report) {
        console.line("%nThis run beside the published figures:");
        ClaimsTable.lines(report).forEach(line -> console.line("%s", line));
    }

    private boolean verdict(RunReport report) {
        List<String> problems = report.problems();
        console.line("%nReport: %s", options.report());
        report.caveats().forEach(caveat -> console.line("Note: %s", caveat));
        if (problems.isEmpty()) {
            console.line("All went well: every move was answered, and the rollback was exact.");
            return true;
        }
        problems.forEach(problem -> System.err.println("treasure-hunt: " + problem));
        return false;
    }
}
