//! Fan-out: updates on a stream of their own, coalesced and bounded, and who is closed for not taking them.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::*;
use lodestone_memory::{CounterId, Status};
use lodestone_transport::{Fanout, NodeState, Outbox, StateSource, Way};

const NODES: u32 = 100;

/// Nodes that are nothing but a number of changes.
struct Changes(Vec<AtomicU32>);

impl StateSource for Changes {
    fn look(&self, node: u32) -> Option<NodeState> {
        let sequence = self.0[node as usize].load(Ordering::Acquire);
        let mut slot = [0; 256];
        slot[13] = 1;
        slot[14] = 232;
        Some(NodeState { revision: 7, rollbacks: 0, version: sequence.into(), sequence, slot })
    }
}

/// What the engine thread does, for nodes that are entries at the same time.
struct Fan {
    changes: Arc<Changes>,
    fanout: Fanout,
}

impl Fan {
    fn new() -> Fan {
        let changes = Arc::new(Changes((0..NODES).map(|_| AtomicU32::new(0)).collect()));
        let fanout = Fanout::new(NODES, 10, Arc::clone(&changes) as Arc<dyn StateSource>).unwrap();
        Fan { changes, fanout }
    }

    fn bench(&self, adjust: impl FnOnce(&mut Setup)) -> Bench {
        let mut setup = Setup::default();
        setup.config.fanout = Some(self.fanout.clone());
        adjust(&mut setup);
        setup.start()
    }

    fn subscribe_to_all(&self, outbox: &Outbox) {
        self.subscribe_to_all_by(outbox, Way::Stream);
    }

    fn subscribe_to_all_by(&self, outbox: &Outbox, way: Way) {
        (0..NODES).for_each(|node| {
            self.fanout.subscriptions().begin(node, node);
            self.fanout.subscriptions().mark(node, outbox.list(way));
        });
        outbox.wake(way);
    }

    fn change(&self, node: u32, outbox: &Outbox) {
        self.change_by(node, outbox, Way::Stream);
    }

    fn change_by(&self, node: u32, outbox: &Outbox, way: Way) {
        self.changes.0[node as usize].fetch_add(2, Ordering::Release);
        self.fanout.subscriptions().mark(node, outbox.list(way));
        outbox.wake(way);
    }
}

fn node_and_version(update: &Answer) -> (u32, u64) {
    assert_eq!((update.kind, update.body.len(), update.u32(28)), (UPDATE, 32 + 256, 0), "no order before version 3");
    (update.u32(24), update.u64(16))
}

#[tokio::test]
async fn a_session_that_lags_gets_fewer_and_newer_states_and_its_answers_meanwhile() {
    let fan = Fan::new();
    let bench = fan.bench(|_| {});
    let connection = bench.connect_with(|quic| _ = quic.stream_receive_window(4_096_u32.into())).await;
    let mut client = Client::welcomed_as(2, connection, &[]).await;
    let outbox = bench.server.outbox(client.session).unwrap();
    fan.subscribe_to_all(&outbox);
    // The stream of updates is not read: its window is soon full, and nothing more leaves.
    let mut updates = watched("the stream", client.connection.accept_uni()).await.unwrap();
    let mut counter = 0;
    for round in 0..200 {
        (0..NODES).for_each(|node| fan.change(node, &outbox));
        if round % 20 == 0 {
            counter += 1;
            client.send.write_all(&move_frame(0, client.session, counter, 5, &[])).await.unwrap();
            until_acked(&mut client.receive, counter).await;
        }
    }
    let sent_before = bench.counters.get(CounterId::UpdatesSent);
    assert!(sent_before < 60, "{sent_before} updates of 304 bytes passed a window of 4 KiB");
    let (mut newest, mut received) = (BTreeMap::new(), 0);
    while newest.len() < NODES as usize || newest.values().any(|version| *version != 400) {
        let update = next(&mut updates).await.unwrap();
        assert_eq!((update.session, update.counter, update.u64(0)), (client.session, received, 7));
        let (node, version) = node_and_version(&update);
        let before = newest.insert(node, version);
        assert!(before.is_none_or(|before| before < version), "node {node} went from {before:?} to {version}");
        received += 1;
    }
    // What was under way when the window filled, at most once more each, and the last state of each.
    assert!(received < 3 * u64::from(NODES), "{received} updates for 20,000 changes");
    assert_eq!(bench.server.sessions().len(), 1);
}

#[tokio::test]
async fn a_session_that_takes_no_updates_is_closed_and_gives_everything_back() {
    let fan = Fan::new();
    let bench = fan.bench(|setup| setup.config.slow_consumer_ms = 200);
    let connection = bench.connect_with(|quic| _ = quic.stream_receive_window(4_096_u32.into())).await;
    let client = Client::welcomed_as(2, connection, &[]).await;
    let outbox = bench.server.outbox(client.session).unwrap();
    fan.subscribe_to_all(&outbox);
    let (code, reason) = closed(&client.connection).await;
    assert_eq!((code, reason.as_str()), (15, "the updates are not taken"));
    assert_eq!(bench.counters.get(CounterId::SlowConsumersClosed), 1);
    until("the sender has left", || fan.fanout.has_left()).await;
    let mut left = Vec::new();
    let unlisted = fan.fanout.take_left(|outbox| left.push(outbox.session()));
    assert_eq!((left, outbox.has_left(), unlisted), (vec![client.session], true, false));
    let subscriptions = fan.fanout.subscriptions();
    subscriptions.abandon(outbox.list(Way::Stream), |entry| panic!("entry {entry} had not ended"));
    assert!((0..NODES).all(|entry| subscriptions.end(entry)), "every entry is free at once");
    assert!(!subscriptions.has_returned());
}

