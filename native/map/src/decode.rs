//! Bytes to map.

use crate::bytes::{Reader, fnv1a_64};
use crate::{MAGIC, Map, MapError, VERSION};

const CHECKSUM_BYTES: usize = 8;
/// Magic, four u32, the length of the attribution, the checksum.
const FILE_BYTES_MIN: usize = 8 + 16 + 2 + CHECKSUM_BYTES;
/// A node takes at least two coordinates and a degree of a byte each.
const NODE_BYTES_MIN: u64 = 3;
/// An arc takes at least a difference of a byte and a weight.
const ARC_BYTES_MIN: u64 = 2;
const LATITUDE_E7_MAX: i64 = 900_000_000;
const LONGITUDE_E7_MAX: i64 = 1_800_000_000;

/// Reads a graph file.
///
/// Takes no more memory than a small multiple of `bytes`: the counts are held against what the file can contain
/// before anything is allocated.
///
/// # Errors
/// The first thing found wrong, see [`MapError`]. The checksum is tested before the content.
pub fn decode(bytes: &[u8]) -> Result<Map, MapError> {
    let body = checked_body(bytes)?;
    let mut reader = Reader::new(body);
    reader.take(MAGIC.len())?;
    reader.u32()?;
    let (nodes, arcs, unit_mm) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let attribution = attribution(&mut reader)?;
    let bytes_needed = u64::from(nodes) * NODE_BYTES_MIN + u64::from(arcs) * ARC_BYTES_MIN;
    if bytes_needed > reader.remaining() as u64 {
        return Err(MapError::Counts { nodes, arcs, bytes: reader.remaining() });
    }
    let mut map = Map { unit_mm, attribution, ..Map::default() };
    read_places(&mut reader, nodes, &mut map)?;
    read_degrees(&mut reader, nodes, arcs, &mut map)?;
    read_arcs(&mut reader, nodes, arcs, &mut map)?;
    match reader.remaining() {
        0 => Ok(map),
        bytes => Err(MapError::Trailing { bytes }),
    }
}

/// Magic, version and checksum hold; gives the bytes before the checksum.
fn checked_body(bytes: &[u8]) -> Result<&[u8], MapError> {
    let too_short = MapError::TooShort { bytes: bytes.len() };
    if bytes.len() >= MAGIC.len() && !bytes.starts_with(&MAGIC) {
        return Err(MapError::NotAMap);
    }
    if bytes.len() < FILE_BYTES_MIN {
        return Err(too_short);
    }
    let mut reader = Reader::new(bytes);
    reader.take(MAGIC.len())?;
    let found = reader.u32()?;
    if found != VERSION {
        return Err(MapError::Version { found });
    }
    let (body, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(too_short)?;
    if fnv1a_64(body) != u64::from_le_bytes(*checksum) {
        return Err(MapError::Checksum);
    }
    Ok(body)
}

fn attribution(reader: &mut Reader<'_>) -> Result<String, MapError> {
    let bytes = usize::from(reader.u16()?);
    let text = std::str::from_utf8(reader.take(bytes)?).map_err(|_| MapError::Attribution)?;
    Ok(text.to_owned())
}

fn read_places(reader: &mut Reader<'_>, nodes: u32, map: &mut Map) -> Result<(), MapError> {
    map.nodes_latitude_e7.reserve_exact(nodes as usize);
    map.nodes_longitude_e7.reserve_exact(nodes as usize);
    let (mut latitude, mut longitude) = (0, 0);
    for node in 0..nodes as usize {
        latitude += reader.signed()?;
        longitude += reader.signed()?;
        map.nodes_latitude_e7.push(coordinate(latitude, LATITUDE_E7_MAX, node)?);
        map.nodes_longitude_e7.push(coordinate(longitude, LONGITUDE_E7_MAX, node)?);
    }
    Ok(())
}

fn coordinate(value: i64, limit: i64, node: usize) -> Result<i32, MapError> {
    let outside = MapError::Coordinate { node };
    if value.abs() > limit { Err(outside) } else { i32::try_from(value).map_err(|_| outside) }
}

fn read_degrees(reader: &mut Reader<'_>, nodes: u32, arcs: u32, map: &mut Map) -> Result<(), MapError> {
    map.first_arc.reserve_exact(nodes as usize + 1);
    map.first_arc.push(0);
    let mut end = 0u64;
    for node in 0..nodes as usize {
        end += reader.varint()?;
        match u32::try_from(end) {
            Ok(end) if end <= arcs => map.first_arc.push(end),
            _ => return Err(MapError::Degrees { node }),
        }
    }
    if end == u64::from(arcs) { Ok(()) } else { Err(MapError::Degrees { node: nodes as usize }) }
}

fn read_arcs(reader: &mut Reader<'_>, nodes: u32, arcs: u32, map: &mut Map) -> Result<(), MapError> {
    map.targets.reserve_exact(arcs as usize);
    map.weights.reserve_exact(arcs as usize);
    for source in 0..nodes {
        let degree = map.first_arc[source as usize + 1] - map.first_arc[source as usize];
        for _ in 0..degree {
            let target = i64::from(source) + reader.signed()?;
            match u32::try_from(target) {
                Ok(target) if target < nodes => map.targets.push(target),
                _ => return Err(MapError::Target { arc: map.targets.len() }),
            }
            map.weights.push(reader.u8()?);
        }
    }
    Ok(())
}
