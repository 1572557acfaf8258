//! Subscriptions and updates, with a real engine: what clients ask for, what the application decides, and a model of what
//! every client must know in the end.

#[path = "support/application.rs"]
mod application;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use application::Application;
use hmac::{Hmac, KeyInit, Mac};
use lodestone_client::{
    Answer, Client, ClientError, ClientOptions, Session, Status, StreamReceiver, StreamSender, TrustAnchor,
    UpdateReceiver,
};
use lodestone_runtime::{CounterId, Engine, LocalKind, LocalMove};
use sha2::Sha256;

const SUBSCRIBE: u8 = 0x30;
const UNSUBSCRIBE: u8 = 0x32;
const GRANT: u8 = 0x34;
const REVOKE: u8 = 0x36;
const SECRET: [u8; 32] = [0x5a; 32];
/// Nothing here takes long on a machine of its own; what still does on one that is shared is a hang.
const WATCHDOG: Duration = Duration::from_secs(180);

/// An engine with 1,000 nodes on a free port; closed outside of the runtime, since closing blocks.
fn on_engine(more: &str, scenario: impl AsyncFnOnce(&Engine)) {
    let config = format!(
        "transport.listen=127.0.0.1:0\nruntime.shared_region=anonymous\narena.capacity=500\ngraph.nodes_max=1000\n\
         graph.edges_max=4000\nrollback.window_mib=4\narena.bump_mib=2\nruntime.worker_threads=1\n{more}"
    );
    let engine = Engine::open(&config, 0).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(WATCHDOG, scenario(&engine)).await.expect("hangs") });
    engine.close();
}

/// A session that is told of changes: its number, its first stream, and its updates.
struct Watcher {
    session: Session,
    number: u32,
    sender: StreamSender,
    receiver: StreamReceiver,
    updates: Option<UpdateReceiver>,
}

impl Watcher {
    async fn connect(engine: &Engine, token: Option<&[u8]>) -> Watcher {
        let trust = TrustAnchor::pem(engine.description().certificate_pem.as_bytes()).unwrap();
        let options = ClientOptions { updates: true, ..ClientOptions::default() };
        let opened = Client::connect_with(engine.description().address, &trust, None, token, &options).await;
        let mut session = opened.unwrap();
        let (sender, receiver) = session.take_first_stream().unwrap();
        let (number, updates) = (session.welcome().session, session.take_updates());
        Watcher { session, number, sender, receiver, updates }
    }

    /// What became of the frame queued last: the number of subscriptions, or status and node of its refusal.
    async fn answer(&mut self) -> Result<u32, (Status, u32)> {
        self.sender.flush().await.unwrap();
        loop {
            match self.receiver.next().await.unwrap().expect("the stream is open") {
                Answer::Subscribed(subscribed) => return Ok(subscribed.subscriptions),
                Answer::Reject(reject) if reject.is_rollback() => {}
                Answer::Reject(reject) => return Err((reject.status, reject.node)),
                _ => {}
            }
        }
    }

    async fn subscribe(&mut self, nodes: &[u32]) -> Result<u32, (Status, u32)> {
        self.sender.queue_subscribe(nodes).unwrap();
        self.answer().await
    }

    async fn unsubscribe(&mut self, nodes: &[u32]) -> Result<u32, (Status, u32)> {
        self.sender.queue_unsubscribe(nodes).unwrap();
        self.answer().await
    }

    /// The next update: node, version, payload; and whether the node has a slot.
    async fn update(&mut self) -> (u32, u64, Vec<u8>, bool) {
        let update = self.updates.as_mut().unwrap().next().await.unwrap();
        (update.node, update.version, update.slot.payload().to_vec(), update.slot.is_active())
    }
}

fn packet(source: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = [source, (source + 1) % 1_000, 0x1_0003].map(u32::to_le_bytes).concat();
    packet.extend([0, 0, payload.len() as u8, 0]);
    packet.extend([0; 8]);
    packet.extend(payload);
    packet
}

