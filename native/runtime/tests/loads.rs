//! Bulk loads: files of both kinds, arcs handed over, progress, and what is said when something is wrong.

mod support;

use std::path::PathBuf;
use std::time::Duration;

use lodestone_map::{Edge, Map, arc_to_bytes, encode};
use lodestone_memory::CounterId;
use lodestone_runtime::{Engine, EngineError, LoadProgress};
use support::{PLACES, counter, open, submit};

/// A file in a folder of its own, which is removed with the value.
struct Scratch(PathBuf, #[expect(dead_code, reason = "lives as long as the file")] tempfile::TempDir);

impl Scratch {
    fn new(name: &str, bytes: &[u8]) -> Scratch {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Scratch(path, folder)
    }
}

/// `count` different arcs between nodes below 1,000.
fn arcs(count: u32) -> Vec<Edge> {
    let edge = |number: u32| Edge {
        source: number % 1_000,
        target: (number % 1_000 + 1 + number / 1_000) % 1_000,
        mask: number + 1,
    };
    (0..count).map(edge).collect()
}

fn bytes(arcs: &[Edge]) -> Vec<u8> {
    arcs.iter().flat_map(|arc| arc_to_bytes(*arc)).collect()
}

fn numbers(arcs: &[Edge]) -> Vec<u32> {
    arcs.iter().flat_map(|arc| [arc.source, arc.target, arc.mask]).collect()
}

#[test]
fn a_list_of_arcs_gives_the_same_state_as_the_arcs_given_directly() {
    let all = arcs(50_000);
    let file = Scratch::new("whole.arcs", &bytes(&all));
    for place in PLACES {
        let direct = open(1_000, 60_000, place);
        let report = direct.put_arcs(&numbers(&all)).unwrap();
        assert_eq!((report.arcs, report.edges, report.revision), (50_000, 50_000, 49));
        let loaded = open(1_000, 60_000, place);
        let report = loaded.load_map(&file.0).unwrap();
        assert_eq!((report.arcs, report.edges, report.nodes, report.unit_mm), (50_000, 50_000, 0, 0));
        assert_eq!(loaded.hash(None).unwrap(), direct.hash(None).unwrap());
        assert_eq!(loaded.verify_hash().unwrap(), direct.hash(None).unwrap());
        assert_eq!(loaded.route(3, 700).unwrap(), direct.route(3, 700).unwrap());
        for id in [CounterId::LoadDone, CounterId::LoadTotal] {
            assert_eq!(counter(&loaded, id), 50_000);
        }
    }
}

#[test]
fn handing_over_in_any_pieces_gives_the_same_state() {
    let all = numbers(&arcs(10_000));
    let whole = open(1_000, 20_000, "");
    whole.put_arcs(&all).unwrap();
    for piece in [1, 7, 1_023, 1_024, 1_025, 5_000] {
        let engine = open(1_000, 20_000, "");
        let mut load = engine.begin_load(None).unwrap();
        let mut before = 0;
        for part in all.chunks(piece * 3) {
            let progress = load.add(&engine, part).unwrap();
            assert!(progress.done >= before && progress.total.is_none() && !progress.finished);
            before = progress.done;
        }
        let report = load.finish(&engine).unwrap();
        assert_eq!((report.arcs, report.edges), (10_000, 10_000), "pieces of {piece}");
        assert_eq!(engine.hash(None).unwrap(), whole.hash(None).unwrap(), "pieces of {piece}");
    }
}

#[test]
fn a_load_goes_step_by_step_moves_come_between_and_what_is_set_stays() {
    let all = arcs(40_000);
    let file = Scratch::new("steps.arcs", &bytes(&all));
    let engine = open(2_000, 50_000, "");
    let mut load = engine.begin_file_load(&file.0).unwrap();
    let mut seen: Vec<LoadProgress> = Vec::new();
    while seen.len() < 20 {
        seen.push(load.step(&engine, Duration::ZERO).unwrap());
        submit(&engine, &[(1_500, 1_501, seen.len() as u32)]);
    }
    assert!(seen.is_sorted_by_key(|progress| progress.done), "{seen:?}");
    assert!(seen.iter().all(|progress| progress.total == Some(40_000) && !progress.finished), "{seen:?}");
    assert!(seen.last().unwrap().done >= 18 * 1_024 && seen.last().unwrap().done < 40_000, "{seen:?}");
    drop(load);
    // The parts that were with the engine are set too, and nothing after them.
    assert_eq!(engine.route(1_500, 1_501).unwrap().nodes_total, 2);
    let commit = engine.put_arcs(&[]).unwrap();
    assert_eq!(commit.edges, 20 * 1_024 + 1);
    assert_eq!(engine.verify_hash().unwrap(), engine.hash(None).unwrap());

    let mut load = engine.begin_file_load(&file.0).unwrap();
    while !load.step(&engine, Duration::ZERO).unwrap().finished {}
    assert_eq!(load.finish(&engine).unwrap().edges, 40_001);
}

fn error_text(engine: &Engine, name: &str, content: &[u8]) -> (String, EngineError) {
    let file = Scratch::new(name, content);
    let error = engine.load_map(&file.0).unwrap_err();
    assert!(!matches!(error, EngineError::Io(_)), "{error}");
    (error.to_string(), error)
}

#[test]
fn wrong_arcs_are_named_by_their_number_with_what_would_do() {
    let good = arcs(3_000);
    let cases = [
        (Edge { source: 5, target: 1_000, mask: 1 }, "node 1000", "graph.nodes_max to 1001"),
        (
            Edge { source: u32::MAX, target: 1, mask: 1 },
            "node 4294967295",
            "most that graph.nodes_max may be, 134217728",
        ),
        (Edge { source: 6, target: 6, mask: 1 }, "node 6 to itself", "leave such arcs out"),
        (Edge { source: 6, target: 7, mask: 0 }, "mask 0", "moves"),
    ];
    for (number, (bad, what, advice)) in cases.into_iter().enumerate() {
        for place in [0, 1, 1_023, 1_024, 2_500] {
            let mut all = good.clone();
            all.insert(place, bad);
            let engine = open(1_000, 10_000, "");
            let (text, error) = error_text(&engine, &format!("wrong-{number}-{place}.arcs"), &bytes(&all));
            assert!(matches!(error, EngineError::MapFile(_)), "{error}");
            for part in [what, advice, &format!("arc {place} "), &format!("the {place} arcs before it are set")] {
                assert!(text.contains(part), "{part:?} is missing: {text}");
            }
            assert_eq!(engine.put_arcs(&[]).unwrap().edges, place as u64, "exactly those before are set");
            let error = engine.put_arcs(&numbers(&all)).unwrap_err();
            assert!(matches!(&error, EngineError::InvalidArgument(text) if text.contains(what)), "{error}");
            assert_eq!(engine.put_arcs(&[]).unwrap().edges, place as u64);
        }
    }
}

#[test]
fn damaged_cut_and_oversized_files_change_nothing() {
    let engine = open(1_000, 2_000, "");
    let all = bytes(&arcs(100));
    for cut in [1, 11, 13, all.len() - 1] {
        let (text, error) = error_text(&engine, &format!("cut-{cut}.arcs"), &all[..cut]);
        assert!(matches!(error, EngineError::MapFile(_)) && text.contains(&format!("{cut} bytes")), "{text}");
    }
    let (text, error) = error_text(&engine, "many.arcs", &bytes(&arcs(2_001)));
    assert!(matches!(error, EngineError::GraphFull(_)) && text.contains("graph.edges_max to 2001 or more"), "{text}");
    let (text, _) = error_text(&engine, "garbage.lsg", &all);
    assert!(text.contains("does not begin with LSGRAPH1"), "{text}");
    let map = Map {
        nodes_latitude_e7: vec![0; 1_001],
        nodes_longitude_e7: vec![0; 1_001],
        first_arc: vec![0; 1_002],
        unit_mm: 1,
        ..Map::default()
    };
    let (text, _) = error_text(&engine, "nodes.lsg", &encode(&map));
    assert!(text.contains("graph.nodes_max to 1001 or more"), "{text}");
    let mut whole = encode(&map);
    let last = whole.len() - 1;
    whole[last] ^= 1;
    assert!(error_text(&engine, "flipped.lsg", &whole).0.contains("checksum"));
    for absent in ["/nonexistent/graph.arcs", "/nonexistent/graph.lsg", "/dev/null.arcs"] {
        assert!(matches!(engine.load_map(absent.as_ref()), Err(EngineError::Io(_))), "{absent}");
    }
    let folder = Scratch::new("folder.arcs", b"");
    std::fs::remove_file(&folder.0).unwrap();
    std::fs::create_dir(&folder.0).unwrap();
    let error = engine.load_map(&folder.0).unwrap_err();
    assert!(error.to_string().contains("not a plain file"), "{error}");
    std::fs::remove_dir(&folder.0).unwrap();
    let empty = Scratch::new("empty.arcs", b"");
    let report = engine.load_map(&empty.0).unwrap();
    assert_eq!((report.arcs, report.edges, report.revision), (0, 0, 0));
}

#[test]
fn a_pipe_that_nobody_writes_to_is_refused_and_never_waited_for() {
    let engine = open(1_000, 2_000, "");
    for name in ["pipe.arcs", "pipe.lsg"] {
        let pipe = Scratch::new(name, &[]);
        std::fs::remove_file(&pipe.0).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&pipe.0).status().unwrap().success());
        let error = engine.load_map(&pipe.0).unwrap_err();
        assert!(matches!(&error, EngineError::Io(text) if text.contains("not a plain file")), "{name}: {error}");
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_an_error() {
    let file = Scratch::new("shrinks.arcs", &bytes(&arcs(30_000)));
    let engine = open(1_000, 40_000, "");
    let mut load = engine.begin_file_load(&file.0).unwrap();
    load.step(&engine, Duration::ZERO).unwrap();
    std::fs::OpenOptions::new().write(true).open(&file.0).unwrap().set_len(12_000 * 12).unwrap();
    let error = loop {
        match load.step(&engine, Duration::ZERO) {
            Ok(progress) => assert!(!progress.finished, "{progress:?}"),
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, EngineError::Io(text) if text.contains("still to come")), "{error}");
    assert_eq!(load.step(&engine, Duration::ZERO).unwrap_err(), error, "it says so as often as it is asked");
}

#[test]
fn a_graph_that_fills_up_says_what_is_known_and_sets_nothing_after_it() {
    for total in [None, Some(5_000)] {
        let engine = open(1_000, 10_000, "");
        engine.put_arcs(&numbers(&arcs(7_000))).unwrap();
        // Of parts of 1,024 the third finds no room. The fourth, which is with the engine by then, would need none.
        let mut more: Vec<Edge> = arcs(7_000 + 3 * 1_024).split_off(7_000);
        more.extend(arcs(1_928).into_iter().map(|arc| Edge { mask: 0x2_0000, ..arc }));
        let mut load = engine.begin_load(total).unwrap();
        let added = more.chunks(500).try_for_each(|part| load.add(&engine, &numbers(part)).map(drop));
        let error = added.and_then(|()| load.finish(&engine).map(drop)).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, EngineError::GraphFull(_)), "{text}");
        assert!(text.contains("it has 9048 edges, with 2048"), "{text}");
        match total {
            Some(_) => assert!(text.contains("set graph.edges_max to 12000 or more (now 10000)"), "{text}"),
            None => assert!(text.contains("set graph.edges_max to more than 1"), "{text}"),
        }
        let report = engine.put_arcs(&[]).unwrap();
        assert_eq!(report.edges, 9_048);
        let expected = open(1_000, 10_000, "");
        expected.put_arcs(&numbers(&arcs(9_048))).unwrap();
        assert_eq!(engine.hash(None).unwrap().hash, expected.hash(None).unwrap().hash, "a later part was set");
        assert_eq!(engine.verify_hash().unwrap(), engine.hash(None).unwrap());
    }
}

#[test]
fn a_load_on_a_closed_or_failed_engine_ends() {
    let engine = open(1_000, 10_000, "");
    let mut load = engine.begin_load(None).unwrap();
    load.add(&engine, &[1, 2, 3]).unwrap();
    engine.close();
    assert_eq!(load.finish(&engine).unwrap_err(), EngineError::Closed);

    let engine = open(1_000, 10_000, "testing.rollback_verify_fails=true\n");
    let mut load = engine.begin_load(None).unwrap();
    load.add(&engine, &numbers(&arcs(2_000))).unwrap();
    assert!(matches!(engine.rollback(0), Err(EngineError::Poisoned(_))));
    assert!(matches!(load.finish(&engine), Err(EngineError::Poisoned(_))));
}
