//! The client that stays, against a real engine: every request, lost connections, revocation, a new engine.

#[path = "support/relay.rs"]
mod relay;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use lodestone_client::{
    ClientError, ClientOptions, ClientState, EngineAddress, EngineClient, EngineClientOptions, Move, Outcome, Pending,
    Read, Release, RouteBetween, Status, TrustAnchor,
};
use lodestone_runtime::{Engine, LocalKind, LocalMove};
use relay::{Passes, Relay};
use sha2::Sha256;

const SECRET: [u8; 32] = [0x5a; 32];
const NODES: u32 = 8;
/// Long enough for anything; nothing waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(120);

fn open_engine(listen: &str, more: &str) -> Engine {
    let config = format!(
        "transport.listen={listen}\nruntime.shared_region=anonymous\narena.capacity=500\ngraph.nodes_max=1000\n\
         graph.edges_max=4000\nrollback.window_mib=4\narena.bump_mib=2\nruntime.worker_threads=1\n{more}"
    );
    Engine::open(&config, 0).unwrap()
}

/// Runs the scenario in a runtime of its own; the engine outlives it, since closing blocks.
fn on_engine(more: &str, scenario: impl AsyncFnOnce(&Engine)) {
    let engine = open_engine("127.0.0.1:0", more);
    run(scenario(&engine));
    engine.close();
}

fn run(scenario: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(scenario);
}

fn trust(engine: &Engine) -> TrustAnchor {
    TrustAnchor::pem(engine.certificate().0.as_bytes()).unwrap()
}

fn to(address: SocketAddr, trust: &TrustAnchor) -> EngineAddress<'_> {
    EngineAddress { address, trust, identity: None, token: None }
}

/// Longer than a machine under load keeps both ends from the processor: whoever does not hear for so long was cut off by us.
const CUT_MS: u32 = 5_000;
/// The same for clients that come back from cuts they did not need to notice. They are opened by [`open`].
const SOON_MS: u32 = 1_000;

/// Finds a cut path within that time, and goes on looking for a new one as long as a test may last.
fn impatient(idle_timeout_ms: u32) -> EngineClientOptions {
    let network = ClientOptions { keep_alive_ms: 100, idle_timeout_ms, ..ClientOptions::default() };
    let reconnect_timeout_ms = PATIENCE.as_millis() as u64;
    EngineClientOptions {
        in_flight_max: 256,
        sole_writer: true,
        reconnect_timeout_ms,
        network,
        ..EngineClientOptions::default()
    }
}

