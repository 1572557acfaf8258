package dev.lodestone;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.internal.ConfigKey;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvFileSource;

class EngineConfigTest {
    private static final String SECRET = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    @TempDir
    private Path folder;

    private EngineConfig load(String yaml) throws IOException {
        return EngineConfig.load(Files.writeString(folder.resolve("test.yaml"), yaml));
    }

    private ConfigException refused(String yaml) {
        return assertThrows(ConfigException.class, () -> load(yaml), yaml);
    }

    @Test
    void theShippedFileHoldsEveryKeyWithItsDefault() throws IOException {
        try (InputStream shipped = EngineConfig.class.getResourceAsStream("arena-runtime-config.yaml")) {
            String yaml = new String(shipped.readAllBytes(), StandardCharsets.UTF_8);
            assertEquals(EngineConfig.defaults(), load(yaml));
            for (ConfigKey key : ConfigKey.ALL) {
                String last = key.path().substring(key.path().lastIndexOf('.') + 1);
                assertTrue(yaml.matches("(?s).*#[^\n]*\n *" + last + ": .*"), key.path() + " lacks its line or its comment");
            }
        }
    }

    /** The sample is read by the stand-alone engine's tests, too: both languages must take it for the same. */
    @Test
    void everyKeyOfTheSampleBecomesItsFlatLine() throws Exception {
        Path sample = Path.of(EngineConfigTest.class.getResource("every-key.yaml").toURI());
        String home = sample.getParent().toString();
        String wanted = Files.readString(sample.resolveSibling("every-key.flat")).replace("{FOLDER}", home);
        assertEquals(wanted.lines().sorted().toList(), EngineConfig.load(sample).toFlatText().lines().sorted().toList());
    }

    @Test
    void anEmptyFileAndEmptySectionsMeanDefaults() throws IOException {
        assertEquals(EngineConfig.defaults(), load(""));
        assertEquals(EngineConfig.defaults(), load("# nothing\n"));
        assertEquals(EngineConfig.defaults(), load("transport:\narena:\n"));
    }

    @Test
    void whatIsPrintedReadsBackEqual() throws IOException {
        Path certificate = Files.writeString(folder.resolve("a \"b\".pem"), "x");
        EngineConfig config = EngineConfig.builder()
                .listen("[::1]:0")
                .arenaCapacity(1_000)
                .nodesMax(5_000)
                .set("runtime.pin_cores", "[1, 0]")
                .set("runtime.idle_strategy", "busy_spin")
                .set("graph.pathfinder", "inline")
                .set("graph.edges_max", 1_000_000)
                .set("rollback.verify", "true")
                .set("runtime.shared_region_directory", "\"" + folder + "\"")
                .set("arena.preallocate", "false")
                .set("arena.fragmentation_threshold", "0.5")
                .set("monitoring.heap_profile_interval", "1500ms")
                .set("monitoring.rss_flatness_window", "2h")
                .set("testing.panic_at_revision", 9)
                .tenant(new Tenant(7, 10, 20))
                .tenant(new Tenant(-1, 0, 1_000))
                .tokenKey(new TokenKey(3, SECRET))
                .certificate(new CertificateFiles(certificate, certificate))
                .build();
        assertEquals(config, load(config.toYaml()), config.toYaml());
        assertEquals(config.toYaml(), load(config.toYaml()).toYaml());
        assertEquals(config.toFlatText(), EngineConfig.parse(config.toYaml()).toFlatText());
        assertEquals(config, config.toBuilder().build());
        assertNotEquals(config, EngineConfig.defaults());
        assertFalse(config.toString().contains(SECRET), "a secret in toString()");
        assertEquals("[{id: 7, guaranteed_slots: 10, slots_max: 20}, {id: 4294967295, guaranteed_slots: 0, slots_max: 1000}]",
                config.value("arena.tenants"));
    }

