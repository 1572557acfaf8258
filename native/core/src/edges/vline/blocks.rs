//! Blocks of memory for leaves and nodes, packed without holes.
//!
//! The room is cut into pages. A page is given to one class of blocks at a time; each class fills its pages one after
//! the other, so that only its last page has room. A block that is given back leaves a hole, into which the last block
//! of its class is moved at once; a page that gets empty goes back to all classes. So there is no fragmentation, and
//! what is in use never depends on history: for each class the blocks in use, and less than one page.
//!
//! A block knows its owner, the place of the head that points at it: the last words of its page hold the owners of all
//! blocks in it, two in a word.

use lodestone_memory::huge::{HugeSlice, prefetch};
use lodestone_memory::slots::FreeSlots;

use super::head::{CLASS_CELLS, CLASSES, Head};
use super::leaf::LINE_CELLS;

const NO_PAGE: u32 = u32::MAX;

/// How many blocks of a class ahead the one that fills a hole is asked for, with its head.
const LOOK_AHEAD_BLOCKS: u32 = 8;

/// The room for blocks, and who has which page.
pub(super) struct Blocks {
    /// The owners of pages lie elsewhere, in the words that all parts share: see [`Blocks::owner_place`].
    page_words: u32,
    /// Where the first page begins; a multiple of the words of a page.
    first_word: u32,
    /// Blocks that fit into a page, by class.
    per_page: [u32; CLASSES],
    /// The last page of each class and the blocks in use in it.
    last: [LastPage; CLASSES],
    /// By page: the page of the same class before it.
    before: Vec<u32>,
    free: FreeSlots,
}

#[derive(Clone, Copy)]
struct LastPage {
    page: u32,
    blocks: u32,
}

fn blocks_in(page_words: u32, class: usize) -> u32 {
    // Half a word more than its cells for each block: its owner.
    let blocks = page_words * 2 / (CLASS_CELLS[class] * 2 + 1);
    // The owners' last word may be half used.
    if blocks * CLASS_CELLS[class] + blocks.div_ceil(2) > page_words { blocks - 1 } else { blocks }
}

/// Pages that always suffice for blocks of this many cells together, whatever their classes. At most two pages a class
/// are partly used: the last one, and one more for blocks that live only while a change goes on.
pub(super) fn pages_for(cells: u64, page_words: u32) -> u64 {
    let cells_of_full_page = (1..CLASSES).map(|class| blocks_in(page_words, class) * CLASS_CELLS[class]).min();
    cells.div_ceil(u64::from(cells_of_full_page.unwrap_or(1))) + 2 * (CLASSES as u64 - 1)
}

impl Blocks {
    /// All pages free; `None` where the system has not the memory for the lists.
    pub(super) fn new(first_word: u32, pages: u32, page_words: u32) -> Option<Blocks> {
        debug_assert!(page_words.is_power_of_two() && first_word.is_multiple_of(page_words));
        let mut before = Vec::new();
        before.try_reserve_exact(pages as usize).ok()?;
        before.resize(pages as usize, NO_PAGE);
        let mut per_page = [0; CLASSES];
        (1..CLASSES).for_each(|class| per_page[class] = blocks_in(page_words, class));
        let last = std::array::from_fn(|class| LastPage { page: NO_PAGE, blocks: per_page[class] });
        Some(Blocks { page_words, first_word, per_page, last, before, free: FreeSlots::new(pages)? })
    }

    /// Words of the pages in use.
    pub(super) fn words_used(&self) -> u64 {
        u64::from(self.free.used()) * u64::from(self.page_words)
    }

    /// Takes a block for the head at `owner`, its cells all free. The lowest pages are taken first.
    pub(super) fn take(&mut self, words: &mut HugeSlice<u64>, class: usize, owner: u32) -> u32 {
        let last = self.last[class];
        if last.blocks == self.per_page[class] {
            let page = self.free.lowest();
            assert!(page.is_some(), "the pages suffice for every set of blocks that edges_max allows");
            let page = page.unwrap_or(NO_PAGE);
            self.free.take(page);
            self.before[page as usize] = last.page;
            self.last[class] = LastPage { page, blocks: 0 };
        }
        let block = self.block_at(class, self.last[class].blocks);
        self.last[class].blocks += 1;
        words[block as usize..][..CLASS_CELLS[class] as usize].fill(0);
        self.set_owner(words, class, block, owner);
        block
    }

