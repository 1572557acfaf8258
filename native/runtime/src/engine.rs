//! An open engine: its threads, and the calls that any thread may make on it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lodestone_core::pathfinder::{Pathfinder, PathfinderConfig, Route, WatchConfig};
use lodestone_core::{RollbackReport, State, StateConfig};
use lodestone_memory::header::{EngineState, Header};
use lodestone_memory::log::{LogLimit, LogRing};
use lodestone_memory::rings::Bridge;
use lodestone_memory::watched::WatchReader;
use lodestone_memory::{CounterId, Counters, PagePool, Region, RegionOptions, Status};
use lodestone_transport::{Fanout, Server, SessionEvent, TransportConfig};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::bridge::Commands;
use crate::calls::AwaitedCalls;
use crate::clock::now_unix_ms;
use crate::config::{Config, IdleStrategy, PathfinderPlace};
use crate::control::{CONTROL_QUEUE_MAX, Control, HashReport, Reply};
use crate::error::EngineError;
use crate::feed::{Feed, Way, ring};
use crate::finder::{AfterRollback, Finder};
use crate::interest::{Interest, make_fanout};
use crate::local::{LocalDecision, LocalDoor, LocalMove};
use crate::log::{Logs, tell_opened};
use crate::loops::Loops;
use crate::pathfinder_thread::{Intake, PathfinderThread};
use crate::threads::{check_cores, random_salt, spawn};
use crate::watching::Watching;
use crate::writer::{Watch, Writer};

/// Longest wait of a control call. A rollback or a check of a whole 47-million-edge state takes a second or two.
pub(crate) const CONTROL_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest wait for sessions to take their last frames at close.
const SHUTDOWN_TIMEOUT_MS: u64 = 2_000;

/// Longest wait for the text of a failure that just happened.
const POISON_WAIT_MS: u32 = 10_000;

/// Routes of local threads that may wait beside those of streams.
const LOCAL_ROUTES_MAX: usize = 256;

/// What an open engine is.
#[derive(Clone, Debug)]
pub struct Description {
    /// First address of the shared region.
    pub region_address: u64,
    /// Bytes of the shared region.
    pub region_bytes: u64,
    /// The region's file; `None` for anonymous memory.
    pub region_path: Option<PathBuf>,
    /// The region's generation while the engine is open.
    pub generation: u64,
    /// Nodes: ids are below this.
    pub nodes_max: u32,
    /// Slots.
    pub slots_max: u32,
    /// Address that takes QUIC connections.
    pub address: SocketAddr,
    /// SHA-256 of the certificate (DER) at the opening; see [`Engine::certificate`].
    pub fingerprint: [u8; 32],
    /// The certificate at the opening.
    pub certificate_pem: String,
}

/// An open engine. All calls may be made from any thread; after [`Engine::close`] they fail with
/// [`EngineError::Closed`].
pub struct Engine {
    description: Description,
    header: Header,
    counters: Counters,
    watches: WatchReader,
    bridge: Bridge,
    logs: Logs,
    failed_loads: LogLimit,
    edges_max: u32,
    rollback_sla: Duration,
    control: mpsc::Sender<Control>,
    door: LocalDoor,
    server: Arc<OnceLock<Server>>,
    parts: Mutex<Option<Parts>>,
    closed: AtomicBool,
}

/// What close takes apart, in this order.
struct Parts {
    loops: Loops,
    writer: JoinHandle<()>,
    pathfinder: Option<JoinHandle<()>>,
    routes_ending: Arc<AtomicBool>,
    region: Region,
}

/// Threads that were started, so that a failed start can end them.
struct Threads {
    writer: JoinHandle<()>,
    /// `None` where the engine thread finds the routes.
    pathfinder: Option<JoinHandle<()>>,
    /// Says that nobody waits for routes any more.
    routes_ending: Arc<AtomicBool>,
}

