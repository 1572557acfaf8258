package dev.lodestone.examples.hunt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Reading and writing JSON. */
class JsonTest {
    @Test
    void readsEveryKindOfValue() throws JsonException {
        JsonObject object = JsonParser.parse("""
                 { "text" : "a\\"b\\\\c\\n\\u00e9\\/", "whole":-12, "zero":0, "long":9223372036854775807,
                   "decimal": 1.5e2, "yes":true, "no":false, "inner":{"empty":{}, "x":1} }""");
        assertEquals("a\"b\\c\né/", object.text("text"));
        assertEquals(-12, object.number("whole"));
        assertEquals(0, object.number("zero"));
        assertEquals(Long.MAX_VALUE, object.number("long"));
        assertEquals(150.0, object.decimal("decimal"));
        assertEquals(-12.0, object.decimal("whole"));
        assertTrue(object.flag("yes") && !object.flag("no"));
        assertEquals(1, object.object("inner").number("x"));
        assertTrue(object.object("inner").object("empty").names().isEmpty());
    }

    @Test
    void refusesWhatIsNotAnObject() {
        List<String> wrong = List.of("", "{", "}", "[]", "1", "{} x", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}",
                "{\"a\":01}", "{\"a\":-}", "{\"a\":1.}", "{\"a\":1e}", "{\"a\":+1}", "{\"a\":tru}", "{\"a\":NaN}",
                "{\"a\":9223372036854775808}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":\"open}", "{\"a\":\"\n\"}",
                "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1}", "{\"a\":[1]}", "{\"a\":null}",
                "{\"a\":".repeat(9) + "1" + "}".repeat(9));
        for (String text : wrong) {
            assertThrows(JsonException.class, () -> JsonParser.parse(text), text);
        }
    }

    @Test
    void damagedTextsAreRefusedOrReadButNeverBreakTheParser() {
        String good = "{\"event\":\"tick\",\"n\":12,\"inner\":{\"p50\":1.5,\"t\":\"a\\u0041\"}}";
        for (long seed = 0; seed < 20_000; seed++) {
            Random random = new Random(seed);
            StringBuilder damaged = new StringBuilder(good);
            for (int changes = random.nextInt(4); changes >= 0; changes--) {
                damaged.setCharAt(random.nextInt(damaged.length()), "{}\":,\\eE.-+019u a".charAt(random.nextInt(17)));
            }
            String text = damaged.substring(0, random.nextInt(damaged.length() + 1));
            try {
                JsonParser.parse(text);
            } catch (JsonException refused) {
                assertTrue(!refused.getMessage().isEmpty(), "seed " + seed);
            } catch (RuntimeException bad) {
                throw new AssertionError("seed " + seed + ": " + text, bad);
            }
        }
    }

    @Test
    void lookUpsNameWhatIsWrong() throws JsonException {
        JsonObject object = JsonParser.parse("{\"a\":\"text\"}");
        JsonException wrongKind = assertThrows(JsonException.class, () -> object.number("a"));
        assertEquals("\"a\" is not a whole number but text", wrongKind.getMessage());
        JsonException missing = assertThrows(JsonException.class, () -> object.text("b"));
        assertEquals("\"b\" is not a text but missing", missing.getMessage());
    }

    @Test
    void writesWhatTheParserReads() throws JsonException {
        JsonWriter out = new JsonWriter();
        out.add("quote\"\\\n", "é\u0001").add("long", Long.MIN_VALUE).add("third", 1.0 / 3, 3).add("whole", 2.0, 6)
                .add("tiny", -0.0000001, 3).add("yes", true).add("inner", out.inner().add("x", 1L)).add("nothing", out.inner());
        assertEquals("""
                {
                  "quote\\"\\\\\\u000a": "é\\u0001",
                  "long": -9223372036854775808,
                  "third": 0.333,
                  "whole": 2,
                  "tiny": 0,
                  "yes": true,
                  "inner": {
                    "x": 1
                  },
                  "nothing": {}
                }""", out.toString());
        JsonObject read = JsonParser.parse(out.toString());
        assertEquals("é\u0001", read.text("quote\"\\\n"));
        assertEquals(Long.MIN_VALUE, read.number("long"));
    }

    @Test
    void writesListsAndWhatIsNoNumber() {
        JsonWriter out = new JsonWriter();
        out.add("none", List.of()).add("two", List.of(out.inner().add("x", 1L), out.inner())).add("nan", Double.NaN, 3);
        assertEquals("""
                {
                  "none": [],
                  "two": [{
                    "x": 1
                  }, {}],
                  "nan": null
                }""", out.toString());
    }
}
