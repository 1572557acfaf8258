//! Clients of engines elsewhere: requests go in as a batch, what became of them comes out of one queue a client.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lodestone_client::{
    ClientError, Delivery, EngineClient, FoundRoute, NodeNews, NodeState, Outcome, Reply, Request, Subscription,
};

use crate::client_types::{LodestoneClientInfo, LodestoneCompletion, LodestoneNodeNews, LodestoneRequest};
use crate::edge::{Failure, guard, inputs, output, outputs};
use crate::handles::Table;
use crate::types::{LodestoneError, LodestoneStatus};

const KIND_MOVE: u8 = 0x10;
const KIND_RELEASE: u8 = 0x18;
const KIND_ROUTE: u8 = 0x20;
const KIND_READ: u8 = 0x28;
const KIND_SUBSCRIBE: u8 = 0x30;
const KIND_UNSUBSCRIBE: u8 = 0x32;
const KIND_SUBSCRIBE_LATEST: u8 = 0x3a;
const WAY_DATAGRAM: u8 = 1;
const WAY_DATAGRAM_UNANSWERED: u8 = 2;
const PACKET_HEAD_BYTES: usize = 24;
/// Most requests in one call.
const REQUESTS_MAX: u32 = 4_096;

/// How long a wait for completions sleeps before it looks at the client again: not every end of one is announced.
const LONGEST_SLEEP: Duration = Duration::from_millis(200);

/// Clients belong to no engine of this process.
const NO_ENGINE: u64 = 0;

static CLIENTS: Table<OpenClient> = Table::new("client", 4_096);

type Result<T, E = Failure> = std::result::Result<T, E>;
type Ended = (u64, u8, std::result::Result<Reply, ClientError>);

struct OpenClient {
    client: EngineClient,
    in_flight_max: usize,
    queue: Arc<Queue>,
}

/// What came of requests and was not fetched yet. Bounded, because a request has its place until it was fetched.
#[derive(Default)]
struct Queue {
    ended: Mutex<VecDeque<Ended>>,
    arrived: Condvar,
    unfetched: AtomicUsize,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Ended>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, ended: Ended) {
        self.lock().push_back(ended);
        self.arrived.notify_all();
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        Failure { status: status_of(&error), text: error.to_string() }
    }
}

/// The number for a failure of a client; never 0.
fn status_of(error: &ClientError) -> u32 {
    let status = match error {
        ClientError::Refused { status } | ClientError::Closed { status, .. } | ClientError::Rejected { status, .. } => {
            // A session that was closed without a fault is over all the same.
            let over = LodestoneStatus::ConnectionLost as u32;
            return if status.code() == 0 { over } else { u32::from(status.code()) };
        }
        ClientError::Setting { .. } => LodestoneStatus::Config,
        ClientError::TrustAnchor { .. } | ClientError::Identity { .. } => LodestoneStatus::Certificate,
        ClientError::Bind { .. } => LodestoneStatus::Bind,
        ClientError::Thread { .. } => LodestoneStatus::Io,
        ClientError::Handshake { .. } => LodestoneStatus::Handshake,
        ClientError::ConnectTimeout { .. } => LodestoneStatus::Timeout,
        ClientError::ClosedHere => LodestoneStatus::Closed,
        ClientError::InFlightFull { .. } => LodestoneStatus::Overloaded,
        ClientError::Protocol { .. } => LodestoneStatus::Malformed,
        ClientError::TooLong { .. } | ClientError::NoUpdates => LodestoneStatus::InvalidArgument,
        ClientError::Unanswered { .. } => LodestoneStatus::Timeout,
        _ => LodestoneStatus::ConnectionLost,
    };
    status as u32
}

fn find(client: u64) -> Result<Arc<OpenClient>> {
    let closed = |_| Failure::new(LodestoneStatus::Closed, "the client is closed; open a new one");
    CLIENTS.get(NO_ENGINE, client).map_err(closed)
}

