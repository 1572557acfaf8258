//! Watched distances: for each watch a head of one cache line, and behind it one label a node.
//!
//! A label is `distance << 28 | edges`, or [`LABEL_UNREACHED`]. The head's sequence is odd while labels that readers may
//! look at are being changed, so a reader sees the labels of exactly one revision. Labels of a watch that is not
//! [`WatchState::Live`] mean nothing, and are written without the sequence. It wraps after 2^63 changes, which is never.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::layout::{WATCH_HEAD_BYTES, watch_bytes};
use crate::mapping::Mapping;
use crate::nodes::READ_ATTEMPTS_MAX;

/// The label of a node that the source does not reach.
pub const LABEL_UNREACHED: u64 = u64::MAX;

/// Bits of the number of edges in a label; the distance stands above them.
pub const LABEL_EDGES_BITS: u32 = 28;

const SEQUENCE: usize = 0;
const SOURCE_STATE: usize = 1;
const ID: usize = 2;
const REVISION: usize = 3;
const BRANCH: usize = 4;
const HEAD_WORDS: usize = WATCH_HEAD_BYTES / 8;

/// What a watch is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum WatchState {
    /// Nobody uses it.
    #[default]
    Free = 0,
    /// Its labels are being computed for the first time.
    Filling = 1,
    /// Its labels hold.
    Live = 2,
    /// Its labels held, a repair would have taken too long, and they are being computed anew.
    Stale = 3,
}

/// What stands before the labels of a watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchHead {
    /// The watch's number, never 0 while it is in use, and never the same for two uses of one place.
    pub id: u64,
    /// Where the distances start.
    pub source: u32,
    /// Whether the labels hold.
    pub state: WatchState,
    /// The revision whose labels these are.
    pub revision: u64,
    /// Rollbacks before that revision.
    pub branch: u64,
}

/// All watches, for their one writer: the pathfinder's thread.
pub struct WatchTable {
    words: &'static [AtomicU64],
    watches_max: u32,
    nodes_max: u32,
}

/// The labels of one watch, for the one writer of its table.
pub struct WatchLabels {
    sequence: &'static AtomicU64,
    labels: &'static [AtomicU64],
    /// Readers may be looking, and the sequence is not odd yet.
    to_open: bool,
}

/// A reader's hold on the watches; `Copy`, any thread.
#[derive(Clone, Copy)]
pub struct WatchReader {
    words: &'static [AtomicU64],
    watches_max: u32,
    nodes_max: u32,
}

/// The labels changed on every look; nothing was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchBusy;

