//! Bulk loads: a graph file, or arcs given directly, become edges in many small revisions while moves go on.

use std::fmt::Display;
use std::path::Path;
use std::time::Instant;

use lodestone_core::{EdgeChange, PUT_ARCS_MAX, PutError};
use lodestone_memory::CounterId;

use crate::engine::Engine;
use crate::error::EngineError;

/// Largest graph file that is read: 200 million arcs, the most a graph may hold, take about 1 GiB.
const MAP_FILE_BYTES_MAX: u64 = 4 << 30;

/// What a bulk load brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Revision after the last arc.
    pub revision: u64,
    /// Nodes of the file; 0 for arcs given directly.
    pub nodes: u64,
    /// Arcs given; of a file those that are edges: no loops, of parallel arcs the shortest.
    pub arcs: u64,
    /// Edges in the graph after it.
    pub edges: u64,
    /// Nanoseconds it took.
    pub nanoseconds: u64,
    /// Millimetres of one unit of weight; 0 for arcs given directly.
    pub unit_mm: u32,
}

impl Engine {
    /// Loads a graph file into the live graph.
    ///
    /// # Errors
    /// The file cannot be read ([`EngineError::Io`]), is damaged or has more nodes than `graph.nodes_max`
    /// ([`EngineError::MapFile`]): nothing changed. [`EngineError::GraphFull`]: more arcs than `graph.edges_max` has
    /// room for; told before anything is changed where the arcs alone are too many.
    pub fn load_map(&self, path: &Path) -> Result<LoadReport, EngineError> {
        let start = Instant::now();
        let bytes = read_file(path)?;
        let map = lodestone_map::decode(&bytes)
            .map_err(|error| EngineError::MapFile(format!("the graph file {} is damaged: {error}", path.display())))?;
        drop(bytes);
        let nodes = map.nodes_latitude_e7.len();
        let nodes_max = self.description().nodes_max;
        if nodes > nodes_max as usize {
            let text = format!(
                "{} has {nodes} nodes; set graph.nodes_max to {nodes} or more (now {nodes_max})",
                path.display()
            );
            return Err(EngineError::MapFile(text));
        }
        // Parallel arcs and loops of the file are no edges of their own: the count is of what will be set.
        let edges = map.edges().count() as u64;
        let arcs = map.edges().map(|edge| EdgeChange { source: edge.source, target: edge.target, mask: edge.mask });
        let mut report = self.put(arcs, edges)?;
        report.nodes = nodes as u64;
        report.unit_mm = map.unit_mm;
        report.nanoseconds = start.elapsed().as_nanos() as u64;
        Ok(report)
    }

    /// Sets edges given as source, target, mask, one after the other.
    ///
    /// # Errors
    /// [`EngineError::InvalidArgument`]: an arc is out of bounds, the text says which. [`EngineError::GraphFull`]. In both
    /// cases arcs before it may have been set.
    pub fn put_arcs(&self, numbers: &[u32]) -> Result<LoadReport, EngineError> {
        if !numbers.len().is_multiple_of(3) {
            return Err(EngineError::InvalidArgument("arcs are three numbers each: source, target, mask".to_owned()));
        }
        let start = Instant::now();
        let arcs = numbers.chunks_exact(3).map(|arc| EdgeChange { source: arc[0], target: arc[1], mask: arc[2] });
        let mut report = self.put(arcs, (numbers.len() / 3) as u64)?;
        report.nanoseconds = start.elapsed().as_nanos() as u64;
        Ok(report)
    }

    fn put(&self, arcs: impl Iterator<Item = EdgeChange>, total: u64) -> Result<LoadReport, EngineError> {
        let (counters, edges_max) = (self.counters(), u64::from(self.edges_max()));
        if total > edges_max {
            return Err(full(total, edges_max));
        }
        counters.set(CounterId::LoadTotal, total);
        counters.set(CounterId::LoadDone, 0);
        let mut report = LoadReport { arcs: total, revision: self.revision(), ..LoadReport::default() };
        let mut buffer = Vec::with_capacity(PUT_ARCS_MAX);
        let mut arcs = arcs.fuse();
        let mut done = 0;
        loop {
            buffer.clear();
            buffer.extend(arcs.by_ref().take(PUT_ARCS_MAX));
            if buffer.is_empty() && done > 0 {
                return Ok(report);
            }
            let answer = self.put_some(std::mem::take(&mut buffer))?;
            report.revision = answer.result.map_err(|error| put_error(error, done, answer.edges, total, edges_max))?;
            report.edges = answer.edges;
            if answer.arcs.is_empty() {
                return Ok(report);
            }
            done += answer.arcs.len() as u64;
            counters.set(CounterId::LoadDone, done);
            buffer = answer.arcs;
        }
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, EngineError> {
    let failed = |reason: &dyn Display| {
        EngineError::Io(format!("cannot read the graph file {}: {reason}; check the path", path.display()))
    };
    let about = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if !about.is_file() || about.len() > MAP_FILE_BYTES_MAX {
        return Err(failed(&format_args!("it is not a plain file of at most {MAP_FILE_BYTES_MAX} bytes")));
    }
    std::fs::read(path).map_err(|error| failed(&error))
}

fn put_error(error: PutError, done: u64, edges: u64, total: u64, edges_max: u64) -> EngineError {
    match error {
        PutError::OutOfBounds { index } => EngineError::InvalidArgument(format!(
            "arc {}: source and target must differ and be below graph.nodes_max, and the mask must not be 0; the arcs \
             before it are set",
            done + index as u64
        )),
        PutError::GraphFull => full(edges + total - done, edges_max),
    }
}

fn full(needed: u64, edges_max: u64) -> EngineError {
    EngineError::GraphFull(format!("the graph has no room: set graph.edges_max to {needed} or more (now {edges_max})"))
}
