//! The edges of the live graph: what the engine asks of a structure that holds them, and the structures that do.
//!
//! [`EdgeStore`] is the question: which mask does `source → target` have, and set it. Every store passes the same tests,
//! alone and under the whole engine, and the benchmarks measure them in one run.

mod scramble;
mod table;
mod vline;

pub use table::EdgeTable;
pub use vline::VLine;

/// A committed change of one edge. Mask 0: the edge is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeChange {
    /// Where the edge begins.
    pub source: u32,
    /// Where it ends.
    pub target: u32,
    /// Its mask now.
    pub mask: u32,
}

/// What a structure of edges is made for. It never grows beyond this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeSizes {
    /// Both ends of an edge are below this.
    pub nodes_max: u32,
    /// Most edges.
    pub edges_max: u32,
}

/// What a change found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// The mask of the edge, 0 where there was none.
    pub mask: u32,
    /// How far from the first place the edge lies, or lay. Only good for [`EdgeStore::set_again`].
    pub step: u8,
}

/// A set of directed edges, at most one for each ordered pair of different nodes, each with a mask that is not 0.
///
/// One thread at a time. What it answers depends on the edges alone, never on the order in which they came, on the salt,
/// or on earlier changes. It takes all addresses when it is made, and asks no allocator afterwards.
pub trait EdgeStore: Sized {
    /// Where an edge is looked for.
    type Place: Copy + Default;

    /// An empty store. The salt is mixed into the places of edges, so that nobody can choose edges that collide. `None`
    /// where the system has not the memory.
    fn new(sizes: EdgeSizes, salt: u64) -> Option<Self>;

    /// Number of edges.
    fn count(&self) -> u32;

    /// Most edges there can be.
    fn edges_max(&self) -> u32;

    /// Whether one more edge fits. Depends on the number of edges alone.
    fn has_room(&self) -> bool {
        self.count() < self.edges_max()
    }

    /// Where the edge is looked for: computed once, used for all that is done to the edge in one batch. Stays right
    /// whatever is set meanwhile.
    fn place(&self, source: u32, target: u32) -> Self::Place;

    /// Asks for the memory that is looked at first for this place, ahead of the others below.
    fn prefetch(&self, place: Self::Place);

    /// Asks for what only the memory of [`EdgeStore::prefetch`] tells where it lies.
    fn prefetch_behind(&self, _place: Self::Place) {}

    /// The mask of the edge, 0 where there is none.
    fn mask_at(&self, place: Self::Place) -> u32;

    /// Sets the edge to the mask, 0 removes it, and returns what was there before. A new edge needs
    /// [`EdgeStore::has_room`].
    fn set_at(&mut self, place: Self::Place, mask: u32) -> Before;

    /// As [`EdgeStore::prefetch`] for an edge that was changed before, with the step that [`EdgeStore::set_at`] gave then.
    fn prefetch_again(&self, place: Self::Place, _step: u8) {
        self.prefetch(place);
    }

    /// As [`EdgeStore::set_at`] for an edge that was changed before. It may lie elsewhere by now; then it takes longer.
    fn set_again(&mut self, place: Self::Place, _step: u8, mask: u32) {
        self.set_at(place, mask);
    }

    /// [`EdgeStore::mask_at`] for a single look.
    fn mask(&self, source: u32, target: u32) -> u32 {
        self.mask_at(self.place(source, target))
    }

    /// [`EdgeStore::set_at`] for a single change.
    fn set(&mut self, source: u32, target: u32, mask: u32) -> u32 {
        self.set_at(self.place(source, target), mask).mask
    }

    /// Every edge, in an order that means nothing.
    fn edges(&self) -> impl Iterator<Item = EdgeChange> + '_;

    /// Bytes of memory that hold edges now, those that are set aside for growth left out.
    fn bytes_used(&self) -> u64;
}
