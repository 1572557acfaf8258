package dev.lodestone;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Tokens without an engine: their bytes, and the exchange of keys. */
class TokenIssuerTest {
    private static final TokenKey ONE = new TokenKey(1, "01".repeat(32));
    private static final TokenKey TWO = new TokenKey(2, "02".repeat(64));

    private static TokenRequest until(long unixMs) {
        return new TokenRequest(77, Instant.ofEpochMilli(unixMs), 10, 20, 0xabcd);
    }

    /** Computed apart, with another implementation of HMAC (Python's), from the layout of docs/protocol.md. */
    @Test
    void theBytesAreThoseOfTheProtocol() {
        String claims = "01000000" + "4d000000" + "e803000000000000" + "0a000000" + "14000000" + "cdab000000000000";
        String signature = "59d764e399f7d69ff06b987336b2e345d918bdd36789ab93a74da2abec7ab328";
        assertEquals(claims + signature, HexFormat.of().formatHex(new TokenIssuer(ONE).issue(until(1_000))));
    }

    @Test
    void keysAreAnnouncedThenSignThenRetire() {
        TokenIssuer issuer = new TokenIssuer(ONE);
        byte[] first = issuer.issue(until(5_000));
        issuer.issue(until(3_000));
        issuer.announce(TWO);
        assertArrayEquals(first, issuer.issue(until(5_000)), "announced is not signing");
        assertEquals(List.of(ONE, TWO), issuer.keys());
        assertThrows(IllegalStateException.class, () -> issuer.retire(1), "it signs");
        issuer.signWith(2);
        assertEquals(List.of(TWO, ONE), issuer.keys(), "the one that signs comes first");
        byte[] second = issuer.issue(until(9_000));
        assertEquals(2, second[0]);
        assertEquals(List.of(Instant.ofEpochMilli(5_000), Instant.ofEpochMilli(9_000)),
                List.of(issuer.lastExpiry(1), issuer.lastExpiry(2)));
        issuer.retire(1);
        assertEquals(List.of(TWO), issuer.keys());
        for (int unknown : new int[] {1, 3}) {
            assertThrows(IllegalArgumentException.class, () -> issuer.signWith(unknown));
            assertThrows(IllegalArgumentException.class, () -> issuer.retire(unknown));
            assertThrows(IllegalArgumentException.class, () -> issuer.lastExpiry(unknown));
        }
    }

    @Test
    void badKeysAreRefusedAndSecretsStayHidden() {
        for (String secret : List.of("", "01".repeat(31), "0".repeat(65), "zz".repeat(32), "01".repeat(1_025))) {
            IllegalArgumentException bad =
                    assertThrows(IllegalArgumentException.class, () -> new TokenIssuer(new TokenKey(1, secret)));
            assertFalse(!secret.isEmpty() && bad.getMessage().contains(secret), bad.getMessage());
        }
        TokenIssuer issuer = new TokenIssuer(ONE);
        assertThrows(IllegalArgumentException.class, () -> issuer.announce(ONE));
        for (int id = 2; id <= TokenIssuer.KEYS_MAX; id++) {
            issuer.announce(TokenKey.random(id));
        }
        assertThrows(IllegalStateException.class, () -> issuer.announce(TokenKey.random(99)));
        assertEquals(TokenIssuer.KEYS_MAX, issuer.keys().size());
        assertFalse(issuer.toString().contains("0101"), issuer.toString());
        assertNotEquals(TokenKey.random(1), TokenKey.random(1));
    }
}
