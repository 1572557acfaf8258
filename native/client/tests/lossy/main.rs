//! Real sessions with a real engine over a path that loses, doubles, reorders and delays datagrams: every accepted move is
//! applied exactly once and in the order of its stream, and the state is the model's, by its hash.
//!
//! A failure prints the seed; LODESTONE_SEED repeats it (the faults, not the system's timing), LODESTONE_RELAY_ROUNDS takes
//! more seeds.

mod relay;
mod updates;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use lodestone_client::{Answer, Client, ClientOptions, Move, Session, Status, StreamReceiver, TrustAnchor};
use lodestone_runtime::{CounterId, Engine, LocalKind, LocalMove};
use relay::{Faults, Random, Relay};

const NODES_MAX: u32 = 2_000;
const SESSIONS: u32 = 3;
const STREAMS: u32 = 4;
const NODES_PER_STREAM: u32 = 8;
const MOVES_PER_STREAM: u32 = 60;

/// What the state must be, as docs/protocol.md tells it: moves of a node, in order.
#[derive(Default)]
struct Model {
    /// Accepted packets of each node, the first one included.
    packets: BTreeMap<u32, Vec<Vec<u8>>>,
}

impl Model {
    fn version(&self, node: u32) -> u64 {
        self.packets.get(&node).map_or(0, |packets| packets.len() as u64)
    }

    fn accept(&mut self, step: &Move<'_>) {
        self.packets.entry(step.source).or_default().push(packet(step));
    }
}

/// The packet of a move as it lies in a MOVE frame.
fn packet(step: &Move<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [step.source, step.target, step.edge_mask] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&(step.payload.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&step.version.to_le_bytes());
    bytes.extend_from_slice(step.payload);
    bytes
}

fn open_engine() -> Engine {
    let config = format!(
        "transport.listen=127.0.0.1:0\nruntime.shared_region=anonymous\narena.capacity={NODES_MAX}\n\
         graph.nodes_max={NODES_MAX}\ngraph.edges_max=40000\nrollback.window_mib=4\narena.bump_mib=4\n\
         runtime.worker_threads=1"
    );
    Engine::open(&config, 0).unwrap()
}

/// Gives each node its slot in order, so that slots have the same numbers in every engine that did this.
fn seat(engine: &Engine, nodes: impl Iterator<Item = u32>, model: Option<&mut Model>) {
    let mut ignored = Model::default();
    let model = model.unwrap_or(&mut ignored);
    let steps: Vec<Move<'_>> =
        nodes.map(|node| Move { source: node, target: node + 1, edge_mask: 5, ..Move::default() }).collect();
    steps.iter().for_each(|step| model.accept(step));
    submit(engine, steps.iter().map(packet).collect::<Vec<_>>().iter());
}

fn submit<'a>(engine: &Engine, packets: impl Iterator<Item = &'a Vec<u8>>) {
    let moves: Vec<_> = packets.map(|packet| LocalMove { kind: LocalKind::Move, packet }).collect();
    for part in moves.chunks(128) {
        for decision in engine.submit(part, 0).unwrap() {
            assert_eq!(decision.status, lodestone_runtime::Status::Ok);
        }
    }
}

/// One stream's work: its moves, and the status each must get.
struct Work {
    stream: u32,
    random: Random,
    sent: Vec<(u64, Status)>,
}

impl Work {
    fn first_node(&self) -> u32 {
        self.stream * NODES_PER_STREAM
    }

    /// A random move of one of the stream's own nodes, noted in the model when it must be accepted.
    fn queue(&mut self, sender: &mut lodestone_client::StreamSender, model: &mut Model) {
        let random = &mut self.random;
        let source = self.stream * NODES_PER_STREAM + random.below(u64::from(NODES_PER_STREAM)) as u32;
        let payload: Vec<u8> = (0..random.below(64)).map(|_| random.next() as u8).collect();
        let known = model.version(source);
        let version = match random.below(8) {
            0 => 0,
            1 => known + 1,
            _ => known,
        };
        let target = (source + 1 + random.below(40) as u32) % NODES_MAX;
        let edge_mask = random.below(0x2_0000) as u32;
        let step = Move { source, target, edge_mask, version, payload: &payload, ack_each: random.below(10) == 0 };
        let expected = if version == known + 1 { Status::CONFLICT } else { Status::OK };
        if expected == Status::OK {
            model.accept(&step);
        }
        self.sent.push((sender.queue_move(&step).unwrap(), expected));
    }

