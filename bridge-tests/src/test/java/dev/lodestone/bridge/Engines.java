package dev.lodestone.bridge;

import dev.lodestone.Engine;
import dev.lodestone.EngineConfig;
import dev.lodestone.MoveBatch;
import dev.lodestone.Status;

/** Small engines, so that tests need neither much memory nor a fixed port. */
final class Engines {
    private Engines() {}

    static EngineConfig.Builder small() {
        return EngineConfig.builder()
                .listen("127.0.0.1:0")
                .arenaCapacity(256)
                .nodesMax(1_000)
                .set("graph.edges_max", 10_000)
                .set("arena.bump_mib", 1)
                .set("arena.preallocate", "false")
                .set("rollback.window_mib", 4)
                .set("runtime.worker_threads", 1)
                .set("runtime.shared_region", "anonymous");
    }

    static Engine open() {
        return Engine.open(small().build());
    }

    /** One move of its own batch; its status. */
    static Status move(Engine engine, int source, int target, int mask) {
        MoveBatch batch = engine.moveBatch(1);
        batch.add(source, target, mask, 0);
        batch.submit();
        return batch.status(0);
    }
}
