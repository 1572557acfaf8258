//! Shortest paths over the pathfinder's own copy of the graph.
//!
//! The copy is fed with every committed edge change, in the order of the commits, so a route is answered against
//! exactly one revision and never delays a move. All memory is taken by [`Pathfinder::new`]; afterwards nothing grows.
//!
//! The answer is a function of the edges alone: not of their insertion order, of earlier changes, or of earlier queries.
//! Of equal distances the path with the fewest edges wins; then, going back from the target, the lowest predecessor id
//! at each step. Even [`Route::settled`], and with it [`RouteStatus::Budget`], depends on nothing but the edges.
//!
//! From a few sources the distances to all nodes may be *watched*: [`Pathfinder::watch`].
//!
//! ```
//! use lodestone_core::pathfinder::{Pathfinder, PathfinderConfig, Route, RouteStatus};
//!
//! let config = PathfinderConfig { nodes_max: 8, edges_max: 16, budget: 100, index_salt: 0, preallocate: false };
//! let mut pathfinder = Pathfinder::new(&config)?;
//! let mut route = Route::with_capacity(8)?;
//! pathfinder.apply(0, 1, 2); // weight 2
//! pathfinder.apply(1, 2, 3); // weight 3
//! assert_eq!(pathfinder.route(0, 2, &mut route), RouteStatus::Found);
//! assert_eq!((route.distance, route.nodes.as_slice()), (5, [0, 1, 2].as_slice()));
//! # Ok::<(), lodestone_core::pathfinder::PathfinderError>(())
//! ```

mod graph;
mod queue;
mod search;
mod sweep;
mod watched;

use std::fmt;

use crate::EdgeChange;
use crate::packet::weight_of;
use graph::{Graph, Kept};
use search::{Limits, Search};
use watched::Watched;
pub use watched::{WATCH_CHANGES_MAX, WatchConfig, WatchId, WatchTotals};

/// Most nodes that one pathfinder carries: a label of 64 bits holds the sum of two distances and of two edge counts
/// only up to here.
pub const NODES_MAX: u32 = 1 << 27;

/// Most edges that one pathfinder carries: places of blocks have 32 bits, and beside [`NODES_MAX`] nodes they reach so far.
pub const EDGES_MAX: u32 = 700_000_000;

/// Marks "no vertex".
const NONE: u32 = u32::MAX;

/// Sizes of a [`Pathfinder`]; they never change afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathfinderConfig {
    /// Nodes are numbered `0..nodes_max`; 1 to [`NODES_MAX`].
    pub nodes_max: u32,
    /// Live edges at most; the bound that the core enforces on moves. 1 to [`EDGES_MAX`].
    pub edges_max: u32,
    /// Vertices that one query may settle, both directions together.
    pub budget: u64,
    /// Mixed into the places of edges, so that nobody can choose edges that collide. No answer depends on it.
    pub index_salt: u64,
    /// Touch the memory of edges now instead of at the first use of each page: 24 bytes an edge, which is more than they
    /// take but in graphs where most nodes have lost most of their edges. The rest is always touched.
    pub preallocate: bool,
}

/// Why a pathfinder, or the room for a path, could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathfinderError {
    /// A size is 0 or above its limit.
    Size {
        /// The name of the size.
        name: &'static str,
        /// What was asked for.
        found: u32,
        /// What is allowed at most; at least 1 is required.
        allowed_max: u32,
    },
    /// The system did not give the memory.
    Memory {
        /// What it was meant for.
        purpose: &'static str,
        /// How many bytes were asked for.
        bytes: u64,
    },
}

impl fmt::Display for PathfinderError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { name, found, allowed_max } => {
                write!(formatter, "the pathfinder's {name} is {found}; 1 to {allowed_max} is allowed")
            }
            Self::Memory { purpose, bytes } => write!(
                formatter,
                "no memory for the pathfinder's {purpose} ({bytes} bytes); lower graph.nodes_max or graph.edges_max"
            ),
        }
    }
}

impl std::error::Error for PathfinderError {}

