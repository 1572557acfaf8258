//! Sessions and the load generator against a real engine.

use std::net::SocketAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use lodestone_client::{Ack, Answer, Client, ClientError, Move, Session, Status, StreamReceiver, TrustAnchor};
use lodestone_map::{Map, encode};
use lodestone_runtime::{CounterId, Engine};
use sha2::Sha256;

const SECRET: [u8; 32] = [0x5a; 32];

/// An engine with 1,000 nodes on a free port.
fn open_engine(more: &str) -> Engine {
    let config = format!(
        "transport.listen=127.0.0.1:0\nruntime.shared_region=anonymous\narena.capacity=500\ngraph.nodes_max=1000\n\
         graph.edges_max=4000\nrollback.window_mib=1\narena.bump_mib=2\nruntime.worker_threads=1\n{more}"
    );
    Engine::open(&config, 0).unwrap()
}

/// Runs the scenario in a runtime of its own; the engine outlives it and is closed outside of it, since closing blocks.
fn on_engine(more: &str, scenario: impl AsyncFnOnce(&Engine)) {
    let engine = open_engine(more);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(scenario(&engine));
    engine.close();
}

fn trust(engine: &Engine) -> TrustAnchor {
    TrustAnchor::pem(engine.description().certificate_pem.as_bytes()).unwrap()
}

async fn connect(engine: &Engine) -> Session {
    Client::connect(engine.description().address, &trust(engine), None).await.unwrap()
}

/// Reads answers up to the ACK that covers `counter`, in words.
async fn answers_until(receiver: &mut StreamReceiver, counter: u64) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        match receiver.next().await.unwrap().expect("the stream is open") {
            Answer::Ack(ack) if ack.counter >= counter => return seen,
            Answer::Ack(_) => {}
            Answer::Reject(reject) => seen.push(format!("reject {} {}", reject.counter, reject.status.name())),
            Answer::Latest(update) => seen.push(format!("latest {}", update.node)),
            Answer::Path(path) => {
                seen.push(format!("path {:?} of {}", path.nodes().collect::<Vec<_>>(), path.distance))
            }
            Answer::State(state) => {
                let slot = state.slot;
                seen.push(format!(
                    "state {} -> {} v{} {:?}",
                    slot.source(),
                    slot.target(),
                    slot.version(),
                    slot.payload()
                ));
            }
            Answer::Subscribed(subscribed) => seen.push(format!("subscribed to {}", subscribed.subscriptions)),
            Answer::Close { status, text } => panic!("closed: {status} {text}"),
        }
    }
}

#[test]
fn every_frame_of_a_stream_is_answered() {
    for place in ["graph.pathfinder=thread", "graph.pathfinder=inline"] {
        every_frame_is_answered(place);
    }
}

fn every_frame_is_answered(place: &str) {
    on_engine(place, async |engine| {
        let session = connect(engine).await;
        assert_eq!(session.welcome().nodes_max, 1_000);
        let (mut sender, mut receiver) = session.open_stream().await.unwrap();
        let step = |source, target| Move { source, target, edge_mask: 0x1_0003, payload: &[8, 9], ..Move::default() };
        sender.queue_move(&step(1, 2)).unwrap();
        sender.queue_move(&step(2, 3)).unwrap();
        sender.queue_move(&Move { version: 9, ..step(1, 2) }).unwrap();
        sender.queue_move(&step(1, 5_000)).unwrap();
        sender.queue_read(1).unwrap();
        sender.queue_route(1, 3).unwrap();
        sender.queue_route(1, 1_000).unwrap();
        sender.queue_release(2, false).unwrap();
        sender.queue_release(2, false).unwrap();
        let last = sender.queue_move(&Move { ack_each: true, version: 1, ..step(1, 4) }).unwrap();
        sender.finish().await.unwrap();
        let mut seen = answers_until(&mut receiver, last).await;
        // PATH may come after the covering ACK; the server ends the stream after the last answer.
        while let Some(answer) = receiver.next().await.unwrap() {
            if let Answer::Path(path) = answer {
                seen.push(format!("path {:?} of {}", path.nodes().collect::<Vec<_>>(), path.distance));
            }
        }
        seen.sort();
        let expected = [
            "path [1, 2, 3] of 6",
            "reject 2 CONFLICT",
            "reject 3 OUT_OF_BOUNDS",
            "reject 6 OUT_OF_BOUNDS",
            "reject 8 NO_SLOT",
            "state 1 -> 2 v1 [8, 9]",
        ];
        assert_eq!(seen, expected);
    });
}