    /// Gives a block back and moves the last one of its class into the hole; the moved one's head follows it. Returns
    /// the words moved.
    pub(super) fn give(&mut self, words: &mut HugeSlice<u64>, class: usize, block: u32) -> u32 {
        let LastPage { page, blocks } = self.last[class];
        let moved = self.block_at(class, blocks - 1);
        let mut words_moved = 0;
        if moved != block {
            let cells = CLASS_CELLS[class] as usize;
            words.copy_within(moved as usize..moved as usize + cells, block as usize);
            let owner = self.owner(words, class, moved);
            self.set_owner(words, class, block, owner);
            let head = Head(words[owner as usize]).moved_to(block);
            words[owner as usize] = head.0;
            if head.is_node() {
                self.tell_children(words, head);
            }
            words_moved = cells as u32;
        }
        self.prefetch_ahead(words, class);
        self.last[class].blocks -= 1;
        if blocks == 1 {
            self.free.give(page);
            self.last[class] = LastPage { page: self.before[page as usize], blocks: self.per_page[class] };
        }
        words_moved
    }

    /// Asks for what giving back this block will write beside it: without, a load of small blocks waits for that most.
    pub(super) fn prefetch_owner(&self, words: &HugeSlice<u64>, class: usize, block: u32) {
        prefetch(&words[self.owner_place(class, block).0]);
    }

    /// Asks for what the next blocks given back of this class will move.
    fn prefetch_ahead(&self, words: &HugeSlice<u64>, class: usize) {
        let Some(number) = self.last[class].blocks.checked_sub(1 + LOOK_AHEAD_BLOCKS) else { return };
        let block = self.block_at(class, number);
        prefetch(&words[self.owner(words, class, block) as usize]);
        words[block as usize..][..CLASS_CELLS[class] as usize].iter().step_by(LINE_CELLS).for_each(prefetch);
    }

    /// The heads of a node's children lie in the node: where it lies is what their blocks must know.
    fn tell_children(&self, words: &mut HugeSlice<u64>, node: Head) {
        for place in node.children() {
            let child = Head(words[place]);
            if child != Head::NONE {
                self.set_owner(words, child.block_class(), child.block() as u32, place as u32);
            }
        }
    }

    /// The block of this number in the last page of the class.
    fn block_at(&self, class: usize, number: u32) -> u32 {
        self.first_word + self.last[class].page * self.page_words + number * CLASS_CELLS[class]
    }

    /// The word that holds a block's owner, and by how many bits it is shifted.
    fn owner_place(&self, class: usize, block: u32) -> (usize, u32) {
        let inside = block & (self.page_words - 1);
        let number = inside / CLASS_CELLS[class];
        let page_end = block - inside + self.page_words;
        ((page_end - 1 - number / 2) as usize, number % 2 * 32)
    }

    pub(super) fn owner(&self, words: &HugeSlice<u64>, class: usize, block: u32) -> u32 {
        let (place, shift) = self.owner_place(class, block);
        (words[place] >> shift) as u32
    }

    fn set_owner(&self, words: &mut HugeSlice<u64>, class: usize, block: u32, owner: u32) {
        let (place, shift) = self.owner_place(class, block);
        words[place] = words[place] & !(u64::from(u32::MAX) << shift) | u64::from(owner) << shift;
    }

    /// Blocks in use of a class.
    #[cfg(test)]
    pub(super) fn blocks_used(&self, class: usize) -> u32 {
        let mut blocks = 0;
        let LastPage { mut page, blocks: in_last } = self.last[class];
        while page != NO_PAGE {
            blocks += if blocks == 0 { in_last } else { self.per_page[class] };
            page = self.before[page as usize];
        }
        blocks
    }
}
