//! The shared region: one mapping with a header page and the sections that Rust and Java both see.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FallocateFlags, FlockOperation};

use crate::counters::Counters;
use crate::events::EventRing;
use crate::header::{EngineState, Header};
use crate::histogram::Histograms;
use crate::layout::{
    HEADER_ABI_FINGERPRINT, HEADER_BELL, HEADER_BYTES, HEADER_GENERATION, HEADER_MAGIC, HEADER_NAMESPACE,
    HEADER_REGION_BYTES, HEADER_SECTION_COUNT, HEADER_SECTIONS, HEADER_START_UNIX_MS, HEADER_VERSION, LAYOUT_VERSION,
    REGION_MAGIC, SECTION_ENTRY_BYTES, SECTIONS, Section, sections,
};
use crate::log::LogRing;
use crate::mapping::Mapping;
use crate::nodes::{NodeReader, NodeTable};
use crate::rings::bridge::BridgeWords;
use crate::rings::{Bridge, BridgeEnd, BridgeSizes, ProcessIdentity};
use crate::slots::SlotWords;
use crate::watched::{WatchReader, WatchTable};

const FILE_PREFIX: &str = "lodestone-";
const FILE_SUFFIX: &str = ".region";
const DRAFT_SUFFIX: &str = ".draft";

/// Where the region's memory comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegionPlace {
    /// A file of mode 0600 in this folder, which should be in memory (on Linux `/dev/shm`). Removed at close; one left
    /// behind by a killed process is removed by the next engine that opens there.
    File(PathBuf),
    /// Memory of this process alone.
    Anonymous,
}

/// What a region is made from.
#[derive(Clone, Debug)]
pub struct RegionOptions {
    /// Where its memory comes from.
    pub place: RegionPlace,
    /// Entries of the node table.
    pub nodes_max: u32,
    /// Slots.
    pub slots_max: u32,
    /// Watches, each with a label a node.
    pub watches_max: u32,
    /// Sizes of the bridge.
    pub bridge: BridgeSizes,
    /// Bytes of the cells of the log ring, a power of two and at least one cell.
    pub log_bytes: usize,
    /// Whether to fault every page in at once.
    pub touch: bool,
    /// Fingerprint of the library's C header.
    pub abi_fingerprint: u64,
    /// Time of the start.
    pub start_unix_ms: u64,
}

/// Why a region could not be made.
#[derive(Debug)]
pub enum RegionError {
    /// The sizes leave the address space.
    TooLarge,
    /// The folder or file could not be used.
    File {
        /// The path in question.
        path: PathBuf,
        /// Bytes that were wanted.
        bytes: usize,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no memory.
    Memory {
        /// Bytes that were wanted.
        bytes: usize,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for RegionError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegionError::TooLarge => {
                write!(
                    formatter,
                    "the shared region is too large: lower arena.capacity, graph.nodes_max or graph.watches_max"
                )
            }
            RegionError::File { path, bytes, source } => write!(
                formatter,
                "cannot make the shared region of {bytes} bytes at {}: {source}; free space there, name another folder \
                 with runtime.shared_region_directory, or, in a JVM, set runtime.shared_region: anonymous",
                path.display()
            ),
            RegionError::Memory { bytes, source } => write!(
                formatter,
                "no memory for the shared region of {bytes} bytes: {source}; lower arena.capacity, graph.nodes_max \
                 or graph.watches_max"
            ),
        }
    }
}

impl std::error::Error for RegionError {}

/// A region that this process made.
pub struct Region {
    mapping: Mapping,
    sections: [Section; SECTIONS],
    header: Header,
    file: Option<(File, PathBuf)>,
    writers_taken: bool,
    watches_taken: bool,
    bridge_taken: bool,
}

/// The two writing ends of a region that belong to the engine thread, handed out once.
pub struct EngineEnds {
    /// The node table.
    pub nodes: NodeTable,
    /// The slots.
    pub slots: SlotWords,
    /// The event ring.
    pub events: EventRing,
}

