//! The client that stays, told of nodes: by stream and by datagram, over lost connections, and when nobody takes the news.

#[path = "support/application.rs"]
mod application;
#[path = "support/relay.rs"]
mod relay;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use application::Application;
use lodestone_client::{
    ByDatagram, ClientError, ClientOptions, ClientState, Delivery, EngineAddress, EngineClient, EngineClientOptions,
    Move, NodeNews, Outcome, Read, Release, Status, Subscribe, Subscription, TrustAnchor, Unsubscribe,
};
use lodestone_runtime::{CounterId, Engine, LocalKind, LocalMove};
use relay::{Passes, Relay};

const SUBSCRIBE: u8 = 0x30;
const GRANT: u8 = 0x34;
const REVOKE: u8 = 0x36;
const SUBSCRIBE_LATEST: u8 = 0x3a;
/// Nothing here takes long on a machine of its own; what still does on one that is shared is a hang.
const WATCHDOG: Duration = Duration::from_secs(180);
const BOTH: [Delivery; 2] = [Delivery::Stream, Delivery::Datagram];

fn on_engine(more: &str, scenario: impl AsyncFnOnce(&Engine)) {
    let config = format!(
        "transport.listen=127.0.0.1:0\nruntime.shared_region=anonymous\narena.capacity=2000\ngraph.nodes_max=2000\n\
         graph.edges_max=8000\nrollback.window_mib=4\narena.bump_mib=2\nruntime.worker_threads=1\n\
         fanout.session_subscriptions_max=2000\n{more}"
    );
    let engine = Engine::open(&config, 0).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(WATCHDOG, scenario(&engine)).await.expect("hangs") });
    engine.close();
}

fn options(updates_max: usize) -> EngineClientOptions {
    EngineClientOptions { updates_max, ..EngineClientOptions::default() }
}

/// Finds a cut path soon, and not so soon that a machine under load looks like one.
fn impatient(updates_max: usize) -> EngineClientOptions {
    let network = ClientOptions { keep_alive_ms: 100, idle_timeout_ms: 2_500, ..ClientOptions::default() };
    EngineClientOptions { network, ..options(updates_max) }
}

async fn open(engine: &Engine, address: SocketAddr, options: &EngineClientOptions) -> EngineClient {
    let trust = TrustAnchor::pem(engine.description().certificate_pem.as_bytes()).unwrap();
    let trust = trust.with_server_name("localhost");
    let engine = EngineAddress { address, trust: &trust, identity: None, token: None };
    EngineClient::open(&engine, options).await.unwrap()
}

/// Moves the node from here.
fn step(engine: &Engine, node: u32, payload: &[u8]) {
    let mut packet = [node, (node + 1) % 2_000, 0x1_0003].map(u32::to_le_bytes).concat();
    packet.extend([0, 0, payload.len() as u8, 0]);
    packet.extend([0; 8]);
    packet.extend(payload);
    let decided = engine.submit(&[LocalMove { kind: LocalKind::Move, packet: &packet }], 0).unwrap();
    assert_eq!(decided[0].status, lodestone_runtime::Status::Ok);
}

async fn subscribe(client: &EngineClient, nodes: &[u32], delivery: Delivery) -> Subscription {
    client.ask(Subscribe { nodes, delivery }).await.unwrap()
}

fn told(subscription: Subscription) -> u32 {
    let Subscription::Told { subscriptions, .. } = subscription else { panic!("{subscription:?}") };
    subscriptions
}

fn in_brief(news: &NodeNews) -> (u32, u64, Vec<u8>) {
    assert_eq!(news.status, Status::OK, "{news:?}");
    (news.node, news.version, news.slot().payload().to_vec())
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("{what}");
}

