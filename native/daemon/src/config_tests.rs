//! The samples are those of Java's tests: both readers must accept and refuse the same files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::config::{load, translate};

const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn samples() -> PathBuf {
    let java = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../java-api/src/test/resources/dev/lodestone");
    fs::canonicalize(java).unwrap()
}

fn refusal_of(yaml: &str) -> (String, usize, String) {
    let file = samples().join("test.yaml");
    let refusal = translate(yaml, &file, None).expect_err(yaml);
    (refusal.key.clone(), refusal.line, refusal.to_string())
}

#[test]
fn every_key_of_the_sample_becomes_its_flat_line() {
    let folder = samples();
    let flat = load(&folder.join("every-key.yaml"), None).unwrap().flat;
    let wanted =
        fs::read_to_string(folder.join("every-key.flat")).unwrap().replace("{FOLDER}", folder.to_str().unwrap());
    assert_eq!(flat.lines().collect::<BTreeSet<_>>(), wanted.lines().collect::<BTreeSet<_>>());
}

#[test]
fn the_shipped_file_and_empty_ones_are_the_defaults() {
    let file = samples().join("test.yaml");
    for yaml in ["", "# nothing\n", "transport:\narena:\n", "null\n"] {
        assert_eq!(translate(yaml, &file, None).unwrap().flat, "");
    }
    let shipped = include_str!("../../../java-api/src/main/resources/dev/lodestone/arena-runtime-config.yaml");
    let flat = translate(shipped, &file, None).unwrap().flat;
    assert!(flat.contains("arena.capacity=256000\n") && flat.contains("transport.auth=none\n"), "{flat}");
}

#[test]
fn wrong_values_are_refused_with_file_line_and_key() {
    let table = fs::read_to_string(samples().join("wrong-values.txt")).unwrap();
    // Ranges of keys that are Java's alone are Java's business.
    let java_only = |key: &str, value: &str| key.starts_with("monitoring.") && !value.contains("none") && value != "30";
    let mut refused = 0;
    for line in table.lines() {
        let [key, value, _] = line.split(" | ").collect::<Vec<_>>()[..] else { panic!("{line}") };
        let value = value.trim_matches('~');
        if java_only(key, value) {
            continue;
        }
        let (section, name) = key.split_once('.').unwrap();
        let (found_key, found_line, text) = refusal_of(&format!("# one\n\n{section}:\n  # four\n  {name}: {value}\n"));
        assert!(found_key == key || found_key.starts_with(&format!("{key}.")), "{line}: {text}");
        assert_eq!(found_line, 5, "{line}: {text}");
        assert!(text.starts_with(&format!("{}:5: {found_key}: ", samples().join("test.yaml").display())), "{text}");
        refused += 1;
    }
    assert!(refused > 50, "{refused} samples");
}

#[test]
fn nested_values_are_refused_with_their_own_place() {
    for (yaml, key, line) in [
        ("arena:\n  capacity: 5\n  capcity: 6\n", "arena.capcity", 3),
        ("transprot:\n  listen: x\n", "transprot", 1),
        ("ci: true\n", "ci", 1),
        ("arena:\n  capacity: 1\n  capacity: 2\n", "arena.capacity", 3),
        ("arena: 5\n", "arena", 1),
        ("- a\n- b\n", "", 1),
        ("? [a]\n: b\n", "", 1),
        ("arena:\n  capacity: 5\narena.capacity: 6\n", "arena.capacity", 3),
        ("arena:\n  tenants:\n    - {id: 0}\n", "arena.tenants.0.id", 3),
        ("arena:\n  tenants:\n    - {id: 1}\n    - {id: 1}\n", "arena.tenants.1.id", 4),
        ("arena:\n  tenants:\n    - {guaranteed_slots: 1}\n", "arena.tenants.0.id", 3),
        ("arena:\n  tenants:\n    - id: 1\n      slots: 3\n", "arena.tenants.0.slots", 4),
        ("arena:\n  tenants: [{id: 1, slots_max: 300000}]\n", "arena.tenants.0.slots_max", 2),
        ("arena:\n  preallocate: !!bool foo\n", "arena.preallocate", 2),
        ("runtime:\n  thread_name: \"a\\nb=1\"\n", "runtime.thread_name", 2),
        ("transport:\n  auth:\n    keys: []\n", "transport.auth.keys", 3),
        ("transport:\n  auth: {}\n", "transport.auth.keys", 2),
        ("transport:\n  auth:\n", "transport.auth", 2),
        ("transport:\n  auth:\n    keys:\n      - {id: 1, secret_hex: abcd}\n", "transport.auth.keys.0.secret_hex", 4),
        ("transport:\n  auth:\n    key: 1\n", "transport.auth.key", 3),
        ("transport:\n  certificate:\n    certificate_file: tls/chain.pem\n", "transport.certificate.key_file", 2),
        (
            "transport:\n  certificate: {certificate_file: no.pem, key_file: no.pem}\n",
            "transport.certificate.certificate_file",
            2,
        ),
        ("transport:\n  client_ca_file: no.pem\n", "transport.client_ca_file", 2),
        ("transport:\n  client_certificates: required\n", "transport.client_ca_file", 1),
        ("runtime:\n  shared_region: anonymous\n", "runtime.shared_region", 2),
    ] {
        let (found_key, found_line, text) = refusal_of(yaml);
        assert_eq!((found_key.as_str(), found_line), (key, line), "{yaml}: {text}");
    }
}

#[test]
fn misplaced_secrets_stay_out_of_messages() {
    let keys = "transport:\n  auth:\n    keys:";
    for yaml in [
        format!("transport:\n  auth: {SECRET}"),
        format!("transport:\n  auth:\n    {SECRET}: 1"),
        format!("{keys} {SECRET}"),
        format!("{keys} [{SECRET}]"),
        format!("{keys} [{{id: {SECRET}}}]"),
        format!("{keys} [{{id: {SECRET}, secret_hex: {SECRET}}}]"),
        format!("{keys} [{{id: 1, {SECRET}: 2}}]"),
        format!("{keys} [{{id: 1, secret_hex: [{SECRET}]}}]"),
        format!("{keys} [{{id: 1, secret_hex: {SECRET}x}}]"),
    ] {
        let (key, _, text) = refusal_of(&yaml);
        assert!(key.starts_with("transport.auth"), "{yaml}: {text}");
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn the_port_of_the_command_line_goes_before_the_one_of_the_file() {
    let file = samples().join("test.yaml");
    for (yaml, wanted) in [
        ("", "transport.listen=127.0.0.1:9\n"),
        ("transport:\n  listen: localhost:4433\n", "transport.listen=localhost:9\n"),
        ("transport:\n  listen: '[::1]:0'\n", "transport.listen=[::1]:9\n"),
    ] {
        assert_eq!(translate(yaml, &file, Some(9)).unwrap().flat, wanted);
    }
}

#[test]
fn only_small_text_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    let text = |path: &Path| load(path, None).unwrap_err().to_string();
    assert!(text(&file).contains("config.yaml: No such file"));
    fs::write(&file, [0xff, 0xfe, 0, 1]).unwrap();
    assert!(text(&file).contains("not UTF-8"));
    fs::write(&file, vec![b' '; (1 << 20) + 1]).unwrap();
    assert!(text(&file).contains("at most 1048576"));
    assert!(text(folder.path()).contains("a folder"));
    assert!(text(Path::new("/dev/zero")).contains("a device"));
}
