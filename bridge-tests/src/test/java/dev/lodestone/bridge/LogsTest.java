package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.AttachMode;
import dev.lodestone.AttachedEngine;
import dev.lodestone.Counter;
import dev.lodestone.Engine;
import dev.lodestone.EngineClosedException;
import dev.lodestone.EngineConfig;
import dev.lodestone.EngineGoneException;
import dev.lodestone.EngineView;
import dev.lodestone.LogHandler;
import dev.lodestone.LogReader;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the native side says, in Java: forwarded to a logger, read from the ring, here and from other processes. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class LogsTest {
    private static final Logger NATIVE = Logger.getLogger("dev.lodestone.native");

    @TempDir
    private Path folder;

    private long sum;

    /** A handler of the application that throws at what is forwarded while it is open. */
    private static final class Throwing extends Handler implements AutoCloseable {
        private final Consumer<LogRecord> thrower;

        Throwing(Consumer<LogRecord> thrower) {
            this.thrower = thrower;
            NATIVE.addHandler(this);
        }

        @Override
        public void publish(LogRecord record) {
            thrower.accept(record);
        }

        @Override
        public void flush() {}

        @Override
        public void close() {
            NATIVE.removeHandler(this);
        }
    }

    /** Keeps what is forwarded while it is open. */
    private static final class Kept extends Handler implements AutoCloseable {
        private final ConcurrentLinkedQueue<LogRecord> records = new ConcurrentLinkedQueue<>();

        Kept() {
            NATIVE.setLevel(java.util.logging.Level.FINE);
            NATIVE.addHandler(this);
        }

        @Override
        public void publish(LogRecord record) {
            records.add(record);
        }

        @Override
        public void flush() {}

        @Override
        public void close() {
            NATIVE.removeHandler(this);
            NATIVE.setLevel(null);
        }

        boolean has(String start) {
            return records.stream().anyMatch(record -> record.getMessage().startsWith(start));
        }

        void await(String start) {
            Until.holds(() -> start + " is not among " + records.stream().map(LogRecord::getMessage).toList(), () -> has(start));
        }
    }

    private static List<String> messages(EngineView engine) {
        List<String> messages = new ArrayList<>();
        engine.logs(0).poll((level, position, record) -> messages.add(record.message()), Integer.MAX_VALUE);
        return messages;
    }

    @Test
    void recordsReachTheLoggerToTheLastOne() {
        try (Kept kept = new Kept()) {
            // A rollback that took longer would be one more record, and a warning.
            Engine engine = Engine.open(Engines.small().set("rollback.sla_ms", 60_000).build());
            String address = engine.quicAddress().toString().substring(1);
            kept.await("transport::server: listening address=" + address);
            kept.await("transport::server: certificate made sha256=" + engine.certificateFingerprint());
            Engines.move(engine, 1, 2, 3);
            engine.rollback(0);
            kept.await("runtime::writer: rolled back from=1 to=0 branch=1");
            engine.close();
            assertTrue(kept.records.stream().allMatch(record -> record.getLevel() == java.util.logging.Level.FINE));
        }
    }

    /** Not waited for: the close returns when the last record is out, within half a second. A busy machine may take that. */
    @Test
    void theCloseIsTheLastRecord() {
        for (int attempt = 1;; attempt++) {
            try (Kept kept = new Kept()) {
                Engines.open().close();
                if (kept.has("runtime::engine: closed revision=0")) {
                    return;
                }
                assertTrue(attempt < 10, () -> kept.records.stream().map(LogRecord::getMessage).toList().toString());
            }
        }
    }

    @Test
    void aLoggerThatThrowsLosesThatRecordAlone() {
        Consumer<LogRecord> broken = record -> {
            if (record.getMessage().contains("rolled back")) {
                throw new IllegalStateException("a handler of the application");
            }
        };
        try (Throwing _ = new Throwing(broken); Kept kept = new Kept()) {
            Engine engine = Engines.open();
            Engines.move(engine, 1, 2, 3);
            engine.rollback(0);
            engine.graph().put(1, 2, 3);
            kept.await("runtime::load: loaded");
            engine.close();
            assertFalse(kept.has("runtime::writer: rolled back"));
        }
    }

    /** Records of the start are logged on the thread that opens, so that such an error comes out of the opening. */
    @Test
    void anErrorOfALoggerAtTheStartLeavesNoEngine() throws IOException {
        Consumer<LogRecord> broken = record -> {
            throw new LinkageError("a handler of the application");
        };
        try (Throwing _ = new Throwing(broken); Kept kept = new Kept()) {
            EngineConfig config = Engines.small().set("runtime.shared_region", "file")
                    .set("runtime.shared_region_directory", "\"" + folder + "\"").build();
            LinkageError thrown = assertThrows(LinkageError.class, () -> Engine.open(config));
            assertEquals("a handler of the application", thrown.getMessage());
            assertEquals(List.of(), List.of(thrown.getSuppressed()));
            try (Stream<Path> left = Files.list(folder)) {
                assertEquals(List.of(), left.toList());
            }
            assertEquals(0, kept.records.size());
        }
    }

    @Test
    void aFailureIsAnErrorInTheLog() {
        try (Kept kept = new Kept(); Engine engine = Engine.open(Engines.small().set("testing.panic_at_revision", 1).build())) {
            assertThrows(RuntimeException.class, () -> Engines.move(engine, 1, 2, 3));
            kept.await("runtime::threads: the engine failed and is frozen: ");
            assertTrue(kept.records.stream().anyMatch(record -> record.getLevel() == java.util.logging.Level.SEVERE));
        }
    }

    @Test
    void aLevelThatIsOffTellsNothing() {
        try (Kept kept = new Kept()) {
            try (Engine engine = Engine.open(Engines.small().set("log.level", "off").build())) {
                engine.rollback(0);
                assertEquals(List.of(), messages(engine));
            }
            assertEquals(0, kept.records.size());
        }
    }

    @Test
    void aRecordTellsEverythingThatIsKnown() {
        try (Engine engine = Engines.open()) {
            LogReader logs = engine.logs();
            Instant before = Instant.now().minusMillis(1);
            engine.graph().put(1, 2, 0x1_0001);
            assertEquals(1, logs.poll((level, position, record) -> {
                assertEquals(Level.INFO, level);
                assertEquals(record.position() - 1, position);
                assertEquals("runtime::load", record.target());
                assertTrue(record.message().startsWith("loaded arcs=1 ms="), record.message());
                assertFalse(record.isCut());
                assertEquals(0, record.session());
                assertTrue(record.threadId() > 0);
                assertTrue(record.time().isAfter(before) && !record.time().isAfter(Instant.now().plusMillis(1)));
            }, 10));
            assertEquals(logs.position(), engine.metrics().counter(Counter.LOG_RECORDS));
        }
    }

    @Test
    void aSlowReaderIsToldWhatItMissedAndTheNextGoesOn() {
        try (Engine engine = Engine.open(Engines.small().set("log.ring_kib", 8).build())) {
            LogReader logs = engine.logs();
            long first = logs.position();
            for (int load = 0; load < 100; load++) {
                engine.graph().put(1, 2, 0x1_0001 + load);
            }
            int read = logs.poll((level, position, record) -> sum += position, 1_000);
            assertEquals(100, read + logs.missed());
            assertTrue(read >= 15 && read <= 16, "a ring of 16 showed " + read);
            assertEquals(first + 100, logs.position());
            LogReader next = engine.logs(engine.instance(), logs.position());
            engine.graph().put(1, 2, 7);
            assertEquals(1, next.poll((level, position, record) -> sum += position, 10));
            assertEquals(0, next.missed());
            assertThrows(EngineGoneException.class, () -> engine.logs(engine.instance() + 1, 0));
            assertThrows(IllegalArgumentException.class, () -> engine.logs(next.position() + 1));
        }
    }

    @Test
    void lookingForRecordsAllocatesNothing() {
        try (Engine engine = Engines.open()) {
            LogReader logs = engine.logs();
            LogHandler handler = (level, position, record) -> sum += position + record.session() + record.threadId();
            assertEquals(0, Allocated.least(() -> engine.graph().put(1, 2, 0x1_0001), () -> {
                for (int step = 0; step < 10_000; step++) {
                    sum += logs.poll(handler, 8);
                }
            }));
            assertTrue(sum > 0);
        }
    }

    @Test
    void theLogOfAStandAloneEngineIsReadFromHereAndOutlivesIt() throws InterruptedException {
        try (Daemon daemon = Daemon.start(folder, "");
                AttachedEngine attached = Engine.attach(daemon.region(), AttachMode.READ_ONLY)) {
            List<String> before = messages(attached);
            assertTrue(before.stream().anyMatch(message -> message.startsWith("listening address=127.0.0.1:" + daemon.port())),
                    before::toString);
            daemon.kill();
            assertTrue(attached.awaitEnd(Duration.ofSeconds(60)));
            assertEquals(before, messages(attached));
            Until.holds(daemon::problems, () -> daemon.problems().contains(" INFO  transport::server: listening address="));
        }
    }

    @Test
    void afterTheCloseTheReaderSaysSo() {
        Engine engine = Engines.open();
        LogReader logs = engine.logs(0);
        engine.close();
        assertThrows(EngineClosedException.class, () -> logs.poll((level, position, record) -> sum++, 1));
        assertThrows(EngineClosedException.class, engine::logs);
    }
}
