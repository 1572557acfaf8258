package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.CertificateFiles;
import dev.lodestone.Counter;
import dev.lodestone.Engine;
import dev.lodestone.EngineConfig;
import dev.lodestone.Status;
import dev.lodestone.TokenIssuer;
import dev.lodestone.TokenKey;
import dev.lodestone.TokenRequest;
import dev.lodestone.TransportException;
import dev.lodestone.client.ClientConfig;
import dev.lodestone.client.ClientException;
import dev.lodestone.client.LodestoneClient;
import dev.lodestone.client.Move;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Certificates and keys that change under a running engine, and who is let in. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class IdentityTest {
    private static final Duration HOUR = Duration.ofHours(1);

    @TempDir
    private Path folder;

    private static Status refusal(ClientConfig.Builder config) {
        return assertThrows(ClientException.class, () -> LodestoneClient.open(config.build()).close()).status();
    }

    @Test
    void aNewCertificateIsTakenUpAndABadOneIsNot() throws IOException {
        String first = KeyPairs.renew(folder);
        CertificateFiles files = new CertificateFiles(folder.resolve("chain.pem"), folder.resolve("key.pem"));
        try (Engine engine = Engine.open(Engines.small().certificate(files).build());
                LodestoneClient early = LodestoneClient.open(ClientTest.to(engine).build())) {
            assertEquals(first, engine.certificatePem().replace("\r", ""));
            String before = engine.certificateFingerprint();
            String second = KeyPairs.renew(folder);
            engine.reloadIdentity();
            assertEquals(second, engine.certificatePem().replace("\r", ""));
            assertNotEquals(before, engine.certificateFingerprint());
            assertEquals(Status.HANDSHAKE, refusal(ClientTest.to(engine).trustPem(first)));
            try (LodestoneClient late = LodestoneClient.open(ClientTest.to(engine).build())) {
                assertTrue(late.move(Move.of(1, 2, 3)).accepted());
            }
            String now = engine.certificateFingerprint();
            Files.writeString(folder.resolve("key.pem"), "no key");
            TransportException bad = assertThrows(TransportException.class, engine::reloadIdentity);
            assertTrue(bad.getMessage().contains("key.pem"), bad.getMessage());
            assertEquals(now, engine.certificateFingerprint());
            assertTrue(early.move(Move.of(1, 3, 3)).accepted());
            assertEquals(1, engine.metrics().counter(Counter.IDENTITY_RELOADS));
            assertEquals(1, engine.metrics().counter(Counter.IDENTITY_RELOADS_REFUSED));
        }
    }

    @Test
    void keysOfTokensAreExchangedWithAnOverlap() {
        TokenIssuer issuer = new TokenIssuer(TokenKey.random(7));
        EngineConfig config = Engines.small().tokenKeys(issuer.keys()).build();
        try (Engine engine = Engine.open(config)) {
            byte[] old = issuer.issue(TokenRequest.of(1, HOUR).withNodes(10, 19));
            assertEquals(Status.UNAUTHORIZED, refusal(ClientTest.to(engine)));
            try (LodestoneClient early = LodestoneClient.open(ClientTest.to(engine).token(old).build())) {
                assertTrue(early.move(Move.of(10, 2, 3)).accepted());
                assertEquals(Status.FORBIDDEN, early.move(Move.of(20, 2, 3)).status());

                issuer.announce(TokenKey.random(8));
                engine.reloadIdentity(config.toBuilder().tokenKeys(issuer.keys()).build());
                issuer.signWith(8);
                byte[] fresh = issuer.issue(TokenRequest.of(1, HOUR));
                for (byte[] token : new byte[][] {old, fresh}) {
                    LodestoneClient.open(ClientTest.to(engine).token(token).build()).close();
                }
                issuer.retire(7);
                engine.reloadIdentity(config.toBuilder().tokenKeys(issuer.keys()).build());
                assertEquals(Status.UNAUTHORIZED, refusal(ClientTest.to(engine).token(old)));
                LodestoneClient.open(ClientTest.to(engine).token(fresh).build()).close();
                LodestoneClient.open(ClientTest.to(engine).token(
                        engine.sessions().issueToken(TokenRequest.of(1, HOUR))).build()).close();
                assertTrue(early.move(Move.of(10, 3, 3)).accepted(), "who is in stays in");

                assertFalse(engine.sessions().revokeSession(-1));
                assertTrue(engine.sessions().revokeSession(early.status().session()));
                ClientException revoked = assertThrows(ClientException.class, () -> {
                    while (true) {
                        early.read(1);
                    }
                });
                assertEquals(Status.UNAUTHORIZED, revoked.status());
            }
        }
    }

    @Test
    void certificatesOfClientsAreAskedForWhereWanted() throws IOException {
        Path theirs = Files.createDirectory(folder.resolve("client"));
        String chain = KeyPairs.renew(theirs);
        String key = Files.readString(theirs.resolve("key.pem"));
        Path strange = Files.createDirectory(folder.resolve("stranger"));
        String strangeChain = KeyPairs.renew(strange);
        String strangeKey = Files.readString(strange.resolve("key.pem"));
        EngineConfig config = Engines.small().set("transport.client_certificates", "required")
                .set("transport.client_ca_file", "\"" + theirs.resolve("chain.pem") + "\"").build();
        try (Engine engine = Engine.open(config)) {
            refusal(ClientTest.to(engine).reconnectTimeout(Duration.ZERO));
            refusal(ClientTest.to(engine).identityPem(strangeChain, strangeKey));
            assertEquals(Status.CERTIFICATE, refusal(ClientTest.to(engine).identityPem(strangeChain, "no key")));
            assertEquals(0, engine.metrics().counter(Counter.SESSIONS_TOTAL));
            try (LodestoneClient known = LodestoneClient.open(ClientTest.to(engine).identityPem(chain, key).build())) {
                assertTrue(known.move(Move.of(1, 2, 3)).accepted());
                engine.reloadIdentity(config.toBuilder().set("transport.client_certificates", "off").build());
                LodestoneClient.open(ClientTest.to(engine).build()).close();
                assertTrue(known.move(Move.of(1, 3, 3)).accepted());
            }
        }
    }

    @Test
    void aStandAloneEngineTakesItsCertificateUpAtAHangup() {
        String first = KeyPairs.renew(folder);
        String files = "certificate: {certificate_file: \"" + folder.resolve("chain.pem") + "\", key_file: \""
                + folder.resolve("key.pem") + "\"}";
        try (Daemon daemon = Daemon.start(folder, files)) {
            ClientConfig.Builder config = ClientConfig.to("127.0.0.1:" + daemon.port());
            LodestoneClient.open(config.trustPem(first).build()).close();
            String second = KeyPairs.renew(folder);
            Signals.send(daemon.pid(), "HUP");
            Until.holds(daemon::problems, () -> daemon.problems().contains("were read again"));
            LodestoneClient.open(config.trustPem(second).build()).close();
            assertEquals(Status.HANDSHAKE, refusal(config.trustPem(first)));
            assertEquals(0, daemon.end());
        }
    }
}