impl Region {
    /// Makes a region, all zero but for header and node table, in state "starting".
    ///
    /// # Errors
    /// See [`RegionError`]; nothing is left behind.
    pub fn create(options: &RegionOptions) -> Result<Region, RegionError> {
        let (sections, bytes) = sections(
            options.nodes_max as usize,
            options.slots_max as usize,
            options.watches_max as usize,
            &options.bridge,
            options.log_bytes,
        )
        .ok_or(RegionError::TooLarge)?;
        let (mapping, file) = match &options.place {
            RegionPlace::Anonymous => {
                let mapping = Mapping::anonymous(bytes, options.touch);
                (mapping.map_err(|source| RegionError::Memory { bytes, source })?, None)
            }
            RegionPlace::File(folder) => {
                let (file, path) = create_file(folder, bytes)?;
                match Mapping::shared(&file, bytes, options.touch) {
                    Ok(mapping) => (mapping, Some((file, path))),
                    Err(source) => {
                        remove_quietly(&path);
                        return Err(RegionError::Memory { bytes, source });
                    }
                }
            }
        };
        let header = Header::new(mapping.words(0, HEADER_BYTES / 8));
        let region =
            Region { mapping, sections, header, file, writers_taken: false, watches_taken: false, bridge_taken: false };
        region.write_header(options);
        Ok(region)
    }

    fn write_header(&self, options: &RegionOptions) {
        let header = &self.header;
        header.set_state(EngineState::Starting);
        header.store(HEADER_VERSION, (HEADER_BYTES as u64) << 32 | u64::from(LAYOUT_VERSION));
        header.store(HEADER_ABI_FINGERPRINT, options.abi_fingerprint);
        header.store(HEADER_START_UNIX_MS, options.start_unix_ms);
        header.store(HEADER_NAMESPACE, ProcessIdentity::own().map_or(0, |own| own.namespace));
        header.store(HEADER_REGION_BYTES, self.mapping.bytes() as u64);
        header.store(HEADER_SECTION_COUNT, self.sections.len() as u64);
        for (index, section) in self.sections.iter().enumerate() {
            let entry = HEADER_SECTIONS + index * SECTION_ENTRY_BYTES;
            header.store(entry, (section.item_bytes as u64) << 32 | section.kind as u64);
            header.store(entry + 8, section.offset as u64);
            header.store(entry + 16, section.items as u64);
        }
        header.store(HEADER_GENERATION, next_generation(options.start_unix_ms));
        // The magic is written last: whoever sees it sees everything above.
        header.store(HEADER_MAGIC, REGION_MAGIC);
    }

