//! The node table: 16 bytes a node, `{u32 slot, u32 sequence, u64 version}`.
//!
//! The version belongs to the node and outlives its slot. The sequence makes node and slot readable while they are
//! written: it is odd from before the first changed byte until after the last, and never goes back, not even in a
//! rollback. It wraps after 2^31 changes of one node, so a reader would have to sleep through exactly that many between
//! its two looks to be deceived.

use crate::huge::prefetch;
use crate::slots::{SLOT_WORDS, SlotImage, SlotWords};
use crate::sync::{AtomicU64, Ordering, fence, look_again};

/// The slot number that says: no slot.
pub const SLOT_NONE: u32 = u32::MAX;

/// How often a reader looks again before it gives up on a node that changes all the time.
pub const READ_ATTEMPTS_MAX: u32 = 10_000;

/// What the table says of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its slot, or [`SLOT_NONE`].
    pub slot: u32,
    /// Its version, 0 before its first move.
    pub version: u64,
}

/// The engine's hold on the table: the one writer.
pub struct NodeTable {
    words: &'static [AtomicU64],
}

/// A reader's hold on table and slots; `Copy`, any thread.
#[derive(Clone, Copy)]
pub struct NodeReader {
    words: &'static [AtomicU64],
    slots: SlotWords,
}

impl NodeTable {
    /// Takes the section over and writes "no slot" everywhere.
    pub(crate) fn new(words: &'static [AtomicU64]) -> NodeTable {
        for entry in words.chunks_exact(2) {
            entry[0].store(u64::from(SLOT_NONE), Ordering::Relaxed);
        }
        NodeTable { words }
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.words.len() / 2
    }

    /// Whether the table has no node.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// What the table says of the node.
    pub fn get(&self, node: u32) -> Node {
        let entry = &self.words[node as usize * 2..][..2];
        Node { slot: entry[0].load(Ordering::Relaxed) as u32, version: entry[1].load(Ordering::Relaxed) }
    }

    /// Asks for the node's entry, which is going to be used soon.
    pub fn prefetch(&self, node: u32) {
        prefetch(&self.words[node as usize * 2]);
    }

    /// Changes the node and, inside `change`, the bytes of its slot, so that readers see all of it or nothing.
    pub fn update(&mut self, node: u32, to: Node, change: impl FnOnce()) {
        let entry = &self.words[node as usize * 2..][..2];
        let old = entry[0].load(Ordering::Relaxed);
        let sequence = (old >> 32) as u32;
        let odd = u64::from(sequence.wrapping_add(1)) << 32;
        entry[0].store(odd | old & u64::from(u32::MAX), Ordering::Relaxed);
        // Pairs with the acquire fence of readers: whoever sees a byte written below sees the odd sequence too.
        fence(Ordering::Release);
        change();
        entry[1].store(to.version, Ordering::Relaxed);
        let even = u64::from(sequence.wrapping_add(2)) << 32;
        // Release: whoever sees the even sequence sees every byte of the change.
        entry[0].store(even | u64::from(to.slot), Ordering::Release);
    }
}

/// A node and its slot as they were at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLook {
    /// Even; equal sequences of a node mean equal states, but for the wrap after 2^31 changes.
    pub sequence: u32,
    /// What the table says.
    pub node: Node,
    /// The slot, all zero where there is none.
    pub image: SlotImage,
}

/// The node changed on every look; nothing was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeBusy;

impl NodeReader {
    pub(crate) fn new(words: &'static [AtomicU64], slots: SlotWords) -> NodeReader {
        NodeReader { words, slots }
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.words.len() / 2
    }

    /// Whether the table has no node.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Reads a node and its slot in one consistent look; the image is all zero where there is no slot.
    ///
    /// # Errors
    /// [`NodeBusy`] when the node changed on each of [`READ_ATTEMPTS_MAX`] looks.
    pub fn read(&self, node: u32) -> Result<(Node, SlotImage), NodeBusy> {
        self.look(node).map(|look| (look.node, look.image))
    }

    /// The node's sequence, which every change of node or slot raises by two.
    pub fn sequence(&self, node: u32) -> u32 {
        (self.words[node as usize * 2].load(Ordering::Acquire) >> 32) as u32
    }

    /// As [`NodeReader::read`], with the sequence that tells this state from every other one of the node.
    ///
    /// # Errors
    /// [`NodeBusy`] when the node changed on each of [`READ_ATTEMPTS_MAX`] looks.
    pub fn look(&self, node: u32) -> Result<NodeLook, NodeBusy> {
        let entry = &self.words[node as usize * 2..][..2];
        for _ in 0..READ_ATTEMPTS_MAX {
            let before = entry[0].load(Ordering::Acquire);
            if before >> 32 & 1 == 0 {
                let slot = before as u32;
                let version = entry[1].load(Ordering::Relaxed);
                let image = if slot == SLOT_NONE { [0; SLOT_WORDS] } else { self.slots.load(slot) };
                fence(Ordering::Acquire);
                if entry[0].load(Ordering::Relaxed) == before {
                    let sequence = (before >> 32) as u32;
                    return Ok(NodeLook { sequence, node: Node { slot, version }, image });
                }
            }
            look_again();
        }
        Err(NodeBusy)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::mapping::Mapping;

    #[test]
    fn a_reader_sees_whole_changes_only() {
        let nodes = Mapping::anonymous(4096, false).unwrap().words(0, 8);
        let slots = SlotWords::new(Mapping::anonymous(4096, false).unwrap().words(0, 2 * SLOT_WORDS));
        let mut table = NodeTable::new(nodes);
        let reader = NodeReader::new(nodes, slots);
        assert_eq!(reader.read(3), Ok((Node { slot: SLOT_NONE, version: 0 }, [0; SLOT_WORDS])));
        // The writer goes on until the reader has seen enough, however the two share a processor.
        let (enough, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stop, written) = (Arc::clone(&enough), Arc::clone(&done));
        let writer = std::thread::spawn(move || {
            for version in 1.. {
                let slot = (version % 2) as u32;
                table.update(3, Node { slot, version }, || slots.store(slot, &[version; SLOT_WORDS], SLOT_WORDS));
                written.store(version, Ordering::Relaxed);
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let (mut reads, mut versions) = (0_u64, BTreeSet::new());
        while reads < 100_000 || versions.len() < 3 {
            if let Ok((node, image)) = reader.read(3)
                && node.version > 0
            {
                assert_eq!(image, [node.version; SLOT_WORDS]);
                assert_eq!(u64::from(node.slot), node.version % 2);
                reads += 1;
                versions.insert(node.version);
            }
        }
        enough.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        let (last, changes) = (reader.look(3).unwrap(), done.load(Ordering::Relaxed));
        assert_eq!((last.node.version, u64::from(last.sequence)), (changes, 2 * changes));
        assert_eq!(reader.sequence(3), last.sequence);
    }
}