impl Engine {
    /// Opens an engine: see [`Config::parse`] for the text. Returns once moves are taken.
    ///
    /// # Errors
    /// See [`EngineError`]; nothing is left running then.
    pub fn open(config: &str, abi_fingerprint: u64) -> Result<Engine, EngineError> {
        let config = Config::parse(config)?;
        check_cores(&config)?;
        let region = Region::create(&RegionOptions {
            place: config.region_place.clone(),
            nodes_max: config.nodes_max,
            slots_max: config.slots_max,
            watches_max: config.watches_max,
            bridge: config.bridge,
            log_bytes: config.log_bytes,
            touch: config.preallocate,
            abi_fingerprint,
            start_unix_ms: now_unix_ms(),
        })?;
        let logs = Logs::new(&region, config.log_level);
        logs.within(|| Engine::start(&config, region, &logs))
    }

    fn start(config: &Config, mut region: Region, logs: &Logs) -> Result<Engine, EngineError> {
        let (ingress_sender, ingress) = mpsc::channel(config.channel_batches);
        let (control, control_receiver) = mpsc::channel(CONTROL_QUEUE_MAX);
        let door =
            LocalDoor::new(ingress_sender.clone(), config.preallocate).ok_or_else(|| no_memory("local pages"))?;
        let server = Arc::new(OnceLock::new());
        let fanout = make_fanout(config, &region)?;
        let threads = start_threads(config, &mut region, logs, ingress, control_receiver, &server, &fanout)?;
        let started = start_server(config, &region, logs, ingress_sender, &control, fanout);
        let (loops, listening) = match started {
            Ok(started) => started,
            Err(error) => {
                let _ = control.try_send(Control::Stop);
                threads.end();
                return Err(error);
            }
        };
        region.header().set_state(EngineState::Running);
        let description = describe(config, &region, &listening);
        tell_opened(config, &description);
        let (header, counters, watches) = (region.header(), region.counters(), region.watch_reader());
        let bridge = region.bridge();
        let _ = server.set(listening);
        let Threads { writer, pathfinder, routes_ending } = threads;
        Ok(Engine {
            description,
            header,
            counters,
            watches,
            bridge,
            logs: logs.clone(),
            failed_loads: LogLimit::default(),
            edges_max: config.edges_max,
            rollback_sla: Duration::from_millis(config.rollback_sla_ms),
            control,
            door,
            server,
            parts: Mutex::new(Some(Parts { loops, writer, pathfinder, routes_ending, region })),
            closed: AtomicBool::new(false),
        })
    }

    /// What this engine is.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The engine's counters, those that the shared region shows.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The bridge, for producers of this process; after close it reads as empty.
    pub fn bridge(&self) -> Bridge {
        self.bridge
    }

    /// The log ring: what the engine's threads had to say. Who reads it may tell it so ([`LogRing::tell_taken`]), and is then
    /// waited for at close, for half a second at most.
    pub fn log(&self) -> LogRing {
        self.logs.ring()
    }

    /// How often loads that failed may be told.
    pub(crate) fn failed_loads(&self) -> &LogLimit {
        &self.failed_loads
    }

    pub(crate) fn logs(&self) -> &Logs {
        &self.logs
    }

    /// A reader of the watches; after close it finds them free.
    pub fn watches(&self) -> WatchReader {
        self.watches
    }

    pub(crate) fn edges_max(&self) -> u32 {
        self.edges_max
    }

    /// The revision published last.
    pub fn revision(&self) -> u64 {
        self.header.revision()
    }

    /// Why the engine failed; `None` while it has not. The state is frozen then and stays readable.
    pub fn poison_text(&self) -> Option<String> {
        self.header.poison_text()
    }

