package dev.lodestone.internal;

import dev.lodestone.NativeLibraryException;
import dev.lodestone.bindings.AbiFingerprint;
import dev.lodestone.bindings.Lodestone;
import dev.lodestone.bindings.NativeAccess;
import java.io.IOException;
import java.io.InputStream;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Loads the native library once a process, and makes sure that it fits these bindings.
 *
 * <p>It comes out of the jar of this platform, or from the file that the system property {@code lodestone.library} names.
 */
public final class NativeLibrary {
    /** The system property that names a library file to use instead of the one in the jar. */
    public static final String PROPERTY = "lodestone.library";

    private static final System.Logger LOGGER = System.getLogger("dev.lodestone");

    private static final AtomicBoolean WARNED = new AtomicBoolean();

    private static boolean loaded;
    private static NativeLibraryException failure;

    private NativeLibrary() {}

    /**
     * Loads and checks the library unless that is done. What failed once fails again in the same way: a class that could
     * not be initialised stays so.
     *
     * @throws NativeLibraryException when the library cannot be used
     */
    public static synchronized void require() {
        if (loaded) {
            return;
        }
        if (failure != null) {
            throw new NativeLibraryException(failure.getMessage(), "", failure);
        }
        try {
            load();
            loaded = true;
        } catch (NativeLibraryException bad) {
            failure = bad;
            throw bad;
        }
    }

    /**
     * Makes sure that this JVM lets memory outside the heap be read by address, which attaching needs. No library is loaded.
     *
     * @throws NativeLibraryException when it does not
     */
    static void requireAccess() {
        try {
            boolean granted = AbiFingerprint.class.getModule().isNativeAccessEnabled();
            if (NativeAccess.ALL.byteSize() > 0 && !granted && !WARNED.getAndSet(true)) {
                warn();
            }
        } catch (ExceptionInInitializerError | NoClassDefFoundError failed) {
            throw denied(failed);
        }
    }

    private static void load() {
        try {
            // Asked of a class without restricted calls, before the first such call.
            boolean granted = AbiFingerprint.class.getModule().isNativeAccessEnabled();
            String override = System.getProperty(PROPERTY);
            Path library = override == null ? fromJar() : given(override);
            NativeAccess.load(library);
            checkFingerprint(library);
            if (!granted && !WARNED.getAndSet(true)) {
                // Only now: a JVM that denies access gives no warning, it throws.
                warn();
            }
        } catch (ExceptionInInitializerError | NoClassDefFoundError failed) {
            throw denied(failed);
        } catch (UnsatisfiedLinkError bad) {
            throw new NativeLibraryException("the native library cannot be loaded: " + bad.getMessage(),
                    "see that it was built for " + platform() + " and for a C library not newer than this system's", bad);
        } catch (IOException bad) {
            throw new NativeLibraryException("the native library cannot be unpacked: " + bad,
                    "make the folder of java.io.tmpdir writable, or name the library with -D" + PROPERTY + "=FILE", bad);
        }
    }

    private static void warn() {
        LOGGER.log(Level.WARNING, "Lodestone calls native code: start java with {0}. "
                + "Without it this JVM warns, and a later JDK refuses.", flag());
    }

    /** What it means that the class with the restricted calls cannot be used; what it does not mean is thrown as it is. */
    private static NativeLibraryException denied(LinkageError failed) {
        // A class that failed to initialise says why only the first time.
        if (rootOf(failed) instanceof IllegalCallerException) {
            return new NativeLibraryException("this JVM denies native access to Lodestone", "start java with " + flag(), failed);
        }
        throw failed;
    }

    private static String flag() {
        String module = NativeLibrary.class.getModule().isNamed() ? "dev.lodestone.bindings" : "ALL-UNNAMED";
        return "--enable-native-access=" + module;
    }

    private static Path given(String override) {
        Path library = Path.of(override).toAbsolutePath();
        if (!Files.isRegularFile(library)) {
            throw new NativeLibraryException("-D" + PROPERTY + " names " + library + ", which is no file",
                    "name the library file, or leave the property out", null);
        }
        return library;
    }

    private static Path fromJar() throws IOException {
        String resource = "META-INF/native/" + platform() + "/" + fileName();
        ClassLoader loader = NativeLibrary.class.getClassLoader();
        try (InputStream library = loader.getResourceAsStream(resource)) {
            if (library == null) {
                throw new NativeLibraryException("no native library for " + platform() + " is on the class path or module path",
                        "add the jar lodestone-native with classifier " + platform() + ", or name a library with -D"
                                + PROPERTY + "=FILE", null);
            }
            return PrivateFolder.keep(() -> loader.getResourceAsStream(resource), fileName());
        }
    }

    /**
     * The name of this platform in jar names and resources.
     *
     * @return for example {@code linux-x86_64}
     */
    public static String platform() {
        String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String processor = System.getProperty("os.arch");
        String name = system.startsWith("mac") ? "macos" : system.startsWith("windows") ? "windows" : system;
        return name + "-" + (processor.equals("amd64") ? "x86_64" : processor);
    }

    private static String fileName() {
        return System.mapLibraryName("lodestone");
    }

    private static void checkFingerprint(Path library) {
        long found;
        try {
            found = Lodestone.lodestone_abi_fingerprint();
        } catch (ExceptionInInitializerError | NoClassDefFoundError missing) {
            // The class that holds the call could not look its symbol up.
            throw new NativeLibraryException(library + " is not a Lodestone library",
                    "name the right file with -D" + PROPERTY + ", or leave it out", missing);
        }
        if (found != AbiFingerprint.VALUE) {
            throw new NativeLibraryException(
                    String.format("the native library %s has ABI %016x, these bindings were made for %016x",
                            library, found, AbiFingerprint.VALUE),
                    "use the jars of one version together; in a source tree, run make bindings and build again", null);
        }
    }

    private static Throwable rootOf(Throwable error) {
        Throwable root = error;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return root;
    }
}
