package dev.lodestone.bridge;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Base64;

/**
 * Self-signed certificates with their keys, as PEM files, made by the JDK's keytool. RSA: the JDK writes elliptic keys without
 * their public half, which the server's library asks for.
 */
final class KeyPairs {
    private static final String PASSWORD = "not a secret";
    private static final Base64.Encoder LINES = Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII));

    private KeyPairs() {}

    /** Writes {@code chain.pem} and {@code key.pem} into the folder, over what is there; the certificate's text. */
    static String renew(Path folder) {
        try {
            Path store = Files.createTempDirectory(folder, "keys").resolve("store.p12");
            Process keytool = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                    "-genkeypair", "-alias", "it", "-keyalg", "RSA", "-keysize", "2048", "-dname", "CN=Lodestone test",
                    "-ext", "san=ip:127.0.0.1,dns:localhost", "-validity", "30", "-keystore", store.toString(),
                    "-storetype", "PKCS12", "-storepass", PASSWORD).redirectErrorStream(true).start();
            String said = new String(keytool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (keytool.waitFor() != 0) {
                throw new AssertionError("keytool: " + said);
            }
            KeyStore keys = KeyStore.getInstance("PKCS12");
            try (InputStream in = Files.newInputStream(store)) {
                keys.load(in, PASSWORD.toCharArray());
            }
            String chain = pem("CERTIFICATE", keys.getCertificate("it").getEncoded());
            Files.writeString(folder.resolve("chain.pem"), chain);
            byte[] key = keys.getKey("it", PASSWORD.toCharArray()).getEncoded();
            Files.writeString(folder.resolve("key.pem"), pem("PRIVATE KEY", key));
            return chain;
        } catch (IOException | InterruptedException | GeneralSecurityException broken) {
            throw new AssertionError(broken);
        }
    }

    private static String pem(String label, byte... der) {
        return "-----BEGIN " + label + "-----\n" + LINES.encodeToString(der) + "\n-----END " + label + "-----\n";
    }
}
