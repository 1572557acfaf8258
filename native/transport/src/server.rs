//! The server: binds, accepts, and what the control plane asks of it.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant as Clock};

use lodestone_memory::steer::SOCKETS_MAX;
use lodestone_memory::{CounterId, Counters, Histograms, PagePool, Status};
use quinn_proto::{EndpointConfig, IdleTimeout, ServerConfig, VarInt};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, timeout_at};

use crate::admission::{AddressGate, Doorkeeper, OVERLOADED_INTERVAL_NS};
use crate::answers::AnswerLimits;
use crate::config::{Auth, Certificate, ClientCertificates, TransportConfig, in_range};
use crate::dock::Dock;
use crate::error::TransportError;
use crate::fanout::Outbox;
use crate::limits::{AddressLimits, Addresses, Allowance, SessionLimits};
use crate::pages::Pages;
use crate::plane::{EventSink, Plane, RevisionSource, Told};
use crate::quic::{Congestion, Endpoint, Hub, Seat};
use crate::revocations::{RevocationsFile, RevokeError};
use crate::server_keys::{ServerId, ServerKeys};
use crate::session::{SHUTTING_DOWN_TEXT, SessionInfo, Sessions, close_code, now_unix_ms};
use crate::sink::Batch;
use crate::sockets::{self, SocketIds};
use crate::tls::Identity;
use crate::token::{Gate, Verifier};

/// Streams a client may open before it is welcomed. QUIC keeps about 100 bytes in advance for each that it may open,
/// so a connection that never says HELLO should not be granted all of them.
const STREAMS_AT_START: u32 = 4;
/// What one stream may have sent that the engine has not taken: 200 of the largest moves.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// The same for all streams of a connection together: 32 streams may stand still before they hold up the others.
const CONNECTION_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
/// Answers of a connection that are sent and not yet acknowledged.
const SEND_WINDOW_BYTES: u64 = 1024 * 1024;
/// Datagrams that may wait to be read; QUIC drops the oldest beyond. Also the largest datagram offered to clients.
pub(crate) const DATAGRAM_BUFFER_BYTES: usize = 64 * 1024;
/// First guess of the round trip. The default of QUIC (333 ms) makes one lost handshake packet cost a second.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// What the socket gets at least for the last packets of all connections, also where the sessions took all the time.
const ENDING_WAIT_MIN: Duration = Duration::from_millis(100);

/// What a session may do at once after it was quiet, of what it may do in a second.
const SESSION_BURST: Duration = Duration::from_millis(250);
/// The same for the handshakes of an address: a hall of players behind one address begins together.
const ADDRESS_BURST: Duration = Duration::from_secs(1);
/// Attempts to connect that wait for their turn; further ones get no answer.
const ATTEMPTS_WAITING_MAX: usize = 4096;
/// What may wait with each of them: the rest of a client's first flight.
const ATTEMPT_BYTES_MAX: u64 = 16 * 1024;
/// Least time between two stateless resets: 5,000 a second, each shorter than what caused it, tell 50,000 clients of a
/// restart within their idle time-out, and cost little if somebody provokes them. All sockets together keep to it.
const RESET_INTERVAL: Duration = Duration::from_micros(200);

/// A running QUIC server. Dropping it closes every connection at once; [`Server::shutdown`] does it with a farewell.
pub struct Server {
    /// Of the first loop; what a server has once is the same in all of them.
    plane: Arc<Plane>,
    endpoints: Vec<Endpoint>,
    identity: Identity,
    address: SocketAddr,
    connections_max: u32,
}