/// Opens a session with an engine elsewhere and writes the client's number, never 0, to `client`. `settings` are UTF-8 lines
/// `key=value`: `address`, `trust_pem_hex` or `fingerprint`, `server_name`, `identity_pem_hex`, `identity_key_pem_hex`,
/// `token_hex`, `in_flight_max`, `sole_writer`, `updates_max`, `datagram_timeout_ms`, `reconnect_timeout_ms`, `connect_timeout_ms`, `idle_timeout_ms`,
/// `keep_alive_ms`, `resumption`. Returns once the session is open; the client has a thread of its own.
///
/// # Safety
/// `settings` points to `settings_bytes` bytes, `client` to a number; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_client_open(
    settings: *const u8,
    settings_bytes: u64,
    client: *mut u64,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises `settings_bytes` bytes that stay as they are during the call.
        let settings = unsafe { inputs(settings, settings_bytes, "settings") }?;
        // SAFETY: the caller promises a number of its own.
        let client = unsafe { output(client, "client") }?;
        let settings = std::str::from_utf8(settings).map_err(|error| {
            Failure::new(LodestoneStatus::Config, format_args!("the settings are not UTF-8: {error}"))
        })?;
        let (opened, options) = EngineClient::open_described(settings)?;
        let queue = Arc::default();
        let open = OpenClient { client: opened, in_flight_max: options.in_flight_max, queue };
        *client = CLIENTS.insert(NO_ENGINE, open)?;
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Sends requests in their order, up to 4,096 at once, and never waits. `taken` is how many were taken: fewer than `count`
/// when `in_flight_max` are under way or not fetched yet. Each taken one is answered once, by a completion with its `id`.
/// What is wrong with a request is an error, and those before it are taken.
///
/// # Safety
/// `requests` points to `count` requests, `taken` to a number; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_client_submit(
    client: u64,
    requests: *const LodestoneRequest,
    count: u32,
    taken: *mut u32,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        if count > REQUESTS_MAX {
            let text = format_args!("count is {count}; at most {REQUESTS_MAX} requests go in one call");
            return Err(Failure::new(LodestoneStatus::InvalidArgument, text));
        }
        // SAFETY: the caller promises `count` requests that stay as they are during the call.
        let requests = unsafe { inputs(requests, u64::from(count), "requests") }?;
        // SAFETY: the caller promises a number of its own.
        let taken = unsafe { output(taken, "taken") }?;
        *taken = 0;
        let open = find(client)?;
        for cell in requests {
            if !submit(&open, cell)? {
                break;
            }
            *taken += 1;
        }
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Sends one request; `false` when there is no place for it.
fn submit(open: &OpenClient, cell: &LodestoneRequest) -> Result<bool> {
    let request = wrapped(request_of(cell)?, cell.way)?;
    if cell.way == WAY_DATAGRAM_UNANSWERED {
        return taken(open.client.try_submit(request, Box::new(|_| {})));
    }
    let (queue, id, kind) = (Arc::clone(&open.queue), cell.id, cell.kind);
    let place = |taken| (taken < open.in_flight_max).then_some(taken + 1);
    if queue.unfetched.fetch_update(Ordering::Relaxed, Ordering::Relaxed, place).is_err() {
        return Ok(false);
    }
    let completion = Box::new(move |result| queue.put((id, kind, result)));
    let submitted = open.client.try_submit(request, completion);
    if submitted.is_err() {
        open.queue.unfetched.fetch_sub(1, Ordering::Relaxed);
    }
    taken(submitted)
}

fn taken(submitted: std::result::Result<(), ClientError>) -> Result<bool> {
    match submitted {
        Ok(()) => Ok(true),
        Err(ClientError::InFlightFull { .. }) => Ok(false),
        Err(other) => Err(other.into()),
    }
}