/// What a query found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteStatus {
    /// There is a path; all fields of the [`Route`] hold.
    Found,
    /// There is no path; the distance is `u64::MAX` and the node count 0.
    Unreachable,
    /// The budget was used up before the answer was certain; the fields are as for [`RouteStatus::Unreachable`].
    Budget,
    /// The caller gave it up; the fields are as for [`RouteStatus::Unreachable`].
    Cancelled,
}

/// The answer of a query. Make it once and use it for all queries: its room is never grown.
#[derive(Debug)]
pub struct Route {
    /// Sum of the weights on the path; `u64::MAX` where there is none.
    pub distance: u64,
    /// Nodes on the path, both ends included; 0 where there is none.
    pub nodes_total: u32,
    /// Vertices that the query settled, both directions together; one more than the budget if that was used up.
    pub settled: u64,
    /// The first nodes of the path, source first: all of them, or as many as the capacity holds.
    pub nodes: Vec<u32>,
    nodes_listed_max: usize,
}

impl Route {
    /// Takes the room for the first `nodes_listed_max` nodes of a path.
    ///
    /// # Errors
    /// [`PathfinderError::Memory`] if the system does not give the room.
    pub fn with_capacity(nodes_listed_max: usize) -> Result<Self, PathfinderError> {
        let nodes = reserved(nodes_listed_max, "path")?;
        Ok(Self { distance: u64::MAX, nodes_total: 0, settled: 0, nodes, nodes_listed_max })
    }

    fn clear(&mut self) {
        self.distance = u64::MAX;
        self.nodes_total = 0;
        self.settled = 0;
        self.nodes.clear();
    }
}

/// The graph's second copy, with the search over it. One thread at a time; holds no clock, no thread, no file.
#[derive(Debug)]
pub struct Pathfinder {
    graph: Graph,
    search: Search,
    kept: Kept,
    budget: u64,
    watched: Option<Watched>,
}

impl Pathfinder {
    /// Takes all addresses, and the memory that edges usually take; no allocator is asked afterwards. Where more memory is
    /// needed, see [`PathfinderConfig::preallocate`], the system gives the page that is written to.
    ///
    /// # Errors
    /// [`PathfinderError::Size`] for a size out of its range, [`PathfinderError::Memory`] if the system refuses.
    pub fn new(config: &PathfinderConfig) -> Result<Self, PathfinderError> {
        check_size("nodes_max", config.nodes_max, NODES_MAX)?;
        check_size("edges_max", config.edges_max, EDGES_MAX)?;
        let (graph, search) = (Graph::new(config)?, Search::new(config.nodes_max)?);
        Ok(Self { graph, search, kept: Kept::new(), budget: config.budget, watched: None })
    }

    /// Sets the edge `source` → `target` to `mask`; 0 removes it. What changes nothing is allowed and changes nothing.
    ///
    /// Changes come in the order of the commits (or, for a rollback, in the reverse order with the earlier masks), so
    /// that the number of edges stays within the bound that the core enforces at every step.
    ///
    /// # Panics
    /// If an id is not below `nodes_max`, or a new edge goes beyond `edges_max`: the core lets neither through.
    pub fn apply(&mut self, source: u32, target: u32, mask: u32) {
        let after = (mask != 0).then(|| weight_of(mask));
        let before = match after {
            None => self.graph.remove(source, target),
            Some(weight) => self.graph.put(source, target, weight),
        };
        if let Some(watched) = &mut self.watched {
            watched.note((source, target), before, after);
            watched.make_room(&self.graph);
        }
    }

    /// As [`Pathfinder::apply`] for each of these changes in turn, but asks for their memory ahead: a long run at once
    /// takes a fraction of the time.
    ///
    /// # Panics
    /// As [`Pathfinder::apply`].
    pub fn apply_batch(&mut self, changes: &[EdgeChange]) {
        let Some(watched) = &mut self.watched else { return self.graph.set_all(changes, |_, _| {}) };
        let mut rest = changes;
        while !rest.is_empty() {
            let (some, later) = rest.split_at(watched.room().min(rest.len()));
            self.graph.set_all(some, |change, before| {
                let after = (change.mask != 0).then(|| weight_of(change.mask));
                watched.note((change.source, change.target), before, after);
            });
            watched.make_room(&self.graph);
            rest = later;
        }
    }

