package dev.lodestone.examples.hunt;

import dev.lodestone.EngineException;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * The product's main job as a service would do it: embeds the engine, lets a client process walk hunters along the roads of
 * Delaware over QUIC, reads their slots, asks for routes, rolls back, and writes a report.
 */
public final class TreasureHunt {
    private static final int FAILED = 1;
    private static final int WRONG_USAGE = 2;
    /** How long an interrupted run may take to end its client and close its engine. */
    private static final long END_SECONDS_MAX = 10;

    private TreasureHunt() {}

    /**
     * Runs a hunt and ends the JVM: status 0 when all went well, 1 when not, 2 for wrong usage.
     *
     * @param arguments options, see {@code --help}
     */
    public static void main(String[] arguments) {
        CountDownLatch ended = new CountDownLatch(1);
        Thread hunter = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> endOrderly(hunter, ended), "interrupted"));
        int status = FAILED;
        try {
            status = run(List.of(arguments));
        } finally {
            ended.countDown();
        }
        System.exit(status);
    }

    private static int run(List<String> arguments) {
        try {
            HuntOptions options = HuntOptions.parse(arguments, System.getenv());
            if (options.help()) {
                System.out.print(HuntOptions.HELP);
                return 0;
            }
            return new Hunt(options, Console.standard()).run() ? 0 : FAILED;
        } catch (UsageException wrong) {
            System.err.println("treasure-hunt: " + wrong.getMessage() + "\nTry --help.");
            return WRONG_USAGE;
        } catch (HuntException | EngineException bad) {
            System.err.println("treasure-hunt: " + bad.getMessage());
            return FAILED;
        } catch (InterruptedException ended) {
            System.err.println("treasure-hunt: interrupted; no report was written");
            return FAILED;
        }
    }

    /** On a signal: lets the hunt end its client and close its engine. After a normal end there is nothing to do. */
    private static void endOrderly(Thread hunter, CountDownLatch ended) {
        if (ended.getCount() == 0) {
            return;
        }
        hunter.interrupt();
        try {
            ended.await(END_SECONDS_MAX, TimeUnit.SECONDS);
        } catch (InterruptedException impatient) {
            Thread.currentThread().interrupt();
        }
    }
}
