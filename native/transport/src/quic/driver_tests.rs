use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use lodestone_memory::Counters;
use quinn_proto::{EndpointConfig, ServerConfig, TransportConfig, VarInt};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::{Acceptor, Attempt, Endpoint, Verdict};
use crate::config::{Certificate, ClientCertificates};
use crate::quic::connection::CLOSED_KEPT_MAX;
use crate::quic::test_support::{HANG, client_config};
use crate::quic::{Congestion, Connection, Hub, Seat, Turns};
use crate::tls::Identity;

async fn watched<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(HANG, work).await {
        Ok(done) => done,
        Err(_) => panic!("hangs: {what}"),
    }
}

/// Takes so many connections and fails at the next.
struct Taker {
    left: usize,
    connections: mpsc::UnboundedSender<(Connection, Weak<()>)>,
}

impl Acceptor for Taker {
    type Place = Arc<()>;
    type Ticket = Weak<()>;

    fn judge(&mut self, _: Attempt) -> Verdict<Arc<()>, Weak<()>> {
        assert!(self.left > 0, "what a bug would do");
        self.left -= 1;
        let place = Arc::default();
        let ticket = Arc::downgrade(&place);
        Verdict::Accept(place, ticket)
    }

    fn accepted(&mut self, connection: Connection, ticket: Weak<()>) {
        self.connections.send((connection, ticket)).unwrap();
    }

    fn failed(&mut self, _: Weak<()>) {}

    fn round(&mut self, _: &mut Turns) {}
}

/// A server without sessions, and a client for it.
struct Bench {
    endpoint: Endpoint,
    address: SocketAddr,
    accepted: mpsc::UnboundedReceiver<(Connection, Weak<()>)>,
    client: quinn::Endpoint,
    client_config: quinn::ClientConfig,
}

impl Bench {
    fn start(connections: usize, adjust: impl FnOnce(&mut TransportConfig)) -> Bench {
        let loopback = (Ipv4Addr::LOCALHOST, 0);
        let (off, counters) = (ClientCertificates::Off, Counters::detached());
        let identity = Identity::load(&Certificate::SelfSigned, &off, loopback.0.into(), counters).unwrap();
        let socket = std::net::UdpSocket::bind(loopback).unwrap();
        let address = socket.local_addr().unwrap();
        let (sender, accepted) = mpsc::unbounded_channel();
        let mut transport = TransportConfig::default();
        transport.congestion_controller_factory(Arc::new(Congestion::default()));
        adjust(&mut transport);
        let mut server = ServerConfig::with_crypto(Arc::clone(&identity.crypto) as _);
        server.transport_config(Arc::new(transport));
        let acceptor = Taker { left: connections, connections: sender };
        let seat = Seat { number: 0, hubs: vec![Hub::default()] };
        let endpoint = Endpoint::start(EndpointConfig::default(), server, socket, seat, acceptor).unwrap();
        let client = quinn::Endpoint::client(loopback.into()).unwrap();
        Bench { endpoint, address, accepted, client, client_config: impatient(client_config(&identity)) }
    }

    fn connect(&self, address: SocketAddr) -> quinn::Connecting {
        self.client.connect_with(self.client_config.clone(), address, "localhost").unwrap()
    }

    async fn accept(&mut self) -> (Connection, Weak<()>) {
        watched("a connection", self.accepted.recv()).await.unwrap()
    }
}

/// Finds out by itself when the server is silent.
fn impatient(mut config: quinn::ClientConfig) -> quinn::ClientConfig {
    let mut transport = quinn::TransportConfig::default();
    transport.max_idle_timeout(Some(VarInt::from_u32(5000).into()));
    config.transport_config(Arc::new(transport));
    config
}

/// The way between one client and the server, which takes this long in each direction.
async fn long_way(server: SocketAddr, delay: Duration) -> SocketAddr {
    let (near, far) = (bind().await, bind().await);
    let (client, address) = (Arc::new(std::sync::OnceLock::new()), near.local_addr().unwrap());
    let (seen, back, out) = (Arc::clone(&client), Arc::clone(&near), Arc::clone(&far));
    tokio::spawn(async move {
        let mut packet = vec![0; 2000];
        while let Ok((bytes, from)) = near.recv_from(&mut packet).await {
            seen.get_or_init(|| from);
            send_later(&out, &packet[..bytes], server, delay);
        }
    });
    tokio::spawn(async move {
        let mut packet = vec![0; 2000];
        while let Ok((bytes, _)) = far.recv_from(&mut packet).await {
            send_later(&back, &packet[..bytes], *client.get().unwrap(), delay);
        }
    });
    address
}