/// Opens a client; the first connection is not tried again by itself, and it may take longer than such a client waits.
async fn open(to: &EngineAddress<'_>, options: &EngineClientOptions) -> EngineClient {
    let begun = Instant::now();
    loop {
        match EngineClient::open(to, options).await {
            Ok(client) => return client,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
    }
}

fn token(nonce: u64) -> Vec<u8> {
    let mut bytes = 1_u32.to_le_bytes().to_vec();
    bytes.extend_from_slice(&0_u32.to_le_bytes());
    bytes.extend_from_slice(&u64::MAX.to_le_bytes());
    bytes.extend_from_slice(&0_u32.to_le_bytes());
    bytes.extend_from_slice(&u32::MAX.to_le_bytes());
    bytes.extend_from_slice(&nonce.to_le_bytes());
    let signature = Hmac::<Sha256>::new_from_slice(&SECRET).unwrap().chain_update(&bytes).finalize();
    bytes.extend_from_slice(&signature.into_bytes());
    bytes
}

const STEP: Move<'static> =
    Move { source: 1, target: 2, edge_mask: 0x1_0003, version: 0, payload: &[8, 9], ack_each: false };

#[test]
fn every_request_is_answered_async_and_blocking() {
    on_engine("", async |engine| {
        let trust = trust(engine);
        let address = engine.description().address;
        let client = EngineClient::open(&to(address, &trust), &EngineClientOptions::default()).await.unwrap();
        assert_eq!((client.state(), client.nodes_max(), client.reconnects()), (ClientState::Connected, 1_000, 0));
        let first = client.try_send(STEP).unwrap();
        let second = client.try_send(Move { source: 2, target: 3, ..STEP }).unwrap();
        let wrong = client.try_send(Move { version: 7, ..STEP }).unwrap();
        // Behind them on the same stream, so that it sees them.
        let state = client.ask(Read { node: 1 }).await.unwrap();
        assert_eq!((state.slot().target(), state.slot().version(), state.slot().payload()), (2, 1, &[8, 9][..]));
        let Outcome::Accepted { revision } = first.await.unwrap() else { panic!("the first move is refused") };
        assert!(revision >= 1 && client.revision() >= revision);
        assert!(matches!(second.await.unwrap(), Outcome::Accepted { .. }));
        assert_eq!(wrong.await.unwrap(), Outcome::Refused { status: Status::CONFLICT, node: 1 });
        let route = client.ask(RouteBetween { source: 1, target: 3 }).await.unwrap();
        assert_eq!((route.distance, route.nodes, route.nodes_total), (Some(6), vec![1, 2, 3], 3));
        assert_eq!(client.ask(RouteBetween { source: 3, target: 1 }).await.unwrap().distance, None);
        let refused = client.ask(Read { node: 1_000 }).await.unwrap_err();
        assert!(matches!(refused, ClientError::Rejected { status: Status::OUT_OF_BOUNDS, .. }), "{refused:?}");
        assert!(matches!(client.ask(Release { node: 1 }).await.unwrap(), Outcome::Accepted { .. }));
        let empty = client.ask(Release { node: 1 }).await.unwrap();
        assert_eq!(empty, Outcome::Refused { status: Status::NO_SLOT, node: 1 });
        let long = client.try_send(Move { payload: &[0; 233], ..STEP }).unwrap_err();
        assert!(matches!(long, ClientError::TooLong { bytes: 233, .. }));
        client.close(PATIENCE).await;
        assert_eq!((client.state(), client.in_flight()), (ClientState::Ended, 0));
        assert!(matches!(client.try_send(STEP), Err(ClientError::ClosedHere)));
    });
    let engine = open_engine("127.0.0.1:0", "");
    let trust = trust(&engine);
    let options = EngineClientOptions { in_flight_max: 4, ..EngineClientOptions::default() };
    let client = EngineClient::open_on_thread(&to(engine.description().address, &trust), &options).unwrap();
    let moves: Vec<Pending<Move<'_>>> = (0..4).map(|_| client.try_send(STEP).unwrap()).collect();
    let mut more = 0;
    // Their answers may have come meanwhile; that there are never more than four is what counts.
    while let Ok(pending) = client.try_send(STEP) {
        assert!(client.in_flight() <= 4);
        assert!(matches!(pending.wait().unwrap(), Outcome::Accepted { .. }));
        more += 1;
        if more == 20 {
            break;
        }
    }
    for pending in moves {
        assert!(matches!(pending.wait().unwrap(), Outcome::Accepted { .. }));
    }
    assert_eq!(client.try_send(Read { node: 1 }).unwrap().wait().unwrap().slot().version(), 4 + more);
    drop(client);
    engine.close();
}

/// One move of the client and the outcome it waits for.
struct Sent {
    step: Move<'static>,
    pending: Pending<Move<'static>>,
}

/// Moves in a seeded order; the path breaks again and again while they are under way.
#[test]
fn no_cut_of_the_path_loses_a_move_or_applies_one_twice() {
    // Most of their time they wait for the clients to notice.
    std::thread::scope(|scope| [1, 2, 3].map(|seed| scope.spawn(move || cuts_change_nothing(seed))).map(drop));
}

fn cuts_change_nothing(seed: u64) {
    let (engine, moves) = (open_engine("127.0.0.1:0", ""), walk(seed));
    run(async {
        let relay = Relay::start(engine.description().address).await;
        let trust = trust(&engine).with_server_name("localhost");
        let client = open(&to(relay.address, &trust), &impatient(SOON_MS)).await;
        for one in send_while_cutting(&client, &relay, &moves).await {
            let outcome = one.pending.await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert!(matches!(outcome, Outcome::Accepted { .. }), "seed {seed}: {:?}: {outcome:?}", one.step);
        }
        assert!(client.reconnects() >= 3, "seed {seed}: {} reconnects", client.reconnects());
        client.close(PATIENCE).await;
    });
    // Blocks, so it has no place in a runtime.
    compare(&engine, &moves, seed);
    engine.close();
}

/// A thousand moves of a few nodes, each with the version that its node has by then; the first of each has none.
fn walk(seed: u64) -> Vec<Move<'static>> {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut versions = BTreeMap::new();
    let mut moves: Vec<Move<'static>> = Vec::new();
    for index in 0..1_000_u32 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let source = if index < NODES { index } else { (random >> 40) as u32 % NODES };
        let version = versions.entry(source).or_insert(0);
        let target = NODES + (random >> 33) as u32 % 100;
        moves.push(Move { source, target, edge_mask: 0x1_0000 + (index % 250 + 1), version: *version, ..STEP });
        *version += 1;
    }
    moves
}

