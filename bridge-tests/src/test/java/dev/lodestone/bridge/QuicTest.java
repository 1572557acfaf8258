package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Engine;
import dev.lodestone.EngineState;
import dev.lodestone.EventType;
import dev.lodestone.Session;
import dev.lodestone.SlotReader;
import dev.lodestone.Status;
import dev.lodestone.Tenant;
import dev.lodestone.TokenKey;
import dev.lodestone.TokenRequest;
import dev.lodestone.bridge.Probe.Line;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Sessions over real QUIC as the Java side sees and rules them. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class QuicTest {
    private static final Duration HOUR = Duration.ofHours(1);

    @TempDir
    private Path folder;

    /** Two tenants with tokens; the first may hold three slots. */
    private static Engine openWithTokens() {
        return Engine.open(Engines.small()
                .tokenKey(new TokenKey(7, "5a".repeat(32)))
                .tokenKey(new TokenKey(8, "c3".repeat(40)))
                .tenant(new Tenant(1, 0, 3))
                .tenant(new Tenant(2, 10, 50))
                .build());
    }

    private static TokenRequest range(int tenant, int first, int last) {
        return TokenRequest.of(tenant, HOUR).withNodes(first, last);
    }

    private void assertUnauthorized(Engine engine, byte... token) {
        try (Probe refused = Probe.open(engine, folder, token)) {
            assertEquals("refused", refused.greeting().event());
            assertEquals(Status.UNAUTHORIZED, refused.greeting().status());
            assertEquals(1, refused.exit());
        }
    }

    private static void assertClosed(Probe probe, Status status) {
        assertEquals(status, probe.await("close").status());
        assertEquals(1, probe.exit());
        assertTrue(probe.problems().contains("the server closed the connection: " + status.name()), probe.problems());
    }

    @Test
    void sessionsAreListedAndClosedOneByOne() {
        try (Engine engine = openWithTokens()) {
            Events events = new Events(engine);
            try (Probe one = Probe.open(engine, folder, engine.sessions().issueToken(range(1, 0, 99)));
                    Probe other = Probe.open(engine, folder, engine.sessions().issueToken(range(2, 100, -1), 8))) {
                assertNotEquals(one.session(), other.session());
                assertEquals(1, events.await(EventType.SESSION_OPENED, one.session()).body().getFirst());
                assertEquals(2, events.await(EventType.SESSION_OPENED, other.session()).body().getFirst());
                assertEquals(Status.OK, one.decide("move 1 2 3"));
                assertEquals(2, engine.sessions().list().size());
                for (Session session : engine.sessions().list()) {
                    boolean first = session.id() == one.session();
                    assertEquals(first ? List.of(1, 0, 99) : List.of(2, 100, -1),
                            List.of(session.tenant(), session.nodeFirst(), session.nodeLast()));
                    assertEquals(first ? one.session() : other.session(), session.id());
                    assertTrue(session.address().getAddress().isLoopbackAddress(), session.toString());
                    assertFalse(session.connectedAt().isAfter(Instant.now()), session.toString());
                    assertEquals(first ? 1 : 0, session.frames(), "frames after HELLO");
                }

                assertTrue(engine.sessions().close(one.session()));
                assertClosed(one, Status.OK);
                assertEquals(0, events.await(EventType.SESSION_CLOSED, one.session()).body().getFirst());
                assertFalse(engine.sessions().close(one.session()));
                assertEquals(List.of(other.session()), engine.sessions().list().stream().map(Session::id).toList());
                assertEquals(Status.OK, other.decide("move 100 2 3"));

                other.send(List.of("close enough"));
                assertEquals(Status.OK, other.await("close").status());
                assertEquals(0, other.exit());
                assertEquals(0, events.await(EventType.SESSION_CLOSED, other.session()).body().getFirst());
                assertEquals(List.of(), engine.sessions().list());
                assertEquals(2, engine.revision());
            }
        }
    }

    @Test
    void tokensBoundNodesAndSlots() {
        try (Engine engine = openWithTokens()) {
            Events events = new Events(engine);
            try (Probe one = Probe.open(engine, folder, engine.sessions().issueToken(range(1, 10, 19)));
                    Probe other = Probe.open(engine, folder, engine.sessions().issueToken(range(2, 20, 29)))) {
                assertEquals(Status.FORBIDDEN, one.decide("move 9 500 1"));
                assertEquals(Status.FORBIDDEN, one.decide("move 20 500 1"));
                assertEquals(Status.OK, other.decide("move 20 500 1"));
                assertEquals(Status.FORBIDDEN, one.decide("release 20"));
                one.frames(0, List.of("read 20", "route 20 500"));
                assertEquals(500, one.await("state").number("target"));
                assertEquals(List.of(20L, 500L), one.await("path").numbers("nodes"));
                for (int node = 10; node < 13; node++) {
                    assertEquals(Status.OK, one.decide("move " + node + " 500 1"));
                }
                assertEquals(Status.ARENA_EXHAUSTED, one.decide("move 13 500 1"));
                assertEquals(1, events.await(EventType.SLOTS_EXHAUSTED, 0).body().getFirst());
                assertEquals(Status.OK, one.decide("release 10"));
                assertEquals(Status.OK, one.decide("move 13 500 1"));
                assertEquals(Status.OK, other.decide("move 21 500 1"));
                assertEquals(0, one.end());
                assertEquals(0, other.end());
            }
        }
    }

    @Test
    void badAndRevokedTokensAreRefused() {
        try (Engine engine = openWithTokens()) {
            TokenRequest request = range(1, 0, 9);
            byte[] token = engine.sessions().issueToken(request);
            byte[] damaged = token.clone();
            damaged[20] ^= 1;
            assertUnauthorized(engine);
            assertUnauthorized(engine, damaged);
            assertUnauthorized(engine, engine.sessions().issueToken(
                    new TokenRequest(1, Instant.now().minusMillis(1), 0, -1, 5)));
            try (Engine stranger = Engine.open(Engines.small().tokenKey(new TokenKey(7, "00".repeat(32))).build())) {
                assertUnauthorized(engine, stranger.sessions().issueToken(request));
            }
            try (Probe one = Probe.open(engine, folder, token);
                    Probe again = Probe.open(engine, folder, token);
                    Probe other = Probe.open(engine, folder, engine.sessions().issueToken(range(1, 0, 9)))) {
                assertEquals(Status.OK, one.decide("move 1 2 3"));
                Events events = new Events(engine);
                engine.sessions().revoke(request.nonce());
                for (Probe closed : List.of(one, again)) {
                    assertClosed(closed, Status.UNAUTHORIZED);
                    assertEquals(Status.UNAUTHORIZED.number(),
                            events.await(EventType.SESSION_CLOSED, closed.session()).body().getFirst());
                }
                assertUnauthorized(engine, token);
                assertEquals(Status.OK, other.decide("move 1 3 3"));
            }
        }
    }

    @Test
    void aClosingEngineTellsEveryClient() {
        Engine engine = Engines.open();
        try (Probe one = Probe.open(engine, folder); Probe other = Probe.open(engine, folder)) {
            assertEquals(Status.OK, one.decide("move 1 2 3"));
            engine.close();
            assertClosed(one, Status.SHUTTING_DOWN);
            assertClosed(other, Status.SHUTTING_DOWN);
        } finally {
            engine.close();
        }
    }

    @Test
    void aPoisonedEngineLetsItsClientsGoAndStaysReadable() {
        try (Engine engine = Engine.open(Engines.small().set("testing.panic_at_revision", 3).build());
                Probe one = Probe.open(engine, folder);
                Probe idle = Probe.open(engine, folder)) {
            SlotReader slot = engine.slotReader();
            assertEquals(Status.OK, one.decide("move 1 9 1"));
            assertEquals(Status.OK, one.decide("move 2 9 1"));
            one.frames(0, List.of("move 3 9 1"));
            assertClosed(one, Status.INTERNAL);
            assertClosed(idle, Status.INTERNAL);
            assertEquals(EngineState.POISONED, engine.state());
            assertFalse(engine.poisonText().isEmpty());
            assertEquals(2, engine.revision());
            assertTrue(slot.read(2));
            assertEquals(9, slot.target());
        }
    }

    @Test
    void aKilledClientDisturbsNobody() {
        try (Engine engine = Engines.open(); Probe living = Probe.open(engine, folder)) {
            Events events = new Events(engine);
            Probe dying = Probe.open(engine, folder);
            assertEquals(Status.OK, dying.decide("move 1 2 3"));
            dying.close();
            for (int target = 3; target < 40; target++) {
                assertEquals(Status.OK, living.decide("move 1 " + target + " 3"));
                assertEquals(Status.OK, Engines.move(engine, 2, target, 1));
            }
            living.frames(1, List.of("read 1", "route 1 39"));
            Line state = living.await("state");
            assertEquals(List.of(39L, 38L), List.of(state.number("target"), state.number("version")));
            assertEquals(3, living.await("path").number("distance"));
            // The server cannot know yet; it would find out after 30 s without a sign of life.
            assertTrue(engine.sessions().close(dying.session()));
            assertEquals(0, events.await(EventType.SESSION_CLOSED, dying.session()).body().getFirst());
            assertEquals(List.of(living.session()), engine.sessions().list().stream().map(Session::id).toList());
            assertEquals(0, living.end());
        }
    }
}