    /// Reads answers until the last move is covered; each must be as the model says.
    async fn check(&self, receiver: &mut StreamReceiver, seed: u64) {
        let last = self.sent.last().unwrap().0;
        let mut refused = BTreeSet::new();
        loop {
            match receiver.next().await.unwrap().expect("the stream is open") {
                Answer::Ack(ack) if ack.counter >= last => break,
                Answer::Ack(_) => {}
                Answer::Reject(reject) => {
                    assert_eq!(reject.status, Status::CONFLICT, "seed {seed}, stream {}", self.stream);
                    assert!(refused.insert(reject.counter), "seed {seed}: frame {} refused twice", reject.counter);
                }
                other => panic!("seed {seed}: {other:?}"),
            }
        }
        let expected: BTreeSet<u64> =
            self.sent.iter().filter(|(_, status)| *status == Status::CONFLICT).map(|(counter, _)| *counter).collect();
        assert_eq!(refused, expected, "seed {seed}, stream {}", self.stream);
    }
}

/// One path with these faults, many streams of moves over it, then the state beside the model.
fn drive(name: &str, faults: Faults, moved_every: Option<u64>) {
    let rounds = std::env::var("LODESTONE_RELAY_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    for _ in 0..rounds {
        let seed = std::env::var("LODESTONE_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 % 1_000_000_007);
        println!("{name}: LODESTONE_SEED={seed}");
        let engine = open_engine();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let model = runtime.block_on(run(&engine, faults, moved_every, seed));
        compare(&engine, &model, seed);
        engine.close();
    }
}

async fn run(engine: &Engine, faults: Faults, moved_every: Option<u64>, seed: u64) -> Model {
    let mut model = Model::default();
    seat(engine, 0..SESSIONS * STREAMS * NODES_PER_STREAM, Some(&mut model));
    let mut paths = Vec::new();
    let mut streams = Vec::new();
    for number in 0..SESSIONS {
        let path_seed = seed ^ u64::from(number) << 40;
        let relay = Relay::start(engine.description().address, faults, faults, moved_every, path_seed).await;
        let session = connect(engine, relay.address).await;
        for index in 0..STREAMS {
            let stream = number * STREAMS + index;
            let work = Work { stream, random: Random(seed.wrapping_mul(31) + u64::from(stream)), sent: Vec::new() };
            streams.push((session.open_stream().await.unwrap(), work));
        }
        paths.push((relay, session));
    }
    // Rounds of a few moves on each stream, so that the streams are under way together.
    for _ in 0..MOVES_PER_STREAM / 10 {
        for ((sender, _), work) in &mut streams {
            (0..10).for_each(|_| work.queue(sender, &mut model));
            sender.flush().await.unwrap();
        }
    }
    for ((_, receiver), work) in &mut streams {
        work.check(receiver, seed).await;
    }
    read_back(&mut streams, &model, seed).await;
    for (relay, session) in &paths {
        let deeds = &relay.deeds;
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        assert!(count(&deeds.passed) > 0, "seed {seed}");
        // A test of faults that never happened would show nothing.
        assert_eq!(faults.lost > 0, count(&deeds.lost) > 0, "seed {seed}: {deeds:?}");
        assert_eq!(faults.doubled > 0, count(&deeds.doubled) > 0, "seed {seed}: {deeds:?}");
        assert_eq!(faults.overtaken > 0, count(&deeds.overtaken) > 0, "seed {seed}: {deeds:?}");
        assert_eq!(moved_every.is_some(), count(&deeds.moved) > 0, "seed {seed}: {deeds:?}");
        session.close("done");
    }
    model
}

async fn connect(engine: &Engine, through: SocketAddr) -> Session {
    let trust =
        TrustAnchor::pem(engine.description().certificate_pem.as_bytes()).unwrap().with_server_name("localhost");
    // A lost packet of the handshake is sent again after three of these; the limit is for a path that carries nothing.
    let options = ClientOptions { initial_rtt_ms: 30, connect_timeout_ms: 180_000, ..ClientOptions::default() };
    let client = Client::bind((Ipv4Addr::LOCALHOST, 0).into(), &trust, &options).unwrap();
    client.open_session(through, None).await.unwrap()
}

type Stream = ((lodestone_client::StreamSender, StreamReceiver), Work);

/// The version of a slot counts the moves that were applied: no more, no fewer than the model's.
async fn read_back(streams: &mut [Stream], model: &Model, seed: u64) {
    for ((sender, receiver), work) in streams {
        for node in work.first_node()..work.first_node() + NODES_PER_STREAM {
            sender.queue_read(node).unwrap();
            sender.flush().await.unwrap();
            let slot = loop {
                match receiver.next().await.unwrap().expect("the stream is open") {
                    Answer::State(state) => break (state.slot.version(), state.slot.payload().to_vec()),
                    Answer::Ack(_) => {}
                    other => panic!("seed {seed}: {other:?}"),
                }
            };
            let last = model.packets[&node].last().unwrap();
            assert_eq!(slot, (model.version(node), last[24..].to_vec()), "seed {seed}, node {node}");
        }
    }
}

/// A second engine is given the model's moves without a network: both must end with the same state.
fn compare(engine: &Engine, model: &Model, seed: u64) {
    let accepted: u64 = model.packets.values().map(|packets| packets.len() as u64).sum();
    assert_eq!(engine.counters().get(CounterId::MovesAccepted), accepted, "seed {seed}: moves applied");
    let reference = open_engine();
    seat(&reference, model.packets.keys().copied(), None);
    submit(&reference, model.packets.values().flat_map(|packets| &packets[1..]));
    let (found, expected) = (engine.verify_hash().unwrap().hash, reference.verify_hash().unwrap().hash);
    assert_eq!(found, expected, "seed {seed}: the state differs from the model's");
    assert_eq!(engine.hash(None).unwrap().hash, found, "seed {seed}: the hash that is kept up to date");
    reference.close();
}

#[test]
fn a_fifth_of_all_datagrams_is_lost() {
    drive("loss", Faults { lost: 20, ..Faults::default() }, None);
}

#[test]
fn datagrams_overtake_each_other() {
    drive("reorder", Faults { overtaken: 20, delay_max_us: 2_000, ..Faults::default() }, None);
}

#[test]
fn datagrams_come_twice() {
    drive("duplication", Faults { doubled: 20, ..Faults::default() }, None);
}

#[test]
fn datagrams_come_late() {
    drive("delay", Faults { delay_max_us: 20_000, ..Faults::default() }, None);
}

#[test]
fn all_of_it_at_once() {
    drive("all", Faults { lost: 20, doubled: 20, overtaken: 20, delay_max_us: 10_000 }, None);
}

#[test]
fn the_client_changes_its_address() {
    drive("address", Faults { lost: 10, overtaken: 10, delay_max_us: 500, ..Faults::default() }, Some(25));
}

/// Datagrams are best effort, but a lossy path never applies one twice, and one that is acknowledged is applied.
#[test]
fn moves_in_datagrams_are_applied_at_most_once() {
    let faults = Faults { lost: 20, doubled: 20, overtaken: 20, delay_max_us: 5_000 };
    let engine = open_engine();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seed = std::env::var("LODESTONE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_260);
    println!("datagrams: LODESTONE_SEED={seed}");
    const SENT_MIN: u64 = 200;
    let (mut sent, mut answered) = (0, 0);
    runtime.block_on(async {
        let relay = Relay::start(engine.description().address, faults, faults, None, seed).await;
        let mut session = connect(&engine, relay.address).await;
        let (mut sender, mut receiver) = session.take_datagrams().unwrap();
        let (mut stream, mut answers) = session.take_first_stream().unwrap();
        // Until one is answered: on a busy machine all answers may come later than the last of these.
        while sent < SENT_MIN || answered == 0 {
            sent += 1;
            let step = Move { source: 1, target: 2, edge_mask: 7, ack_each: true, ..Move::default() };
            sender.send_move(&step).unwrap();
            // Answers that are there already; nobody waits for one that may be lost.
            let wait = tokio::time::timeout(std::time::Duration::from_millis(2), receiver.next());
            if let Ok(answer) = wait.await {
                answered += u64::from(matches!(answer.unwrap(), Answer::Ack(_)));
            }
        }
        // Overtaken datagrams are refused as replayed, so fewer moves may be applied than arrive. When this READ is
        // answered the stragglers that still come are bounded by what was sent.
        stream.queue_read(1).unwrap();
        stream.flush().await.unwrap();
        let version = loop {
            if let Answer::State(state) = answers.next().await.unwrap().expect("the stream is open") {
                break state.slot.version();
            }
        };
        assert!(
            version >= answered && version <= sent,
            "seed {seed}: {answered} of {sent} answered, version {version}"
        );
        session.close("done");
    });
    let accepted = engine.counters().get(CounterId::MovesAccepted);
    assert!(accepted <= sent, "seed {seed}: {accepted} moves were applied of {sent}");
    engine.close();
}