fn wrapped(request: Request, way: u8) -> Result<Request> {
    match way {
        0 => Ok(request),
        WAY_DATAGRAM | WAY_DATAGRAM_UNANSWERED => {
            Ok(Request::ByDatagram { request: Box::new(request), answered: way == WAY_DATAGRAM })
        }
        other => {
            let text = format_args!("way {other} of a request is unknown; see LodestoneRequest");
            Err(Failure::new(LodestoneStatus::InvalidArgument, text))
        }
    }
}

fn nodes_of(cell: &LodestoneRequest) -> Result<Vec<u32>> {
    let bytes = cell.packet.get(..4 * usize::from(cell.nodes)).ok_or_else(|| {
        let text = format_args!("{} nodes; at most 64 fit", cell.nodes);
        Failure::new(LodestoneStatus::InvalidArgument, text)
    })?;
    Ok(bytes.chunks_exact(4).map(|node| u32::from_le_bytes([node[0], node[1], node[2], node[3]])).collect())
}

fn request_of(cell: &LodestoneRequest) -> Result<Request> {
    let packet = &cell.packet;
    let word = |at: usize| u32::from_le_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
    match cell.kind {
        KIND_MOVE => {
            let payload_bytes = usize::from(u16::from_le_bytes([packet[14], packet[15]]));
            let payload = packet.get(PACKET_HEAD_BYTES..PACKET_HEAD_BYTES + payload_bytes).ok_or_else(|| {
                let text = format_args!("a payload of {payload_bytes} bytes; at most 232 fit");
                Failure::new(LodestoneStatus::InvalidArgument, text)
            })?;
            let version = u64::from(word(16)) | u64::from(word(20)) << 32;
            let (source, target, edge_mask) = (word(0), word(4), word(8));
            Ok(Request::Move { source, target, edge_mask, version, payload: payload.to_vec() })
        }
        KIND_RELEASE => Ok(Request::Release { node: word(0) }),
        KIND_READ => Ok(Request::Read { node: word(0) }),
        KIND_ROUTE => Ok(Request::Route { source: word(0), target: word(4) }),
        KIND_SUBSCRIBE => Ok(Request::Subscribe { nodes: nodes_of(cell)?, delivery: Delivery::Stream }),
        KIND_SUBSCRIBE_LATEST => Ok(Request::Subscribe { nodes: nodes_of(cell)?, delivery: Delivery::Datagram }),
        KIND_UNSUBSCRIBE => Ok(Request::Unsubscribe { nodes: nodes_of(cell)? }),
        other => {
            let text = format_args!("kind {other:#04x} of a request is unknown; see LodestoneRequest");
            Err(Failure::new(LodestoneStatus::InvalidArgument, text))
        }
    }
}

/// Fetches what became of requests, at most `capacity`, and waits up to `timeout_ms` for the first. The nodes of routes go
/// to `nodes`, one list behind the other; a completion whose list finds no more room stays for the next call, unless it is
/// the first: then its list is cut. Several threads may fetch; each completion is fetched once. When the client has ended
/// and nothing is left, the status says why: `CLOSED` when it was closed.
///
/// # Safety
/// `out` points to room for `capacity` completions, `nodes` to room for `nodes_capacity` numbers, `count` to a number;
/// `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_client_poll(
    client: u64,
    out: *mut LodestoneCompletion,
    capacity: u32,
    nodes: *mut u32,
    nodes_capacity: u32,
    timeout_ms: u64,
    count: *mut u32,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises room for `capacity` completions of its own.
        let out = unsafe { outputs(out, u64::from(capacity), "out") }?;
        // SAFETY: the caller promises room for `nodes_capacity` numbers of its own.
        let nodes = unsafe { outputs(nodes, u64::from(nodes_capacity), "nodes") }?;
        // SAFETY: the caller promises a number of its own.
        let count = unsafe { output(count, "count") }?;
        *count = 0;
        let open = find(client)?;
        let mut ended = wait_for_one(&open, Duration::from_millis(timeout_ms));
        if ended.is_empty() && open.client.is_done() {
            return Err(open.client.end_reason().unwrap_or(ClientError::ClosedHere).into());
        }
        *count = fetch(&mut ended, out, nodes);
        open.queue.unfetched.fetch_sub(*count as usize, Ordering::Relaxed);
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

