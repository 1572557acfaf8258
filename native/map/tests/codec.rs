//! The codec: what is written is read again, and nothing that is read can do harm.

use lodestone_map::{Edge, Map, MapError, decode, edge_mask, encode};

/// SplitMix64: enough randomness for tests, the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).unsigned_abs()).cast_signed()
    }
}

fn random_map(seed: u64) -> Map {
    let mut random = Random(seed);
    let nodes = random.below(40) as u32;
    let mut map = Map {
        unit_mm: random.next() as u32,
        attribution: "© ".repeat(random.below(20) as usize),
        first_arc: vec![0],
        ..Map::default()
    };
    for _ in 0..nodes {
        map.nodes_latitude_e7.push(random.between(-900_000_000, 900_000_000) as i32);
        map.nodes_longitude_e7.push(random.between(-1_800_000_000, 1_800_000_000) as i32);
        for _ in 0..random.below(5) {
            map.targets.push(random.below(u64::from(nodes)) as u32);
            map.weights.push(random.next() as u8);
        }
        map.first_arc.push(map.targets.len() as u32);
    }
    map
}

/// Puts the right checksum behind changed bytes, so that the content behind it is judged.
fn reseal(bytes: &mut [u8]) {
    let end = bytes.len() - 8;
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in &bytes[..end] {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    }
    bytes[end..].copy_from_slice(&hash.to_le_bytes());
}

fn two_nodes() -> Map {
    Map {
        nodes_latitude_e7: vec![390_000_000, 390_000_001],
        nodes_longitude_e7: vec![-750_000_000, -750_000_002],
        first_arc: vec![0, 1, 2],
        targets: vec![1, 0],
        weights: vec![200, 201],
        unit_mm: 7_200,
        attribution: "ab".to_owned(),
    }
}

/// Offset of the first coordinate of `two_nodes()`.
const PLACES: usize = 8 + 16 + 2 + 2;

#[test]
fn round_trip() {
    for seed in 0..2_000 {
        let map = random_map(seed);
        assert_eq!(decode(&encode(&map)).as_ref(), Ok(&map), "seed {seed}");
    }
}

#[test]
fn layout_is_the_documented_one() {
    let bytes = encode(&two_nodes());
    assert_eq!(&bytes[..8], b"LSGRAPH1");
    assert_eq!(&bytes[8..PLACES], [1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0x20, 0x1c, 0, 0, 2, 0, b'a', b'b']);
    // 2 x 390,000,000 and 2 x 750,000,000 - 1 in groups of seven bits, then the differences 1 and -2.
    assert_eq!(&bytes[PLACES..PLACES + 12], [0x80, 0xb6, 0xf7, 0xf3, 0x02, 0xff, 0xdd, 0xa0, 0xcb, 0x05, 2, 3]);
    assert_eq!(&bytes[PLACES + 12..bytes.len() - 8], [1, 1, 2, 200, 1, 201]);
}

#[test]
fn every_truncation_is_refused() {
    for seed in 0..20 {
        let bytes = encode(&random_map(seed));
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "seed {seed}, {end} of {} bytes", bytes.len());
            if end >= 34 {
                let mut cut = bytes[..end].to_vec();
                reseal(&mut cut);
                assert!(decode(&cut).is_err(), "seed {seed}, {end} of {} bytes, checksum made good", bytes.len());
            }
        }
    }
}

#[test]
fn corruption_never_panics_and_what_is_accepted_is_canonical() {
    let mut accepted = 0;
    for seed in 0..20_000 {
        let mut random = Random(seed ^ 0xc0ff_ee00);
        let mut bytes = encode(&random_map(seed % 50));
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.next() as u8;
        }
        if seed % 4 != 0 {
            reseal(&mut bytes);
        }
        if let Ok(map) = decode(&bytes) {
            accepted += 1;
            assert_eq!(encode(&map), bytes, "seed {seed}");
            assert_eq!(map.first_arc.len(), map.nodes() + 1, "seed {seed}");
            assert!(map.targets.iter().all(|target| (*target as usize) < map.nodes()), "seed {seed}");
        }
    }
    assert!(accepted > 100, "only {accepted} changed files decoded: the test does not reach the decoder's depth");
}

#[test]
fn random_bytes_never_panic() {
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let mut bytes: Vec<u8> = (0..random.below(120)).map(|_| random.next() as u8).collect();
        if bytes.len() >= 34 && seed % 2 == 0 {
            bytes[..12].copy_from_slice(b"LSGRAPH1\x01\0\0\0");
            reseal(&mut bytes);
        }
        let decoded = decode(&bytes);
        assert!(decoded.is_err() || bytes.len() >= 34, "seed {seed}");
    }
}

