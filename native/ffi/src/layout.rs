//! The table of sizes and offsets, against which Java compares its own view of each struct, field by field.

use std::mem::offset_of;

use crate::client_types::{LodestoneClientInfo, LodestoneCompletion, LodestoneNodeNews, LodestoneRequest};
use crate::edge::{guard, output};
use crate::types::{
    LodestoneDescription, LodestoneError, LodestoneHash, LodestoneLayout, LodestoneLoad, LodestoneMove,
    LodestoneProgress, LodestoneRollback, LodestoneRoute, LodestoneRouteAnswer, LodestoneSession, LodestoneSubmission,
};

const fn entry(name: &str, offset: usize, bytes: usize) -> LodestoneLayout {
    let text = name.as_bytes();
    let mut padded = [0; 48];
    let mut index = 0;
    while index < text.len() {
        padded[index] = text[index];
        index += 1;
    }
    LodestoneLayout { name: padded, offset: offset as u64, bytes: bytes as u64 }
}

/// The bytes of a field, found without a value of the struct.
const fn bytes_of<S, F>(_field: fn(&S) -> &F) -> usize {
    size_of::<F>()
}

macro_rules! layouts {
    ($($type:ident { $($field:ident),* $(,)? })*) => {
        static LAYOUTS: &[LodestoneLayout] = &[$(
            entry(stringify!($type), 0, size_of::<$type>()),
            $(entry(
                concat!(stringify!($type), ".", stringify!($field)),
                offset_of!($type, $field),
                bytes_of::<$type, _>(|value| &value.$field),
            ),)*
        )*];
    };
}

layouts! {
    LodestoneError { status, text_length, text }
    LodestoneLayout { name, offset, bytes }
    LodestoneDescription {
        region_address, region_bytes, generation, nodes_max, slots_max, quic_port, address_length, region_path_length,
        certificate_length, fingerprint, address, region_path, certificate,
    }
    LodestoneMove { kind, reserved, status, reserved_2, revision, packet, reserved_3 }
    LodestoneSubmission { revision, accepted, rejected }
    LodestoneLoad { revision, nodes, arcs, edges, nanoseconds, unit_mm, reserved }
    LodestoneRoute { revision, distance, nodes_total, nodes_listed, settled }
    LodestoneRouteAnswer { revision, distance, nodes_total, nodes_listed, settled, status, reserved }
    LodestoneProgress { done, total, finished }
    LodestoneRollback {
        from_revision, to_revision, records, nanoseconds, hash_low, hash_high, branch, edges, within_sla,
    }
    LodestoneHash { revision, hash_low, hash_high }
    LodestoneRequest { id, kind, way, nodes, reserved, packet }
    LodestoneCompletion {
        id, revision, distance, nodes_total, nodes_first, nodes_listed, status, node, kind, answered, reserved, slot,
    }
    LodestoneNodeNews { revision, rollbacks, version, missed, connection, node, status, slot }
    LodestoneClientInfo {
        revision, reconnects, rollbacks, session, nodes_max, in_flight, state, loss, reserved,
    }
    LodestoneSession {
        session, tenant, node_first, node_last, connected_unix_ms, frames, address_length, reserved, address,
    }
}

/// Writes the address of the table of layouts and how many entries it has. The table lives as long as the library.
///
/// # Safety
/// `entries` and `count` point to values of the caller.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_layout_list(entries: *mut *const LodestoneLayout, count: *mut u64) -> i32 {
    let body = || {
        // SAFETY: the caller promises a pointer of its own.
        let entries = unsafe { output(entries, "entries") }?;
        // SAFETY: the caller promises a number of its own.
        let count = unsafe { output(count, "count") }?;
        *entries = LAYOUTS.as_ptr();
        *count = LAYOUTS.len() as u64;
        Ok(())
    };
    // SAFETY: null is allowed.
    unsafe { guard(std::ptr::null_mut(), body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_every_struct_belongs_to_exactly_one_field() {
        let mut entries = LAYOUTS.iter().peekable();
        let mut structs = 0;
        while let Some(whole) = entries.next() {
            let mut end = 0;
            while let Some(field) = entries.next_if(|entry| entry.name.contains(&b'.')) {
                assert_eq!(field.offset, end, "padding before {}", String::from_utf8_lossy(&field.name));
                end += field.bytes;
            }
            assert_eq!(end, whole.bytes, "padding at the end of {}", String::from_utf8_lossy(&whole.name));
            structs += 1;
        }
        assert_eq!(structs, 16);
    }
}