fn wait_for_one(open: &OpenClient, time: Duration) -> MutexGuard<'_, VecDeque<Ended>> {
    let deadline = Instant::now().checked_add(time);
    let mut ended = open.queue.lock();
    while ended.is_empty() && !open.client.is_done() {
        let left = deadline.map_or(LONGEST_SLEEP, |last| last.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            break;
        }
        let look = left.min(LONGEST_SLEEP);
        ended = open.queue.arrived.wait_timeout(ended, look).unwrap_or_else(PoisonError::into_inner).0;
    }
    ended
}

/// Writes completions as far as there is room for them and for their nodes; how many.
fn fetch(ended: &mut VecDeque<Ended>, out: &mut [LodestoneCompletion], nodes: &mut [u32]) -> u32 {
    let (mut written, mut nodes_written) = (0, 0);
    for cell in out {
        let wanted = match ended.front() {
            None => break,
            Some((_, _, Ok(Reply::Route(route)))) => route.nodes.len(),
            Some(_) => 0,
        };
        if written > 0 && nodes_written + wanted > nodes.len() {
            break;
        }
        let Some((id, kind, result)) = ended.pop_front() else { break };
        *cell = LodestoneCompletion { id, kind, ..LodestoneCompletion::default() };
        match result {
            Ok(Reply::Decided(outcome)) => tell_outcome(cell, outcome),
            Ok(Reply::State(state)) => tell_state(cell, &state),
            Ok(Reply::Subscription(subscription)) => tell_subscription(cell, subscription),
            Ok(Reply::Route(route)) => nodes_written += tell_route(cell, &route, nodes_written, nodes),
            Err(error) => {
                cell.status = status_of(&error);
                if let ClientError::Rejected { node, .. } = error {
                    cell.node = node;
                    cell.answered = 1;
                }
            }
        }
        written += 1;
    }
    written
}

fn tell_outcome(cell: &mut LodestoneCompletion, outcome: Outcome) {
    cell.answered = 1;
    match outcome {
        Outcome::Accepted { revision } => cell.revision = revision,
        Outcome::Refused { status, node } => (cell.status, cell.node) = (u32::from(status.code()), node),
        Outcome::InDoubt => cell.status = LodestoneStatus::InDoubt as u32,
    }
}

fn tell_state(cell: &mut LodestoneCompletion, state: &NodeState) {
    (cell.answered, cell.revision, cell.slot) = (1, state.revision, *state.slot().bytes());
}

fn tell_subscription(cell: &mut LodestoneCompletion, subscription: Subscription) {
    cell.answered = 1;
    match subscription {
        Subscription::Told { revision, subscriptions } => {
            (cell.revision, cell.nodes_total) = (revision, subscriptions.into());
        }
        Subscription::Refused { status, node } => (cell.status, cell.node) = (u32::from(status.code()), node),
    }
}

/// How many nodes were written.
fn tell_route(cell: &mut LodestoneCompletion, route: &FoundRoute, first: usize, nodes: &mut [u32]) -> usize {
    let room = nodes.get_mut(first..).unwrap_or_default();
    let listed = route.nodes.len().min(room.len());
    room[..listed].copy_from_slice(&route.nodes[..listed]);
    (cell.answered, cell.revision) = (1, route.revision);
    cell.distance = route.distance.unwrap_or(u64::MAX);
    cell.nodes_total = u64::from(route.nodes_total);
    (cell.nodes_first, cell.nodes_listed) = (first as u32, listed as u32);
    listed
}