/// Moves the node from here; returns the revision.
fn step(engine: &Engine, node: u32, payload: &[u8]) -> u64 {
    let moves = [LocalMove { kind: LocalKind::Move, packet: &packet(node, payload) }];
    let decided = engine.submit(&moves, 0).unwrap();
    assert_eq!(decided[0].status, lodestone_runtime::Status::Ok);
    decided[0].revision
}

fn release(engine: &Engine, node: u32) -> bool {
    let moves = [LocalMove { kind: LocalKind::Release, packet: &node.to_le_bytes() }];
    engine.submit(&moves, 0).unwrap()[0].status == lodestone_runtime::Status::Ok
}

/// Goes back, out of a task.
fn roll_back(engine: &Engine, revision: u64) -> Result<(), lodestone_runtime::EngineError> {
    tokio::task::block_in_place(|| engine.rollback(revision).map(|_| ()))
}

fn token(node_first: u32, node_last: u32) -> Vec<u8> {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let mut token = [4_u32, 0].map(u32::to_le_bytes).concat();
    token.extend((now_ms + 3_600_000).to_le_bytes());
    token.extend([node_first, node_last].map(u32::to_le_bytes).concat());
    token.extend(9_u64.to_le_bytes());
    let mut mac = Hmac::<Sha256>::new_from_slice(&SECRET).unwrap();
    mac.update(&token);
    token.extend(mac.finalize().into_bytes());
    token
}

fn with_tokens(more: &str) -> String {
    format!("transport.auth.keys.0.id=4\ntransport.auth.keys.0.secret_hex={}\n{more}", "5a".repeat(32))
}

