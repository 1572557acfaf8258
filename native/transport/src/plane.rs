//! What every connection of a loop shares; most of it every connection of a server.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use lodestone_memory::log::LogLimit;
use lodestone_memory::{Counters, Histograms};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::admission::AddressGate;
use crate::answers::AnswerLimits;
use crate::config::StreamCredit;
use crate::dock::Dock;
use crate::fanout::Fanout;
use crate::limits::SessionLimits;
use crate::overload::Overload;
use crate::pages::Pages;
use crate::quic::Hub;
use crate::session::Sessions;
use crate::sink::{Batch, SessionEvent};
use crate::token::Gate;

/// Tells the present revision; read for WELCOME.
pub(crate) type RevisionSource = Arc<dyn Fn() -> u64 + Send + Sync>;
/// Takes what happens to sessions.
pub(crate) type EventSink = Arc<dyn Fn(SessionEvent) + Send + Sync>;

/// How often what clients cause may be told, a limit each; and what is told when it begins and ends.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) handshakes: LogLimit,
    pub(crate) refused: LogLimit,
    pub(crate) turned_away: LogLimit,
    pub(crate) faults: LogLimit,
    pub(crate) slow: LogLimit,
    /// Attempts to connect that had to wait.
    pub(crate) newcomers: Overload,
    /// The engine falls behind.
    pub(crate) backlog: Arc<Overload>,
}

/// Settings and handles shared by all connections of one loop. What is behind an `Arc` is shared by the whole server, so
/// limits hold for all of its sockets together.
#[derive(Clone)]
pub(crate) struct Plane {
    /// The loop's way to the engine and back.
    pub(crate) dock: Arc<Dock>,
    pub(crate) streams_max: u32,
    pub(crate) stream_credit: StreamCredit,
    pub(crate) nodes_max: u32,
    /// How long a connection may take until its HELLO is there.
    pub(crate) hello_wait: Duration,
    /// Zero of the clock that rates are reckoned with.
    pub(crate) started: Instant,
    /// What one session may send.
    pub(crate) session_limits: SessionLimits,
    /// Limits of addresses.
    pub(crate) address_gate: Arc<AddressGate>,
    /// Handshakes under way: from the first packet to WELCOME or its refusal.
    pub(crate) handshakes: Arc<AtomicU64>,
    pub(crate) slow_consumer: Duration,
    pub(crate) drain: Duration,
    pub(crate) handshake_target: Duration,
    pub(crate) gate: Arc<Gate>,
    pub(crate) answer_limits: AnswerLimits,
    pub(crate) pages: Arc<Pages>,
    pub(crate) ingress: mpsc::Sender<Batch>,
    pub(crate) revision: RevisionSource,
    pub(crate) counters: Counters,
    pub(crate) histograms: Histograms,
    pub(crate) events: EventSink,
    pub(crate) fanout: Option<Fanout>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) told: Arc<Told>,
    /// One place for each connection that is allowed.
    pub(crate) places: Arc<Semaphore>,
    /// As many, for connections whose tasks have not ended.
    pub(crate) running: Arc<Semaphore>,
    /// Becomes true when the server ends.
    pub(crate) stopping: watch::Sender<bool>,
}

impl Plane {
    /// The same server for the connections of another loop.
    pub(crate) fn with_dock(&self, hub: Hub) -> Plane {
        let dock = Arc::new(Dock::new(hub, self.ingress.clone(), Arc::clone(&self.pages), self.counters));
        let answer_limits = AnswerLimits { dock: Arc::clone(&dock), ..self.answer_limits.clone() };
        Plane { dock, answer_limits, ..self.clone() }
    }

    /// Nanoseconds since the server started: the clock of all rates.
    pub(crate) fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Completes when the server ends.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }
}