#[test]
fn routes_of_a_session_that_left_are_given_up() {
    const NODES: u32 = 400_000;
    const STREAMS: u64 = 100;
    for place in ["graph.pathfinder=thread", "graph.pathfinder=inline"] {
        let engine = Engine::open(
            &format!(
                "transport.listen=127.0.0.1:0\nruntime.shared_region=anonymous\narena.capacity=5\ngraph.nodes_max={NODES}\n\
                 graph.edges_max={NODES}\nrollback.window_mib=1\narena.bump_mib=4\nruntime.worker_threads=1\n{place}"
            ),
            0,
        )
        .unwrap();
        // Two chains that do not meet, so that a route settles every node.
        let arcs: Vec<u32> = (0..NODES - 2).flat_map(|node| [node, node + 2, 1]).collect();
        engine.put_arcs(&arcs).unwrap();
        let counter = |id| engine.counters().get(id);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let session = connect(&engine).await;
            let mut streams = Vec::new();
            for _ in 0..STREAMS {
                let (mut sender, receiver) = session.open_stream().await.unwrap();
                sender.queue_route(0, NODES - 1).unwrap();
                sender.flush().await.unwrap();
                streams.push((sender, receiver));
            }
            while counter(CounterId::FramesReceived) < STREAMS {
                tokio::task::yield_now().await;
            }
            session.close("enough");
            session.wait_idle().await;
        });
        let start = Instant::now();
        while counter(CounterId::Routes) + counter(CounterId::RoutesCancelled) < STREAMS {
            assert!(start.elapsed().as_secs() < 120, "{place}: routes are neither found nor given up");
            std::thread::yield_now();
        }
        assert!(counter(CounterId::RoutesCancelled) > 0, "{place}: every route was searched to its end");
        engine.close();
    }
}