    @Test
    void randomConfigurationsRoundTrip() throws IOException {
        Path authorities = Files.createFile(folder.resolve("authorities.pem"));
        for (int seed = 0; seed < 300; seed++) {
            Random random = new Random(seed);
            EngineConfig.Builder builder = EngineConfig.builder();
            for (ConfigKey key : ConfigKey.ALL) {
                if (key.kind() == ConfigKey.Kind.WHOLE && random.nextBoolean()) {
                    builder.set(key.path(), random.nextLong(key.min(), key.max() == Long.MAX_VALUE ? key.max() : key.max() + 1));
                } else if (key.kind() == ConfigKey.Kind.POWER_OF_TWO) {
                    builder.set(key.path(), key.min() << random.nextInt(8));
                } else if (key.kind() == ConfigKey.Kind.CHOICE) {
                    builder.set(key.path(), key.choices().get(random.nextInt(key.choices().size())));
                } else if (key.kind() == ConfigKey.Kind.DURATION && random.nextBoolean()) {
                    builder.set(key.path(), random.nextInt(100, 86_400_000) + "ms");
                }
            }
            if (random.nextBoolean()) {
                builder.set("graph.pathfinder", "inline").set("graph.edges_max", random.nextLong(1, 1_000_001));
            } else {
                builder.set("graph.pathfinder", "thread");
            }
            builder.set("graph.watches_max", random.nextLong(0, 17));
            builder.set("transport.client_ca_file", "\"" + authorities + "\"");
            EngineConfig config = builder.build();
            assertEquals(config, load(config.toYaml()), "seed " + seed);
        }
    }

    @Test
    void everyKeyReachesTheDataPlane() {
        String flat = EngineConfig.defaults().toFlatText();
        for (ConfigKey key : ConfigKey.ALL) {
            boolean emptyList = List.of("runtime.pin_cores", "arena.tenants").contains(key.path());
            assertEquals(!emptyList, flat.contains(key.path() + "="), key.path());
        }
        String lists = EngineConfig.builder().set("runtime.pin_cores", "[4]").tenant(new Tenant(2, 0, 9))
                .tokenKey(new TokenKey(1, SECRET)).build().toFlatText();
        for (String line : List.of("runtime.pin_cores.0=4", "arena.tenants.0.id=2", "arena.tenants.0.guaranteed_slots=0",
                "arena.tenants.0.slots_max=9", "transport.auth.keys.0.id=1", "transport.auth.keys.0.secret_hex=" + SECRET)) {
            assertTrue(lists.contains(line + "\n"), line);
        }
    }

    @ParameterizedTest
    @CsvFileSource(resources = "wrong-values.txt", delimiter = '|', quoteCharacter = '~')
    void wrongValuesAreRefusedWithFileLineKeyAndWhatIsAllowed(String key, String value, String allowed) {
        String[] path = key.split("\\.");
        ConfigException refusal = refused("# one\n\n" + path[0] + ":\n  # four\n  " + path[1] + ": " + value + "\n");
        assertEquals(key, refusal.key());
        assertEquals(5, refusal.line(), refusal.getMessage());
        assertEquals(folder.resolve("test.yaml"), refusal.file().orElseThrow());
        assertTrue(refusal.allowed().contains(allowed), refusal.getMessage());
        assertTrue(refusal.getMessage().startsWith(folder.resolve("test.yaml") + ":5: " + key + ": found "),
                refusal.getMessage());
        assertEquals(Status.CONFIG, refusal.status());
    }

    @Test
    void unknownKeysAreRefusedWithTheNearestOne() {
        ConfigException refusal = refused("arena:\n  capacity: 5\n  capcity: 6\n");
        assertEquals(3, refusal.line());
        assertEquals("arena.capcity", refusal.key());
        assertTrue(refusal.found().contains("did you mean capacity?"), refusal.getMessage());
        assertTrue(refused("transprot:\n  listen: x\n").found().contains("did you mean transport?"));
        assertTrue(refused("arena:\n  completely_else: 1\n").allowed().contains("bump_mib"));
        assertEquals("ci", refused("ci: true\n").key());
        assertEquals("arena.capacity", refused("arena:\n  capacity: 1\n  capacity: 2\n").key());
        assertEquals("arena", refused("arena: 5\n").key());
        assertEquals(1, refused("- a\n- b\n").line());
        assertEquals("", refused("? [a]\n: b\n").key());
    }

