//! Rare calls: how a thread asks the engine thread for something and waits for the answer.
//!
//! They go through a bounded queue of their own and share no lock with the packet path.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use lodestone_core::{EdgeChange, PutError, RollbackReport, StateHash};
use lodestone_memory::Status;
use lodestone_transport::SessionEvent;

use crate::routes::LocalRoutes;
use crate::watching::WatchRequest;

/// Calls under way at once; a further one waits.
pub(crate) const CONTROL_QUEUE_MAX: usize = 1_024;

/// A state hash with the revision that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashReport {
    /// The revision.
    pub revision: u64,
    /// Its hash.
    pub hash: StateHash,
}

/// Where the one answer to a call goes.
pub(crate) type Reply<T> = SyncSender<T>;

/// Arcs of a bulk load: the buffer goes to the engine and comes back, so that a load takes memory once.
pub(crate) struct PutAnswer {
    pub(crate) arcs: Vec<EdgeChange>,
    pub(crate) result: Result<u64, PutError>,
    pub(crate) edges: u64,
}

/// What can be asked.
pub(crate) enum Control {
    Rollback {
        revision: u64,
        reply: Reply<Result<(RollbackReport, Duration), Status>>,
    },
    Hash {
        revision: Option<u64>,
        reply: Reply<Result<HashReport, Status>>,
    },
    Verify {
        reply: Reply<HashReport>,
    },
    RevisionAt {
        unix_ms: u64,
        reply: Reply<u64>,
    },
    /// `failed` is shared by all parts of one load: after one that was refused nothing more of it is set.
    Put {
        arcs: Vec<EdgeChange>,
        failed: Arc<AtomicBool>,
        reply: Reply<PutAnswer>,
    },
    Routes(LocalRoutes),
    Watch(WatchRequest),
    Session(SessionEvent),
    Stop,
}