    fn section_words(&self, index: usize) -> &'static [AtomicU64] {
        let section = &self.sections[index];
        self.mapping.words(section.offset, section.words())
    }

    /// The writing ends for the engine thread.
    ///
    /// # Panics
    /// When they were taken before: a second writer would break every promise made to readers.
    pub fn take_engine_ends(&mut self) -> EngineEnds {
        assert!(!self.writers_taken, "the engine's ends of a region are handed out once");
        self.writers_taken = true;
        EngineEnds {
            nodes: NodeTable::new(self.section_words(2)),
            slots: SlotWords::new(self.section_words(3)),
            events: EventRing::new(self.section_words(4)),
        }
    }

    /// The watches, for the pathfinder's thread.
    ///
    /// # Panics
    /// When they were taken before: there is one writer.
    pub fn take_watch_table(&mut self) -> WatchTable {
        assert!(!self.watches_taken, "the watches of a region are handed out once");
        self.watches_taken = true;
        WatchTable::new(self.section_words(5), self.sections[5].items as u32, self.sections[2].items as u32)
    }

    /// A reader of watches.
    pub fn watch_reader(&self) -> WatchReader {
        WatchTable::new(self.section_words(5), self.sections[5].items as u32, self.sections[2].items as u32).reader()
    }

    /// The header page.
    pub fn header(&self) -> Header {
        self.header
    }

    /// The counters.
    pub fn counters(&self) -> Counters {
        Counters::new(self.section_words(0))
    }

    /// The histograms.
    pub fn histograms(&self) -> Histograms {
        Histograms::new(self.section_words(1))
    }

    /// A reader of nodes and slots.
    pub fn reader(&self) -> NodeReader {
        NodeReader::new(self.section_words(2), SlotWords::new(self.section_words(3)))
    }

    /// The bridge, for producers.
    pub fn bridge(&self) -> Bridge {
        let [producers, lanes, ring, replies] = [6, 7, 8, 9].map(|index| self.section_words(index));
        let producer_halves = self.mapping.halves(self.sections[6].offset, producers.len() * 2);
        let [bell, order] = self.mapping.halves(HEADER_BELL, 2) else { unreachable!("two halves were asked for") };
        let lane_item_bytes = self.sections[7].item_bytes;
        let namespace = self.mapping.words(HEADER_NAMESPACE, 1)[0].load(Ordering::Relaxed);
        Bridge::new(&BridgeWords {
            producers,
            producer_halves,
            lanes,
            lane_item_bytes,
            ring,
            replies,
            bell,
            order,
            namespace,
        })
    }

    /// The log ring.
    pub fn log(&self) -> LogRing {
        LogRing::new(self.section_words(10))
    }

    /// The engine's end of the bridge.
    ///
    /// # Panics
    /// When it was taken before.
    pub fn take_bridge_end(&mut self) -> BridgeEnd {
        assert!(!self.bridge_taken, "the engine's end of a bridge is handed out once");
        self.bridge_taken = true;
        BridgeEnd::new(self.bridge())
    }

    /// The words of a section, by its kind, for tests that write there what another process could; `None`: no such kind.
    #[doc(hidden)]
    pub fn words_of(&self, kind: usize) -> Option<&'static [AtomicU64]> {
        (1..=self.sections.len()).contains(&kind).then(|| self.section_words(kind - 1))
    }

    /// First address, for Java.
    pub fn address(&self) -> u64 {
        self.mapping.address()
    }

    /// Length in bytes.
    pub fn bytes(&self) -> usize {
        self.mapping.bytes()
    }

    /// The file, where there is one.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|(_, path)| path.as_path())
    }
}

impl Drop for Region {
    /// Closes: the generation becomes 0, the file is removed, the memory goes back to the system. The address range
    /// stays and reads as zero, so that a reader that is late by any amount of time finds the generation gone and never
    /// a fault.
    fn drop(&mut self) {
        self.header.set_state(EngineState::Closed);
        self.header.store(HEADER_GENERATION, 0);
        if let Some((_, path)) = &self.file {
            remove_quietly(path);
        }
        // A failure leaves the pages in place, readable and with generation 0: memory is lost, safety is not.
        let _ = self.mapping.retire();
    }
}

fn remove_quietly(path: &Path) {
    // The file may be gone already: someone cleaned the folder. There is nothing left to do then.
    let _ = fs::remove_file(path);
}

fn next_generation(start_unix_ms: u64) -> u64 {
    static OPENED: AtomicU64 = AtomicU64::new(0);
    let number = OPENED.fetch_add(1, Ordering::Relaxed);
    // Different for every engine of this process, and for every process started at another millisecond.
    (start_unix_ms << 16 | number & 0xffff).max(1)
}