impl Server {
    /// Binds and starts accepting; may be called from any thread.
    ///
    /// Each of `loops`, at least one and at most 64, gets a socket of its own on the one address and serves
    /// the connections of that socket alone, so a runtime of one thread is best. Where the system cannot share an
    /// address as it takes, the first one serves all, and a warning says so.
    ///
    /// `ingress` takes the batches (a full channel holds the clients), `revision` is read for WELCOME and must never
    /// wait, `events` is called from the runtime's workers and must never wait either. The server sets the pool's
    /// return hook: one server for each pool.
    ///
    /// # Errors
    /// The port is in use, the certificate cannot be used, or a setting is out of its range.
    #[allow(clippy::too_many_arguments, reason = "each is one of the ends that the runtime joins here")]
    pub fn start(
        config: TransportConfig,
        loops: &[Handle],
        pages: PagePool,
        ingress: mpsc::Sender<Batch>,
        revision: RevisionSource,
        counters: Counters,
        histograms: Histograms,
        events: EventSink,
    ) -> Result<Server, TransportError> {
        config.check()?;
        in_range("sockets", loops.len() as u64, 1, SOCKETS_MAX as u64)?;
        let gate = Gate::new(&config.auth)?;
        let identity = Identity::load(&config.certificate, &config.client_certificates, config.listen.ip(), counters)?;
        let revocations = config.revocations_file.as_deref();
        let revocations = revocations.map(|path| RevocationsFile::open(path, now_unix_ms())).transpose()?;
        let (sockets, address) = sockets::open(config.listen, loops.len(), config.receive_buffer_bytes)?;
        let told = Arc::<Told>::default();
        let pages = Arc::new(Pages::new(pages, counters, Arc::clone(&told.backlog)));
        let hubs: Vec<Hub> = sockets.iter().map(|_| Hub::default()).collect();
        let dock = Arc::new(Dock::new(hubs[0].clone(), ingress.clone(), Arc::clone(&pages), counters));
        let plane = Plane {
            dock: Arc::clone(&dock),
            streams_max: config.streams_max,
            stream_credit: config.stream_credit,
            nodes_max: config.nodes_max,
            hello_wait: Duration::from_millis(config.handshake_timeout_ms),
            started: Clock::now(),
            session_limits: session_limits(&config),
            address_gate: Arc::new(address_gate(&config)),
            handshakes: Arc::default(),
            slow_consumer: Duration::from_millis(config.slow_consumer_ms),
            drain: Duration::from_millis(config.drain_ms),
            handshake_target: Duration::from_millis(config.handshake_target_ms),
            gate: Arc::new(gate),
            answer_limits: AnswerLimits {
                buffer_bytes: config.answer_buffer_bytes,
                routes: Arc::new(Semaphore::new(config.routes_in_flight_max)),
                rollbacks: Arc::default(),
                dock,
            },
            pages,
            ingress,
            revision,
            counters,
            histograms,
            events,
            fanout: config.fanout.clone(),
            sessions: Arc::new(Sessions::new(config.connections_max, revocations)),
            told,
            places: Arc::new(Semaphore::new(config.connections_max as usize)),
            running: Arc::new(Semaphore::new(config.connections_max as usize)),
            stopping: watch::Sender::new(false),
        };
        let endpoints = start_loops(&config, &identity, loops, sockets, address, hubs, &plane)
            .map_err(|source| TransportError::Bind { address, source })?;
        tell_listening(&config, address, endpoints.len(), &identity);
        let connections_max = config.connections_max;
        Ok(Server { plane: Arc::new(plane), endpoints, identity, address, connections_max })
    }

    /// Where it listens, with the port the system chose if 0 was asked for.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// The server's own certificate as DER, as of now.
    pub fn certificate_der(&self) -> Vec<u8> {
        self.identity.leaf_der()
    }

    /// The certificate chain as PEM, leaf first, for clients to trust, as of now; never the key.
    pub fn certificate_pem(&self) -> String {
        self.identity.pem()
    }

    /// Reads certificate, key and the authorities of clients anew and takes up the keys of tokens, all of it or nothing.
    /// Handshakes and HELLOs from here on meet the new ones; tickets given out before resume nothing any more; sessions
    /// that are open stay so. A self-signed certificate stays the same. Waits for files, so no worker should call it.
    ///
    /// # Errors
    /// What [`Server::start`] would refuse; the old identity goes on then, and the counters tell both.
    pub fn reload_identity(
        &self,
        certificate: &Certificate,
        clients: &ClientCertificates,
        auth: &Auth,
    ) -> Result<(), TransportError> {
        let counters = self.plane.counters;
        let _turn = self.identity.turn();
        let read = Verifier::of(auth).and_then(|keys| Ok((keys, self.identity.reload(certificate, clients)?)));
        let (keys, reloaded) = read.inspect_err(|error| {
            counters.add(CounterId::IdentityReloadsRefused, 1);
            tracing::warn!(%error, "certificate and token keys stay as they were");
        })?;
        self.identity.adopt(reloaded);
        self.plane.gate.adopt(keys);
        counters.add(CounterId::IdentityReloads, 1);
        tracing::info!("certificate and token keys were taken up anew");
        Ok(())
    }

    /// SHA-256 of the server's own certificate (DER).
    pub fn fingerprint(&self) -> [u8; 32] {
        self.identity.fingerprint()
    }

