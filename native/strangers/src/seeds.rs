//! Seeds: inputs of the shapes that a fuzzer would be long in finding. `examples/seeds.rs` writes them down, a test holds
//! the kept ones against these.

use lodestone_map::{Edge, Map, arc_to_bytes, encode};
use lodestone_transport::wire;
use sha2::{Digest, Sha256};

use crate::token::{keys, signed};

/// A seed: the target, the name of its file, its bytes.
pub type Seed = (&'static str, String, Vec<u8>);

/// All seeds, in the order of their targets.
pub fn all() -> Vec<Seed> {
    let mut all = Vec::new();
    bridge(&mut all);
    configuration(&mut all);
    frames(&mut all);
    graph_files(&mut all);
    hellos(&mut all);
    tokens(&mut all);
    all
}

fn put(all: &mut Vec<Seed>, target: &'static str, name: &str, bytes: impl Into<Vec<u8>>) {
    all.push((target, name.to_owned(), bytes.into()));
}

/// Instructions of `bridge.rs`: sending, draining, sweeping, and what a hostile process would write in between.
fn bridge(all: &mut Vec<Seed>) {
    let (lane, ring, drain, sweep) = ([10, 0], [10, 200], [7, 255, 0], [8]);
    let send = [11, 0, 1, 40, 0, 2];
    let good = [&lane[..], &ring, &send, &drain, &send, &sweep, &drain, &[13, 0], &sweep].concat();
    put(all, "bridge", "well-behaved", good.clone());
    // Section by `place % 8`, then where, then how; see `Scene::write`.
    let lane_tail_wild = [0, 3, 3, 5, 7];
    let lane_header_wild = [0, 3, 1, 3, 0xff, 0xff, 1];
    let ring_header_padding = [0, 5, 1, 3, 64, 0, 2];
    let ring_tail = [0, 5, 3, 2, 5];
    let claim_of_one = [0, 0, 0, 4, 4, 0, 3, 2];
    let counter_at_its_end = [0, 0, 0, 5, 5, 0];
    let rejections_at_their_end = [0, 0, 0, 12, 5, 0];
    let owner_of_nobody = [0, 3, 0, 1, 200];
    let live_entry = [0, 0, 1, 0, 7, 2];
    for (name, write) in [
        ("lane-tail", &lane_tail_wild[..]),
        ("lane-header", &lane_header_wild),
        ("ring-padding", &ring_header_padding),
        ("ring-tail", &ring_tail),
        ("claim", &claim_of_one),
        ("full-counter", &counter_at_its_end),
        ("rejections", &rejections_at_their_end),
        ("lane-owner", &owner_of_nobody),
        ("live-entry", &live_entry),
    ] {
        let answer = [14, 0];
        put(
            all,
            "bridge",
            name,
            [&good[..6], write, &send, &ring_tail, write, &drain, &sweep, &answer, &drain].concat(),
        );
    }
}

fn configuration(all: &mut Vec<Seed>) {
    let texts = [
        ("empty", ""),
        ("some", "arena:\n  capacity: 16\n  preallocate: false\ngraph: {nodes_max: 100, edges_max: 100}\n"),
        ("cores", "runtime:\n  pin_cores: [0, 1]\n  idle_strategy: busy_spin\n"),
        ("tenants", "arena:\n  tenants:\n    - {id: 1, guaranteed: 10, maximum: 20}\n    - {id: 2, guaranteed: 1}\n"),
        (
            "token-keys",
            "transport:\n  auth:\n    mode: token\n    keys:\n      - {id: 1, secret: \"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}\n",
        ),
        ("anchors", "a: &a [1, 2]\nb: *a\nc: !!map {<<: *a}\n"),
        ("deep", "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n"),
        ("documents", "--- {}\n---\narena:\n  capacity: 1\n...\n"),
        ("flat", "arena.capacity=16\ngraph.nodes_max=100\nruntime.pin_cores.0=3\narena.tenants.0.id=1\n"),
        ("numbers", "arena:\n  capacity: 0x10\n  bump_mib: 1e3\nrollback:\n  window_mib: -0\n"),
    ];
    for (name, text) in texts {
        put(all, "configuration", name, text);
    }
}

fn frame(kind: u8, flags: u8, counter: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, flags];
    bytes.extend((body.len() as u16).to_le_bytes());
    bytes.extend(7_u32.to_le_bytes());
    bytes.extend(counter.to_le_bytes());
    bytes.extend(body);
    bytes
}

fn move_frame(counter: u64, payload: usize) -> Vec<u8> {
    let mut packet = vec![0; 24 + payload];
    packet[..12].copy_from_slice(&[3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 1, 0]);
    packet[14] = payload as u8;
    let mut bytes = frame(0x10, 1, counter, &[&[0; 32][..], &packet].concat());
    let digest = Sha256::new().chain_update(&bytes[..16]).chain_update(&packet).finalize();
    bytes[16..48].copy_from_slice(&digest);
    bytes
}