/// Fetches news of nodes, at most `capacity`, each once, those first that wait longest, and waits up to `timeout_ms` for the
/// first. Several threads may fetch. When the client has ended and nothing is left, the status says why: `CLOSED` when it was
/// closed.
///
/// # Safety
/// `out` points to room for `capacity` news, `count` to a number; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_client_news(
    client: u64,
    out: *mut LodestoneNodeNews,
    capacity: u32,
    timeout_ms: u64,
    count: *mut u32,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises room for `capacity` news of its own.
        let out = unsafe { outputs(out, u64::from(capacity), "out") }?;
        // SAFETY: the caller promises a number of its own.
        let count = unsafe { output(count, "count") }?;
        *count = 0;
        if out.is_empty() {
            return Ok(());
        }
        let open = find(client)?;
        if !open.client.takes_updates() {
            return Err(ClientError::NoUpdates.into());
        }
        *count = fetch_news(&open.client, out);
        if *count == 0 && timeout_ms > 0 && open.client.wait_update(Duration::from_millis(timeout_ms)) {
            *count = fetch_news(&open.client, out);
        }
        if *count > 0 {
            return Ok(());
        }
        let Some(reason) = open.client.end_reason() else {
            return Ok(());
        };
        // News may have come between the look for it and the end; behind the end none comes.
        *count = fetch_news(&open.client, out);
        if *count == 0 { Err(reason.into()) } else { Ok(()) }
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// How many were written; `out` has room for one at least.
fn fetch_news(client: &EngineClient, out: &mut [LodestoneNodeNews]) -> u32 {
    let room = out.len();
    let mut written = 0;
    client.take_updates(|news| {
        tell_news(&mut out[written], news);
        written += 1;
        written < room
    });
    written as u32
}

fn tell_news(cell: &mut LodestoneNodeNews, news: &NodeNews) {
    *cell = LodestoneNodeNews {
        revision: news.revision,
        rollbacks: news.rollbacks,
        version: news.version,
        missed: news.missed,
        connection: news.connection,
        node: news.node,
        status: u32::from(news.status.code()),
        slot: *news.slot().bytes(),
    };
}