#[tokio::test]
async fn a_client_that_grants_no_stream_is_slow_too() {
    let fan = Fan::new();
    let bench = fan.bench(|setup| setup.config.slow_consumer_ms = 100);
    let connection = bench.connect_with(|quic| _ = quic.max_concurrent_uni_streams(0_u32.into())).await;
    let client = Client::welcomed_as(2, connection, &[]).await;
    fan.subscribe_to_all(&bench.server.outbox(client.session).unwrap());
    assert_eq!(closed(&client.connection).await.0, 15);
}

#[tokio::test]
async fn a_client_that_stops_the_stream_keeps_its_session() {
    let fan = Fan::new();
    let bench = fan.bench(|_| {});
    let mut client = Client::welcomed_as(2, bench.connect().await, &[]).await;
    let outbox = bench.server.outbox(client.session).unwrap();
    fan.subscribe_to_all(&outbox);
    let mut updates = watched("the stream", client.connection.accept_uni()).await.unwrap();
    updates.stop(1_u32.into()).unwrap();
    until("the sender has left", || {
        fan.change(1, &outbox);
        outbox.has_left()
    })
    .await;
    client.send.write_all(&move_frame(0, client.session, 1, 5, &[])).await.unwrap();
    until_acked(&mut client.receive, 1).await;
}

#[tokio::test]
async fn nothing_is_told_of_a_state_that_is_being_rolled_back() {
    let fan = Fan::new();
    let bench = fan.bench(|_| {});
    let client = Client::welcomed_as(2, bench.connect().await, &[]).await;
    let outbox = bench.server.outbox(client.session).unwrap();
    fan.subscribe_to_all(&outbox);
    let mut updates = watched("the stream", client.connection.accept_uni()).await.unwrap();
    for node in 0..NODES {
        assert_eq!(node_and_version(&next(&mut updates).await.unwrap()), (node, 0));
    }
    fan.fanout.rollback_begins();
    fan.change(3, &outbox);
    until("the sender looked", || outbox.list(Way::Stream).is_empty()).await;
    fan.fanout.rollback_ended();
    fan.change(4, &outbox);
    assert_eq!(node_and_version(&next(&mut updates).await.unwrap()), (4, 2), "node 3 is to be marked again");
    fan.fanout.subscriptions().mark(4, outbox.list(Way::Stream));
    fan.fanout.subscriptions().mark(3, outbox.list(Way::Stream));
    outbox.wake(Way::Stream);
    assert_eq!(node_and_version(&next(&mut updates).await.unwrap()), (3, 2), "node 4 is known as it is");
}

#[tokio::test]
async fn versions_tell_who_knows_the_frames() {
    let fan = Fan::new();
    let bench = fan.bench(|_| {});
    let mut new = Client::welcomed_as(2, bench.connect().await, &[]).await;
    assert_eq!(new.welcome.u16(0), 2);
    let nodes = [1_u32, 2, 3].map(u32::to_le_bytes).concat();
    new.send.write_all(&frame(SUBSCRIBE, 0, new.session, 1, &nodes)).await.unwrap();
    new.send.write_all(&frame(UNSUBSCRIBE, 0, new.session, 2, &[])).await.unwrap();
    for (counter, subscriptions) in [(1, 3), (2, 0)] {
        let answer = next(&mut new.receive).await.unwrap();
        assert_eq!((answer.kind, answer.counter, answer.u32(8)), (SUBSCRIBED, counter, subscriptions));
    }
    let mut old = Client::welcomed(bench.connect().await, &[]).await;
    assert_eq!(old.welcome.u16(0), 1);
    assert_eq!(bench.server.outbox(old.session).err(), Some(Status::VersionUnsupported));
    assert_eq!(bench.server.outbox(old.session + 1).err(), Some(Status::Unauthorized));
    old.send.write_all(&frame(SUBSCRIBE, 0, old.session, 1, &nodes)).await.unwrap();
    let close = next(&mut old.receive).await.unwrap();
    assert_eq!((close.kind, close.u16(0)), (CLOSE, 1));
    assert_eq!(closed(&old.connection).await, (1, "a frame of an unknown type".to_owned()));
    assert_eq!(bench.server.sessions().len(), 1, "the other session goes on");

    let without = Bench::start();
    for (bench, asked, spoken) in [(&without, 2, 1), (&without, 3, 1), (&bench, 4, 3)] {
        let connection = bench.connect().await;
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        send.write_all(&hello_frame(asked, &[])).await.unwrap();
        let welcome = next(&mut receive).await.unwrap();
        assert_eq!((welcome.kind, welcome.u16(0), welcome.u16(2)), (WELCOME, spoken, 10), "version {asked}");
    }
}

