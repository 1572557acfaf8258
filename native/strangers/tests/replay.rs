//! Every kept input of the fuzz targets, run with the compiler of every day.

use std::fs;
use std::path::{Path, PathBuf};

use lodestone_strangers::{TARGETS, run, seeds};

fn folder(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(kind).join(target)
}

/// The files of a folder by name; none where there is no folder.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

#[test]
fn the_kept_seeds_are_those_that_the_generator_makes() {
    for (target, _) in TARGETS {
        let made: Vec<_> = seeds::all().into_iter().filter(|(of, ..)| *of == target).collect();
        assert!(!made.is_empty(), "{target} has no seeds");
        let kept = files(&folder("corpus", target));
        assert_eq!(
            kept.len(),
            made.len(),
            "{target}: run `cargo run -p lodestone-strangers --example seeds fuzz/corpus`"
        );
        for (_, name, bytes) in made {
            assert_eq!(fs::read(folder("corpus", target).join(&name)).ok(), Some(bytes), "{target}/{name}");
        }
    }
}

#[test]
fn kept_inputs_break_no_promise() {
    // The file of the defaults changes too often to be kept twice.
    run(
        "configuration",
        include_bytes!("../../../java-api/src/main/resources/dev/lodestone/arena-runtime-config.yaml"),
    );
    for (target, _) in TARGETS {
        for kind in ["corpus", "found"] {
            for (path, bytes) in files(&folder(kind, target)) {
                // Named first, so that a panic is told with its input.
                println!("{}", path.display());
                run(target, &bytes);
            }
        }
    }
}

/// Small changes of the seeds, the same ones each time: what the fuzzer would try first.
#[test]
fn seeds_with_every_byte_changed_break_no_promise() {
    for (target, name, bytes) in seeds::all() {
        // A long text takes its time; its beginning is as good.
        for at in 0..bytes.len().min(200) {
            for value in [0, 0x7f, 0xff, bytes[at] ^ 1, bytes[at] ^ 0x80] {
                println!("{target}/{name}: byte {at} := {value}");
                let mut changed = bytes.clone();
                changed[at] = value;
                run(target, &changed);
                run(target, &changed[..at]);
            }
        }
    }
}

#[test]
#[should_panic(expected = "there is no target")]
fn an_unknown_target_is_told() {
    run("nothing", &[]);
}
