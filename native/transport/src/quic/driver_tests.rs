use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use lodestone_memory::Counters;
use quinn::crypto::rustls::QuicClientConfig;
use quinn_proto::{EndpointConfig, ServerConfig};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use tokio::sync::mpsc;

use super::{Acceptor, Attempt, Endpoint, Verdict};
use crate::config::{Certificate, ClientCertificates};
use crate::quic::Connection;
use crate::tls::Identity;

const HANG: Duration = Duration::from_secs(180);

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
    let acceptor = FailsLater { taken: false, connections };
    let endpoint = Endpoint::start(EndpointConfig::default(), server, socket, acceptor).unwrap();

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