#[test]
fn a_snapshot_then_every_change_until_unsubscribed() {
    on_engine("", async |engine| {
        let mut watcher = Watcher::connect(engine, None).await;
        step(engine, 5, b"before");
        assert_eq!(watcher.subscribe(&[5, 6, 5]).await, Ok(2));
        assert_eq!(watcher.update().await, (5, 1, b"before".to_vec(), true));
        assert_eq!(watcher.update().await, (6, 0, vec![], false));
        step(engine, 7, b"nobody looks");
        step(engine, 6, b"first");
        assert_eq!(watcher.update().await, (6, 1, b"first".to_vec(), true));
        assert!(release(engine, 6));
        assert_eq!(watcher.update().await, (6, 1, vec![], false), "the version outlives the slot");
        assert_eq!(watcher.unsubscribe(&[6, 77]).await, Ok(1));
        step(engine, 6, b"unseen");
        step(engine, 5, b"second");
        assert_eq!(watcher.update().await, (5, 2, b"second".to_vec(), true));
        assert_eq!(engine.counters().get(CounterId::SubscriptionsLive), 1);
        assert_eq!(engine.counters().get(CounterId::UpdatesSent), 5);
        assert_eq!(watcher.unsubscribe(&[]).await, Ok(0));
        assert_eq!(watcher.subscribe(&[6]).await, Ok(1));
        assert_eq!(watcher.update().await, (6, 2, b"unseen".to_vec(), true), "a fresh snapshot");
        assert_eq!(watcher.subscribe(&[1, 1_000]).await, Err((Status::OUT_OF_BOUNDS, 1_000)));
        watcher.session.close("done");
        while engine.counters().get(CounterId::SubscriptionsLive) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn a_rollback_tells_what_changed_and_nothing_else() {
    on_engine("", async |engine| {
        let mut watcher = Watcher::connect(engine, None).await;
        let start = step(engine, 1, b"one");
        step(engine, 2, b"two");
        let nodes = [1, 2, 3, 4];
        watcher.subscribe(&nodes).await.unwrap();
        for _ in nodes {
            watcher.update().await;
        }
        step(engine, 2, b"two again");
        step(engine, 3, b"three");
        for _ in 0..2 {
            watcher.update().await;
        }
        roll_back(engine, start).unwrap();
        let mut back = BTreeMap::new();
        for _ in 0..2 {
            let update = watcher.updates.as_mut().unwrap().next().await.unwrap();
            assert_eq!((update.revision, update.rollbacks), (start, 1));
            back.insert(update.node, (update.version, update.slot.is_active()));
        }
        assert_eq!(back, BTreeMap::from([(2, (0, false)), (3, (0, false))]));
        // The same version as before the rollback, and another content.
        step(engine, 2, b"other");
        assert_eq!(watcher.update().await, (2, 1, b"other".to_vec(), true));
        assert!(roll_back(engine, 9_999).is_err(), "a refused rollback is none");
        step(engine, 4, b"four");
        assert_eq!(watcher.update().await, (4, 1, b"four".to_vec(), true));
        assert_eq!(engine.counters().get(CounterId::UpdatesSent), 10);
    });
}

#[test]
fn who_may_subscribe_is_a_matter_of_policy_and_grants() {
    const OTHERS: [u32; 1] = [500];
    const OWN: [u32; 1] = [150];
    let cases = [
        ("own", Ok(1), Err((Status::FORBIDDEN, 500)), Ok(2)),
        ("all", Ok(1), Ok(2), Ok(2)),
        ("granted", Err((Status::FORBIDDEN, 150)), Err((Status::FORBIDDEN, 500)), Ok(1)),
        ("none", Err((Status::FORBIDDEN, 150)), Err((Status::FORBIDDEN, 500)), Err((Status::FORBIDDEN, 500))),
    ];
    for (policy, own, others, after_grant) in cases {
        on_engine(&with_tokens(&format!("fanout.policy={policy}\n")), async |engine| {
            let mut application = Application::new(engine);
            let mut watcher = Watcher::connect(engine, Some(&token(100, 199))).await;
            assert_eq!(watcher.subscribe(&OWN).await, own, "{policy}");
            assert_eq!(watcher.subscribe(&OTHERS).await, others, "{policy}");
            application.decide(GRANT, watcher.number, &[450, 550]).unwrap();
            assert_eq!(watcher.subscribe(&OTHERS).await, after_grant, "{policy}");
            // Whatever the policy, the application's word counts.
            application.decide(SUBSCRIBE, watcher.number, &[500, 501]).unwrap();
            application.decide(REVOKE, watcher.number, &[500, 500]).unwrap();
            let left = watcher.unsubscribe(&[999]).await.unwrap();
            assert_eq!(left, 1 + u32::from(own.is_ok()), "{policy}: node 501, and 150 where it was allowed");
            if policy != "all" {
                assert_eq!(watcher.subscribe(&OTHERS).await, Err((Status::FORBIDDEN, 500)), "{policy}");
            }
        });
    }
}

#[test]
fn decisions_of_the_application_are_judged() {
    let limits = "fanout.subscriptions_max=5\nfanout.session_subscriptions_max=3\n";
    on_engine(limits, async |engine| {
        let mut application = Application::new(engine);
        let (mut one, mut two) = (Watcher::connect(engine, None).await, Watcher::connect(engine, None).await);
        let trust = TrustAnchor::pem(engine.description().certificate_pem.as_bytes()).unwrap();
        let old = Client::connect(engine.description().address, &trust, None).await.unwrap();
        let refused = |status: lodestone_runtime::Status, node| Err((status.code(), node));
        use lodestone_runtime::Status::{Malformed, OutOfBounds, Overloaded, Unauthorized, VersionUnsupported};
        for (kind, session, nodes, expected) in [
            (SUBSCRIBE, one.number, &[1, 2][..], Ok(())),
            (SUBSCRIBE, one.number, &[1, 2], Ok(())),
            (SUBSCRIBE, one.number, &[3, 4], refused(Overloaded, 3)),
            (SUBSCRIBE, one.number, &[3], Ok(())),
            (SUBSCRIBE, two.number, &[1, 2, 3], refused(Overloaded, 1)),
            (SUBSCRIBE, two.number, &[1, 2], Ok(())),
            (SUBSCRIBE, two.number, &[], refused(Malformed, 0)),
            (SUBSCRIBE, two.number, &[1_000], refused(OutOfBounds, 1_000)),
            (SUBSCRIBE, 12_345, &[7], refused(Unauthorized, 7)),
            (SUBSCRIBE, old.welcome().session, &[8], refused(VersionUnsupported, 8)),
            (GRANT, one.number, &[5], refused(Malformed, 0)),
            (GRANT, one.number, &[5, 4], refused(OutOfBounds, 5)),
            (GRANT, one.number, &[0, u32::MAX], Ok(())),
            (REVOKE, one.number, &[2, 2], Ok(())),
            (UNSUBSCRIBE, two.number, &[], Ok(())),
            (SUBSCRIBE, two.number, &[9, 8, 7], Ok(())),
        ] {
            assert_eq!(application.decide(kind, session, nodes), expected, "{kind:#x} {session} {nodes:?}");
        }
        assert_eq!(application.send(SUBSCRIBE, &[1, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0]), refused(Malformed, 0));
        assert_eq!(application.send(SUBSCRIBE, &[1, 0, 0, 0, 0, 0, 0, 0, 1]), refused(Malformed, 0));
        assert_eq!(application.send(SUBSCRIBE, &[1]), refused(Malformed, 1));
        assert_eq!(one.unsubscribe(&[999]).await, Ok(2));
        assert_eq!(two.unsubscribe(&[999]).await, Ok(3));
        assert_eq!(one.subscribe(&[4]).await, Err((Status::OVERLOADED, 4)), "the table is full");
        two.session.close("gone");
        // What an ended session had is free again.
        while one.subscribe(&[4]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(application.decide(SUBSCRIBE, two.number, &[1]), refused(Unauthorized, 1));
        let more = engine.counters().get(CounterId::SubscriptionsLive);
        assert_eq!(more, 3);
    });
}

#[test]
fn a_client_of_version_1_is_what_it_was() {
    on_engine("", async |engine| {
        let trust = TrustAnchor::pem(engine.description().certificate_pem.as_bytes()).unwrap();
        let mut old = Client::connect(engine.description().address, &trust, None).await.unwrap();
        assert!(old.take_updates().is_none());
        let (mut sender, mut receiver) = old.take_first_stream().unwrap();
        sender.queue_read(1).unwrap();
        sender.flush().await.unwrap();
        assert!(matches!(receiver.next().await, Ok(Some(Answer::State(_)))));
        sender.queue_subscribe(&[1]).unwrap();
        sender.flush().await.unwrap();
        let ClientError::Closed { status, .. } = old.closed().await else { panic!("not closed by the server") };
        assert_eq!(status, Status::MALFORMED);
    });
}

/// A small generator with a printed seed.
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 31)) % u64::from(bound)) as u32
    }
}

