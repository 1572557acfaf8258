//! Bulk loads and routes.

use std::path::Path;

use lodestone_runtime::LoadReport;

use crate::edge::{Failure, guard, inputs, output, outputs};
use crate::handles;
use crate::types::{LodestoneError, LodestoneLoad, LodestoneRoute, LodestoneStatus};

/// Loads a graph file, of either kind, into the live graph, on top of what is there. Takes its time: the counters `load_done` and
/// `load_total` of the shared region show how far it is. Moves go on meanwhile.
///
/// # Safety
/// `path` points to `path_bytes` bytes of UTF-8, `out` to a `LodestoneLoad`; `error` is null or points to a
/// `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_graph_load(
    engine: u64,
    path: *const u8,
    path_bytes: u64,
    out: *mut LodestoneLoad,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises `path_bytes` bytes that stay as they are during the call.
        let path = unsafe { inputs(path, path_bytes, "path") }?;
        // SAFETY: the caller promises a LodestoneLoad of its own.
        let out = unsafe { output(out, "out") }?;
        let path = std::str::from_utf8(path)
            .map_err(|_| Failure::new(LodestoneStatus::InvalidArgument, "the path is not UTF-8"))?;
        *out = load_of(&handles::get(engine)?.load_map(Path::new(path))?);
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Sets `arcs_count` edges, each three numbers: source, target, mask (not 0). Where an arc is out of bounds or the
/// graph is full, the arcs before it may be in the graph and the text says which one it was.
///
/// # Safety
/// `arcs` points to 3 × `arcs_count` numbers, `out` to a `LodestoneLoad`; `error` is null or points to a
/// `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_graph_put(
    engine: u64,
    arcs: *const u32,
    arcs_count: u64,
    out: *mut LodestoneLoad,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        let numbers = arcs_count
            .checked_mul(3)
            .ok_or_else(|| Failure::new(LodestoneStatus::InvalidArgument, "arcs_count is larger than memory"))?;
        // SAFETY: the caller promises three numbers an arc that stay as they are during the call.
        let numbers = unsafe { inputs(arcs, numbers, "arcs") }?;
        // SAFETY: the caller promises a LodestoneLoad of its own.
        let out = unsafe { output(out, "out") }?;
        *out = load_of(&handles::get(engine)?.put_arcs(numbers)?);
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Finds the shortest path at the revision that is current when the call is made, or a later one, and writes its first
/// `nodes_capacity` nodes. Waits up to 60 s; `lodestone_routes_find` can be given up sooner, and takes many at once. No path is not an error: `distance` is `UINT64_MAX` then.
///
/// # Safety
/// `nodes` points to room for `nodes_capacity` numbers, `out` to a `LodestoneRoute`; `error` is null or points to a
/// `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_route_find(
    engine: u64,
    source: u32,
    target: u32,
    nodes: *mut u32,
    nodes_capacity: u64,
    out: *mut LodestoneRoute,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises room for `nodes_capacity` numbers of its own.
        let nodes = unsafe { outputs(nodes, nodes_capacity, "nodes") }?;
        // SAFETY: the caller promises a LodestoneRoute of its own.
        let out = unsafe { output(out, "out") }?;
        let route = handles::get(engine)?.route(source, target)?;
        let listed = route.nodes.len().min(nodes.len());
        nodes[..listed].copy_from_slice(&route.nodes[..listed]);
        *out = LodestoneRoute {
            revision: route.revision,
            distance: route.distance,
            nodes_total: u64::from(route.nodes_total),
            nodes_listed: listed as u64,
            settled: route.settled,
        };
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

pub(crate) fn load_of(report: &LoadReport) -> LodestoneLoad {
    LodestoneLoad {
        revision: report.revision,
        nodes: report.nodes,
        arcs: report.arcs,
        edges: report.edges,
        nanoseconds: report.nanoseconds,
        unit_mm: report.unit_mm,
        reserved: 0,
    }
}