async fn bind() -> Arc<UdpSocket> {
    Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap())
}

fn send_later(socket: &Arc<UdpSocket>, packet: &[u8], to: SocketAddr, delay: Duration) {
    let (socket, packet) = (Arc::clone(socket), packet.to_vec());
    tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        let _ = socket.send_to(&packet, to).await;
    });
}

#[tokio::test]
async fn a_loop_that_failed_leaves_nobody_waiting() {
    let mut bench = Bench::start(1, |_| {});
    let _first = bench.connect(bench.address).await.unwrap();
    let (connection, _) = bench.accept().await;
    connection.established().await.unwrap();
    let waiting = tokio::spawn({
        let connection = connection.clone();
        async move { connection.accept_bi().await.is_err() }
    });
    let closed = tokio::spawn(async move { connection.closed().await });
    tokio::task::yield_now().await;
    let _second = bench.connect(bench.address);
    assert!(watched("a stream", waiting).await.unwrap());
    watched("the end", closed).await.unwrap();
    watched("the endpoint", bench.endpoint.finished()).await;
}

#[tokio::test]
async fn a_connection_that_outlives_its_loop_is_gone_with_its_last_handle() {
    let mut bench = Bench::start(1, |_| {});
    let _first = bench.connect(bench.address).await.unwrap();
    let (connection, place) = bench.accept().await;
    connection.established().await.unwrap();
    // The loop is done with the handshake by then; were it not, this test would prove less.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let _second = bench.connect(bench.address);
    watched("the endpoint", bench.endpoint.finished()).await;
    // What its session does when it ends, with nobody to hear of it.
    connection.close(VarInt::from_u32(1), b"too late");
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(1));
    assert_eq!(place.strong_count(), 1, "held by the handle");
    drop(connection);
    assert_eq!(place.strong_count(), 0, "held by itself");
}

#[tokio::test]
async fn a_closed_connection_keeps_its_place_for_a_moment_and_no_longer_however_slow_its_client_is() {
    // Three probe time-outs are three minutes with this.
    let mut bench = Bench::start(1, |transport| {
        transport.initial_rtt(Duration::from_secs(20));
    });
    let connecting = bench.connect(bench.address);
    let (connection, place) = bench.accept().await;
    connection.close(VarInt::from_u32(1), b"");
    drop(connection);
    if let Ok(client) = watched("an answer", connecting).await {
        watched("the end", client.closed()).await;
    }
    assert_eq!(place.strong_count(), 1, "still known, and counted");
    tokio::time::pause();
    tokio::time::advance(CLOSED_KEPT_MAX - Duration::from_millis(500)).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(place.strong_count(), 1, "still known, and counted");
    tokio::time::advance(Duration::from_millis(501)).await;
    watched("it is forgotten", async {
        while place.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// One client over a long way: the server writes, waits, and closes; returns what the client hears.
async fn close_behind(bytes: usize, wait: Duration) -> quinn::ConnectionError {
    let mut bench = Bench::start(1, |_| {});
    let way = long_way(bench.address, Duration::from_millis(20)).await;
    let client = watched("connect", bench.connect(way)).await.unwrap();
    let (mut asking, _answers) = client.open_bi().await.unwrap();
    asking.write_all(b"?").await.unwrap();
    let (connection, _) = bench.accept().await;
    let (mut send, _receive) = watched("a stream", connection.accept_bi()).await.unwrap();
    send.write_all(&vec![7; bytes]).await.unwrap();
    tokio::time::sleep(wait).await;
    connection.close(VarInt::from_u32(42), b"bye");
    drop((send, connection));
    watched("the end", client.closed()).await
}

#[tokio::test]
async fn a_close_is_heard_at_once_whatever_still_waits_to_be_sent() {
    for seed in 1..=8_u64 {
        let random = seed.wrapping_mul(6_364_136_223_846_793_005) >> 33;
        let (bytes, wait) = (10_000 + random % 300_000, Duration::from_millis(random % 90));
        let heard = close_behind(bytes as usize, wait).await;
        let quinn::ConnectionError::ApplicationClosed(close) = &heard else {
            panic!("seed {seed}: {bytes} bytes, closed after {wait:?}: {heard}");
        };
        assert_eq!(close.error_code.into_inner(), 42, "seed {seed}");
    }
}
