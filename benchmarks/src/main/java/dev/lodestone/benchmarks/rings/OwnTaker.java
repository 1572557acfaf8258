package dev.lodestone.benchmarks.rings;

import dev.lodestone.internal.Producer;
import dev.lodestone.internal.Region;
import dev.lodestone.internal.Sleeper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Our other side: the engine's end of the bridge in a process of its own, and its region as this JVM sees it. */
final class OwnTaker implements AutoCloseable {
    private static final long AT_GENERATION = 24;

    private final Process process;
    private final BufferedReader answers;
    private final Writer orders;
    private final MemorySegment memory;
    private final Path file;
    private Region region;

    /**
     * Starts the taker of commands.
     *
     * @param program path of lodestone-bench
     * @param folder where the region's file goes
     * @throws IOException when it does not start
     */
    OwnTaker(String program, String folder) throws IOException {
        this(program, "rings", folder);
    }

    /**
     * Starts it.
     *
     * @param program path of lodestone-bench
     * @param role what it is to do
     * @param folder where the region's file goes
     * @throws IOException when it does not start
     */
    OwnTaker(String program, String role, String folder) throws IOException {
        this(program, role, folder, true);
    }

    private OwnTaker(String program, String role, String folder, boolean shares) throws IOException {
        process = new ProcessBuilder(program, role, folder, Integer.toString(Cores.TAKER))
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        answers = process.inputReader();
        orders = process.outputWriter();
        if (!shares) {
            file = null;
            memory = MemorySegment.NULL;
            return;
        }
        String said = answers.readLine();
        if (said == null || !said.startsWith("region ")) {
            throw new IOException(program + " said " + said);
        }
        file = Path.of(said.substring("region ".length()));
        memory = map(file);
    }

    /** One that shares no memory with this process. */
    static OwnTaker withoutRegion(String program, String role, String folder) throws IOException {
        return new OwnTaker(program, role, folder, false);
    }

    private static MemorySegment map(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            MemorySegment all = channel.map(MapMode.READ_WRITE, 0, channel.size(), Arena.global());
            all.load();
            return all;
        }
    }

    Path file() {
        return file;
    }

    /** Where the memory that it shares begins. */
    long address() {
        return memory.address();
    }

    Region region() {
        if (region == null) {
            region = new Region(memory.address(), memory.byteSize(), memory.get(ValueLayout.JAVA_LONG, AT_GENERATION));
        }
        return region;
    }

    Producer producer(boolean wantsLane) {
        return Producer.register(region(), Sleeper.ofSystem(), 0, wantsLane);
    }

    /**
     * Orders a trial, and returns once it is ready.
     *
     * @param order the line
     */
    void order(String order) {
        if (!"ready".equals(ask(order))) {
            throw new IllegalStateException("the process that takes our records is not ready for " + order);
        }
    }

    /**
     * Asks it.
     *
     * @param order the line
     * @return its answer
     */
    String ask(String order) {
        try {
            orders.write(order + "\n");
            orders.flush();
            String answer = answers.readLine();
            if (answer == null) {
                throw new IllegalStateException("the process on the other core ended");
            }
            return answer;
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    @Override
    public void close() {
        try {
            orders.close();
            process.waitFor();
        } catch (IOException | InterruptedException failure) {
            process.destroyForcibly();
        }
    }
}
