//! Opens all connections, a few at a time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use hdrhistogram::Histogram;
use lodestone_client::command_line::{Object, Output};
use lodestone_client::{Client, ClientError, ClientOptions, Session, TrustAnchor};
use tokio::task::JoinSet;

use crate::interrupt::Interrupt;
use crate::options::Options;
use crate::totals::{durations, record};

/// Connections that share one UDP socket. Each socket is one task and one kernel buffer: fewer would drop bursts of
/// answers, more would wake more tasks for the same packets.
const CONNECTIONS_PER_SOCKET: usize = 250;
/// Sockets at most, at any number of connections.
const SOCKETS_MAX: usize = 16;
/// Progress lines while connecting.
const PROGRESS_LINES: u32 = 20;

/// All sessions, in the order of their hunters, and how long opening them took.
pub(crate) struct Connected {
    pub(crate) sessions: Vec<Session>,
    pub(crate) clients: Vec<Client>,
    pub(crate) handshake: Histogram<u64>,
    pub(crate) welcome: Histogram<u64>,
    /// The user ended the run before all were open.
    pub(crate) interrupted: bool,
}

/// Opens the connections; the first one that fails ends it all.
pub(crate) async fn connect_all(
    options: &Options,
    address: SocketAddr,
    trust: &TrustAnchor,
    token: Option<Vec<u8>>,
    output: &mut Output,
    interrupt: &mut Interrupt,
) -> Result<Connected, String> {
    let clients = bind_sockets(options, address, trust)?;
    let token: Option<Arc<[u8]>> = token.map(Arc::from);
    let mut connected =
        Connected { sessions: Vec::new(), clients, handshake: durations()?, welcome: durations()?, interrupted: false };
    let mut opening: JoinSet<Result<Session, ClientError>> = JoinSet::new();
    let total = options.connections;
    let (mut begun, mut told) = (0, 0);
    progress(output, 0, total)?;
    while connected.sessions.len() < total as usize {
        while begun < total && opening.len() < options.handshakes_at_once {
            let client = connected.clients[begun as usize % connected.clients.len()].clone();
            let token = token.clone();
            opening.spawn(async move { client.open_session(address, token.as_deref()).await });
            begun += 1;
        }
        let joined = tokio::select! {
            joined = opening.join_next() => joined,
            () = interrupt.wait() => {
                connected.interrupted = true;
                return Ok(connected);
            }
        };
        let session = match joined {
            Some(Ok(opened)) => opened.map_err(|error| {
                format!("connection {} of {total} could not be opened: {error}", connected.sessions.len() + 1)
            })?,
            Some(Err(failed)) => return Err(format!("a connection task failed: {failed}")),
            None => return Err("no connection is being opened, although some are missing".into()),
        };
        record(&mut connected.handshake, session.handshake_time());
        record(&mut connected.welcome, session.welcome_time());
        connected.sessions.push(session);
        let done = connected.sessions.len() as u32;
        if done == total || u64::from(done) * u64::from(PROGRESS_LINES) / u64::from(total) > told {
            told = u64::from(done) * u64::from(PROGRESS_LINES) / u64::from(total);
            progress(output, done, total)?;
        }
    }
    Ok(connected)
}

fn bind_sockets(options: &Options, address: SocketAddr, trust: &TrustAnchor) -> Result<Vec<Client>, String> {
    let identity = options.server.identity()?;
    let any = match address.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let client_options = ClientOptions {
        // A thousand searches for larger packets are work for both sides, and no move needs more than 1,200 bytes.
        path_mtu_discovery: false,
        // A first packet lost in the burst of connections should not wait a second for its second try.
        initial_rtt_ms: 100,
        // With the system's default of 208 KiB a generator that had to wait for a processor lost answers, and the
        // repetitions kept it too busy to recover: measured beside four busy neighbours, 100,000 of 280,000 datagrams
        // were dropped; with 4 MiB, 33,000, those of the server included.
        socket_buffer_bytes: 4 << 20,
        // Whole handshakes are measured, and none is resumed within a run anyway.
        resumption: false,
        updates: options.watching.nodes > 0,
        ..ClientOptions::default()
    };
    let sockets = (options.connections as usize).div_ceil(CONNECTIONS_PER_SOCKET).min(SOCKETS_MAX);
    (0..sockets)
        .map(|_| Client::bind_as(SocketAddr::new(any, 0), trust, identity.as_ref(), &client_options))
        .map(|bound| bound.map_err(|error| error.to_string()))
        .collect()
}

fn progress(output: &mut Output, done: u32, total: u32) -> Result<(), String> {
    let line =
        Object::new().text("event", "connecting").number("done", u64::from(done)).number("total", u64::from(total));
    output.line(&line)
}
