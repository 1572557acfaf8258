use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lodestone_memory::Counters;
use quinn::crypto::rustls::QuicClientConfig;
use quinn_proto::{EndpointConfig, ServerConfig};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::{Hub, Seat};
use crate::config::{Certificate, ClientCertificates};
use crate::quic::{Acceptor, Attempt, Connection, Endpoint, Turns, Verdict};
use crate::sockets::SocketIds;
use crate::tls::Identity;

const HANG: Duration = Duration::from_secs(180);

/// Takes everybody, at the socket of this number.
struct TakesAll(usize, mpsc::UnboundedSender<(usize, Connection)>);

impl Acceptor for TakesAll {
    type Place = ();
    type Ticket = ();

    fn judge(&mut self, _: Attempt) -> Verdict<(), ()> {
        Verdict::Accept((), ())
    }

    fn accepted(&mut self, connection: Connection, (): ()) {
        self.1.send((self.0, connection)).unwrap();
    }

    fn failed(&mut self, (): ()) {}

    fn round(&mut self, _: &mut Turns) {}
}

/// What a system would be that hands every packet to the first of two sockets, whoever it belongs to.
async fn hand_all_to_the_first(relay: UdpSocket, sockets: [SocketAddr; 2]) {
    let (mut client, mut bytes) = (None, vec![0; 65_536]);
    loop {
        let (count, from) = relay.recv_from(&mut bytes).await.unwrap();
        let from_server = sockets.contains(&from);
        if !from_server {
            client = Some(from);
        }
        let to = if from_server { client } else { Some(sockets[0]) };
        relay.send_to(&bytes[..count], to.unwrap()).await.unwrap();
    }
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
async fn a_packet_that_came_to_the_wrong_socket_is_passed_on() {
    let loopback = (Ipv4Addr::LOCALHOST, 0);
    let (off, counters) = (ClientCertificates::Off, Counters::detached());
    let identity = Identity::load(&Certificate::SelfSigned, &off, loopback.0.into(), counters).unwrap();
    let server = ServerConfig::with_crypto(Arc::clone(&identity.crypto) as _);
    let (connections, mut accepted) = mpsc::unbounded_channel();
    let hubs = vec![Hub::default(), Hub::default()];
    let start = |number: usize| {
        let socket = std::net::UdpSocket::bind(loopback).unwrap();
        let address = socket.local_addr().unwrap();
        let mut config = EndpointConfig::default();
        config.cid_generator(move || Box::new(SocketIds::new(None, number, 2)));
        let seat = Seat { number, hubs: hubs.clone() };
        Endpoint::start(config, server.clone(), socket, seat, TakesAll(number, connections.clone())).unwrap();
        address
    };
    let sockets = [start(0), start(1)];
    let relay = UdpSocket::bind(loopback).await.unwrap();
    let address = relay.local_addr().unwrap();
    tokio::spawn(hand_all_to_the_first(relay, sockets));

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
