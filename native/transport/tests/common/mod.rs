//! A test's own engine and a raw client that can also speak nonsense.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of this")]

pub mod half_open;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use lodestone_memory::{Counters, Histograms, PagePool, RecordKind, Status};
use lodestone_transport::{
    AnswerSink, Batch, Decision, PathAnswer, Server, SessionEvent, TransportConfig, TransportError,
};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

pub const HELLO: u8 = 0x01;
pub const WELCOME: u8 = 0x02;
pub const MOVE: u8 = 0x10;
pub const ACK: u8 = 0x11;
pub const REJECT: u8 = 0x12;
pub const RELEASE: u8 = 0x18;
pub const ROUTE: u8 = 0x20;
pub const PATH: u8 = 0x21;
pub const READ: u8 = 0x28;
pub const STATE: u8 = 0x29;
pub const SUBSCRIBE: u8 = 0x30;
pub const SUBSCRIBED: u8 = 0x31;
pub const UNSUBSCRIBE: u8 = 0x32;
pub const UPDATE: u8 = 0x38;
pub const LATEST: u8 = 0x39;
pub const SUBSCRIBE_LATEST: u8 = 0x3a;
pub const CLOSE: u8 = 0x7e;
pub const ACK_EACH: u8 = 1;

/// Nodes of the test's engine; WELCOME says the same.
pub const NODES_MAX: u32 = 1000;

/// Nothing here takes long on a machine of its own; what still does on one that is shared is a hang.
const WATCHDOG: Duration = Duration::from_secs(180);

pub async fn watched<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(WATCHDOG, work).await {
        Ok(done) => done,
        Err(_) => panic!("hangs: {what}"),
    }
}

/// One record as the engine saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub kind: RecordKind,
    pub counter: u64,
    pub node: u32,
    pub tenant: u32,
    pub status: Status,
}

#[derive(Default)]
struct EngineState {
    revision: u64,
    rollbacks: u64,
    slots: BTreeMap<u32, [u8; 256]>,
    seen: Vec<Seen>,
    hold_routes: bool,
    held_routes: Vec<(Arc<dyn AnswerSink>, u64, u32, u32)>,
    /// Answered like this by the engine instead of what it would find.
    answer_with: Option<Status>,
}

/// A plain engine: slots in a map, one revision for each batch that changed something.
#[derive(Clone)]
pub struct Engine {
    state: Arc<Mutex<EngineState>>,
    revision: Arc<AtomicU64>,
    paused: Arc<(Mutex<bool>, Condvar)>,
}

impl Engine {
    fn start(mut batches: mpsc::Receiver<Batch>, paused: bool) -> Engine {
        let engine = Engine {
            state: Arc::default(),
            revision: Arc::default(),
            paused: Arc::new((Mutex::new(paused), Condvar::new())),
        };
        let running = engine.clone();
        std::thread::spawn(move || {
            loop {
                running.wait_while_paused();
                let Some(batch) = batches.blocking_recv() else { return };
                running.wait_while_paused();
                running.step(&batch);
            }
        });
        engine
    }

    fn wait_while_paused(&self) {
        let (paused, wake) = &*self.paused;
        drop(wake.wait_while(paused.lock().unwrap(), |paused| *paused).unwrap());
    }

    pub fn pause(&self) {
        *self.paused.0.lock().unwrap() = true;
    }

