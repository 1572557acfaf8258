//! Where the arcs of a bulk load come from.

use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use lodestone_core::EdgeChange;
use lodestone_map::{ARC_BYTES, Edge, Map, arc_from_bytes};

use crate::error::EngineError;

/// Largest road-graph file that is read, as a whole: 200 million arcs, the most a graph may hold, take about 1 GiB.
const ROADS_FILE_BYTES_MAX: u64 = 4 << 30;

/// How the name of a plain list of arcs ends.
const ARCS_EXTENSION: &str = "arcs";

/// Arcs read from a list at once: 96 KiB, so that a call into the system is dear for none of them.
const ARCS_READ_MAX: usize = 8_192;

/// A source of arcs.
pub(crate) enum Source {
    /// They are handed over by calls.
    Given,
    /// A road graph, in memory.
    Roads(Roads),
    /// A list of arcs, read as it is needed.
    Arcs(ArcsFile),
}

/// The edges of a road graph, node by node.
pub(crate) struct Roads {
    map: Map,
    /// Edges of the graph: no loops, of parallel arcs the shortest.
    edges: u64,
    node: u32,
    /// Edges of the nodes before `node`, in reverse.
    ready: Vec<Edge>,
}

/// A list of arcs on disk.
pub(crate) struct ArcsFile {
    path: PathBuf,
    file: File,
    bytes_left: u64,
    buffer: Vec<u8>,
    taken: usize,
}

impl Source {
    /// Opens a graph file, which of the two kinds its name tells.
    pub(crate) fn open(path: &Path, nodes_max: u32) -> Result<Source, EngineError> {
        if path.extension().is_some_and(|extension| extension == ARCS_EXTENSION) {
            ArcsFile::open(path).map(Source::Arcs)
        } else {
            Roads::open(path, nodes_max).map(Source::Roads)
        }
    }

    /// How many arcs there are in all; `None` where only the caller knows.
    pub(crate) fn total(&self) -> Option<u64> {
        match self {
            Source::Given => None,
            Source::Roads(roads) => Some(roads.edges),
            Source::Arcs(arcs) => Some(arcs.bytes_left / ARC_BYTES as u64),
        }
    }

    /// Nodes and millimetres of a unit of weight, where the source tells them.
    pub(crate) fn nodes_and_unit_mm(&self) -> (u64, u32) {
        match self {
            Source::Roads(roads) => (roads.map.nodes() as u64, roads.map.unit_mm),
            Source::Given | Source::Arcs(_) => (0, 0),
        }
    }

    /// The file, for texts.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Source::Arcs(arcs) => Some(&arcs.path),
            Source::Given | Source::Roads(_) => None,
        }
    }

    /// Appends arcs until `into` holds `most`; fewer only at the end.
    pub(crate) fn read(&mut self, into: &mut Vec<EdgeChange>, most: usize) -> Result<(), EngineError> {
        while into.len() < most {
            let Some(Edge { source, target, mask }) = (match self {
                Source::Given => None,
                Source::Roads(roads) => roads.next(),
                Source::Arcs(arcs) => arcs.next()?,
            }) else {
                break;
            };
            into.push(EdgeChange { source, target, mask });
        }
        Ok(())
    }
}

impl Roads {
    fn open(path: &Path, nodes_max: u32) -> Result<Roads, EngineError> {
        let bytes = read_whole(path)?;
        let map = lodestone_map::decode(&bytes)
            .map_err(|error| EngineError::MapFile(format!("the graph file {} is damaged: {error}", path.display())))?;
        let nodes = map.nodes();
        if nodes > nodes_max as usize {
            let text = format!(
                "{} has {nodes} nodes; set graph.nodes_max to {nodes} or more (now {nodes_max})",
                path.display()
            );
            return Err(EngineError::MapFile(text));
        }
        // Parallel arcs and loops of the file are no edges of their own: the count is of what will be set.
        let edges = map.edges().count() as u64;
        Ok(Roads { map, edges, node: 0, ready: Vec::new() })
    }

    fn next(&mut self) -> Option<Edge> {
        while self.ready.is_empty() && (self.node as usize) < self.map.nodes() {
            self.ready.extend(self.map.edges_of(self.node));
            self.ready.reverse();
            self.node += 1;
        }
        self.ready.pop()
    }
}

impl ArcsFile {
    fn open(path: &Path) -> Result<ArcsFile, EngineError> {
        // Asked before it is opened: opening a pipe would wait for whoever writes to it, for ever if nobody does.
        let about = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if !about.is_file() {
            return Err(unreadable(path, &"it is not a plain file"));
        }
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let bytes_left = file.metadata().map_err(|error| unreadable(path, &error))?.len();
        if !bytes_left.is_multiple_of(ARC_BYTES as u64) {
            let text = format!(
                "the list of arcs {} has {bytes_left} bytes, which are not whole arcs of {ARC_BYTES} bytes: it is damaged or \
                 cut off; write it again",
                path.display()
            );
            return Err(EngineError::MapFile(text));
        }
        let buffer = Vec::with_capacity(ARCS_READ_MAX * ARC_BYTES);
        Ok(ArcsFile { path: path.to_owned(), file, bytes_left, buffer, taken: 0 })
    }

    fn next(&mut self) -> Result<Option<Edge>, EngineError> {
        if self.taken == self.buffer.len() && !self.refill()? {
            return Ok(None);
        }
        let bytes = self.buffer[self.taken..].first_chunk::<ARC_BYTES>();
        self.taken += ARC_BYTES;
        Ok(bytes.map(arc_from_bytes))
    }

    /// Reads on; `false` at the end, which is where it was when the file was opened.
    fn refill(&mut self) -> Result<bool, EngineError> {
        let wanted = self.bytes_left.min((ARCS_READ_MAX * ARC_BYTES) as u64);
        self.buffer.resize(wanted as usize, 0);
        self.taken = 0;
        if let Err(error) = self.file.read_exact(&mut self.buffer) {
            self.buffer.clear();
            return Err(unreadable(&self.path, &format_args!("{error}, with {} bytes still to come", self.bytes_left)));
        }
        self.bytes_left -= wanted;
        Ok(wanted > 0)
    }
}

fn unreadable(path: &Path, reason: &dyn Display) -> EngineError {
    EngineError::Io(format!("cannot read the graph file {}: {reason}; check the path", path.display()))
}

fn read_whole(path: &Path) -> Result<Vec<u8>, EngineError> {
    let about = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !about.is_file() || about.len() > ROADS_FILE_BYTES_MAX {
        let reason = format_args!("it is not a plain file of at most {ROADS_FILE_BYTES_MAX} bytes");
        return Err(unreadable(path, &reason));
    }
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}
