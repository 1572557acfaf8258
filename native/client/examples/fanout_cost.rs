//! What fan-out costs the engine: moves a second through a lane while nobody is told of anything, while a session is told of
//! nodes that do not move, and while one and ten sessions are told of every node that moves. One process, real QUIC over
//! loopback; rounds alternate. `cargo run --release -p lodestone-client --example fanout_cost`
//!
//! Left out: networks, digests of moves, and what clients do with updates. Engine, producer, server and clients share the
//! processors, so what the last two rows lose is mostly the sending.
#![forbid(unsafe_code)]

use std::time::Instant;

use lodestone_client::{Client, ClientOptions, Session, StreamReceiver, StreamSender, TrustAnchor};
use lodestone_memory::rings::{ProcessIdentity, Producer, Registration};
use lodestone_runtime::{CounterId, Engine};

const ROUNDS: usize = 7;
const MOVES: u32 = 300_000;
const NODES: u32 = 1_000;
const SESSIONS: u32 = 10;
const CONFIG: &str = "transport.listen=127.0.0.1:0\nruntime.shared_region=anonymous\narena.capacity=4000\n\
    graph.nodes_max=4000\ngraph.edges_max=20000\nfanout.policy=all\nruntime.worker_threads=1\n";

/// A session whose updates are read and dropped.
struct Watcher {
    number: u32,
    _streams: (StreamSender, StreamReceiver),
    _session: Session,
}

fn main() {
    let engine = Engine::open(CONFIG, 0).unwrap();
    let clients = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let watchers: Vec<Watcher> = (0..SESSIONS).map(|_| clients.block_on(watch(&engine))).collect();
    let process = ProcessIdentity::own().unwrap();
    let registration = Registration { process, tenant: 0, lane: true, unix_ms: 1 };
    let mut producer = engine.bridge().register(&registration).unwrap();
    let rows = ["nobody", "others' nodes", "one session", "ten sessions"];
    let mut rates: [Vec<f64>; 4] = Default::default();
    play(&engine, &mut producer);
    for _ in 0..ROUNDS {
        for (row, rates) in rates.iter_mut().enumerate() {
            let (told, first) = [(0, 0), (1, 2_000), (1, 0), (SESSIONS as usize, 0)][row];
            for watcher in &watchers[..told] {
                decide(&engine, &mut producer, 0x30, watcher.number, first..first + NODES);
            }
            rates.push(play(&engine, &mut producer));
            for watcher in &watchers[..told] {
                decide(&engine, &mut producer, 0x32, watcher.number, 0..0);
            }
        }
    }
    for (name, rates) in rows.iter().zip(&mut rates) {
        rates.sort_by(f64::total_cmp);
        let (median, nobody) = (rates[ROUNDS / 2], rates[0]);
        println!("{name:>14}: {median:5.2} M moves/s, median of {ROUNDS} rounds, slowest {nobody:.2}");
    }
    let counter = |id| engine.counters().get(id);
    println!("updates sent {}, coalesced {}", counter(CounterId::UpdatesSent), counter(CounterId::UpdatesCoalesced));
    drop(watchers);
    engine.close();
}

async fn watch(engine: &Engine) -> Watcher {
    let trust = TrustAnchor::pem(engine.description().certificate_pem.as_bytes()).unwrap();
    let options = ClientOptions { updates: true, ..ClientOptions::default() };
    let opened = Client::connect_with(engine.description().address, &trust, None, None, &options).await;
    let mut session = opened.unwrap();
    let mut updates = session.take_updates().unwrap();
    tokio::spawn(async move { while updates.next().await.is_ok() {} });
    let (number, streams) = (session.welcome().session, session.take_first_stream().unwrap());
    Watcher { number, _streams: streams, _session: session }
}

fn send(producer: &mut Producer, kind: u8, body: &[u8]) {
    while producer.send(kind, body).is_err() {
        std::hint::spin_loop();
    }
}

fn await_decided(engine: &Engine, producer: &Producer) {
    let answers = engine.bridge().producers().answers(producer.entry());
    while answers.decided() < producer.counter() {
        std::hint::spin_loop();
    }
    assert_eq!(answers.acknowledged().rejected, 0);
}

fn decide(engine: &Engine, producer: &mut Producer, kind: u8, session: u32, nodes: std::ops::Range<u32>) {
    let nodes: Vec<u32> = nodes.collect();
    let mut chunks: Vec<&[u32]> = nodes.chunks(62).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    for chunk in chunks {
        let words = [session, 0].into_iter().chain(chunk.iter().copied());
        send(producer, kind, &words.flat_map(u32::to_le_bytes).collect::<Vec<_>>());
    }
    await_decided(engine, producer);
}

/// Moves the first nodes round and round; returns millions of moves a second.
fn play(engine: &Engine, producer: &mut Producer) -> f64 {
    let begun = Instant::now();
    let mut packet = [0; 64];
    packet[14] = 40;
    for step in 0..MOVES {
        let (source, target) = (step % NODES, (step + 1) % NODES);
        packet[..4].copy_from_slice(&source.to_le_bytes());
        packet[4..8].copy_from_slice(&target.to_le_bytes());
        packet[8..12].copy_from_slice(&(step | 1).to_le_bytes());
        send(producer, 0x10, &packet);
    }
    await_decided(engine, producer);
    f64::from(MOVES) / begun.elapsed().as_secs_f64() / 1e6
}