    pub fn resume(&self) {
        *self.paused.0.lock().unwrap() = false;
        self.paused.1.notify_all();
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    pub fn answer_with(&self, status: Option<Status>) {
        self.state.lock().unwrap().answer_with = status;
    }

    pub fn hold_routes(&self) {
        self.state.lock().unwrap().hold_routes = true;
    }

    pub fn held_routes(&self) -> usize {
        self.state.lock().unwrap().held_routes.len()
    }

    pub fn release_route(&self, nodes: &[u32]) {
        let mut state = self.state.lock().unwrap();
        let (sink, counter, ..) = state.held_routes.remove(0);
        let nodes_total = nodes.len() as u32;
        let (revision, rollbacks) = (state.revision, state.rollbacks);
        assert!(sink.path(counter, &PathAnswer { revision, rollbacks, distance: 1, nodes_total, nodes }));
    }

    /// Goes to a revision and tells the sessions, with nothing decided in between.
    pub fn roll_back(&self, server: &Server, revision: u64) {
        let mut state = self.state.lock().unwrap();
        state.revision = revision;
        state.rollbacks += 1;
        self.revision.store(revision, Ordering::Release);
        server.rolled_back(revision);
    }

    fn step(&self, batch: &Batch) {
        let mut state = self.state.lock().unwrap();
        let mut decisions = Vec::new();
        let mut run = 0;
        for index in 0..batch.page.len() {
            let record = batch.page.record(index);
            let head = record.head;
            let node = match head.kind {
                RecordKind::Move => u32::from_le_bytes(record.packet[..4].try_into().unwrap()),
                _ => head.node,
            };
            let (kind, counter, tenant, status) = (head.kind, head.counter, head.tenant, head.status);
            state.seen.push(Seen { kind, counter, node, tenant, status });
            while index == batch.run(run).1 {
                self.commit(&mut state, batch.run(run).0, &mut decisions);
                run += 1;
            }
            let sink = batch.run(run).0;
            if matches!(kind, RecordKind::Move | RecordKind::Release) {
                let status = state.decide(status, node, head.node_first, head.node_last, &record);
                decisions.push(Decision { counter, node, status, ack_each: head.ack_each });
            } else if matches!(kind, RecordKind::Subscribe | RecordKind::SubscribeLatest | RecordKind::Unsubscribe) {
                self.commit(&mut state, sink, &mut decisions);
                sink.subscribed(counter, state.revision, record.packet.len() as u32 / 4);
            } else {
                self.commit(&mut state, sink, &mut decisions);
                state.answer(sink, kind, counter, node, head.argument);
            }
        }
        self.commit(&mut state, batch.run(run).0, &mut decisions);
        drop(state);
        batch.carry();
    }

    fn commit(&self, state: &mut EngineState, sink: &Arc<dyn AnswerSink>, decisions: &mut Vec<Decision>) {
        if decisions.iter().any(|decision| decision.status == Status::Ok) {
            state.revision += 1;
            self.revision.store(state.revision, Ordering::Release);
        }
        if !decisions.is_empty() {
            sink.decided(decisions, state.revision);
            decisions.clear();
        }
    }
}

impl EngineState {
    fn decide(
        &mut self,
        found: Status,
        node: u32,
        node_first: u32,
        node_last: u32,
        record: &lodestone_memory::Record<'_>,
    ) -> Status {
        if let Some(status) = self.answer_with {
            return status;
        }
        if found != Status::Ok {
            return found;
        }
        if node >= NODES_MAX {
            return Status::OutOfBounds;
        }
        if !(node_first..=node_last).contains(&node) {
            return Status::Forbidden;
        }
        if record.head.kind == RecordKind::Release {
            return self.slots.remove(&node).map_or(Status::NoSlot, |_| Status::Ok);
        }
        let mut slot = [0; 256];
        slot[..record.packet.len()].copy_from_slice(record.packet);
        self.slots.insert(node, slot);
        Status::Ok
    }