/// Writes what the client is doing.
///
/// # Safety
/// `out` points to a `LodestoneClientInfo`; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_client_describe(
    client: u64,
    out: *mut LodestoneClientInfo,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises a LodestoneClientInfo of its own.
        let out = unsafe { output(out, "out") }?;
        let open = find(client)?;
        let client = &open.client;
        *out = LodestoneClientInfo {
            revision: client.revision(),
            reconnects: client.reconnects(),
            rollbacks: client.rollbacks(),
            session: client.session(),
            nodes_max: client.nodes_max(),
            in_flight: client.in_flight() as u32,
            state: client.state() as u32,
            loss: client.last_loss().map_or(0, |error| status_of(&error)),
            reserved: 0,
        };
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Why the client has ended, as a status and the text of `error`; `OK` while it has not.
///
/// # Safety
/// `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_client_reason(client: u64, error: *mut LodestoneError) -> i32 {
    let body = || find(client)?.client.end_reason().map_or(Ok(()), |reason| Err(reason.into()));
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Shows this token at the next connection; none where `token_bytes` is 0.
///
/// # Safety
/// `token` points to `token_bytes` bytes; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_client_token(
    client: u64,
    token: *const u8,
    token_bytes: u64,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises `token_bytes` bytes that stay as they are during the call.
        let token = unsafe { inputs(token, token_bytes, "token") }?;
        find(client)?.client.set_token(Some(token).filter(|token| !token.is_empty()));
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Ends the client: takes no more requests, waits up to `wait_ms` for the answers of those under way, and closes the
/// session. What is not answered by then ends with `CLOSED`. What became of everything can still be fetched.
///
/// # Safety
/// `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_client_close(client: u64, wait_ms: u64, error: *mut LodestoneError) -> i32 {
    let body = || {
        let open = find(client)?;
        open.client.close_blocking(Duration::from_millis(wait_ms));
        // Whoever waits for a completion looks again.
        let _ended = open.queue.lock();
        open.queue.arrived.notify_all();
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Gives the client back; one that was not closed is closed at once. The number 0, and one given back before, are allowed
/// and do nothing.
///
/// # Safety
/// `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_client_free(client: u64, error: *mut LodestoneError) -> i32 {
    let body = || {
        if let Ok(open) = find(client) {
            CLIENTS.remove(NO_ENGINE, client);
            open.client.begin_close(Duration::ZERO);
        }
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(nodes: usize) -> Ended {
        let nodes: Vec<u32> = (0..nodes as u32).collect();
        let found = FoundRoute { revision: 5, distance: None, nodes_total: nodes.len() as u32, nodes };
        (9, KIND_ROUTE, Ok(Reply::Route(found)))
    }

    #[test]
    fn lists_of_nodes_share_the_room_and_only_the_first_is_cut() {
        let mut ended: VecDeque<Ended> = [route(3), route(4), route(2), route(20)].into();
        let mut out = vec![LodestoneCompletion::default(); 8];
        let mut nodes = [u32::MAX; 7];
        assert_eq!(fetch(&mut ended, &mut out, &mut nodes), 2);
        assert_eq!(
            [(out[0].nodes_first, out[0].nodes_listed), (out[1].nodes_first, out[1].nodes_listed)],
            [(0, 3), (3, 4)]
        );
        assert_eq!((out[1].distance, out[1].nodes_total, nodes), (u64::MAX, 4, [0, 1, 2, 0, 1, 2, 3]));
        assert_eq!(fetch(&mut ended, &mut out, &mut nodes), 1);
        assert_eq!(fetch(&mut ended, &mut out, &mut nodes), 1);
        assert_eq!((out[0].nodes_listed, out[0].nodes_total), (7, 20));
        assert_eq!(fetch(&mut ended, &mut out, &mut nodes), 0);
    }

    #[test]
    fn numbers_that_name_no_client_and_wrong_requests_are_refused() {
        let closed = LodestoneStatus::Closed as i32;
        let mut taken = 0;
        // SAFETY: no requests, and a number of this test.
        let status = unsafe { lodestone_client_submit(77, std::ptr::null(), 0, &raw mut taken, std::ptr::null_mut()) };
        assert_eq!(status, closed);
        // SAFETY: null is allowed.
        assert_eq!(unsafe { lodestone_client_close(77, 0, std::ptr::null_mut()) }, closed);
        // SAFETY: null is allowed.
        assert_eq!(unsafe { lodestone_client_free(77, std::ptr::null_mut()) }, 0);
        let mut cell = LodestoneRequest { id: 1, kind: 0x11, way: 0, nodes: 0, reserved: [0; 5], packet: [0; 256] };
        assert!(request_of(&cell).unwrap_err().text.contains("0x11"));
        (cell.kind, cell.packet[14]) = (KIND_MOVE, 233);
        assert!(request_of(&cell).unwrap_err().text.contains("233 bytes"));
        cell.packet[14..24].copy_from_slice(&[2, 0, 1, 0, 0, 0, 0, 0, 0, 0x80]);
        let Ok(Request::Move { version, payload, .. }) = request_of(&cell) else { panic!("no move") };
        assert_eq!((version, payload.len()), (0x8000_0000_0000_0001, 2));
        assert!(wrapped(Request::Read { node: 1 }, 3).unwrap_err().text.contains("way 3"));
        (cell.kind, cell.nodes) = (KIND_SUBSCRIBE_LATEST, 65);
        assert!(request_of(&cell).unwrap_err().text.contains("65 nodes"));
        cell.nodes = 1;
        let subscribe = Request::Subscribe { nodes: vec![0], delivery: Delivery::Datagram };
        (cell.packet[..4]).fill(0);
        assert_eq!(request_of(&cell).unwrap(), subscribe);
    }
}