/// A state that came as a datagram, or behind it on the stream: node, version, and what orders it.
fn latest(update: &Answer, kind: u8) -> (u32, u64, u32) {
    assert_eq!((update.kind, update.body.len()), (kind, 32 + 256));
    (update.u32(24), update.u64(16), update.u32(28))
}

#[tokio::test]
async fn datagrams_bring_the_newest_and_the_stream_brings_once_more_what_rests() {
    let fan = Fan::new();
    let bench = fan.bench(|_| {});
    let client = Client::welcomed_as(3, bench.connect().await, &[]).await;
    let outbox = bench.server.outbox(client.session).unwrap();
    assert_eq!(outbox.way(Way::Datagram), Way::Datagram);
    fan.subscribe_to_all_by(&outbox, Way::Datagram);
    let mut newest = BTreeMap::new();
    for counter in 0..u64::from(NODES) {
        let update = client.answer_datagram().await;
        assert_eq!((update.session, update.counter, update.u64(0)), (client.session, counter, 7));
        newest.insert(latest(&update, LATEST).0, 0);
    }
    assert_eq!(newest.len(), NODES as usize);
    for version in 1..=5 {
        fan.change_by(9, &outbox, Way::Datagram);
        assert_eq!(latest(&client.answer_datagram().await, LATEST), (9, 2 * version, 2 * version as u32));
    }
    let mut updates = watched("the stream", client.connection.accept_uni()).await.unwrap();
    newest.insert(9, 10);
    // Each once, but for the node that changed: on a busy machine it may have rested in between.
    let (mut settled, mut counter) = (BTreeMap::new(), 0);
    while settled != newest {
        let update = next(&mut updates).await.unwrap();
        assert_eq!(update.counter, counter);
        counter += 1;
        let (node, version, order) = latest(&update, UPDATE);
        let before = settled.insert(node, version);
        assert_eq!(u64::from(order), version);
        assert!(before.is_none_or(|before| node == 9 && before < version), "node {node}: {version} after {before:?}");
    }
    assert_eq!(bench.counters.get(CounterId::UpdatesSent), u64::from(NODES) + 5 + counter);
}

#[tokio::test]
async fn what_rests_while_the_state_is_rolled_back_comes_by_the_stream_after_that() {
    let fan = Fan::new();
    let bench = fan.bench(|_| {});
    let client = Client::welcomed_as(3, bench.connect().await, &[]).await;
    let outbox = bench.server.outbox(client.session).unwrap();
    fan.subscribe_to_all_by(&outbox, Way::Datagram);
    for _ in 0..NODES {
        client.answer_datagram().await;
    }
    fan.fanout.rollback_begins();
    // All of them rest now, again and again; the loop goes on with everybody else meanwhile.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let other = Client::welcomed_as(3, bench.connect().await, &[]).await;
    assert_ne!(other.session, client.session);
    fan.fanout.rollback_ended();
    let mut updates = watched("the stream", client.connection.accept_uni()).await.unwrap();
    let mut settled = BTreeMap::new();
    while settled.len() < NODES as usize {
        let (node, version, _) = latest(&next(&mut updates).await.unwrap(), UPDATE);
        settled.insert(node, version);
    }
}

#[tokio::test]
async fn a_stream_that_is_not_read_holds_no_datagram_up() {
    let fan = Fan::new();
    let bench = fan.bench(|_| {});
    let connection = bench.connect_with(|quic| _ = quic.stream_receive_window(4_096_u32.into())).await;
    let client = Client::welcomed_as(3, connection, &[]).await;
    let outbox = bench.server.outbox(client.session).unwrap();
    fan.subscribe_to_all(&outbox);
    let _unread = watched("the stream", client.connection.accept_uni()).await.unwrap();
    // Entry and node 0 come the other way from here on; the engine gives them an entry of their own.
    assert!(fan.fanout.subscriptions().end(0), "its bytes are here, so nobody has it in hand");
    fan.fanout.subscriptions().begin(0, 0);
    for version in 1..=200 {
        fan.change_by(0, &outbox, Way::Datagram);
        (1..NODES).for_each(|node| fan.change(node, &outbox));
        assert_eq!(latest(&client.answer_datagram().await, LATEST), (0, 2 * version, 2 * version as u32));
    }
    assert!(bench.counters.get(CounterId::UpdatesSent) < 260, "the stream's window was full all the time");
}

#[tokio::test]
async fn who_takes_no_datagrams_gets_everything_by_the_stream() {
    let fan = Fan::new();
    let bench = fan.bench(|_| {});
    let connection = bench.connect_with(|quic| _ = quic.datagram_receive_buffer_size(None)).await;
    let without = Client::welcomed_as(3, connection, &[]).await;
    let older = Client::welcomed_as(2, bench.connect().await, &[]).await;
    for client in [&without, &older] {
        let outbox = bench.server.outbox(client.session).unwrap();
        assert_eq!((outbox.way(Way::Datagram), outbox.way(Way::Stream)), (Way::Stream, Way::Stream));
    }
}
