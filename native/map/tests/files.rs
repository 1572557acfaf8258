//! The graph files under data/ are whole and are what data/README.md says.

use lodestone_map::{Map, decode, encode};
use std::path::Path;

fn read(name: &str) -> Map {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let map = decode(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(encode(&map) == bytes, "{name} is not what this crate would write");
    map
}

fn assert_within(map: &Map, latitude_e7: std::ops::Range<i32>, longitude_e7: std::ops::Range<i32>) {
    assert!(map.nodes_latitude_e7.iter().all(|value| latitude_e7.contains(value)));
    assert!(map.nodes_longitude_e7.iter().all(|value| longitude_e7.contains(value)));
}

#[test]
fn delaware() {
    let map = read("delaware.lsg");
    assert_eq!((map.nodes(), map.arcs(), map.edges().count()), (316_183, 625_040, 624_586));
    assert_eq!((map.unit_mm, map.weights.iter().max()), (7_200, Some(&254)));
    assert!(map.attribution.contains("OpenStreetMap contributors") && map.attribution.contains("ODbL"));
    // The state, with the rim of its neighbours that the extract holds.
    assert_within(&map, 383_000_000..399_000_000, -760_000_000..-750_000_000);
}

#[test]
fn andorra() {
    let map = read("andorra.lsg");
    assert_eq!((map.nodes(), map.arcs(), map.edges().count()), (40_617, 79_198, 79_198));
    assert_eq!((map.unit_mm, map.weights.iter().max()), (4_400, Some(&254)));
    assert!(map.attribution.contains("OpenStreetMap contributors") && map.attribution.contains("ODbL"));
    assert_within(&map, 422_000_000..428_000_000, 12_000_000..19_000_000);
}
