package dev.lodestone.bridge;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** A JVM of its own, for what can only be seen from outside. */
final class Child {
    private static final long LIMIT_SECONDS = 180;

    /** How a child ended. */
    record End(int exit, String out, String err) {}

    private Child() {}

    /** The product's parts on this JVM's class path; no tests, no test tools. */
    static String productPath() {
        List<String> parts = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(part -> !part.contains("test-classes") && !part.contains("bridge-tests"))
                .filter(part -> part.matches(".*(java-api|jextract|native|lodestone|snakeyaml).*"))
                .toList();
        return String.join(File.pathSeparator, parts);
    }

    static Process start(List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(arguments);
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().remove("JDK_JAVA_OPTIONS");
        return builder.start();
    }

    static End run(List<String> arguments) throws IOException, InterruptedException {
        return end(start(arguments));
    }

    static End end(Process process) throws IOException, InterruptedException {
        CompletableFuture<String> err = CompletableFuture.supplyAsync(() -> read(process.getErrorStream()));
        String out = read(process.getInputStream());
        if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new IOException("the child did not end");
        }
        return new End(process.exitValue(), out, err.join());
    }

    private static String read(InputStream stream) {
        try {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException broken) {
            return "unreadable: " + broken;
        }
    }

    /** The options that hand this JVM's library choice on, if it has one. */
    static List<String> libraryOption() {
        String library = System.getProperty("lodestone.library");
        return library == null ? List.of() : List.of("-Dlodestone.library=" + library);
    }
}