    fn answer(&mut self, sink: &Arc<dyn AnswerSink>, kind: RecordKind, counter: u64, node: u32, argument: u32) {
        match kind {
            _ if node >= NODES_MAX => sink.refused(counter, Status::OutOfBounds, node),
            RecordKind::Read => {
                sink.state(counter, self.revision, self.slots.get(&node).unwrap_or(&[0; 256]));
            }
            _ if self.hold_routes => self.held_routes.push((Arc::clone(sink), counter, node, argument)),
            _ => {
                let nodes = [node, argument];
                let (revision, rollbacks) = (self.revision, self.rollbacks);
                let path = PathAnswer { revision, rollbacks, distance: 1, nodes_total: 2, nodes: &nodes };
                assert!(sink.path(counter, &path));
            }
        }
    }
}

/// How a test's server is set up.
pub struct Setup {
    pub config: TransportConfig,
    pub channel_batches: usize,
    pub pages_bytes: usize,
    pub engine_paused: bool,
    /// A socket for each; one on the test's own runtime where there is none.
    pub loops: Vec<Handle>,
}

impl Default for Setup {
    fn default() -> Setup {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let config = TransportConfig { listen, nodes_max: NODES_MAX, ..TransportConfig::default() };
        Setup { config, channel_batches: 256, pages_bytes: 4 << 20, engine_paused: false, loops: Vec::new() }
    }
}

/// A server with the test's engine behind it.
pub struct Bench {
    pub server: Server,
    pub engine: Engine,
    pub counters: Counters,
    pub histograms: Histograms,
    pub events: Arc<Mutex<Vec<SessionEvent>>>,
    /// The thread that serves each session, by name.
    pub threads: Arc<Mutex<BTreeMap<u32, String>>>,
}

impl Setup {
    pub fn try_start(self) -> Result<Bench, TransportError> {
        let pages = PagePool::new(self.pages_bytes, false).unwrap();
        let (ingress, batches) = mpsc::channel(self.channel_batches);
        let engine = Engine::start(batches, self.engine_paused);
        let revision = Arc::clone(&engine.revision);
        let (counters, histograms) = (Counters::detached(), Histograms::detached());
        let events = Arc::new(Mutex::new(Vec::new()));
        let threads: Arc<Mutex<BTreeMap<u32, String>>> = Arc::default();
        let (log, served) = (Arc::clone(&events), Arc::clone(&threads));
        let server = Server::start(
            self.config,
            &if self.loops.is_empty() { vec![Handle::current()] } else { self.loops },
            pages,
            ingress,
            Arc::new(move || revision.load(Ordering::Acquire)),
            counters,
            histograms,
            Arc::new(move |event| {
                if let SessionEvent::Opened { session, .. } = event {
                    let thread = std::thread::current().name().unwrap_or_default().to_owned();
                    served.lock().unwrap().insert(session, thread);
                }
                log.lock().unwrap().push(event);
            }),
        )?;
        Ok(Bench { server, engine, counters, histograms, events, threads })
    }

    pub fn start(self) -> Bench {
        self.try_start().unwrap()
    }
}

impl Bench {
    pub fn start() -> Bench {
        Setup::default().start()
    }

    /// A connection without HELLO.
    pub async fn connect(&self) -> Connection {
        self.connect_with(|_| {}).await
    }

    pub async fn connect_with(&self, adjust: impl FnOnce(&mut quinn::TransportConfig)) -> Connection {
        let endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let config = client_config(self.server.certificate_der(), b"lodestone/1", adjust);
        let connecting = endpoint.connect_with(config, self.server.local_address(), "localhost").unwrap();
        watched("connect", connecting).await.unwrap()
    }

    /// A welcomed session.
    pub async fn session(&self) -> Client {
        Client::welcomed(self.connect().await, &[]).await
    }
}

/// TLS as a client that trusts this certificate alone.
pub fn tls_client(certificate_der: impl AsRef<[u8]>, alpn: &[u8]) -> rustls::ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(certificate_der.as_ref().to_vec())).unwrap();
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![alpn.to_vec()];
    tls.enable_early_data = true;
    tls
}

pub fn client_config(
    certificate_der: impl AsRef<[u8]>,
    alpn: &[u8],
    adjust: impl FnOnce(&mut quinn::TransportConfig),
) -> quinn::ClientConfig {
    let tls = tls_client(certificate_der, alpn);
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let mut transport = quinn::TransportConfig::default();
    adjust(&mut transport);
    config.transport_config(Arc::new(transport));
    config
}

/// A frame from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub kind: u8,
    pub session: u32,
    pub counter: u64,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn of(bytes: &[u8]) -> Answer {
        assert_eq!(bytes[1], 0, "servers send no flags");
        let length = usize::from(u16::from_le_bytes(bytes[2..4].try_into().unwrap()));
        assert_eq!(bytes.len(), 16 + length);
        Answer {
            kind: bytes[0],
            session: u32::from_le_bytes(bytes[4..8].try_into().unwrap()),
            counter: u64::from_le_bytes(bytes[8..16].try_into().unwrap()),
            body: bytes[16..].to_vec(),
        }
    }

    pub fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.body[at..at + 2].try_into().unwrap())
    }

    pub fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.body[at..at + 4].try_into().unwrap())
    }

    pub fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.body[at..at + 8].try_into().unwrap())
    }

    /// (type, counter, revision of ACK, STATE and PATH or status of REJECT and CLOSE).
    pub fn brief(&self) -> (u8, u64, u64) {
        let detail = if matches!(self.kind, REJECT | CLOSE) { self.u16(0).into() } else { self.u64(0) };
        (self.kind, self.counter, detail)
    }
}