/// What a session knows: of each node the version and the slot told last.
type View = BTreeMap<u32, (u64, Vec<u8>)>;

/// Nodes that change; the one behind them ends the run of each session.
const BUSY_NODES: u32 = 40;
const WATCHERS: usize = 4;

/// Keeps the view up to date; ends after the update of the last node. Revisions rise but for rollbacks, which are counted.
async fn keep_view(mut updates: UpdateReceiver, view: Arc<Mutex<View>>, seed: u64) {
    let mut last = (0, 0);
    loop {
        let update = updates.next().await.unwrap();
        let now = (update.rollbacks, update.revision);
        assert!(now >= last, "seed {seed}: update of {now:?} after {last:?} (rollbacks, revision)");
        last = now;
        let known = (update.version, update.slot.bytes().to_vec());
        view.lock().unwrap().insert(update.node, known);
        if update.node == BUSY_NODES {
            return;
        }
    }
}

/// Moves, releases and rollbacks, as fast as they are decided.
fn disturb(engine: &Engine, seed: u64, operations: u32) {
    let mut noise = Noise(seed);
    for number in 0..operations {
        let node = noise.below(BUSY_NODES);
        match noise.below(100) {
            0..3 => {
                let now = engine.revision();
                let oldest = now.saturating_sub(u64::from(noise.below(60)));
                engine.rollback(oldest).unwrap();
            }
            3..15 => _ = release(engine, node),
            _ => _ = step(engine, node, &number.to_le_bytes()),
        }
    }
}