    /// Bytes of memory that hold edges now, in both directions.
    #[must_use]
    pub fn bytes_used(&self) -> u64 {
        self.graph.bytes_used()
    }

    /// Live edges.
    #[must_use]
    pub fn edges(&self) -> u64 {
        u64::from(self.graph.edges())
    }

    /// Finds the shortest path and writes it to `out`, whose earlier content is dropped.
    ///
    /// # Panics
    /// If an id is not below `nodes_max`: whoever takes the query in checks that.
    pub fn route(&mut self, source: u32, target: u32, out: &mut Route) -> RouteStatus {
        self.route_while(source, target, &|| true, out)
    }

    /// As [`Pathfinder::route`], asking `keep_going` once for every 4,096 vertices settled: `false` ends the search
    /// there with [`RouteStatus::Cancelled`]. A search that is not ended by it gives what `route` gives.
    ///
    /// # Panics
    /// As [`Pathfinder::route`].
    pub fn route_while(
        &mut self,
        source: u32,
        target: u32,
        keep_going: &dyn Fn() -> bool,
        out: &mut Route,
    ) -> RouteStatus {
        out.clear();
        if source == target {
            assert!(source < self.graph.nodes_max(), "node {source} is not in the graph");
            out.distance = 0;
            out.nodes_total = 1;
            out.nodes.extend((out.nodes_listed_max > 0).then_some(source));
            return RouteStatus::Found;
        }
        let limits = Limits { budget: self.budget, keep_going };
        let status = self.search.run(&self.graph, &mut self.kept, (source, target), &limits);
        out.settled = self.search.settled();
        if status == RouteStatus::Found {
            out.distance = self.search.distance();
            out.nodes_total = self.search.edges_on_path() + 1;
            let listed = out.nodes_listed_max.min(out.nodes_total as usize);
            out.nodes.resize(listed, 0);
            self.search.write_path(&self.graph, source, target, &mut out.nodes);
        }
        status
    }

    /// Finds the shortest paths from one node to all nodes: writes a label for each, which is [`UNREACHED`] or
    /// `distance << 28 | edges` of the best path, of equal distances that with the fewest edges. Takes time in
    /// proportion to the edges that can be reached, whatever the budget of routes is, and no memory.
    ///
    /// # Panics
    /// If the source is not below `nodes_max`, or there is not a label for each node.
    pub fn distances(&mut self, source: u32, labels: &mut [u64]) {
        assert!(source < self.graph.nodes_max(), "node {source} is not in the graph");
        self.search.sweep(&self.graph, &mut self.kept, source, labels);
    }
}

/// What [`Pathfinder::distances`] writes for a node that no path leads to.
pub const UNREACHED: u64 = queue::UNREACHED;

/// Distance and edges of the best path to a node, of a label of [`Pathfinder::distances`]; `None` where there is none.
#[must_use]
pub fn label_parts(label: u64) -> Option<(u64, u32)> {
    (label != UNREACHED).then_some((label >> queue::EDGES_BITS, (label & queue::EDGES_MASK) as u32))
}

fn check_size(name: &'static str, found: u32, allowed_max: u32) -> Result<(), PathfinderError> {
    if (1..=allowed_max).contains(&found) { Ok(()) } else { Err(PathfinderError::Size { name, found, allowed_max }) }
}

/// An empty vector with room for `items`, or the error that names what it was for.
fn reserved<T>(items: usize, purpose: &'static str) -> Result<Vec<T>, PathfinderError> {
    let mut room = Vec::new();
    let bytes = (items as u64).saturating_mul(size_of::<T>() as u64);
    room.try_reserve_exact(items).map_err(|_| PathfinderError::Memory { purpose, bytes })?;
    Ok(room)
}

/// A vector of `items` equal values, every page of it written to.
fn filled<T: Clone>(items: usize, value: T, purpose: &'static str) -> Result<Vec<T>, PathfinderError> {
    let mut room = reserved(items, purpose)?;
    room.resize(items, value);
    Ok(room)
}
