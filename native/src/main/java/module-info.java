/**
 * The native library of one platform, as a resource: {@code META-INF/native/PLATFORM/}. No code; a module so that the
 * module path carries it to {@code dev.lodestone} without a further flag.
 */
module dev.lodestone.natives {}