#[test]
fn a_client_is_told_of_nodes_both_ways_until_it_unsubscribes() {
    for delivery in BOTH {
        on_engine("", async |engine| {
            let client = open(engine, engine.description().address, &options(100)).await;
            step(engine, 5, b"before");
            assert_eq!(told(subscribe(&client, &[5], delivery).await), 1);
            assert_eq!(in_brief(&client.next_update().await.unwrap()), (5, 1, b"before".to_vec()));
            assert_eq!(told(subscribe(&client, &[6], delivery).await), 2);
            let empty = client.next_update().await.unwrap();
            assert!(empty.node == 6 && !empty.slot().is_active() && empty.connection == 0, "{empty:?}");
            for round in 1..20_u8 {
                step(engine, 6, &[round]);
                assert_eq!(in_brief(&client.next_update().await.unwrap()), (6, round.into(), vec![round]));
            }
            assert_eq!(told(client.ask(Unsubscribe { nodes: &[6, 77] }).await.unwrap()), 1);
            step(engine, 6, b"unseen");
            step(engine, 5, b"second");
            assert_eq!(in_brief(&client.next_update().await.unwrap()), (5, 2, b"second".to_vec()));
            // What rests after a datagram comes once more by the stream, and is no news.
            let repeated = || engine.counters().get(CounterId::UpdatesSent) - 22;
            if delivery == Delivery::Datagram {
                until("states came again", || repeated() > 0).await;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            assert_eq!(client.try_update(), None, "{delivery:?}");
            assert_eq!(repeated() > 0, delivery == Delivery::Datagram, "{} states came again", repeated());
            assert_eq!(told(subscribe(&client, &[6], delivery).await), 2);
            assert_eq!(in_brief(&client.next_update().await.unwrap()), (6, 20, b"unseen".to_vec()));
            client.close(WATCHDOG).await;
            assert!(matches!(client.next_update().await, Err(ClientError::ClosedHere)));
        });
    }
}

#[test]
fn refusals_are_outcomes_with_their_node() {
    let more = "fanout.policy=granted\nfanout.subscriptions_max=3\n";
    on_engine(more, async |engine| {
        let mut application = Application::new(engine);
        let client = open(engine, engine.description().address, &options(100)).await;
        let refused = |status, node| Subscription::Refused { status, node };
        application.decide(GRANT, client.session(), &[10, 19]).unwrap();
        for delivery in BOTH {
            assert_eq!(subscribe(&client, &[10, 9], delivery).await, refused(Status::FORBIDDEN, 9));
            assert_eq!(subscribe(&client, &[2_000], delivery).await, refused(Status::OUT_OF_BOUNDS, 2_000));
            assert_eq!(subscribe(&client, &[10, 11, 12, 13], delivery).await, refused(Status::OVERLOADED, 10));
        }
        assert_eq!(told(subscribe(&client, &[10, 11], Delivery::Datagram).await), 2);
        let none = client.try_send(Subscribe { nodes: &[], delivery: Delivery::Stream }).unwrap_err();
        assert!(matches!(none, ClientError::Setting { .. }), "{none:?}");
        let many = client.try_send(Subscribe { nodes: &[0; 65], delivery: Delivery::Stream }).unwrap_err();
        assert!(matches!(many, ClientError::TooLong { bytes: 260, .. }), "{many:?}");
        let without = open(engine, engine.description().address, &options(0)).await;
        assert!(matches!(without.try_send(Unsubscribe { nodes: &[] }), Err(ClientError::NoUpdates)));
        assert!(matches!(without.next_update().await, Err(ClientError::NoUpdates)));
    });
}

#[test]
fn what_is_revoked_comes_no_more_and_the_rest_goes_on() {
    on_engine("fanout.policy=granted\n", async |engine| {
        let mut application = Application::new(engine);
        let client = open(engine, engine.description().address, &options(100)).await;
        application.decide(SUBSCRIBE, client.session(), &[1, 2]).unwrap();
        application.decide(SUBSCRIBE_LATEST, client.session(), &[3, 4]).unwrap();
        let mut nodes = Vec::new();
        for _ in 0..4 {
            nodes.push(client.next_update().await.unwrap().node);
        }
        nodes.sort_unstable();
        assert_eq!(nodes, [1, 2, 3, 4]);
        application.decide(REVOKE, client.session(), &[2, 3]).unwrap();
        for round in 1..=5 {
            (1..=4).for_each(|node| step(engine, node, &[round]));
        }
        let mut last = BTreeMap::new();
        while last.get(&1) != Some(&5) || last.get(&4) != Some(&5) {
            let news = client.next_update().await.unwrap();
            last.insert(news.node, news.version);
        }
        // Longer than what rests takes: a repeat must not tell what was taken back.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!((client.try_update(), last), (None, BTreeMap::from([(1, 5), (4, 5)])));
    });
}

#[test]
fn after_a_lost_connection_every_node_comes_first_as_it_is() {
    for delivery in BOTH {
        on_engine("", async |engine| {
            let relay = Relay::start(engine.description().address).await;
            let client = open(engine, relay.address, &impatient(1_000)).await;
            // More than one frame of them.
            for nodes in (0..200).collect::<Vec<u32>>().chunks(64) {
                subscribe(&client, nodes, delivery).await;
            }
            told(client.ask(Unsubscribe { nodes: &[150] }).await.unwrap());
            relay.let_through(Passes::Nothing);
            (0..200).for_each(|node| step(engine, node, b"meanwhile"));
            until("lost", || client.state() != ClientState::Connected).await;
            assert!(matches!(client.last_loss(), Some(ClientError::Lost { .. })), "{:?}", client.last_loss());
            relay.let_through(Passes::Everything);
            let mut known = BTreeMap::new();
            while known.len() < 199 {
                let news = client.next_update().await.unwrap();
                if news.connection == 1 {
                    assert_eq!((news.version, news.slot().payload()), (1, &b"meanwhile"[..]), "node {}", news.node);
                    known.insert(news.node, news.version);
                }
            }
            assert!(!known.contains_key(&150), "{delivery:?}");
            step(engine, 7, b"and on");
            loop {
                let news = client.next_update().await.unwrap();
                if (news.node, news.version) == (7, 2) {
                    break;
                }
            }
        });
    }
}

#[test]
fn what_cannot_be_had_again_is_told() {
    on_engine("fanout.policy=granted\n", async |engine| {
        let mut application = Application::new(engine);
        let relay = Relay::start(engine.description().address).await;
        let client = open(engine, relay.address, &impatient(100)).await;
        application.decide(GRANT, client.session(), &[1, 3]).unwrap();
        subscribe(&client, &[1, 2, 3], Delivery::Stream).await;
        for _ in 0..3 {
            client.next_update().await.unwrap();
        }
        relay.let_through(Passes::Nothing);
        until("lost", || client.state() != ClientState::Connected).await;
        relay.let_through(Passes::Everything);
        // The grants went with the session.
        for node in 1..=3 {
            let news = client.next_update().await.unwrap();
            assert_eq!((news.node, news.status, news.connection), (node, Status::FORBIDDEN, 1));
        }
        application.decide(GRANT, client.session(), &[1, 3]).unwrap();
        assert_eq!(told(subscribe(&client, &[2], Delivery::Stream).await), 1);
        assert_eq!(client.next_update().await.unwrap().status, Status::OK);
    });
}

#[test]
fn who_takes_no_news_is_closed_comes_back_and_holds_nobody_up() {
    on_engine("transport.slow_consumer_ms=3000\n", async |engine| {
        let address = engine.description().address;
        let (idle, eager) = (open(engine, address, &options(2)).await, open(engine, address, &options(2_000)).await);
        for client in [&idle, &eager] {
            for nodes in (0..2_000).collect::<Vec<u32>>().chunks(64) {
                subscribe(client, nodes, Delivery::Stream).await;
            }
        }
        let mut rounds = 0_u8;
        while idle.reconnects() == 0 {
            rounds = rounds.wrapping_add(1);
            // Full slots: the windows of the connection have to fill before the server finds nobody takes them.
            (0..2_000).for_each(|node| step(engine, node, &[rounds; 232]));
            eager.take_updates(|_| true);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let loss = idle.last_loss();
        assert!(matches!(loss, Some(ClientError::Closed { status: Status::SLOW_CONSUMER, .. })), "{loss:?}");
        assert_eq!(engine.counters().get(CounterId::SlowConsumersClosed), 1);
        assert_eq!(eager.reconnects(), 0);
        step(engine, 1_999, b"last");
        loop {
            let news = eager.next_update().await.unwrap();
            if news.node == 1_999 && news.slot().payload() == b"last" {
                break;
            }
        }
    });
}

#[test]
fn of_what_waits_the_newest_is_handed_over_and_the_others_are_counted() {
    on_engine("", async |engine| {
        let client = open(engine, engine.description().address, &options(10)).await;
        subscribe(&client, &[1], Delivery::Stream).await;
        let first = client.next_update().await.unwrap();
        assert_eq!((first.version, first.missed), (0, 0));
        let sent = engine.counters().get(CounterId::UpdatesSent);
        for round in 1..=50 {
            step(engine, 1, &[round]);
            let wanted = sent + u64::from(round);
            until("sent", || engine.counters().get(CounterId::UpdatesSent) == wanted).await;
        }
        // A read on the other stream says nothing of this one; the version does.
        let mut missed = 0;
        let last = loop {
            let news = client.next_update().await.unwrap();
            missed += news.missed + 1;
            if news.version == 50 {
                break news;
            }
        };
        assert_eq!((missed, last.slot().payload()), (50, &[50][..]), "each was counted, or handed over");
    });
}

#[test]
fn requests_by_datagram_are_answered_or_in_doubt() {
    on_engine("", async |engine| {
        let relay = Relay::start(engine.description().address).await;
        // One that waits for every answer, and one that waits for those which never come.
        let patient = EngineClientOptions { datagram_timeout_ms: 120_000, ..options(0) };
        let client = open(engine, engine.description().address, &patient).await;
        let hasty = EngineClientOptions { datagram_timeout_ms: 150, ..options(0) };
        let hasty = open(engine, relay.address, &hasty).await;
        let step = Move { source: 1, target: 2, edge_mask: 0x1_0003, payload: b"x", ..Move::default() };
        let answered = Move { ack_each: true, ..step };
        let accepted = client.ask(ByDatagram(answered)).await.unwrap();
        assert!(matches!(accepted, Outcome::Accepted { revision: 1 }), "{accepted:?}");
        let conflict = client.ask(ByDatagram(Move { version: 9, ..answered })).await.unwrap();
        assert_eq!(conflict, Outcome::Refused { status: Status::CONFLICT, node: 1 });
        assert_eq!(hasty.ask(ByDatagram(step)).await.unwrap(), Outcome::InDoubt, "nobody asked for an answer");
        until("applied", || engine.revision() == 2).await;
        let state = client.ask(ByDatagram(Read { node: 1 })).await.unwrap();
        assert_eq!((state.slot().version(), state.slot().payload()), (2, &b"x"[..]));
        let refused = client.ask(ByDatagram(Read { node: 2_000 })).await.unwrap_err();
        assert!(matches!(refused, ClientError::Rejected { status: Status::OUT_OF_BOUNDS, .. }), "{refused:?}");
        assert!(matches!(client.ask(ByDatagram(Release { node: 1 })).await.unwrap(), Outcome::Accepted { .. }));
        relay.let_through(Passes::Questions);
        let lost = hasty.try_send(ByDatagram(answered)).unwrap();
        let unread = hasty.try_send(ByDatagram(Read { node: 1 })).unwrap();
        assert_eq!(lost.await.unwrap(), Outcome::InDoubt, "its answer was lost");
        assert!(matches!(unread.await.unwrap_err(), ClientError::Unanswered { timeout_ms: 150 }));
        until("applied all the same", || engine.revision() == 4).await;
        assert_eq!((client.in_flight(), hasty.in_flight()), (0, 0));
    });
}