    /// Submits moves in their order for the tenant and waits until all are decided.
    ///
    /// # Errors
    /// [`EngineError::Closed`] or [`EngineError::Poisoned`]: what was not decided by then was not applied.
    pub fn submit(&self, moves: &[LocalMove<'_>], tenant: u32) -> Result<Vec<LocalDecision>, EngineError> {
        self.check_open()?;
        self.door.submit(moves, tenant).map_err(|error| self.explain(error))
    }

    /// Takes the state back; also tells how long that took and whether it was within `rollback.sla_ms`.
    ///
    /// # Errors
    /// [`Status::OutOfWindow`] as [`EngineError::Refused`]: nothing changed.
    pub fn rollback(&self, revision: u64) -> Result<(RollbackReport, Duration, bool), EngineError> {
        let result = self.call(|reply| Control::Rollback { revision, reply })?;
        let (report, elapsed) = result.map_err(EngineError::Refused)?;
        Ok((report, elapsed, elapsed <= self.rollback_sla))
    }

    /// The state hash recorded with a revision, or the current one.
    ///
    /// # Errors
    /// [`Status::OutOfWindow`] as [`EngineError::Refused`].
    pub fn hash(&self, revision: Option<u64>) -> Result<HashReport, EngineError> {
        self.call(|reply| Control::Hash { revision, reply })?.map_err(EngineError::Refused)
    }

    /// The state hash computed anew from the whole state.
    ///
    /// # Errors
    /// Only those of every call.
    pub fn verify_hash(&self) -> Result<HashReport, EngineError> {
        self.call(|reply| Control::Verify { reply })
    }

    /// The newest revision in the window that is at least `age_ms` old; the oldest in the window if none is.
    ///
    /// # Errors
    /// Only those of every call.
    pub fn revision_before(&self, age_ms: u64) -> Result<u64, EngineError> {
        let unix_ms = now_unix_ms().saturating_sub(age_ms);
        self.call(|reply| Control::RevisionAt { unix_ms, reply })
    }

    /// Closes: no new connections, sessions told, everything accepted decided, threads ended, memory given back. A
    /// second call waits for the first and does nothing.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let mut parts = self.lock_parts();
        if let Some(parts) = parts.take() {
            self.logs.within(|| self.take_apart(parts));
        }
    }

    fn take_apart(&self, parts: Parts) {
        let Parts { loops, writer, pathfinder, routes_ending, region } = parts;
        tracing::info!(revision = self.header.revision(), "closing");
        if region.header().state() != Some(EngineState::Poisoned) {
            region.header().set_state(EngineState::Closing);
        }
        if let Some(server) = self.server.get() {
            loops.first().block_on(server.shutdown(SHUTDOWN_TIMEOUT_MS));
        }
        loops.end();
        // No stream is left; a thread that still waits for a route is told that the engine is closed.
        routes_ending.store(true, Ordering::Relaxed);
        // A poisoned engine's thread is gone, and its queue with it.
        let _ = self.control.blocking_send(Control::Stop);
        Threads { writer, pathfinder, routes_ending }.end();
        tracing::info!(revision = self.header.revision(), "closed");
        self.logs.wait_until_taken();
        drop(region);
        lodestone_memory::give_back();
    }

    /// The server; none while the engine is being opened.
    pub(crate) fn server(&self) -> Option<&Server> {
        self.server.get()
    }