/// The same streams whole and in pieces.
fn frames(all: &mut Vec<Seed>) {
    let pair = [1, 0, 0, 0, 2, 0, 0, 0];
    let long_close = frame(0x7e, 0, 2, &[&[9, 0, 0, 4][..], &[b'x'; 1_024]].concat());
    let streams = [
        ("move", move_frame(0, 0)),
        ("longest", move_frame(u64::MAX, 232)),
        (
            "every-kind",
            [move_frame(5, 8), frame(0x18, 0, 6, &pair), frame(0x20, 0, 7, &pair), frame(0x28, 1, 8, &pair)].concat(),
        ),
        (
            "subscriptions",
            [frame(0x30, 0, 0, &pair), frame(0x3a, 0, 1, &pair), frame(0x32, 1, 2, &pair[..4]), frame(0x32, 0, 3, &[])]
                .concat(),
        ),
        ("longest-list", [frame(0x3a, 0, 9, &[1; 256]), frame(0x30, 0, 10, &[2; 256])].concat()),
        ("list-of-none", [frame(0x32, 0, 0, &[]), frame(0x3a, 0, 1, &[])].concat()),
        ("updates", [frame(0x39, 0, 0, &[0; 32]), frame(0x38, 0, 0, &[0; 32])].concat()),
        ("close", [frame(0x28, 0, 0, &pair), move_frame(1, 1), long_close].concat()),
        ("gap", [move_frame(0, 3), move_frame(2, 3)].concat()),
        ("server-only", frame(0x11, 0, 0, &pair)),
        ("second-hello", frame(0x01, 0, 0, &[1, 0, 0, 0])),
        ("too-long", frame(0x10, 0, 0, &[0; 289])),
        ("half", move_frame(0, 100)[..90].to_vec()),
    ];
    for (name, bytes) in streams {
        put(all, "stream", name, [&[5, 1, 15, 16, 33, 200][..], &bytes].concat());
        put(all, "frame", name, bytes);
    }
}

fn graph_files(all: &mut Vec<Seed>) {
    let map = Map {
        nodes_latitude_e7: vec![390_000_000, 390_010_000, -900_000_000],
        nodes_longitude_e7: vec![-750_000_000, 1_800_000_000, 0],
        first_arc: vec![0, 2, 3, 3],
        targets: vec![1, 2, 0],
        weights: vec![15, 255, 0],
        unit_mm: 7_200,
        attribution: "© nobody".to_owned(),
    };
    let bytes = encode(&map);
    put(all, "graph_file", "without-sum", &bytes[..bytes.len() - 8]);
    put(all, "graph_file", "small", bytes);
    put(all, "graph_file", "empty", encode(&Map { first_arc: vec![0], ..Map::default() }));
    let arcs = (0..4).flat_map(|arc| arc_to_bytes(Edge { source: arc, target: arc + 1, mask: 0x1_0000 | arc }));
    put(all, "graph_file", "arcs", arcs.collect::<Vec<u8>>());
}

fn hellos(all: &mut Vec<Seed>) {
    let hello = |version: u16, token: &[u8]| {
        let body = [&version.to_le_bytes()[..], &(token.len() as u16).to_le_bytes(), token].concat();
        let mut bytes = frame(1, 0, 0, &body);
        bytes[4] = 0;
        bytes
    };
    let whole = hello(1, &[]);
    debug_assert_eq!(wire::hello([whole.as_slice()]), Ok(Some(Vec::new())));
    for (name, bytes) in [
        ("no-token", whole.clone()),
        ("token", hello(1, &signed(&keys()[0], &[7; 32]))),
        ("longest", hello(1, &[3; 1_024])),
        ("version", hello(2, &[])),
        ("version-latest", hello(3, &[])),
        ("version-unknown", hello(4, &[])),
        ("more", [whole.as_slice(), &[1]].concat()),
        ("half", whole[..17].to_vec()),
        ("length", [&whole[..18], &[9, 0]].concat()),
    ] {
        put(all, "hello", name, [&[3, 1, 16, 2][..], &bytes].concat());
    }
}

fn tokens(all: &mut Vec<Seed>) {
    let claim = [&1_u32.to_le_bytes()[..], &77_u32.to_le_bytes(), &1_000_u64.to_le_bytes(), &[1; 16]].concat();
    let at = 999_u64.to_le_bytes();
    put(all, "token", "genuine", [&[0][..], &at, &signed(&keys()[0], &claim)].concat());
    put(all, "token", "other-key", [&[0][..], &at, &signed(&keys()[1], &claim)].concat());
    put(all, "token", "short", [&[0][..], &at, &claim].concat());
    put(all, "token", "none", [&[0][..], &at].concat());
    put(all, "token", "signed-here", [&[1][..], &at, &[7, 1], &claim[4..]].concat());
    put(all, "token", "expired", [&[2][..], &1_000_u64.to_le_bytes(), &[0, 0], &claim[4..]].concat());
}
