//! The deterministic state engine of Lodestone: moves in, revisions out.
//!
//! Pure: it is given records and a time, changes the state, and returns outcomes. It opens no socket, reads no clock,
//! starts no thread, and takes no memory after it was made. The same records in the same batches give the same
//! revisions and the same state hash on every machine; in other batches they give the same hash.
//!
//! [`State`] is the whole of it: slots with their nodes, the edges, the undo ring and the rollback window.
//! [`pathfinder::Pathfinder`] answers routes on a copy of the edges that it is fed with [`State::changes`].
#![forbid(unsafe_code)]

pub mod edges;
pub mod hash;
pub mod pathfinder;
pub mod tenants;

mod packet;
mod prefetch;
mod restores;
mod revisions;
mod rollback;
mod state;
mod undo;

pub use edges::EdgeChange;
pub use hash::StateHash;
pub use packet::weight_of;
pub use state::{Outcome, PutError, RollbackReport, State, StateConfig, StateError, StateWith, Step};
pub use tenants::TenantQuota;

/// Most MOVEs and RELEASEs that one revision takes in.
pub const BATCH_RECORDS_MAX: usize = 128;

/// Most arcs that one revision of a bulk load takes in. Large enough that a revision's fixed cost vanishes, small
/// enough (about 0.1 ms) that moves hardly wait behind it.
pub const PUT_ARCS_MAX: usize = 1_024;