    @Test
    void nestedValuesAreRefusedWithTheirOwnPlace() {
        List<String[]> cases = new ArrayList<>();
        cases.add(new String[] {"arena:\n  tenants:\n    - {id: 0}\n", "arena.tenants.0.id", "3"});
        cases.add(new String[] {"arena:\n  tenants:\n    - {id: 1}\n    - {id: 1}\n", "arena.tenants.1.id", "4"});
        cases.add(new String[] {"arena:\n  tenants:\n    - {guaranteed_slots: 1}\n", "arena.tenants.0.id", "3"});
        cases.add(new String[] {"arena:\n  tenants:\n    - id: 1\n      slots: 3\n", "arena.tenants.0.slots", "4"});
        cases.add(new String[] {"arena:\n  tenants: [{id: 1, slots_max: 300000}]\n", "arena.tenants.0.slots_max", "2"});
        cases.add(new String[] {
            "arena:\n  capacity: 5\n  tenants:\n    - {id: 1, guaranteed_slots: 3}\n    - {id: 2, guaranteed_slots: 3}\n",
            "arena.tenants", "3"});
        cases.add(new String[] {"transport:\n  auth:\n    keys: []\n", "transport.auth.keys", "3"});
        cases.add(new String[] {"transport:\n  auth:\n    keys:\n      - {id: 1, secret_hex: abcd}\n",
            "transport.auth.keys.0.secret_hex", "4"});
        cases.add(new String[] {"transport:\n  auth:\n    key: 1\n", "transport.auth.key", "3"});
        cases.add(new String[] {"transport:\n  certificate:\n    certificate_file: a.pem\n",
            "transport.certificate.key_file", "2"});
        cases.add(new String[] {"transport:\n  certificate: {certificate_file: no.pem, key_file: no.pem}\n",
            "transport.certificate.certificate_file", "2"});
        for (String[] one : cases) {
            ConfigException refusal = refused(one[0]);
            assertEquals(one[1], refusal.key(), refusal.getMessage());
            assertEquals(Integer.parseInt(one[2]), refusal.line(), refusal.getMessage());
        }
        ConfigException secret = refused("transport: {auth: {keys: [{id: 1, secret_hex: \"feedfeed\"}]}}\n");
        assertFalse(secret.getMessage().contains("feedfeed"), "a secret in a message: " + secret.getMessage());
    }

    @Test
    void brokenFilesAreRefused() throws IOException {
        assertTrue(refused("arena: [1,\n").line() > 0);
        assertTrue(refused("a: 1\n---\nb: 2\n").line() > 0);
        assertTrue(refused("arena: &a\n  capacity: *b\n").line() > 0);
        Path file = folder.resolve("binary.yaml");
        Files.write(file, new byte[] {(byte) 0xff, (byte) 0xfe, 0, 1});
        assertTrue(assertThrows(ConfigException.class, () -> EngineConfig.load(file)).found().contains("not UTF-8"));
        Files.write(file, new byte[(1 << 20) + 1]);
        assertTrue(assertThrows(ConfigException.class, () -> EngineConfig.load(file)).found().contains("more than 1048576"));
        assertTrue(assertThrows(ConfigException.class, () -> EngineConfig.load(folder)).found().contains("a folder"));
        Path absent = folder.resolve("absent.yaml");
        assertTrue(assertThrows(ConfigException.class, () -> EngineConfig.load(absent)).found().contains("no readable file"));
    }

    @Test
    void namesWithDotsAreUnknown() {
        ConfigException refusal = refused("arena:\n  capacity: 5\narena.capacity: 6\n");
        assertEquals("arena.capacity", refusal.key());
        assertEquals(3, refusal.line());
        assertTrue(refusal.getMessage().contains("arena: {capacity: ...}"), refusal.getMessage());
        assertTrue(refused("a.b: 6\n").found().contains("an unknown key"));
        assertTrue(refused("transport:\n  auth.keys: 6\n").found().contains("an unknown key"));
    }

    @Test
    @Timeout(20)
    void whatNestsTooDeepIsRefused() {
        for (String one : List.of("[", "{a: ", "- ", "? ")) {
            ConfigException refusal = refused("arena: \n  " + one.repeat(100_000));
            assertTrue(refusal.getMessage().contains("YAML"), refusal.getMessage());
        }
        assertTrue(refused("arena: " + "[".repeat(33) + "]".repeat(33)).found().contains("more than 32 deep"));
        assertEquals("arena", refused("arena: " + "[".repeat(31) + "]".repeat(31)).key());
    }

    @Test
    @Timeout(20)
    void onlyFilesAreRead() {
        for (String device : List.of("/dev/zero", "/dev/null")) {
            ConfigException refusal = assertThrows(ConfigException.class, () -> EngineConfig.load(Path.of(device)));
            assertTrue(refusal.found().contains("a device"), refusal.getMessage());
        }
    }

