package dev.lodestone.cli;

import dev.lodestone.Engine;
import dev.lodestone.EngineConfig;
import dev.lodestone.EngineException;
import dev.lodestone.MoveBatch;
import dev.lodestone.SlotReader;
import dev.lodestone.Status;
import java.lang.management.ManagementFactory;
import java.util.List;

/** What the doctor asks of the JVM that it runs on, and of the native library. */
final class JvmChecks {
    private static final int JAVA_MIN = 25;
    private static final String ADVICE_MARK = ". What to do: ";
    private static final int NODE = 1;
    private static final int TARGET = 2;
    private static final int MASK = 0x1_0007;

    private JvmChecks() {}

    static List<Finding> all() {
        return List.of(java(), nativeAccess(), library());
    }

    private static Finding java() {
        List<String> flags = ManagementFactory.getRuntimeMXBean().getInputArguments();
        String found = Runtime.version() + " of " + System.getProperty("java.vendor") + ", flags: "
                + (flags.isEmpty() ? "none" : String.join(" ", flags));
        return Finding.of(Runtime.version().feature() >= JAVA_MIN, "JDK", found,
                "install JDK " + JAVA_MIN + " or newer and start java from it");
    }

    private static Finding nativeAccess() {
        boolean granted = Engine.class.getModule().isNativeAccessEnabled();
        return Finding.of(granted, "native access",
                granted
                        ? "granted here; a service on the class path needs --enable-native-access=ALL-UNNAMED, one on the module"
                                + " path --enable-native-access=dev.lodestone.bindings"
                        : "not granted: this JVM warns, and a later JDK refuses",
                "start java with --enable-native-access=ALL-UNNAMED, or this program with java -jar");
    }

    /** Loads the library in the way that a service does, by opening an engine, and makes it do something. */
    private static Finding library() {
        String name = "native library";
        EngineConfig small = EngineConfig.builder()
                .listen("127.0.0.1:0").arenaCapacity(16).nodesMax(16)
                .set("graph.edges_max", 16).set("graph.watches_max", 0).set("arena.bump_mib", 1)
                .set("arena.preallocate", "false").set("rollback.window_mib", 1)
                .set("runtime.worker_threads", 1).set("runtime.shared_region", "anonymous")
                .build();
        try (Engine engine = Engine.open(small)) {
            MoveBatch batch = engine.moveBatch(1);
            batch.add(NODE, TARGET, MASK, 0);
            batch.submit();
            SlotReader slot = engine.slotReader();
            boolean moved = batch.status(0) == Status.OK && slot.read(NODE) && slot.target() == TARGET;
            return Finding.of(moved, name, moved ? "loads; a small engine opened, moved a node and was read"
                    : "loads, but a small engine answered a move with " + batch.status(0), "use jars of one version together");
        } catch (EngineException refused) {
            String message = refused.getMessage();
            int advice = message.indexOf(ADVICE_MARK);
            return advice < 0
                    ? Finding.of(false, name, message, "mend what the message tells")
                    : Finding.of(false, name, message.substring(0, advice), message.substring(advice + ADVICE_MARK.length()));
        }
    }
}