/// One frame's bytes.
pub fn frame(kind: u8, flags: u8, session: u32, counter: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, flags];
    bytes.extend_from_slice(&(body.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&session.to_le_bytes());
    bytes.extend_from_slice(&counter.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

pub fn move_frame(flags: u8, session: u32, counter: u64, source: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = source.to_le_bytes().to_vec();
    packet.extend_from_slice(&(source + 1).to_le_bytes());
    packet.extend_from_slice(&0x1_0007_u32.to_le_bytes());
    packet.extend_from_slice(&[0, 0]);
    packet.extend_from_slice(&(payload.len() as u16).to_le_bytes());
    packet.extend_from_slice(&0_u64.to_le_bytes());
    packet.extend_from_slice(payload);
    let mut bytes = frame(MOVE, flags, session, counter, &[&[0; 32][..], &packet].concat());
    let digest = Sha256::new().chain_update(&bytes[..16]).chain_update(&packet).finalize();
    bytes[16..48].copy_from_slice(&digest);
    bytes
}

/// RELEASE, READ (node, reserved) or ROUTE (source, target).
pub fn pair_frame(kind: u8, flags: u8, session: u32, counter: u64, node: u32, argument: u32) -> Vec<u8> {
    frame(kind, flags, session, counter, &[node.to_le_bytes(), argument.to_le_bytes()].concat())
}

pub fn hello_frame(version: u16, token: &[u8]) -> Vec<u8> {
    let mut body = version.to_le_bytes().to_vec();
    body.extend_from_slice(&(token.len() as u16).to_le_bytes());
    body.extend_from_slice(token);
    frame(HELLO, 0, 0, 0, &body)
}

/// The next frame, or `None` after FIN.
pub async fn next(stream: &mut RecvStream) -> Option<Answer> {
    let read = async {
        let mut bytes = vec![0; 16];
        match stream.read_exact(&mut bytes).await {
            Ok(()) => {}
            Err(quinn::ReadExactError::FinishedEarly(0)) => return None,
            Err(error) => panic!("the stream broke: {error}"),
        }
        let length = usize::from(u16::from_le_bytes([bytes[2], bytes[3]]));
        bytes.resize(16 + length, 0);
        stream.read_exact(&mut bytes[16..]).await.unwrap();
        Some(Answer::of(&bytes))
    };
    watched("a frame from the server", read).await
}

/// Reads answers until the ACK that covers `counter`.
pub async fn until_acked(stream: &mut RecvStream, counter: u64) -> Vec<Answer> {
    let mut answers = Vec::new();
    loop {
        let answer = next(stream).await.expect("the stream ends before its ACK");
        let done = answer.kind == ACK && answer.counter >= counter;
        answers.push(answer);
        if done {
            return answers;
        }
    }
}

/// Waits for the connection's end; returns application code and reason.
pub async fn closed(connection: &Connection) -> (u64, String) {
    match watched("the connection's end", connection.closed()).await {
        ConnectionError::ApplicationClosed(close) => {
            (close.error_code.into_inner(), String::from_utf8(close.reason.to_vec()).unwrap())
        }
        other => panic!("the connection ended otherwise: {other}"),
    }
}

/// A welcomed session with its first stream.
pub struct Client {
    pub connection: Connection,
    pub send: SendStream,
    pub receive: RecvStream,
    pub session: u32,
    pub welcome: Answer,
}

impl Client {
    pub async fn welcomed(connection: Connection, token: &[u8]) -> Client {
        Client::welcomed_as(1, connection, token).await
    }

    /// A session of this protocol version.
    pub async fn welcomed_as(version: u16, connection: Connection, token: &[u8]) -> Client {
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        send.write_all(&hello_frame(version, token)).await.unwrap();
        let welcome = next(&mut receive).await.unwrap();
        assert_eq!((welcome.kind, welcome.u16(2)), (WELCOME, 0), "welcome");
        let session = welcome.session;
        assert_ne!(session, 0);
        Client { connection, send, receive, session, welcome }
    }

    pub async fn stream(&self) -> (SendStream, RecvStream) {
        watched("a stream's credit", self.connection.open_bi()).await.unwrap()
    }

    pub fn datagram(&self, bytes: Vec<u8>) {
        self.connection.send_datagram(bytes.into()).unwrap();
    }

    pub async fn answer_datagram(&self) -> Answer {
        let read = watched("a datagram from the server", self.connection.read_datagram());
        Answer::of(&read.await.unwrap())
    }
}

/// Waits until `holds` says so; for states that the server shows only in counters or lists.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    watched(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}
