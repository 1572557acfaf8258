//! Several sockets on one address, each with a loop on a thread of its own.

mod common;

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};

use common::*;
use lodestone_memory::CounterId;
use lodestone_transport::Certificate;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// For sessions that end well, however slow the machine is; nothing waits for it to pass.
const PATIENT_MS: u64 = 120_000;

/// Threads with a runtime each; they end when this is dropped.
struct Loops {
    handles: Vec<Handle>,
    ends: Vec<oneshot::Sender<()>>,
}

impl Loops {
    fn start(count: usize) -> Loops {
        let mut loops = Loops { handles: Vec::new(), ends: Vec::new() };
        for number in 0..count {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            loops.handles.push(runtime.handle().clone());
            let (end, ended) = oneshot::channel();
            loops.ends.push(end);
            let thread = std::thread::Builder::new().name(format!("loop-{number}"));
            thread.spawn(move || runtime.block_on(async { ended.await.ok() })).unwrap();
        }
        loops
    }

    fn setup(&self) -> Setup {
        Setup { loops: self.handles.clone(), ..Setup::default() }
    }
}

/// A client with a socket of its own, so that it can leave it.
async fn mover(bench: &Bench) -> (quinn::Endpoint, Client) {
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = client_config(bench.server.certificate_der(), b"lodestone/1", |_| {});
    let connecting = endpoint.connect_with(config, bench.server.local_address(), "localhost").unwrap();
    let connection = watched("connect", connecting).await.unwrap();
    (endpoint, Client::welcomed(connection, &[]).await)
}

async fn move_is_acked(client: &mut Client, counter: u64) {
    client.send.write_all(&move_frame(0, client.session, counter, 5, &[])).await.unwrap();
    until_acked(&mut client.receive, counter).await;
}

/// Connects until every thread serves a session, and a few more.
async fn sessions_on_all(bench: &Bench, sockets: usize) -> Vec<(quinn::Endpoint, Client)> {
    let mut clients = Vec::new();
    watched("a session on every socket", async {
        loop {
            clients.push(mover(bench).await);
            let threads: BTreeSet<String> = bench.threads.lock().unwrap().values().cloned().collect();
            if threads.len() == sockets && clients.len() >= 2 * sockets {
                return;
            }
        }
    })
    .await;
    clients
}