    @Test
    void brokenYamlIsToldInPlainWords() {
        String message = refused("arena: @\n").getMessage();
        assertTrue(message.contains("found broken YAML (found character"), message);
        assertFalse(message.contains("found found"), message);
    }

    @Test
    void anAbsentShareIsNotZero() throws IOException {
        for (String none : List.of("0", "-1")) {
            ConfigException refusal = refused("arena:\n  tenants: [{id: 1, slots_max: " + none + "}]\n");
            assertEquals("arena.tenants.0.slots_max", refusal.key());
        }
        assertEquals(256_000, load("arena:\n  tenants: [{id: 1}]\n").tenants().getFirst().slotsMax());
        assertThrows(ConfigException.class, () -> EngineConfig.builder().tenant(new Tenant(1, 0, 0)).build());
        assertEquals(5, EngineConfig.builder().arenaCapacity(5).tenant(new Tenant(1, 0, Tenant.WHOLE_CAPACITY)).build()
                .tenants().getFirst().slotsMax());
    }

    @Test
    void aFlagIsTrueOrFalseWhateverItsTag() throws IOException {
        assertEquals("arena.preallocate", refused("arena:\n  preallocate: !!bool foo\n").key());
        assertEquals("false", load("arena:\n  preallocate: !!bool false\n").value("arena.preallocate"));
    }

    @Test
    void misplacedSecretsStayOutOfMessages() {
        String keys = "transport:\n  auth:\n    keys:";
        for (String yaml : List.of("transport:\n  auth: " + SECRET, "transport:\n  auth:\n    " + SECRET + ": 1",
                keys + " " + SECRET, keys + " [" + SECRET + "]",
                keys + " [{id: " + SECRET + "}]", keys + " [{id: 1, " + SECRET + ": 2}]",
                keys + " [{id: 1, secret_hex: [" + SECRET + "]}]", keys + " [{id: 1, secret_hex: " + SECRET + "x}]")) {
            ConfigException refusal = refused(yaml);
            assertFalse(refusal.getMessage().contains(SECRET), refusal.getMessage());
            assertTrue(refusal.key().startsWith("transport.auth"), refusal.getMessage());
        }
        ConfigException endless = refused(keys + " [{id: 1, secret_hex: " + "ab".repeat(200_000) + "}]");
        assertEquals("transport.auth.keys.0.secret_hex", endless.key());
    }

    @Test
    void missingArgumentsAreNamed() {
        EngineConfig.Builder builder = EngineConfig.builder();
        Map<String, Executable> calls = Map.of(
                "file", () -> EngineConfig.load(null),
                "yaml", () -> EngineConfig.parse(null),
                "files", () -> builder.certificate(null),
                "tenant", () -> builder.tenant(null),
                "config", () -> Engine.open(null),
                "secretHex", () -> new TokenKey(1, null),
                "keyFile", () -> new CertificateFiles(folder, null),
                "validFor", () -> TokenRequest.of(1, null));
        calls.forEach((name, call) -> assertEquals(name, assertThrows(NullPointerException.class, call).getMessage()));
    }

    @Test
    void configurationsBuiltInJavaMeetTheSameRules() {
        assertEquals("arena.capacity", assertThrows(ConfigException.class,
                () -> EngineConfig.builder().arenaCapacity(0).build()).key());
        assertEquals("transport.listen", assertThrows(ConfigException.class,
                () -> EngineConfig.builder().listen("here").build()).key());
        assertEquals("arena.capacity", assertThrows(ConfigException.class,
                () -> EngineConfig.builder().set("arena.capacity", "many")).key());
        assertThrows(IllegalArgumentException.class, () -> EngineConfig.builder().set("arena.size", 5));
        assertThrows(IllegalArgumentException.class, () -> EngineConfig.defaults().value("arena.size"));
    }

    @Test
    void relativePathsAreRelativeToTheFile() throws IOException {
        Files.createDirectory(folder.resolve("tls"));
        Files.writeString(folder.resolve("tls/chain.pem"), "x");
        Files.writeString(folder.resolve("tls/key.pem"), "x");
        CertificateFiles files = load("transport:\n  certificate: {certificate_file: tls/chain.pem, key_file: ./tls/key.pem}\n")
                .certificate().orElseThrow();
        assertEquals(folder.resolve("tls/chain.pem"), files.certificateFile());
        assertEquals(folder.resolve("tls/key.pem"), files.keyFile());
    }
}
