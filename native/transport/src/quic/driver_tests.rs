use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lodestone_memory::Counters;
use quinn::crypto::rustls::QuicClientConfig;
use quinn_proto::{EndpointConfig, ServerConfig};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use tokio::sync::mpsc;

use super::{Acceptor, Attempt, Endpoint, Hub, Seat, Turns, Verdict};
use crate::config::{Certificate, ClientCertificates};
use crate::quic::Connection;
use crate::sockets::SocketIds;
use crate::tls::Identity;

const HANG: Duration = Duration::from_secs(60);

/// Takes one connection and fails at the next.
struct FailsLater {
    taken: bool,
    connections: mpsc::UnboundedSender<Connection>,
}

impl Acceptor for FailsLater {
    type Ticket = ();

    fn judge(&mut self, _: Attempt) -> Verdict<()> {
        assert!(!self.taken, "what a bug would do");
        self.taken = true;
        Verdict::Accept(())
    }

    fn accepted(&mut self, connection: Connection, (): ()) {
        self.connections.send(connection).unwrap();
    }

    fn failed(&mut self, (): ()) {}

    fn round(&mut self, _: &mut Turns) {}
}

fn client_config(identity: &Identity) -> quinn::ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(identity.leaf_der())).unwrap();
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"lodestone/1".to_vec()];
    quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()))
}

#[tokio::test]
async fn a_loop_that_failed_leaves_nobody_waiting() {
    let loopback = (Ipv4Addr::LOCALHOST, 0);
    let clients = ClientCertificates::Off;
    let identity = Identity::load(&Certificate::SelfSigned, &clients, loopback.0.into(), Counters::detached()).unwrap();
    let socket = std::net::UdpSocket::bind(loopback).unwrap();
    let address = socket.local_addr().unwrap();
    let (connections, mut accepted) = mpsc::unbounded_channel();
    let server = ServerConfig::with_crypto(Arc::clone(&identity.crypto) as _);
    let seat = Seat { number: 0, hubs: vec![Hub::default()] };
    let acceptor = FailsLater { taken: false, connections };
    let endpoint = Endpoint::start(EndpointConfig::default(), server, socket, seat, acceptor).unwrap();

    let client = quinn::Endpoint::client(loopback.into()).unwrap();
    let connect = || client.connect_with(client_config(&identity), address, "localhost").unwrap();
    let _first = connect().await.unwrap();
    let connection = accepted.recv().await.unwrap();
    connection.established().await.unwrap();
    let waiting = tokio::spawn({
        let connection = connection.clone();
        async move { connection.accept_bi().await.is_err() }
    });
    let closed = tokio::spawn(async move { connection.closed().await });
    tokio::task::yield_now().await;
    let _second = connect();
    assert!(tokio::time::timeout(HANG, waiting).await.expect("hangs: a stream").unwrap());
    tokio::time::timeout(HANG, closed).await.expect("hangs: the end").unwrap();
    tokio::time::timeout(HANG, endpoint.finished()).await.expect("hangs: the endpoint");
}

/// Takes everybody.
struct TakesAll(mpsc::UnboundedSender<(usize, Connection)>, usize);

impl Acceptor for TakesAll {
    type Ticket = ();

    fn judge(&mut self, _: Attempt) -> Verdict<()> {
        Verdict::Accept(())
    }

    fn accepted(&mut self, connection: Connection, (): ()) {
        self.0.send((self.1, connection)).unwrap();
    }

    fn failed(&mut self, (): ()) {}

    fn round(&mut self, _: &mut Turns) {}
}

/// What a system would be that hands every packet to the first of two sockets, whoever it belongs to.
async fn hand_all_to_the_first(relay: tokio::net::UdpSocket, sockets: [SocketAddr; 2]) {
    let (mut client, mut bytes) = (None, vec![0; 65_536]);
    loop {
        let (count, from) = relay.recv_from(&mut bytes).await.unwrap();
        let to = if sockets.contains(&from) { client.unwrap() } else { sockets[0] };
        if !sockets.contains(&from) {
            client = Some(from);
        }
        relay.send_to(&bytes[..count], to).await.unwrap();
    }
}

#[tokio::test]
async fn a_packet_that_came_to_the_wrong_socket_is_passed_on() {
    let loopback = (Ipv4Addr::LOCALHOST, 0);
    let clients = ClientCertificates::Off;
    let identity = Identity::load(&Certificate::SelfSigned, &clients, loopback.0.into(), Counters::detached()).unwrap();
    let server = ServerConfig::with_crypto(Arc::clone(&identity.crypto) as _);
    let (connections, mut accepted) = mpsc::unbounded_channel();
    let hubs = vec![Hub::default(), Hub::default()];
    let addresses: Vec<SocketAddr> = (0..2)
        .map(|number| {
            let socket = std::net::UdpSocket::bind(loopback).unwrap();
            let address = socket.local_addr().unwrap();
            let mut config = EndpointConfig::default();
            config.cid_generator(move || Box::new(SocketIds::new(None, number, 2)));
            let seat = Seat { number, hubs: hubs.clone() };
            Endpoint::start(config, server.clone(), socket, seat, TakesAll(connections.clone(), number)).unwrap();
            address
        })
        .collect();
    let relay = tokio::net::UdpSocket::bind(loopback).await.unwrap();
    let address = relay.local_addr().unwrap();
    tokio::spawn(hand_all_to_the_first(relay, [addresses[0], addresses[1]]));

    let client = quinn::Endpoint::client(loopback.into()).unwrap();
    let mut served = [0; 2];
    while served.contains(&0) {
        let connecting = client.connect_with(client_config(&identity), address, "localhost").unwrap();
        let _connected = tokio::time::timeout(HANG, connecting).await.expect("hangs: a handshake").unwrap();
        let (number, connection) = accepted.recv().await.unwrap();
        connection.established().await.unwrap();
        served[number] += 1;
    }
}
