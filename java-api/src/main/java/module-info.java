/**
 * Lodestone for Java: a deterministic state engine outside the heap.
 *
 * <p>Start at {@link dev.lodestone.Engine}. The one flag a program needs is
 * {@code --enable-native-access=dev.lodestone.bindings} ({@code ALL-UNNAMED} on the class path).
 */
module dev.lodestone {
    requires dev.lodestone.bindings;
    requires dev.lodestone.natives;
    requires java.management;
    requires jdk.management;
    requires org.snakeyaml.engine.v2;

    exports dev.lodestone;
    exports dev.lodestone.client;
}