    /// The live sessions, by number.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        self.plane.sessions.list()
    }

    /// Where the engine thread puts news for a session.
    ///
    /// # Errors
    /// [`Status::Unauthorized`] when there is none with this number, [`Status::VersionUnsupported`] when its client knows
    /// no updates.
    pub fn outbox(&self, session: u32) -> Result<Arc<Outbox>, Status> {
        let found = self.plane.sessions.outbox(session).ok_or(Status::Unauthorized)?;
        found.ok_or(Status::VersionUnsupported)
    }

    /// Closes a session with a status and a text (at most 1,024 bytes of it are sent); `false` if there is none with
    /// this number. Does not wait for the client.
    pub fn close_session(&self, session: u32, status: Status, text: &str) -> bool {
        self.plane.sessions.close(session, status, text)
    }

    /// Lets the token with this nonce open no more sessions and closes those it opened, with `UNAUTHORIZED`. Waits for the file
    /// of revocations where there is one, so no worker should call it.
    ///
    /// # Errors
    /// [`RevokeError::Full`], with nothing done; [`RevokeError::NotWritten`], with all of it done but for the file.
    pub fn revoke_token(&self, nonce: u64) -> Result<(), RevokeError> {
        tell_revoked(self.plane.sessions.revoke(nonce))
    }

    /// Lets the token of this session open no more sessions and closes all that it opened, with `UNAUTHORIZED`; a session
    /// without a token is closed alone. `None` if there is no such session.
    ///
    /// # Errors
    /// As [`Server::revoke_token`].
    pub fn revoke_session(&self, session: u32) -> Option<Result<(), RevokeError>> {
        self.plane.sessions.revoke_session(session).map(tell_revoked)
    }

    /// Tells every session of a rollback to `revision`, on its first stream. Call it on the engine thread, after the
    /// revision was published and before anything later is decided. Never waits for a client; takes time proportional
    /// to the number of sessions.
    pub fn rolled_back(&self, revision: u64) {
        // Pairs with the load in `StreamAnswers::enter`: whoever answers with the lower revision sees the new number.
        self.plane.answer_limits.rollbacks.fetch_add(1, Ordering::AcqRel);
        self.plane.sessions.rolled_back(revision);
    }

    /// Accepts no more connections, closes every session with `SHUTTING_DOWN`, and waits until all have ended, at most
    /// for `wait_ms`; whatever is left then is closed at once, and 100 ms are left for telling it. Calling it again does no harm.
    pub async fn shutdown(&self, wait_ms: u64) {
        let deadline = Instant::now() + Duration::from_millis(wait_ms);
        // Handshakes that start from here on are refused.
        self.endpoints.iter().for_each(|endpoint| endpoint.set_server_config(None));
        self.plane.stopping.send_replace(true);
        self.plane.sessions.shut_down();
        let all_ended = self.plane.running.acquire_many(self.connections_max);
        if timeout_at(deadline, all_ended).await.is_err() {
            tracing::warn!(left = self.plane.sessions.list().len(), "sessions did not end in time");
        }
        close_all(&self.endpoints);
        let deadline = deadline.max(Instant::now() + ENDING_WAIT_MIN);
        for endpoint in &self.endpoints {
            let _ = timeout_at(deadline, endpoint.finished()).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.plane.stopping.send_replace(true);
        close_all(&self.endpoints);
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

fn close_all(endpoints: &[Endpoint]) {
    for endpoint in endpoints {
        endpoint.close(close_code(Status::ShuttingDown), SHUTTING_DOWN_TEXT.as_bytes());
    }
}

fn tell_revoked(outcome: Result<(), RevokeError>) -> Result<(), RevokeError> {
    match &outcome {
        Ok(()) => tracing::info!("a token was revoked"),
        Err(error) => tracing::warn!(%error, "a token was not revoked as it should be"),
    }
    outcome
}

fn session_limits(config: &TransportConfig) -> SessionLimits {
    let (streams, streams_max) = (config.session_streams_per_second, config.streams_max);
    SessionLimits {
        moves: Allowance::new(config.session_moves_per_second, SESSION_BURST),
        bytes: Allowance::new(config.session_bytes_per_second, SESSION_BURST),
        // A client may always open at once all that it was promised.
        streams: Allowance::with_burst_of(streams, SESSION_BURST, streams_max),
    }
}

fn address_gate(config: &TransportConfig) -> AddressGate {
    let handshakes = Allowance::new(config.address_handshakes_per_second, ADDRESS_BURST);
    let limits = AddressLimits { connections_max: config.address_connections_max, handshakes };
    AddressGate::new(Addresses::new(limits, config.connections_max), config.limit_loopback)
}

fn tell_listening(config: &TransportConfig, address: SocketAddr, sockets: usize, identity: &Identity) {
    let sha256: String = identity.fingerprint().iter().map(|byte| format!("{byte:02x}")).collect();
    match &config.certificate {
        Certificate::SelfSigned => tracing::info!(sha256, "certificate made"),
        Certificate::Pem { certificate_file, .. } => {
            tracing::info!(sha256, file = %certificate_file.display(), "certificate loaded");
        }
    }
    let keys = match &config.auth {
        Auth::None => 0,
        Auth::Tokens(keys) => keys.len(),
    };
    let connections_max = config.connections_max;
    tracing::info!(%address, sockets, token_keys = keys, connections_max, "listening");
    if keys == 0 && !address.ip().is_loopback() {
        tracing::warn!(%address, "anybody who reaches this address may move any node: transport.auth is none");
    }
}

/// A loop for each socket, each with its side of the channel.
fn start_loops(
    config: &TransportConfig,
    identity: &Identity,
    loops: &[Handle],
    sockets: Vec<UdpSocket>,
    address: SocketAddr,
    hubs: Vec<Hub>,
    plane: &Plane,
) -> std::io::Result<Vec<Endpoint>> {
    let keys = ServerKeys::of(&config.certificate, &ServerId::new(&config.server_id, address));
    // Made once, so that every socket takes the tokens that another one gave out.
    let count = sockets.len();
    let server = server_config(config, identity, keys.as_ref(), count);
    let mut endpoints = Vec::with_capacity(count);
    for (number, (socket, runtime)) in sockets.into_iter().zip(loops).enumerate() {
        let plane = if number == 0 { plane.clone() } else { plane.with_dock(hubs[number].clone()) };
        let doorkeeper = Doorkeeper {
            plane: Arc::new(plane),
            runtime: runtime.clone(),
            retry_handshakes: config.retry_handshakes.into(),
            handshakes_max: config.handshakes_max.into(),
            overloaded_next_ns: 0,
            overloaded_interval_ns: OVERLOADED_INTERVAL_NS * count as u64,
            noted: Vec::new(),
            buffer: Vec::new(),
        };
        let _entered = runtime.enter();
        let seat = Seat { number, hubs: hubs.clone() };
        let quic = endpoint_config(keys.as_ref(), number, count);
        match Endpoint::start(quic, server.clone(), socket, seat, doorkeeper) {
            Ok(endpoint) => endpoints.push(endpoint),
            Err(error) => {
                // Those before it accept already.
                close_all(&endpoints);
                return Err(error);
            }
        }
    }
    Ok(endpoints)
}

/// What connections are accepted with; all of `sockets` together keep to the bounds of attempts.
fn server_config(
    config: &TransportConfig,
    identity: &Identity,
    keys: Option<&ServerKeys>,
    sockets: usize,
) -> ServerConfig {
    let attempts_max = ATTEMPTS_WAITING_MAX.div_ceil(sockets);
    let mut server = ServerConfig::with_crypto(Arc::clone(&identity.crypto) as _);
    if let Some(keys) = keys {
        server.token_key(Arc::clone(&keys.retry));
    }
    server
        .transport_config(Arc::new(quic_config(config)))
        .migration(config.migration)
        .max_incoming(attempts_max)
        .incoming_buffer_size(ATTEMPT_BYTES_MAX)
        .incoming_buffer_size_total(ATTEMPT_BYTES_MAX * attempts_max as u64 / 4);
    server
}

/// With certificate files a server that was restarted still knows its connection ids, and tells clients of its
/// predecessor at once that their connections are gone; with a certificate made at start they find out by their idle
/// time-out. Each socket gives out ids that lead to itself.
fn endpoint_config(keys: Option<&ServerKeys>, socket: usize, sockets: usize) -> EndpointConfig {
    let ids = keys.map(|keys| keys.connection_ids.clone());
    let mut endpoint = match keys {
        Some(keys) => EndpointConfig::new(Arc::clone(&keys.reset)),
        None => EndpointConfig::default(),
    };
    endpoint.cid_generator(move || Box::new(SocketIds::new(ids.clone(), socket, sockets)));
    endpoint.min_reset_interval(RESET_INTERVAL * sockets as u32);
    endpoint
}

fn quic_config(config: &TransportConfig) -> quinn_proto::TransportConfig {
    let idle_ms = u32::try_from(config.idle_timeout_ms).unwrap_or(u32::MAX);
    let mut quic = quinn_proto::TransportConfig::default();
    quic.max_concurrent_bidi_streams(STREAMS_AT_START.into())
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(idle_ms))))
        .stream_receive_window(STREAM_WINDOW_BYTES.into())
        .receive_window(CONNECTION_WINDOW_BYTES.into())
        .send_window(SEND_WINDOW_BYTES)
        .datagram_receive_buffer_size(Some(DATAGRAM_BUFFER_BYTES))
        .datagram_send_buffer_size(DATAGRAM_BUFFER_BYTES)
        .initial_rtt(INITIAL_RTT)
        .congestion_controller_factory(Arc::new(Congestion::default()))
        // Answers are small, and the probes for larger packets cost a fifth of a handshake's time (measured).
        .mtu_discovery_config(None);
    quic
}
