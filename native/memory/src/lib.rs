//! Byte layouts, slot arena, bump pages, bridge, event ring, log ring, watched distances and the shared region of Lodestone.
//!
//! This crate owns every byte that Rust and Java both see, and it is the only crate below the C edge that may use
//! `unsafe`. It knows neither the network nor a clock nor a thread: whoever calls it brings the time along.
//! `docs/shared-memory.md` is the page that tells where each byte lies; the constants here are its source.

// A build for models holds the modelled parts and their models alone.
#![cfg_attr(all(loom, test), allow(dead_code, unused_imports))]

pub mod counters;
pub mod edge_line;
pub mod events;
pub mod header;
pub mod histogram;
pub mod huge;
pub mod layout;
pub mod log;
pub mod nodes;
pub mod outbox;
pub mod page;
#[cfg(not(all(loom, test)))]
pub mod region;
pub mod rings;
pub mod simd;
pub mod slots;
pub mod status;
pub mod steer;
pub mod watched;

mod heap;
mod mapping;
mod sync;

pub use counters::{CounterId, Counters};
pub use heap::give_back;
pub use histogram::{HistogramId, Histograms};
pub use page::{PAGE_RECORDS_MAX, Page, PageFull, PagePool, Record, RecordHead, RecordKind};
#[cfg(not(all(loom, test)))]
pub use region::{Region, RegionError, RegionOptions, RegionPlace};
pub use status::Status;
pub use watched::{WatchState, WatchTable};