#[test]
fn a_rollback_is_reported_on_the_first_stream() {
    on_engine("", async |engine| {
        let mut session = connect(engine).await;
        let (mut sender, mut receiver) = session.take_first_stream().unwrap();
        let mut revisions = Vec::new();
        for target in [2, 3] {
            sender.queue_move(&Move { source: 1, target, edge_mask: 1, ..Move::default() }).unwrap();
            sender.flush().await.unwrap();
            match receiver.next().await.unwrap() {
                Some(Answer::Ack(ack)) => revisions.push(ack.revision),
                other => panic!("{other:?}"),
            }
        }
        assert!(revisions[0] < revisions[1], "{revisions:?}");
        tokio::task::block_in_place(|| engine.rollback(revisions[0])).unwrap();
        match receiver.next().await.unwrap() {
            Some(Answer::Reject(reject)) => assert!(reject.is_rollback(), "{reject:?}"),
            other => panic!("{other:?}"),
        }
        let after = receiver.next().await.unwrap();
        assert_eq!(after, Some(Answer::Ack(Ack { counter: 2, revision: revisions[0] })));
        tokio::task::block_in_place(|| engine.close());
        let ended = loop {
            match receiver.next().await {
                Ok(Some(Answer::Close { status, .. })) => break status,
                Err(ClientError::Closed { status, .. }) => break status,
                Ok(Some(_)) => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(ended, Status::SHUTTING_DOWN);
    });
}

#[test]
fn datagrams_are_answered_and_not_replayed() {
    on_engine("", async |engine| {
        let mut session = connect(engine).await;
        let (mut sender, mut receiver) = session.take_datagrams().unwrap();
        let step = Move { source: 4, target: 5, edge_mask: 7, ack_each: true, ..Move::default() };
        sender.set_counter_next(100);
        sender.send_move(&step).unwrap();
        assert!(matches!(receiver.next().await.unwrap(), Answer::Ack(Ack { counter: 100, .. })));
        sender.set_counter_next(100);
        sender.send_move(&step).unwrap();
        match receiver.next().await.unwrap() {
            Answer::Reject(reject) => assert_eq!((reject.counter, reject.status), (100, Status::REPLAYED)),
            other => panic!("{other:?}"),
        }
        sender.send_read(4).unwrap();
        match receiver.next().await.unwrap() {
            Answer::State(state) => assert_eq!((state.counter, state.slot.version(), state.slot.weight()), (101, 1, 7)),
            other => panic!("{other:?}"),
        }
    });
}

/// Records of the engine's log that begin with these words.
fn told(engine: &Engine, words: &str) -> usize {
    let mut reader = engine.log().reader(0);
    std::iter::from_fn(|| reader.poll()).filter(|view| view.message.starts_with(words)).count()
}

#[test]
fn an_engine_that_falls_behind_says_so_once() {
    on_engine("transport.channel_batches=1", async |engine| {
        let session = connect(engine).await;
        let (mut sender, mut receiver) = session.open_stream().await.unwrap();
        let step = Move { source: 1, target: 2, edge_mask: 1, ..Move::default() };
        while engine.counters().get(CounterId::ChannelFull) < 2 {
            let last = (0..500).map(|_| sender.queue_move(&step).unwrap()).last().unwrap();
            sender.flush().await.unwrap();
            answers_until(&mut receiver, last).await;
        }
        assert_eq!(told(engine, "overloaded: the engine falls behind"), 1);
    });
}

#[test]
fn newcomers_that_have_to_wait_are_told_once() {
    on_engine("transport.retry_handshakes=1", async |engine| {
        while engine.counters().get(CounterId::ConnectionsRetried) < 2 {
            let sessions = tokio::join!(connect(engine), connect(engine), connect(engine), connect(engine));
            assert_eq!(sessions.0.welcome().nodes_max, 1_000);
        }
        assert_eq!(told(engine, "overloaded: who connects has to prove its address"), 1);
    });
}

#[test]
fn tokens_open_sessions_and_bound_their_nodes() {
    let secret: String = SECRET.iter().map(|byte| format!("{byte:02x}")).collect();
    let auth = format!("transport.auth.keys.0.id=3\ntransport.auth.keys.0.secret_hex={secret}");
    on_engine(&auth, async |engine| {
        let address = engine.description().address;
        for bad in [None, Some(token(3, 10, 19, [1; 32])), Some(token(4, 10, 19, SECRET))] {
            let error = Client::connect(address, &trust(engine), bad.as_deref()).await.unwrap_err();
            match error {
                ClientError::Refused { status } | ClientError::Closed { status, .. } => {
                    assert_eq!(status, Status::UNAUTHORIZED);
                }
                other => panic!("{other}"),
            }
        }
        let good = token(3, 10, 19, SECRET);
        let mut session = Client::connect(address, &trust(engine), Some(&good)).await.unwrap();
        let (mut sender, mut receiver) = session.take_first_stream().unwrap();
        for source in [9, 10, 19, 20] {
            sender.queue_move(&Move { source, target: 500, edge_mask: 1, ..Move::default() }).unwrap();
        }
        sender.flush().await.unwrap();
        assert_eq!(answers_until(&mut receiver, 4).await, ["reject 1 FORBIDDEN", "reject 4 FORBIDDEN"]);
    });
}

/// A token for this range of nodes that is valid for an hour.
fn token(key: u32, node_first: u32, node_last: u32, secret: [u8; 32]) -> Vec<u8> {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let mut token = Vec::new();
    token.extend_from_slice(&key.to_le_bytes());
    token.extend_from_slice(&0u32.to_le_bytes());
    token.extend_from_slice(&(now_ms + 3_600_000).to_le_bytes());
    token.extend_from_slice(&node_first.to_le_bytes());
    token.extend_from_slice(&node_last.to_le_bytes());
    token.extend_from_slice(&77u64.to_le_bytes());
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
    mac.update(&token);
    token.extend_from_slice(&mac.finalize().into_bytes());
    token
}

#[test]
fn hunters_walk_a_real_engine() {
    on_engine("", async |engine| {
        let folder = tempfile::tempdir().unwrap();
        let (pem, map) = (folder.path().join("server.pem"), folder.path().join("map.lsg"));
        std::fs::write(&pem, &engine.description().certificate_pem).unwrap();
        std::fs::write(&map, encode(&ring_map(400))).unwrap();
        let address: SocketAddr = engine.description().address;
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_lodestone-load"))
            .args(["--target", &address.to_string(), "--connections", "16", "--rate", "800", "--seconds", "2"])
            .arg("--certificate")
            .arg(&pem)
            .arg("--map")
            .arg(&map)
            .output()
            .await
            .unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(stdout.contains("\"moves_sent\":1600,\"moves_acked\":1600,\"moves_rejected\":0"), "{stdout}");
        assert!(engine.revision() > 0);
    });
}

/// A ring road in both directions.
fn ring_map(nodes: u32) -> Map {
    let mut targets: Vec<u32> = Vec::new();
    for node in 0..nodes {
        targets.extend([(node + 1) % nodes, (node + nodes - 1) % nodes]);
    }
    Map {
        nodes_latitude_e7: vec![390_000_000; nodes as usize],
        nodes_longitude_e7: vec![-750_000_000; nodes as usize],
        first_arc: (0..=nodes).map(|node| 2 * node).collect(),
        weights: vec![9; targets.len()],
        targets,
        unit_mm: 1_000,
        attribution: "made up".to_owned(),
    }
}

#[test]
fn every_socket_serves_and_all_of_them_end_in_order() {
    on_engine("transport.sockets=3", async |engine| {
        let mut sessions = Vec::new();
        for node in 0..24 {
            let session = connect(engine).await;
            let (mut sender, mut receiver) = session.open_stream().await.unwrap();
            sender
                .queue_move(&Move { source: node, target: node + 1, edge_mask: 0x1_0003, ..Move::default() })
                .unwrap();
            sender.flush().await.unwrap();
            assert!(answers_until(&mut receiver, 0).await.is_empty());
            sessions.push((session, sender, receiver));
        }
        assert_eq!(engine.counters().get(CounterId::MovesAccepted), 24);
        assert_eq!(engine.counters().get(CounterId::SessionsLive), 24);
    });
}