    fn lock_parts(&self) -> MutexGuard<'_, Option<Parts>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn check_open(&self) -> Result<(), EngineError> {
        if self.closed.load(Ordering::Acquire) { Err(EngineError::Closed) } else { Ok(()) }
    }

    /// The engine thread is gone: because of a failure, or because the engine is closed.
    pub(crate) fn explain(&self, error: EngineError) -> EngineError {
        if error != EngineError::Closed {
            return error;
        }
        // A failing thread lets go of its queues a moment before it writes down why.
        for _ in 0..POISON_WAIT_MS {
            if let Some(text) = self.header.poison_text() {
                return EngineError::Poisoned(text);
            }
            if self.closed.load(Ordering::Acquire) {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        error
    }

    /// Sends a call to the engine thread; waits while its queue is full.
    pub(crate) fn send(&self, control: Control) -> Result<(), EngineError> {
        self.check_open()?;
        self.control.blocking_send(control).map_err(|_| self.explain(EngineError::Closed))
    }

    /// Sends a call to the engine thread, unless its queue is full.
    ///
    /// # Errors
    /// [`Status::Overloaded`] as [`EngineError::Refused`] when it is.
    pub(crate) fn try_send(&self, control: Control) -> Result<(), EngineError> {
        self.check_open()?;
        self.control.try_send(control).map_err(|error| match error {
            TrySendError::Full(_) => EngineError::Refused(Status::Overloaded),
            TrySendError::Closed(_) => self.explain(EngineError::Closed),
        })
    }

    pub(crate) fn call<T>(&self, control: impl FnOnce(Reply<T>) -> Control) -> Result<T, EngineError> {
        let (reply, answer): (SyncSender<T>, _) = sync_channel(1);
        self.send(control(reply))?;
        self.receive(&answer)
    }

    /// Waits for the answer to a call that was sent.
    pub(crate) fn receive<T>(&self, answer: &Receiver<T>) -> Result<T, EngineError> {
        answer.recv_timeout(CONTROL_TIMEOUT).map_err(|error| match error {
            RecvTimeoutError::Disconnected => self.explain(EngineError::Closed),
            RecvTimeoutError::Timeout => EngineError::Timeout(format!(
                "the engine did not answer within {} s; it is busy or stuck",
                CONTROL_TIMEOUT.as_secs()
            )),
        })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

impl Threads {
    /// Waits for the engine thread, which has been told to stop, then for the pathfinder, which ends when the engine's end
    /// of its queue is gone.
    fn end(self) {
        self.routes_ending.store(true, Ordering::Relaxed);
        // Both threads catch their panics and end by returning.
        let _ = self.writer.join();
        if let Some(pathfinder) = self.pathfinder {
            pathfinder.thread().unpark();
            let _ = pathfinder.join();
        }
    }
}

fn no_memory(what: &str) -> EngineError {
    EngineError::Memory(format!("not enough memory for {what}; lower what sizes it in the configuration"))
}

fn memory(error: impl std::fmt::Display) -> EngineError {
    EngineError::Memory(error.to_string())
}

fn start_threads(
    config: &Config,
    region: &mut Region,
    logs: &Logs,
    ingress: mpsc::Receiver<lodestone_transport::Batch>,
    control: mpsc::Receiver<Control>,
    server: &Arc<OnceLock<Server>>,
    fanout: &Fanout,
) -> Result<Threads, EngineError> {
    let ends = region.take_engine_ends();
    let (header, counters, histograms) = (region.header(), region.counters(), region.histograms());
    let state_config = StateConfig {
        edges_max: config.edges_max,
        window_bytes: config.window_bytes,
        tenants: config.tenants.clone(),
        start_unix_ms: now_unix_ms(),
        index_salt: random_salt(),
    };
    let state = State::new(&state_config, ends.nodes, ends.slots).map_err(memory)?;
    let routes_ending = Arc::new(AtomicBool::new(false));
    let (feed, pathfinder) = start_pathfinder(config, region, logs, &routes_ending)?;
    header.publish(&state.to_commit());
    let commands = Commands::new(
        region.take_bridge_end(),
        counters,
        config.preallocate,
        config.idle_strategy == IdleStrategy::Park,
    );
    let mut writer = Writer {
        state,
        events: ends.events,
        header,
        counters,
        histograms,
        ingress,
        control,
        feed,
        interest: Interest::open(config, region, fanout, random_salt())?,
        commands: commands.ok_or_else(|| no_memory("the pages of commands"))?,
        awaited: AwaitedCalls::default(),
        bell: region.bridge().bell(),
        server: Arc::clone(server),
        idle_strategy: config.idle_strategy,
        fragmentation_threshold: config.fragmentation_threshold,
        rollback_sla: Duration::from_millis(config.rollback_sla_ms),
        rollback_verify: config.rollback_verify,
        panic_at_revision: config.panic_at_revision,
        watch: Watch::default(),
    };
    let core = config.pin_cores.first().copied();
    let writer = spawn(&config.thread_name, "eng", header, logs, core, move || writer.run())?;
    Ok(Threads { writer, pathfinder, routes_ending })
}

/// The second copy of the graph, and its thread unless the engine thread is to find the routes.
fn start_pathfinder(
    config: &Config,
    region: &mut Region,
    logs: &Logs,
    routes_ending: &Arc<AtomicBool>,
) -> Result<(Feed, Option<JoinHandle<()>>), EngineError> {
    let counters = region.counters();
    let after_rollback = AfterRollback::default();
    let pathfinder_config = PathfinderConfig {
        nodes_max: config.nodes_max,
        edges_max: config.edges_max,
        budget: config.route_budget,
        index_salt: random_salt(),
        preallocate: config.preallocate,
    };
    let mut pathfinder = Pathfinder::new(&pathfinder_config).map_err(memory)?;
    let watching = WatchConfig { budget: config.watch_budget, preallocate: config.preallocate };
    pathfinder.keep_watched(region.take_watch_table(), &watching).map_err(memory)?;
    let finder = Finder {
        pathfinder,
        watching: Watching::new(config.watches_max, config.nodes_max, counters),
        route: Route::with_capacity(config.nodes_max as usize).map_err(memory)?,
        nodes_max: config.nodes_max,
        counters,
        histograms: region.histograms(),
        after_rollback: Arc::clone(&after_rollback),
        ending: Arc::clone(routes_ending),
    };
    if config.pathfinder_place == PathfinderPlace::Inline {
        return Ok((Feed::new(Way::Inline(Box::new(finder)), after_rollback, counters), None));
    }
    let (changes_sender, changes) = ring(config.window_bytes, config.preallocate)
        .ok_or_else(|| no_memory("the changes on their way to the pathfinder (rollback.window_mib)"))?;
    let (routes_sender, routes) = sync_channel(config.route_queue + LOCAL_ROUTES_MAX);
    let mut thread = PathfinderThread { finder, intake: Intake { changes, applied: 0 }, routes };
    let core = config.pin_cores.get(1).copied();
    let started = spawn(&config.thread_name, "paths", region.header(), logs, core, move || thread.run())?;
    let way = Way::Thread { changes: changes_sender, routes: routes_sender, pathfinder: started.thread().clone() };
    Ok((Feed::new(way, after_rollback, counters), Some(started)))
}

fn start_server(
    config: &Config,
    region: &Region,
    logs: &Logs,
    ingress: mpsc::Sender<lodestone_transport::Batch>,
    control: &mpsc::Sender<Control>,
    fanout: Fanout,
) -> Result<(Loops, Server), EngineError> {
    let loops = Loops::start(config, region.header(), logs)?;
    let pages = PagePool::new(config.bump_bytes, config.preallocate)
        .ok_or_else(|| no_memory("the bump arena (arena.bump_mib)"))?;
    let transport = TransportConfig {
        listen: config.listen,
        certificate: config.certificate.clone(),
        client_certificates: config.client_certificates.clone(),
        auth: config.auth.clone(),
        streams_max: config.streams_max,
        slow_consumer_ms: config.slow_consumer_ms,
        answer_buffer_bytes: config.answer_buffer_bytes,
        routes_in_flight_max: config.route_queue,
        connections_max: config.connections_max,
        nodes_max: config.nodes_max,
        handshake_target_ms: config.handshake_target_ms,
        fanout: Some(fanout),
        ..config.transport.clone()
    };
    let (header, counters, histograms) = (region.header(), region.counters(), region.histograms());
    let control = control.clone();
    let events = Arc::new(move |event: SessionEvent| {
        if control.try_send(Control::Session(event)).is_err() {
            counters.add(CounterId::EventsDropped, 1);
        }
    });
    let revision = Arc::new(move || header.revision());
    let server = Server::start(transport, loops.handles(), pages, ingress, revision, counters, histograms, events)?;
    Ok((loops, server))
}

fn describe(config: &Config, region: &Region, server: &Server) -> Description {
    Description {
        region_address: region.address(),
        region_bytes: region.bytes() as u64,
        region_path: region.path().map(PathBuf::from),
        generation: region.header().generation(),
        nodes_max: config.nodes_max,
        slots_max: config.slots_max,
        address: server.local_address(),
        fingerprint: server.fingerprint(),
        certificate_pem: server.certificate_pem(),
    }
}
