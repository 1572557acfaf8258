//! Map to bytes.

use crate::bytes::{fnv1a_64, push_signed, push_varint};
use crate::{MAGIC, Map, VERSION};

/// The bytes of a graph file.
///
/// Never fails: a map whose lists do not fit each other (see the fields of [`Map`]) gives bytes that
/// [`crate::decode`] refuses, and an attribution beyond 65,535 bytes is cut at a character.
pub fn encode(map: &Map) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + map.attribution.len() + 6 * map.nodes() + 3 * map.arcs());
    out.extend_from_slice(&MAGIC);
    push_u32(&mut out, VERSION);
    push_u32(&mut out, count(map.nodes()));
    push_u32(&mut out, count(map.arcs()));
    push_u32(&mut out, map.unit_mm);
    push_attribution(&mut out, &map.attribution);
    push_places(&mut out, map);
    push_arcs(&mut out, map);
    let checksum = fnv1a_64(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

fn push_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}

fn push_attribution(out: &mut Vec<u8>, text: &str) {
    let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
    let bytes = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&bytes.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn push_places(out: &mut Vec<u8>, map: &Map) {
    let (mut latitude_before, mut longitude_before) = (0, 0);
    for (latitude, longitude) in map.nodes_latitude_e7.iter().zip(&map.nodes_longitude_e7) {
        let (latitude, longitude) = (i64::from(*latitude), i64::from(*longitude));
        push_signed(out, latitude - latitude_before);
        push_signed(out, longitude - longitude_before);
        (latitude_before, longitude_before) = (latitude, longitude);
    }
}

fn push_arcs(out: &mut Vec<u8>, map: &Map) {
    for bounds in map.first_arc.windows(2) {
        // A list that falls wraps to a degree that no reader accepts.
        push_varint(out, u64::from(bounds[1].wrapping_sub(bounds[0])));
    }
    for (source, _) in (0u32..).zip(&map.nodes_latitude_e7) {
        for (target, weight) in map.arcs_of(source) {
            push_signed(out, i64::from(target) - i64::from(source));
            out.push(weight);
        }
    }
}