async fn send_while_cutting(client: &EngineClient, relay: &Relay, moves: &[Move<'static>]) -> Vec<Sent> {
    let mut sent = Vec::new();
    for (index, step) in moves.iter().enumerate() {
        if index == NODES as usize {
            // Without an expected version these would be in doubt; from here on nothing is.
            for first in sent.drain(..) {
                let Sent { pending, .. } = first;
                assert!(matches!(pending.await.unwrap(), Outcome::Accepted { .. }));
            }
        }
        sent.push(Sent { step: *step, pending: client.send(*step).await.unwrap() });
        if index % 300 == 200 {
            cut(client, relay).await;
        }
    }
    sent
}

/// First the answers are lost, so that moves are applied and not acknowledged; then everything, until the client gives up.
async fn cut(client: &EngineClient, relay: &Relay) {
    let before = client.reconnects();
    relay.let_through(Passes::Questions);
    for _ in 0..50 {
        // Whatever the client has under way by now arrives meanwhile, or does not.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    relay.let_through(Passes::Nothing);
    while client.state() == ClientState::Connected && client.reconnects() == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    relay.let_through(Passes::Everything);
}

/// The engine's state is that of a second one which was given every move once.
fn compare(engine: &Engine, moves: &[Move<'static>], seed: u64) {
    let model = open_engine("127.0.0.1:0", "");
    for step in moves {
        let mut packet = [0; 26];
        packet[0..4].copy_from_slice(&step.source.to_le_bytes());
        packet[4..8].copy_from_slice(&step.target.to_le_bytes());
        packet[8..12].copy_from_slice(&step.edge_mask.to_le_bytes());
        packet[14..16].copy_from_slice(&(step.payload.len() as u16).to_le_bytes());
        packet[16..24].copy_from_slice(&step.version.to_le_bytes());
        packet[24..].copy_from_slice(step.payload);
        let decided = model.submit(&[LocalMove { kind: LocalKind::Move, packet: &packet }], 0).unwrap();
        assert_eq!(decided[0].status.code(), 0, "seed {seed}: {step:?}");
    }
    let (found, wanted) = (engine.verify_hash().unwrap(), model.verify_hash().unwrap());
    assert_eq!(found.hash, wanted.hash, "seed {seed}");
    model.close();
}

#[test]
fn what_has_no_version_is_in_doubt_and_never_sent_twice() {
    on_engine("", async |engine| {
        let relay = Relay::start(engine.description().address).await;
        let trust = trust(engine).with_server_name("localhost");
        let client = open(&to(relay.address, &trust), &impatient(CUT_MS)).await;
        assert!(matches!(client.ask(STEP).await.unwrap(), Outcome::Accepted { .. }));
        relay.let_through(Passes::Questions);
        let unconditional = client.try_send(STEP).unwrap();
        let release = client.try_send(Release { node: 9 }).unwrap();
        while engine.revision() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        relay.let_through(Passes::Nothing);
        while client.state() == ClientState::Connected {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        relay.let_through(Passes::Everything);
        assert_eq!(unconditional.await.unwrap(), Outcome::InDoubt);
        assert_eq!(release.await.unwrap(), Outcome::InDoubt);
        assert_eq!(client.ask(Read { node: 1 }).await.unwrap().slot().version(), 2, "applied once");
        assert_eq!(client.reconnects(), 1);
        client.close(PATIENCE).await;
    });
}

#[test]
fn a_revoked_or_closed_session_ends_the_client_with_the_reason() {
    let hex: String = SECRET.iter().map(|byte| format!("{byte:02x}")).collect();
    let keys = format!("transport.auth.keys.0.id=1\ntransport.auth.keys.0.secret_hex={hex}");
    on_engine(&keys, async |engine| {
        let trust = trust(engine);
        let address = engine.description().address;
        let options = EngineClientOptions::default();
        let refused = EngineClient::open(&to(address, &trust), &options).await.unwrap_err();
        assert!(
            matches!(
                refused,
                ClientError::Refused { status: Status::UNAUTHORIZED }
                    | ClientError::Closed { status: Status::UNAUTHORIZED, .. }
            ),
            "{refused:?}"
        );
        let mine = token(5);
        let with_token = EngineAddress { token: Some(&mine), ..to(address, &trust) };
        let client = EngineClient::open(&with_token, &options).await.unwrap();
        let other = token(6);
        let with_other = EngineAddress { token: Some(&other), ..to(address, &trust) };
        let kicked = EngineClient::open(&with_other, &options).await.unwrap();
        engine.revoke_session(client.session()).unwrap();
        engine.close_session(kicked.session()).unwrap();
        for (client, wanted) in [(&client, Status::UNAUTHORIZED), (&kicked, Status::OK)] {
            while client.state() != ClientState::Ended {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let reason = client.end_reason().unwrap();
            assert!(matches!(&reason, ClientError::Closed { status, .. } if *status == wanted), "{reason:?}");
            assert!(matches!(client.try_send(STEP), Err(ClientError::Closed { .. })));
        }
        let again = EngineClient::open(&with_token, &options).await;
        assert!(again.is_err(), "the token is revoked");
    });
}

/// A new engine knows nothing of what was: moves that expect an old version are refused, and not taken for applied.
#[test]
fn a_new_engine_at_the_old_address_is_found_and_not_taken_for_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let files = format!(
        "transport.certificate.certificate_file={}\ntransport.certificate.key_file={}",
        chain.display(),
        key.display()
    );
    let old = open_engine("127.0.0.1:0", &files);
    let address = old.description().address;
    let trust = TrustAnchor::pem(made.cert.pem().as_bytes()).unwrap();
    let client = EngineClient::open_on_thread(&to(address, &trust), &impatient(CUT_MS)).unwrap();
    assert!(matches!(client.try_send(STEP).unwrap().wait().unwrap(), Outcome::Accepted { .. }));
    // With its port.
    drop(old);
    while client.state() == ClientState::Connected {
        std::thread::sleep(Duration::from_millis(1));
    }
    let stale = client.try_send(Move { version: 1, ..STEP }).unwrap();
    let new = open_engine(&address.to_string(), &files);
    assert_eq!(stale.wait().unwrap(), Outcome::Refused { status: Status::CONFLICT, node: 1 });
    assert!(!client.try_send(Read { node: 1 }).unwrap().wait().unwrap().slot().is_active());
    assert_eq!(client.reconnects(), 1);
    new.close();
    drop(client);
}

#[test]
fn a_client_that_must_not_come_back_fails_everything_at_once() {
    let engine = open_engine("127.0.0.1:0", "");
    let trust = trust(&engine);
    let options = EngineClientOptions { reconnect_timeout_ms: 0, ..EngineClientOptions::default() };
    let client = EngineClient::open_on_thread(&to(engine.description().address, &trust), &options).unwrap();
    engine.close();
    while client.state() != ClientState::Ended {
        std::thread::sleep(Duration::from_millis(1));
    }
    let reason = client.end_reason().unwrap();
    assert!(matches!(&reason, ClientError::Closed { status: Status::SHUTTING_DOWN, .. }), "{reason:?}");
    assert!(client.try_send(STEP).is_err());
    // A socket that is bound and never answers: no port of another program can be hit by chance.
    let mute = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let nobody = EngineClient::open_on_thread(
        &to(mute.local_addr().unwrap(), &trust),
        &EngineClientOptions {
            network: ClientOptions { connect_timeout_ms: 200, ..ClientOptions::default() },
            ..options
        },
    );
    assert!(matches!(nobody.unwrap_err(), ClientError::ConnectTimeout { .. }));
}
