package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Engine;
import dev.lodestone.EngineException;
import dev.lodestone.EnginePoisonedException;
import dev.lodestone.EngineState;
import dev.lodestone.EventReader;
import dev.lodestone.EventType;
import dev.lodestone.MoveBatch;
import dev.lodestone.SlotReader;
import dev.lodestone.StateHash;
import dev.lodestone.Status;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A panic of the engine thread freezes the engine; it stays readable and the JVM goes on. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class PoisonTest {
    @Test
    void aPoisonedEngineIsFrozenAndReadable() {
        try (Engine engine = Engine.open(Engines.small().set("testing.panic_at_revision", 4).build())) {
            EventReader events = engine.events();
            SlotReader slot = engine.slotReader();
            for (int revision = 1; revision <= 3; revision++) {
                assertEquals(Status.OK, Engines.move(engine, revision, 9, 1));
            }
            StateHash hash = engine.stateHash();
            MoveBatch fatal = engine.moveBatch(1);
            fatal.add(4, 9, 1, 0);
            EngineException failure = assertThrows(EngineException.class, fatal::submit);
            assertTrue(failure.status() == Status.POISONED || failure.status() == Status.INTERNAL, failure.toString());
            assertEquals(EngineState.POISONED, engine.state());
            assertFalse(engine.poisonText().isEmpty());

            assertEquals(3, engine.revision());
            assertEquals(hash, engine.stateHash());
            for (int node = 1; node <= 3; node++) {
                assertTrue(slot.read(node));
                assertEquals(9, slot.target());
            }
            List<Integer> types = new ArrayList<>();
            events.poll((type, session, position, body) -> types.add(type), 10);
            assertTrue(types.contains(EventType.POISONED), types.toString());

            EnginePoisonedException again = assertThrows(EnginePoisonedException.class, fatal::submit);
            assertTrue(again.getMessage().contains("What to do:"), again.getMessage());
            assertThrows(EnginePoisonedException.class, () -> engine.rollback(1));
            assertThrows(EnginePoisonedException.class, () -> engine.graph().put(1, 2, 3));
        }
        try (Engine next = Engines.open()) {
            assertEquals(Status.OK, Engines.move(next, 1, 2, 3));
        }
    }
}
