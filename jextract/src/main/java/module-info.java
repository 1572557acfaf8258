/** Generated bindings of the C interface, and the few restricted calls of the product. Private to {@code dev.lodestone}. */
// module: javac does not know dev.lodestone yet when it compiles this module.
@SuppressWarnings("module")
module dev.lodestone.bindings {
    exports dev.lodestone.bindings to dev.lodestone;
}