fn watch_words(words: &'static [AtomicU64], watches_max: u32, watch: u32) -> &'static [AtomicU64] {
    assert!(watch < watches_max, "watch {watch} is not below {watches_max}");
    let each = words.len() / watches_max as usize;
    &words[watch as usize * each..][..each]
}

impl WatchTable {
    /// Takes the section over; zeros are free watches.
    pub(crate) fn new(words: &'static [AtomicU64], watches_max: u32, nodes_max: u32) -> WatchTable {
        WatchTable { words, watches_max, nodes_max }
    }

    /// A table that no region shows, for tests and measurements of parts; its memory stays until the process ends.
    /// `None` where there is none.
    pub fn detached(watches_max: u32, nodes_max: u32, touch: bool) -> Option<WatchTable> {
        let bytes = watch_bytes(nodes_max as usize)?.checked_mul(watches_max as usize)?;
        let mapping = Mapping::anonymous(bytes, touch).ok()?;
        Some(WatchTable::new(mapping.words(0, bytes / 8), watches_max, nodes_max))
    }

    /// Number of watches.
    pub fn watches_max(&self) -> u32 {
        self.watches_max
    }

    /// Labels of each watch.
    pub fn nodes_max(&self) -> u32 {
        self.nodes_max
    }

    /// A reader of this table.
    pub fn reader(&self) -> WatchReader {
        WatchReader { words: self.words, watches_max: self.watches_max, nodes_max: self.nodes_max }
    }

    /// The labels of a watch. `readable`: its head says that they hold, so the first change makes the sequence odd,
    /// and it stays so until [`WatchTable::publish`].
    pub fn labels(&mut self, watch: u32, readable: bool) -> WatchLabels {
        let words = watch_words(self.words, self.watches_max, watch);
        let labels = &words[HEAD_WORDS..][..self.nodes_max as usize];
        WatchLabels { sequence: &words[SEQUENCE], labels, to_open: readable }
    }

    /// Writes the head and lets readers in: they see all labels written before, and this head, or none of it.
    pub fn publish(&mut self, watch: u32, head: &WatchHead) {
        let words = watch_words(self.words, self.watches_max, watch);
        let odd = words[SEQUENCE].load(Ordering::Relaxed) | 1;
        words[SEQUENCE].store(odd, Ordering::Relaxed);
        // Pairs with the acquire fence of readers: whoever sees a word written below sees the odd sequence too.
        fence(Ordering::Release);
        let source_state = u64::from(head.state as u32) << 32 | u64::from(head.source);
        for (place, value) in
            [(SOURCE_STATE, source_state), (ID, head.id), (REVISION, head.revision), (BRANCH, head.branch)]
        {
            words[place].store(value, Ordering::Relaxed);
        }
        // Release: whoever sees the even sequence sees every label and the head.
        words[SEQUENCE].store(odd.wrapping_add(1), Ordering::Release);
    }

    /// Whether labels of the watch were changed since its head was published.
    pub fn is_changing(&self, watch: u32) -> bool {
        watch_words(self.words, self.watches_max, watch)[SEQUENCE].load(Ordering::Relaxed) & 1 == 1
    }

    /// Says that the published labels hold at this later revision of the same branch as well. Readers need not be kept
    /// out: the labels they are looking at are those of both revisions.
    pub fn advance(&mut self, watch: u32, revision: u64) {
        let words = watch_words(self.words, self.watches_max, watch);
        // Release: whoever sees this revision sees the labels published before it.
        words[REVISION].store(revision, Ordering::Release);
    }
}

impl WatchLabels {
    /// The label of the node.
    #[inline(always)]
    pub fn label(&self, node: u32) -> u64 {
        self.labels[node as usize].load(Ordering::Relaxed)
    }

    /// Sets the label of the node.
    #[inline(always)]
    pub fn set(&mut self, node: u32, label: u64) {
        if self.to_open {
            self.open();
        }
        self.labels[node as usize].store(label, Ordering::Relaxed);
    }

    /// Sets the labels of `count` nodes from this one on, as many of them as there are, to "not reached".
    pub fn clear(&mut self, node: u32, count: u32) {
        if self.to_open {
            self.open();
        }
        let labels = self.labels.iter().skip(node as usize).take(count as usize);
        labels.for_each(|label| label.store(LABEL_UNREACHED, Ordering::Relaxed));
    }

    #[cold]
    fn open(&mut self) {
        self.to_open = false;
        let odd = self.sequence.load(Ordering::Relaxed) | 1;
        self.sequence.store(odd, Ordering::Relaxed);
        // Pairs with the acquire fence of readers: whoever sees a label changed from now on sees the odd sequence too.
        fence(Ordering::Release);
    }
}

impl WatchReader {
    /// Number of watches.
    pub fn watches_max(&self) -> u32 {
        self.watches_max
    }

    /// Labels of each watch.
    pub fn nodes_max(&self) -> u32 {
        self.nodes_max
    }

    /// Reads the head of a watch and the label of a node in one consistent look.
    ///
    /// # Errors
    /// [`WatchBusy`] when labels changed on each of [`READ_ATTEMPTS_MAX`] looks.
    ///
    /// # Panics
    /// When there is no such watch or no such node.
    pub fn read(&self, watch: u32, node: u32) -> Result<(WatchHead, u64), WatchBusy> {
        let words = watch_words(self.words, self.watches_max, watch);
        assert!(node < self.nodes_max, "node {node} is not below {}", self.nodes_max);
        for _ in 0..READ_ATTEMPTS_MAX {
            let before = words[SEQUENCE].load(Ordering::Acquire);
            if before & 1 == 0 {
                let label = words[HEAD_WORDS + node as usize].load(Ordering::Relaxed);
                // The label first: a revision stored by `advance` in between holds for it all the same.
                let head: [u64; HEAD_WORDS] = std::array::from_fn(|place| words[place].load(Ordering::Acquire));
                fence(Ordering::Acquire);
                if words[SEQUENCE].load(Ordering::Relaxed) == before {
                    return Ok((head_of(&head), label));
                }
            }
            std::hint::spin_loop();
        }
        Err(WatchBusy)
    }
}

fn head_of(words: &[u64; HEAD_WORDS]) -> WatchHead {
    let state = match words[SOURCE_STATE] >> 32 {
        1 => WatchState::Filling,
        2 => WatchState::Live,
        3 => WatchState::Stale,
        _ => WatchState::Free,
    };
    let source = words[SOURCE_STATE] as u32;
    WatchHead { id: words[ID], source, state, revision: words[REVISION], branch: words[BRANCH] }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn head(revision: u64) -> WatchHead {
        WatchHead { id: 7, source: 3, state: WatchState::Live, revision, branch: revision / 100 }
    }

    #[test]
    fn a_new_table_is_free_and_watches_do_not_overlap() {
        let mut table = WatchTable::detached(3, 13, true).unwrap();
        let reader = table.reader();
        assert_eq!((reader.watches_max(), reader.nodes_max()), (3, 13));
        assert_eq!(reader.read(2, 12), Ok((WatchHead::default(), 0)));
        for watch in 0..3 {
            let mut labels = table.labels(watch, false);
            labels.clear(0, u32::MAX);
            (0..13).for_each(|node| labels.set(node, u64::from(watch * 100 + node)));
            labels.clear(11, 1);
            assert_eq!(labels.label(11), LABEL_UNREACHED);
            table.publish(watch, &WatchHead { id: u64::from(watch) + 1, ..head(5) });
        }
        for (watch, node) in (0..3).flat_map(|watch| (0..13).map(move |node| (watch, node))) {
            let label = if node == 11 { LABEL_UNREACHED } else { u64::from(watch * 100 + node) };
            assert_eq!(reader.read(watch, node), Ok((WatchHead { id: u64::from(watch) + 1, ..head(5) }, label)));
        }
        table.advance(1, 9);
        assert_eq!(reader.read(1, 0).unwrap().0.revision, 9);
        assert!(WatchTable::detached(u32::MAX, u32::MAX, false).is_none());
    }

    #[test]
    fn a_reader_sees_the_labels_of_one_revision_only() {
        let mut table = WatchTable::detached(1, 64, true).unwrap();
        let reader = table.reader();
        table.publish(0, &head(0));
        let was_read = Arc::new(AtomicBool::new(false));
        let enough = Arc::clone(&was_read);
        let writer = std::thread::spawn(move || {
            // Labels change at even revisions; odd ones change none and are only told. On a busy machine the reader may
            // have had no processor by the end: then the writer goes on for it.
            let mut revision = 0;
            while revision < 199_998 || revision < 100_000_000 && !enough.load(Ordering::Relaxed) {
                revision += 2;
                let mut labels = table.labels(0, true);
                (0..64).for_each(|node| labels.set(node, revision));
                table.publish(0, &head(revision));
                table.advance(0, revision + 1);
            }
            revision
        });
        let (mut reads, mut last) = (0_u64, 0);
        while !writer.is_finished() {
            for node in [0, 31, 63] {
                if let Ok((head, label)) = reader.read(0, node) {
                    assert_eq!(label, head.revision & !1, "node {node}");
                    assert!(head.revision >= last);
                    last = head.revision;
                    reads += 1;
                    was_read.store(true, Ordering::Relaxed);
                }
            }
        }
        let end = writer.join().unwrap();
        assert!(reads > 0);
        assert_eq!(reader.read(0, 1).unwrap(), (WatchHead { revision: end + 1, ..head(end) }, end));
    }
}
