//! The server's end: whatever it has read is decided, answered and delivered first.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::half_open::HalfOpen;
use common::*;
use lodestone_memory::CounterId;

/// For sessions that end well, however slow the machine is; nothing waits for it to pass.
const PATIENT_MS: u64 = 120_000;

/// A server that waits that long, and whose engine stands still until it is let go on.
fn patient(engine_paused: bool) -> Arc<Bench> {
    let mut setup = Setup { engine_paused, ..Setup::default() };
    setup.config.drain_ms = PATIENT_MS;
    Arc::new(setup.start())
}

#[tokio::test]
async fn everything_read_is_answered_on_every_stream_before_the_farewell() {
    const MOVES: u64 = 40;
    let bench = patient(true);
    let mut client = bench.session().await;
    let session = client.session;
    let moves = |first: u64, node: u32| -> Vec<u8> {
        (first..first + MOVES).flat_map(|counter| move_frame(0, session, counter, node, &[2; 50])).collect()
    };
    let mut others = Vec::new();
    for node in 0..5 {
        let (mut send, receive) = client.stream().await;
        send.write_all(&moves(0, node)).await.unwrap();
        others.push((send, receive));
    }
    client.send.write_all(&moves(1, 9)).await.unwrap();
    until("all is read", || bench.counters.get(CounterId::FramesReceived) == 6 * MOVES).await;

    let ending = Arc::clone(&bench);
    let ending = tokio::spawn(async move { ending.server.shutdown(PATIENT_MS).await });
    until("the server ends", || bench.server.sessions().is_empty() || !ending.is_finished()).await;
    bench.engine.resume();

    for (_, receive) in &mut others {
        until_acked(receive, MOVES - 1).await;
        assert!(next(receive).await.is_none(), "FIN behind the last answer");
    }
    until_acked(&mut client.receive, MOVES).await;
    let close = next(&mut client.receive).await.expect("CLOSE");
    assert_eq!((close.kind, close.u16(0)), (CLOSE, 13));
    assert_eq!(closed(&client.connection).await.0, 13);
    watched("the end", ending).await.unwrap();
    assert_eq!(bench.engine.seen().len() as u64, 6 * MOVES, "nothing twice, nothing lost");
    assert_eq!(bench.counters.get(CounterId::SessionsDrained), 1);
}

#[tokio::test]
async fn a_client_that_takes_nothing_does_not_hold_the_end_up() {
    let bench = Bench::start();
    let connection = bench.connect_with(|transport| {
        transport.stream_receive_window(1000_u32.into());
    });
    let mut client = Client::welcomed(connection.await, &[]).await;
    let reads: Vec<u8> = (1..=100).flat_map(|counter| pair_frame(READ, 0, client.session, counter, 1, 0)).collect();
    client.send.write_all(&reads).await.unwrap();
    until("all are read", || bench.counters.get(CounterId::FramesReceived) == 100).await;
    watched("the end", bench.server.shutdown(PATIENT_MS)).await;
    assert_eq!(closed(&client.connection).await.0, 13);
    assert_eq!(bench.counters.get(CounterId::SessionsDrained), 0);
    assert!(bench.server.sessions().is_empty());
}

#[tokio::test]
async fn nothing_more_is_accepted_while_the_server_ends() {
    let bench = patient(true);
    let mut client = bench.session().await;
    client.send.write_all(&move_frame(0, client.session, 1, 1, &[])).await.unwrap();
    until("it is read", || bench.counters.get(CounterId::FramesReceived) == 1).await;
    let ending = Arc::clone(&bench);
    let ending = tokio::spawn(async move { ending.server.shutdown(PATIENT_MS).await });
    // Whether this is read depends on which is first; it is answered in the one case and not applied in the other.
    let _ = client.send.write_all(&move_frame(0, client.session, 2, 1, &[])).await;
    bench.engine.resume();
    let mut acked = 0;
    while let Some(answer) = next(&mut client.receive).await {
        match answer.kind {
            ACK => acked = answer.counter,
            kind => assert_eq!((kind, answer.u16(0)), (CLOSE, 13)),
        }
    }
    watched("the end", ending).await.unwrap();
    assert_eq!(bench.engine.seen().len() as u64, acked, "what was acknowledged is what was applied");
}

#[tokio::test]
async fn what_another_stream_is_owed_is_delivered_also_where_the_first_has_ended() {
    const MOVES: u64 = 40;
    let bench = patient(false);
    let mut client = bench.session().await;
    client.send.finish().unwrap();
    assert!(next(&mut client.receive).await.is_none(), "FIN of the first stream");
    bench.engine.pause();
    let (mut send, mut receive) = client.stream().await;
    for counter in 0..MOVES {
        send.write_all(&move_frame(0, client.session, counter, 3, &[])).await.unwrap();
    }
    until("all is read", || bench.counters.get(CounterId::FramesReceived) == MOVES).await;

    let ending = Arc::clone(&bench);
    let ending = tokio::spawn(async move { ending.server.shutdown(PATIENT_MS).await });
    // The end is well under way before anything is answered.
    tokio::time::sleep(Duration::from_millis(50)).await;
    bench.engine.resume();
    until_acked(&mut receive, MOVES - 1).await;
    assert!(next(&mut receive).await.is_none(), "FIN behind the last answer");
    assert_eq!(closed(&client.connection).await.0, 13);
    watched("the end", ending).await.unwrap();
    assert_eq!(bench.counters.get(CounterId::SessionsDrained), 1);
}

#[tokio::test]
async fn handshakes_under_way_do_not_hold_the_end_up() {
    let mut setup = Setup::default();
    setup.config.handshake_timeout_ms = 20_000;
    let bench = setup.start();
    let _half_open = HalfOpen::begin(&bench, 2).await;
    watched("the end", bench.server.shutdown(PATIENT_MS)).await;
    assert_eq!(bench.counters.get(CounterId::HandshakesLive), 0);
    assert_eq!(bench.counters.get(CounterId::HandshakesFailed), 0, "they were ended and have not run into a limit");
}
