package dev.lodestone;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.internal.Region;
import dev.lodestone.internal.TokenCodec;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ValuesTest {
    @Test
    void tokensHaveTheBytesOfTheProtocol() {
        byte[] secret = new byte[32];
        for (int index = 0; index < secret.length; index++) {
            secret[index] = (byte) index;
        }
        TokenKey key = new TokenKey(7, HexFormat.of().formatHex(secret));
        TokenRequest request =
                new TokenRequest(42, Instant.ofEpochMilli(1_800_000_000_123L), 100, 0xffff_fff0, 0x8877_6655_4433_2211L);
        // Computed with another language's standard library.
        String expected = "070000002a0000007b505c18a301000064000000f0ffffff1122334455667788"
                + "f45576fba5e2ab2bc13e9d022b3442f92955033851e214f916ef92a55f52e1ab";
        assertArrayEquals(HexFormat.of().parseHex(expected), TokenCodec.encode(key, request));
    }

    @Test
    void tokenRequestsAreCheckedAndNamed() {
        assertThrows(IllegalArgumentException.class, () -> TokenRequest.of(1, Duration.ofMinutes(1)).withNodes(5, 4));
        assertThrows(IllegalArgumentException.class, () -> new TokenRequest(1, Instant.ofEpochMilli(-1), 0, 0, 0));
        TokenRequest whole = TokenRequest.of(1, Duration.ofMinutes(1)).withNodes(5, -1);
        assertEquals(-1, whole.nodeLast());
        Set<Long> nonces = new HashSet<>();
        for (int index = 0; index < 100; index++) {
            nonces.add(TokenRequest.of(1, Duration.ofMinutes(1)).nonce());
        }
        assertEquals(100, nonces.size());
        assertEquals("TokenKey[id=4294967295, secret hidden]", new TokenKey(-1, "AB").toString());
    }

    @Test
    void statusNumbersAreDistinctAndUnknownOnesAreInternal() {
        Set<Integer> numbers = new HashSet<>();
        for (Status status : Status.values()) {
            assertTrue(numbers.add(status.number()), status.name());
            assertEquals(status, Status.of(status.number()));
            assertEquals(status == Status.OK, status.advice().isEmpty(), status.name());
        }
        assertEquals(Status.INTERNAL, Status.of(99));
        assertEquals(Status.INTERNAL, Status.of(-1));
    }

    /** The bucket of a value, written down from docs/shared-memory.md. */
    private static int bucketOf(long value) {
        if (value < 32) {
            return (int) value;
        }
        int exponent = 63 - Long.numberOfLeadingZeros(value);
        return (exponent - 4) * 32 + (int) (value >>> exponent - 5 & 31);
    }

    @Test
    void bucketsBeginWhereTheyShould() {
        for (int bucket = 0; bucket < Region.HISTOGRAM_BUCKETS; bucket++) {
            long floor = HistogramSnapshot.floorOf(bucket);
            assertEquals(bucket, bucketOf(floor));
            if (bucket > 0) {
                assertEquals(bucket - 1, bucketOf(floor - 1));
            }
        }
    }

    @Test
    void percentilesAreAtMostThreePercentTooHigh() {
        for (int seed = 0; seed < 50; seed++) {
            Random random = new Random(seed);
            long[] values = random.longs(1_000, 0, 1L << random.nextInt(1, 37)).sorted().toArray();
            long[] counts = new long[Region.HISTOGRAM_BUCKETS];
            Arrays.stream(values).forEach(value -> counts[bucketOf(value)]++);
            HistogramSnapshot snapshot = new HistogramSnapshot(counts);
            assertEquals(values.length, snapshot.count());
            for (double percentile : new double[] {0, 1, 50, 99, 99.9, 100}) {
                long exact = values[Math.max(0, (int) Math.ceil(values.length * percentile / 100) - 1)];
                long found = snapshot.percentileNanos(percentile);
                assertTrue(found >= exact && found <= exact + exact / 32 + 1,
                        "seed " + seed + ", percentile " + percentile + ": " + found + " for " + exact);
            }
            assertEquals(0, snapshot.since(snapshot).count());
        }
        HistogramSnapshot empty = new HistogramSnapshot(new long[Region.HISTOGRAM_BUCKETS]);
        assertEquals(0, empty.percentileNanos(99));
        assertThrows(IllegalArgumentException.class, () -> empty.percentileNanos(100.1));
        assertThrows(IllegalArgumentException.class, () -> empty.percentileNanos(Double.NaN));
    }

    @Test
    void aReadersBusyExceptionCanBeThrownAgainAndAgain() {
        SlotBusyException busy = new SlotBusyException();
        assertEquals(0, busy.getStackTrace().length);
        busy.addSuppressed(new IllegalStateException());
        assertEquals(0, busy.getSuppressed().length);
        assertEquals(Status.BUSY, busy.status());
        assertEquals("the node that was read kept changing. What to do: read again.", busy.getMessage());
    }
}