fn create_file(folder: &Path, bytes: usize) -> Result<(File, PathBuf), RegionError> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let failed = |path: &Path, source: io::Error| RegionError::File { path: path.to_path_buf(), bytes, source };
    remove_stale(folder);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{FILE_PREFIX}{}-{number}", std::process::id());
        let (draft, path) =
            (folder.join(format!(".{name}{DRAFT_SUFFIX}")), folder.join(format!("{name}{FILE_SUFFIX}")));
        if path.exists() {
            continue;
        }
        // A file that someone else made under this name keeps its owner and mode, so it is never used.
        let opened = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&draft);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(source) => return Err(failed(&path, source)),
        };
        // Locked before it gets its name: a file with the name and without a lock is one that a dead process left.
        let prepared = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
            // Blocks are taken now: on a full file system a later write would kill the process.
            .and_then(|()| rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes as u64))
            .map_err(io::Error::from)
            .and_then(|()| fs::rename(&draft, &path));
        return match prepared {
            Ok(()) => Ok((file, path)),
            // Another engine that opened just now took the draft, not locked yet, for a dead one.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !draft.exists() && folder.is_dir() => continue,
            Err(source) => {
                remove_quietly(&draft);
                Err(failed(&path, source))
            }
        };
    }
}

fn remove_stale(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().is_some_and(is_ours);
        let Some(file) = ours.then(|| File::open(entry.path()).ok()).flatten() else { continue };
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            remove_quietly(&entry.path());
        }
    }
}

/// Whether the name is one that `create_file` gives: to a region, or to a draft that a killed process left.
fn is_ours(name: &str) -> bool {
    let region = name.strip_prefix(FILE_PREFIX).is_some_and(|rest| rest.ends_with(FILE_SUFFIX));
    let draft = name.strip_prefix('.').and_then(|name| name.strip_prefix(FILE_PREFIX));
    region || draft.is_some_and(|rest| rest.ends_with(DRAFT_SUFFIX))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::nodes::Node;

    fn options(place: RegionPlace) -> RegionOptions {
        let (abi_fingerprint, start_unix_ms) = (0x1234, 1_700_000_000_000);
        RegionOptions {
            place,
            nodes_max: 100,
            slots_max: 10,
            watches_max: 2,
            bridge: BridgeSizes { lanes: 2, lane_bytes: 4_096, ring_bytes: 8_192 },
            log_bytes: 4_096,
            touch: true,
            abi_fingerprint,
            start_unix_ms,
        }
    }

    #[test]
    fn a_file_region_is_private_shows_its_layout_and_vanishes_at_close() {
        let folder = tempfile::tempdir().unwrap();
        let region = Region::create(&options(RegionPlace::File(folder.path().into()))).unwrap();
        let path = region.path().unwrap().to_path_buf();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.len(), region.bytes());
        assert_eq!(&bytes[..8], b"LODESTN1");
        assert_eq!(bytes[8..16], [4, 0, 0, 0, 0, 16, 0, 0]);
        assert_eq!(bytes[16..24], 0x1234_u64.to_le_bytes());
        assert_eq!(bytes[32..36], 1_u32.to_le_bytes());
        assert_eq!(bytes[36..40], std::process::id().to_le_bytes());
        assert_eq!(bytes[64..72], [1, 0, 0, 0, 8, 0, 0, 0]);
        let (header, reader) = (region.header(), region.reader());
        assert_ne!(header.generation(), 0);
        drop(region);
        assert!(!path.exists());
        assert_eq!(header.generation(), 0);
        assert_eq!(reader.read(99).unwrap().0, Node { slot: 0, version: 0 });
    }

    #[test]
    fn a_file_left_by_a_dead_process_is_removed_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let stale = folder.path().join("lodestone-1-0.region");
        let draft = folder.path().join(".lodestone-1-1.draft");
        fs::write(&stale, b"left behind").unwrap();
        fs::write(&draft, b"left behind").unwrap();
        let first = Region::create(&options(RegionPlace::File(folder.path().into()))).unwrap();
        assert!(!stale.exists() && !draft.exists());
        let second = Region::create(&options(RegionPlace::File(folder.path().into()))).unwrap();
        assert!(first.path().unwrap().exists());
        assert_ne!(first.header().generation(), second.header().generation());
    }

    #[test]
    fn a_missing_folder_is_told_with_its_path() {
        let missing = PathBuf::from("/nonexistent/folder");
        let error = Region::create(&options(RegionPlace::File(missing))).err().unwrap();
        assert!(error.to_string().contains("/nonexistent/folder/lodestone-"), "{error}");
    }
}
