//! What every connection of a server shares.

use std::sync::Arc;
use std::time::Duration;

use lodestone_memory::log::LogLimit;
use lodestone_memory::{Counters, Histograms};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::answers::AnswerLimits;
use crate::fanout::Fanout;
use crate::pages::Pages;
use crate::session::Sessions;
use crate::sink::{Batch, SessionEvent};
use crate::token::Gate;

/// Tells the present revision; read for WELCOME.
pub(crate) type RevisionSource = Arc<dyn Fn() -> u64 + Send + Sync>;
/// Takes what happens to sessions.
pub(crate) type EventSink = Arc<dyn Fn(SessionEvent) + Send + Sync>;

/// How often what clients cause may be told, a limit each.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) handshakes: LogLimit,
    pub(crate) refused: LogLimit,
    pub(crate) turned_away: LogLimit,
    pub(crate) faults: LogLimit,
    pub(crate) slow: LogLimit,
}

/// Settings and handles shared by all connections of one server.
pub(crate) struct Plane {
    pub(crate) streams_max: u32,
    pub(crate) nodes_max: u32,
    /// How long a connection may take until its HELLO is there.
    pub(crate) hello_wait: Duration,
    pub(crate) slow_consumer: Duration,
    pub(crate) handshake_target: Duration,
    pub(crate) gate: Gate,
    pub(crate) answer_limits: AnswerLimits,
    pub(crate) pages: Pages,
    pub(crate) ingress: mpsc::Sender<Batch>,
    pub(crate) revision: RevisionSource,
    pub(crate) counters: Counters,
    pub(crate) histograms: Histograms,
    pub(crate) events: EventSink,
    pub(crate) fanout: Option<Fanout>,
    pub(crate) sessions: Sessions,
    pub(crate) told: Told,
    /// One place for each connection that is allowed.
    pub(crate) places: Arc<Semaphore>,
    /// Becomes true when the server ends.
    pub(crate) stopping: watch::Sender<bool>,
}

impl Plane {
    /// Completes when the server ends.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }
}
