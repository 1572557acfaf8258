//! What a server that was started again knows of its predecessor, and another server with the same certificate does not.

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};

use common::*;
use lodestone_memory::CounterId;
use lodestone_transport::Certificate;
use quinn::ConnectionError;
use tempfile::TempDir;
use tokio::net::UdpSocket;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// A certificate in files, for as long as the folder is there.
fn certificate() -> (TempDir, Certificate) {
    let folder = tempfile::tempdir().unwrap();
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate_file, issued.cert.pem()).unwrap();
    std::fs::write(&key_file, issued.signing_key.serialize_pem()).unwrap();
    (folder, Certificate::Pem { certificate_file, key_file })
}

fn setup(certificate: &Certificate, server_id: &str, listen: SocketAddr) -> Setup {
    let mut setup = Setup::default();
    setup.config.certificate = certificate.clone();
    setup.config.server_id = server_id.to_owned();
    setup.config.listen = listen;
    setup
}

/// A server that can be killed: on one worker, so that none of its tasks is polled while others are dropped already.
fn start_mortal(setup: Setup) -> (Bench, impl FnOnce()) {
    let ((sender, started), (kill, killed)) = (mpsc::channel(), oneshot::channel::<()>());
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            assert!(sender.send(setup.start()).is_ok());
            let _ = killed.await;
        });
    });
    let bench = started.recv().unwrap();
    (bench, move || {
        kill.send(()).unwrap();
        thread.join().unwrap();
    })
}

/// What a client hears when its server was killed and one of the second name listens in its place.
fn after_a_kill(first_id: &str, second_id: &str) -> ConnectionError {
    let (_folder, certificate) = certificate();
    let (clients, runtime) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let any_port = "127.0.0.1:0".parse().unwrap();
    let (first, kill) = start_mortal(setup(&certificate, first_id, any_port));
    let mut client = clients.block_on(async {
        let connection = first.connect_with(|transport| {
            transport.max_idle_timeout(Some(quinn::VarInt::from_u32(1500).into()));
        });
        Client::welcomed(connection.await, &[]).await
    });
    // No farewell: its tasks are gone between two packets.
    kill();
    let address = first.server.local_address();
    let _second = runtime.block_on(async { setup(&certificate, second_id, address).start() });
    clients.block_on(async {
        let _ = client.send.write_all(&move_frame(0, client.session, 1, 5, &[])).await;
        watched("the end", client.connection.closed()).await
    })
}

#[test]
fn a_server_that_was_killed_and_started_again_resets_the_connections_of_its_predecessor() {
    assert_eq!(after_a_kill("", ""), ConnectionError::Reset);
    assert_eq!(after_a_kill("one", "one"), ConnectionError::Reset);
}

#[test]
fn another_server_with_the_same_certificate_cannot_be_made_to_reset_a_connection() {
    assert_eq!(after_a_kill("one", "two"), ConnectionError::TimedOut);
    assert_eq!(after_a_kill("", "two"), ConnectionError::TimedOut);
}

/// Passes the first packet of a client on to one server, and all others to another.
async fn relay(first: SocketAddr, then: SocketAddr) -> SocketAddr {
    let near = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let far = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let address = near.local_addr().unwrap();
    let client = Arc::new(Mutex::new(None));
    let (seen, back, out) = (Arc::clone(&client), Arc::clone(&near), Arc::clone(&far));
    tokio::spawn(async move {
        let (mut packet, mut server) = (vec![0; 2000], first);
        while let Ok((bytes, from)) = near.recv_from(&mut packet).await {
            *seen.lock().unwrap() = Some(from);
            let _ = out.send_to(&packet[..bytes], server).await;
            server = then;
        }
    });
    tokio::spawn(async move {
        let mut packet = vec![0; 2000];
        while let Ok((bytes, _)) = far.recv_from(&mut packet).await {
            let client = client.lock().unwrap().unwrap();
            let _ = back.send_to(&packet[..bytes], client).await;
        }
    });
    address
}

/// Lets a client get its Retry token from one server and bring it to another; returns whether that one lets it in instead of
/// asking once more.
async fn is_token_taken(issuer_id: &str, taker_id: &str) -> bool {
    let (_folder, certificate) = certificate();
    let any_port = "127.0.0.1:0".parse().unwrap();
    let start = |server_id| {
        let mut setup = setup(&certificate, server_id, any_port);
        setup.config.retry_handshakes = 0;
        setup.start()
    };
    let (issuer, taker) = (start(issuer_id), start(taker_id));
    let way = relay(issuer.server.local_address(), taker.server.local_address()).await;
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = client_config(issuer.server.certificate_der(), b"lodestone/1", |_| {});
    let connecting = endpoint.connect_with(config, way, "localhost").unwrap();
    let asked_again = until("it is asked again", || taker.counters.get(CounterId::ConnectionsRetried) > 0);
    let taken = tokio::select! {
        connected = connecting => connected.is_ok(),
        () = asked_again => false,
    };
    assert_eq!(issuer.counters.get(CounterId::ConnectionsRetried), 1);
    assert_eq!(taker.counters.get(CounterId::ConnectionsRetried), u64::from(!taken));
    taken
}

#[tokio::test]
async fn a_token_of_a_retry_counts_after_a_restart_and_nowhere_else() {
    assert!(is_token_taken("one", "one").await);
    assert!(!is_token_taken("one", "two").await);
    assert!(!is_token_taken("", "").await, "they listen on different ports");
}
