package dev.lodestone.internal;

import dev.lodestone.EngineException;
import dev.lodestone.Status;
import dev.lodestone.TokenKey;
import dev.lodestone.TokenRequest;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.GeneralSecurityException;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Writes tokens as docs/protocol.md lays them out. */
public final class TokenCodec {
    /** Bytes of a token. */
    public static final int TOKEN_BYTES = 64;

    private static final int CLAIMS_BYTES = 32;
    private static final String ALGORITHM = "HmacSHA256";

    private TokenCodec() {}

    /**
     * Writes and signs a token.
     *
     * @param key the key
     * @param request what the token allows
     * @return the token
     */
    public static byte[] encode(TokenKey key, TokenRequest request) {
        ByteBuffer token = ByteBuffer.allocate(TOKEN_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        token.putInt(key.id())
                .putInt(request.tenant())
                .putLong(request.expires().toEpochMilli())
                .putInt(request.nodeFirst())
                .putInt(request.nodeLast())
                .putLong(request.nonce());
        token.put(sign(HexFormat.of().parseHex(key.secretHex()), token.array()));
        return token.array();
    }

    private static byte[] sign(byte[] secret, byte[] token) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(new SecretKeySpec(secret, ALGORITHM));
            mac.update(token, 0, CLAIMS_BYTES);
            return mac.doFinal();
        } catch (GeneralSecurityException missing) {
            throw new EngineException(Status.INTERNAL, "this JVM cannot compute " + ALGORITHM, missing);
        }
    }
}