async fn change_interests(engine: &Engine, watchers: &mut [Watcher], sets: &mut [BTreeSet<u32>], noise: &mut Noise) {
    let mut application = Application::new(engine);
    for _ in 0..300 {
        let index = noise.below(WATCHERS as u32) as usize;
        let nodes: Vec<u32> = (0..=noise.below(6)).map(|_| noise.below(BUSY_NODES)).collect();
        let (watcher, set) = (&mut watchers[index], &mut sets[index]);
        match noise.below(5) {
            0 | 1 => {
                set.extend(&nodes);
                assert_eq!(watcher.subscribe(&nodes).await, Ok(set.len() as u32));
            }
            2 => {
                nodes.iter().for_each(|node| _ = set.remove(node));
                assert_eq!(watcher.unsubscribe(&nodes).await, Ok(set.len() as u32));
            }
            3 => {
                set.extend(&nodes);
                application.decide(SUBSCRIBE, watcher.number, &nodes).unwrap();
            }
            _ if noise.below(8) == 0 => {
                set.clear();
                application.decide(UNSUBSCRIBE, watcher.number, &[]).unwrap();
            }
            _ => {
                let (first, last) = (nodes[0], nodes[0] + 3);
                set.retain(|node| !(first..=last).contains(node));
                application.decide(REVOKE, watcher.number, &[first, last]).unwrap();
            }
        }
    }
}

/// What the engine says, asked like any client.
async fn truth(engine: &Engine) -> View {
    let mut reader = Watcher::connect(engine, None).await;
    let mut view = View::new();
    for node in 0..BUSY_NODES {
        reader.sender.queue_read(node).unwrap();
        reader.sender.flush().await.unwrap();
        let Some(Answer::State(state)) = reader.receiver.next().await.unwrap() else { panic!("no STATE") };
        view.insert(node, (state.slot.version(), state.slot.bytes().to_vec()));
    }
    view
}

#[test]
fn in_the_end_every_session_knows_what_the_engine_knows() {
    for seed in [1, 20_261_125, u64::from(std::process::id())] {
        println!("seed {seed}");
        on_engine("fanout.policy=all\n", async |engine| {
            let (mut watchers, mut views, mut tasks) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..WATCHERS {
                let mut watcher = Watcher::connect(engine, None).await;
                let view = Arc::new(Mutex::new(View::new()));
                tasks.push(tokio::spawn(keep_view(watcher.updates.take().unwrap(), Arc::clone(&view), seed)));
                watchers.push(watcher);
                views.push(view);
            }
            let mut sets = vec![BTreeSet::new(); WATCHERS];
            let mut noise = Noise(seed ^ 0xabcd);
            // Scoped threads cannot be waited for by a task: the disturber gets the engine by a scope around all of it.
            std::thread::scope(|scope| {
                let disturber = scope.spawn(|| disturb(engine, seed, 2_500));
                tokio::task::block_in_place(|| {
                    let here = tokio::runtime::Handle::current();
                    here.block_on(change_interests(engine, &mut watchers, &mut sets, &mut noise));
                });
                disturber.join().unwrap();
            });
            for watcher in &mut watchers {
                watcher.subscribe(&[BUSY_NODES]).await.unwrap();
            }
            for task in tasks {
                task.await.unwrap();
            }
            let truth = truth(engine).await;
            for (set, view) in sets.iter().zip(&views) {
                for node in set {
                    let (known, real) = (&view.lock().unwrap()[node], &truth[node]);
                    assert_eq!(known.1, real.1, "seed {seed}: the slot of node {node}");
                    assert!(real.0 == 0 || known.0 == real.0, "seed {seed}: the version of node {node}");
                }
            }
            let live: usize = sets.iter().map(|set| set.len() + 1).sum();
            assert_eq!(engine.counters().get(CounterId::SubscriptionsLive), live as u64, "seed {seed}");
            assert!(engine.counters().get(CounterId::UpdatesSent) > 100, "seed {seed}: hardly anything was told");
        });
    }
}