#[test]
fn counts_are_checked_before_memory_is_taken() {
    for (nodes, arcs) in [(u32::MAX, 0), (0, u32::MAX), (u32::MAX, u32::MAX)] {
        let mut bytes = encode(&two_nodes());
        bytes[12..16].copy_from_slice(&nodes.to_le_bytes());
        bytes[16..20].copy_from_slice(&arcs.to_le_bytes());
        reseal(&mut bytes);
        assert_eq!(decode(&bytes), Err(MapError::Counts { nodes, arcs, bytes: 18 }));
    }
}

/// Changes the file of `two_nodes()` and tells what the decoder says.
fn refusal(change: impl FnOnce(&mut Vec<u8>)) -> MapError {
    let mut bytes = encode(&two_nodes());
    change(&mut bytes);
    reseal(&mut bytes);
    decode(&bytes).expect_err("the changed file was accepted")
}

#[test]
fn each_fault_has_its_own_error() {
    let degrees = PLACES + 12;
    let arcs = degrees + 2;
    assert_eq!(decode(b"LSGR"), Err(MapError::TooShort { bytes: 4 }));
    assert_eq!(decode(&[b'x'; 64]), Err(MapError::NotAMap));
    assert_eq!(refusal(|bytes| bytes[8] = 2), MapError::Version { found: 2 });
    assert_eq!(refusal(|bytes| bytes[26] = 0xff), MapError::Attribution);
    assert_eq!(refusal(|bytes| bytes[24] = 200), MapError::CutOff { offset: 26 });
    assert_eq!(refusal(|bytes| bytes[PLACES + 4] = 0x7f), MapError::Coordinate { node: 0 });
    assert_eq!(refusal(|bytes| bytes[PLACES + 4] = 0x00), MapError::Varint { offset: PLACES });
    assert_eq!(refusal(|bytes| bytes[PLACES + 4] = 0x80), MapError::Varint { offset: PLACES });
    assert_eq!(refusal(|bytes| bytes[degrees] = 3), MapError::Degrees { node: 0 });
    assert_eq!(refusal(|bytes| bytes[degrees + 1] = 0), MapError::Degrees { node: 2 });
    assert_eq!(refusal(|bytes| bytes[arcs] = 4), MapError::Target { arc: 0 });
    assert_eq!(refusal(|bytes| bytes[arcs] = 1), MapError::Target { arc: 0 });
    assert_eq!(refusal(|bytes| bytes.insert(arcs + 4, 0)), MapError::Trailing { bytes: 1 });
    let mut damaged = encode(&two_nodes());
    damaged[arcs + 1] ^= 1;
    assert_eq!(decode(&damaged), Err(MapError::Checksum));
}

#[test]
fn a_map_that_contradicts_itself_is_written_as_bytes_that_are_refused() {
    for map in [
        Map { first_arc: vec![0], ..two_nodes() },
        Map { first_arc: vec![0, 2, 1], ..two_nodes() },
        Map { nodes_longitude_e7: vec![0], ..two_nodes() },
        Map { weights: vec![1], ..two_nodes() },
        Map { targets: vec![1, 7], ..two_nodes() },
    ] {
        assert!(decode(&encode(&map)).is_err(), "{map:?}");
    }
}

#[test]
fn an_attribution_too_long_is_cut_at_a_character() {
    let map = Map { attribution: "©".repeat(40_000), ..two_nodes() };
    let read = decode(&encode(&map)).expect("a valid file");
    assert_eq!(read.attribution, "©".repeat(32_767));
}

#[test]
fn edges_are_distinct_shortest_and_without_loops() {
    let map = Map {
        nodes_latitude_e7: vec![0; 3],
        nodes_longitude_e7: vec![0; 3],
        first_arc: vec![0, 5, 5, 6],
        targets: vec![2, 1, 2, 0, 1, 0],
        weights: vec![9, 4, 7, 1, 6, 0],
        ..Map::default()
    };
    let edges: Vec<Edge> = map.edges().collect();
    let edge = |source, target, weight| Edge { source, target, mask: edge_mask(weight) };
    assert_eq!(edges, [edge(0, 1, 4), edge(0, 2, 7), edge(2, 0, 0)]);
    assert_ne!(edge_mask(0), 0);
    assert_eq!(map.arcs_of(2).collect::<Vec<_>>(), [(0, 0)]);
    assert_eq!(map.arcs_of(3).count() + map.arcs_of(u32::MAX).count(), 0);
}