#[tokio::test]
async fn sessions_land_on_every_socket_and_stay_there_wherever_their_clients_move() {
    for sockets in [2, 3, 4] {
        let loops = Loops::start(sockets);
        let bench = loops.setup().start();
        let mut clients = sessions_on_all(&bench, sockets).await;
        // Each is counted behind its WELCOME.
        let opened = clients.len() as u64;
        until("all are counted", || bench.counters.get(CounterId::SessionsLive) == opened).await;
        for counter in 1..=5 {
            for (endpoint, client) in &mut clients {
                endpoint.rebind(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
                move_is_acked(client, counter).await;
            }
        }
        assert_eq!(bench.counters.get(CounterId::SessionsTotal), opened, "{sockets} sockets: nobody came anew");
        assert_eq!(bench.counters.get(CounterId::SessionsLive), clients.len() as u64);
        for thread in bench.threads.lock().unwrap().values() {
            assert!(thread.starts_with("loop-"), "{thread}");
        }
    }
}

#[tokio::test]
async fn limits_are_those_of_all_sockets_together() {
    const SOCKETS: usize = 4;
    let loops = Loops::start(SOCKETS);
    let mut setup = loops.setup();
    setup.config.limit_loopback = true;
    setup.config.address_connections_max = 12;
    setup.config.connections_max = 14;
    let bench = setup.start();
    let mut clients = Vec::new();
    while clients.len() < 12 {
        clients.push(mover(&bench).await);
    }
    let threads: BTreeSet<String> = bench.threads.lock().unwrap().values().cloned().collect();
    assert!(threads.len() > 1, "twelve clients on one of four sockets by chance: once in four million runs");
    for refused in 1..=8 {
        let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let config = client_config(bench.server.certificate_der(), b"lodestone/1", |_| {});
        let connecting = endpoint.connect_with(config, bench.server.local_address(), "localhost").unwrap();
        let error = watched("a refusal", connecting).await.expect_err("one more than twelve");
        assert!(error.to_string().contains("refused"), "{error}");
        // More where the client asked again before it knew.
        assert!(bench.counters.get(CounterId::ConnectionsLimited) >= refused);
    }
}

#[tokio::test]
async fn every_client_proves_its_address_to_the_socket_that_asked() {
    let loops = Loops::start(3);
    let mut setup = loops.setup();
    setup.config.retry_handshakes = 0;
    let bench = setup.start();
    let mut clients = sessions_on_all(&bench, 3).await;
    for (_, client) in &mut clients {
        move_is_acked(client, 1).await;
    }
    // More where a client asked again before it knew.
    assert!(bench.counters.get(CounterId::ConnectionsRetried) >= clients.len() as u64);
}

#[tokio::test]
async fn the_end_is_told_on_every_socket_and_nothing_accepted_is_lost() {
    let loops = Loops::start(3);
    let mut setup = loops.setup();
    setup.config.drain_ms = PATIENT_MS;
    let bench = setup.start();
    let mut clients = sessions_on_all(&bench, 3).await;
    for (_, client) in &mut clients {
        client.send.write_all(&move_frame(0, client.session, 1, 5, &[])).await.unwrap();
    }
    let count = clients.len() as u64;
    until("all is read", || bench.counters.get(CounterId::FramesReceived) == count).await;
    watched("the end", bench.server.shutdown(PATIENT_MS)).await;
    for (_, client) in &mut clients {
        until_acked(&mut client.receive, 1).await;
        let close = next(&mut client.receive).await.expect("CLOSE");
        assert_eq!((close.kind, close.u16(0)), (CLOSE, 13));
        assert_eq!(closed(&client.connection).await.0, 13);
    }
    assert_eq!(bench.counters.get(CounterId::SessionsDrained), count);
}

#[tokio::test]
async fn a_port_that_is_taken_is_refused_however_many_sockets_either_side_has() {
    let loops = Loops::start(2);
    for (first, second) in [(2, 2), (2, 1), (1, 2), (1, 1)] {
        let setup = |count: usize| Setup { loops: loops.handles[..count].to_vec(), ..Setup::default() };
        let bench = setup(first).start();
        let mut other = setup(second);
        other.config.listen = bench.server.local_address();
        let error = other.try_start().err().expect("the port is taken").to_string();
        assert!(error.starts_with("cannot listen on UDP"), "{first} and {second} sockets: {error}");
        bench.session().await;
    }
}

#[test]
fn a_server_started_again_with_other_sockets_resets_the_connections_of_its_predecessor() {
    let folder = tempfile::tempdir().unwrap();
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate_file, issued.cert.pem()).unwrap();
    std::fs::write(&key_file, issued.signing_key.serialize_pem()).unwrap();
    let setup = |loops: &Loops, listen: Option<SocketAddr>| {
        let mut setup = loops.setup();
        let (certificate_file, key_file) = (certificate_file.clone(), key_file.clone());
        setup.config.certificate = Certificate::Pem { certificate_file, key_file };
        setup.config.listen = listen.unwrap_or(setup.config.listen);
        setup.start()
    };
    let clients = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    clients.block_on(async {
        // The runtimes of the first server stop in the middle, as in a process that is killed.
        let killed: Vec<_> = (0..3)
            .map(|_| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap())
            .collect();
        let handles =
            Loops { handles: killed.iter().map(|runtime| runtime.handle().clone()).collect(), ends: Vec::new() };
        let bench = setup(&handles, None);
        let mut held = Vec::new();
        for _ in 0..12 {
            held.push(mover(&bench).await);
        }
        let address = bench.server.local_address();
        killed.into_iter().for_each(tokio::runtime::Runtime::shutdown_background);
        let again = Loops::start(2);
        let bench = watched("the port", async {
            loop {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                if std::net::UdpSocket::bind(address).is_ok() {
                    return setup(&again, Some(address));
                }
            }
        })
        .await;
        for (_, client) in &mut held {
            let _ = client.send.write_all(&move_frame(0, client.session, 1, 5, &[])).await;
            let end = watched("the reset", client.connection.closed()).await;
            assert_eq!(end, quinn::ConnectionError::Reset);
        }
        drop(bench);
    });
}
