//! Back-pressure: who waits, who does not, and who is closed.

mod common;

use std::time::Duration;

use common::*;
use lodestone_memory::CounterId;
use lodestone_transport::TransportConfig;

/// For clients that are to be slow and stay, however slow the machine is besides.
const PATIENT_MS: u64 = 120_000;

fn with(adjust: impl FnOnce(&mut TransportConfig)) -> Setup {
    let mut setup = Setup::default();
    adjust(&mut setup.config);
    setup
}

/// Writes moves `1..=count` on a task of its own, as far as flow control lets it.
fn flood(mut client: Client, count: u64) -> tokio::task::JoinHandle<Client> {
    tokio::spawn(async move {
        for counter in 1..=count {
            client.send.write_all(&move_frame(0, client.session, counter, 5, &[3; 200])).await.unwrap();
        }
        client
    })
}

#[tokio::test]
async fn a_full_channel_stops_reading_and_loses_nothing() {
    const MOVES: u64 = 3000;
    let mut setup = Setup { engine_paused: true, channel_batches: 2, ..Setup::default() };
    setup.config.answer_buffer_bytes = 1 << 20;
    let bench = setup.start();
    let flooding = flood(bench.session().await, MOVES);
    until("the channel is full", || bench.counters.get(CounterId::ChannelFull) > 0).await;
    // The engine takes nothing: what is read stays bounded, the rest is held back at the client by flow control.
    let mut read = bench.counters.get(CounterId::FramesReceived);
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let before = std::mem::replace(&mut read, bench.counters.get(CounterId::FramesReceived));
        if before == read {
            break;
        }
    }
    assert!(read < MOVES / 2, "{read} frames were read into a channel of two batches");
    assert!(!flooding.is_finished(), "{MOVES} moves of 272 bytes are more than any window");
    bench.engine.resume();
    let mut client = watched("the flood", flooding).await.unwrap();
    until_acked(&mut client.receive, MOVES).await;
    let counters: Vec<_> = bench.engine.seen().iter().map(|seen| seen.counter).collect();
    assert_eq!(counters, (1..=MOVES).collect::<Vec<_>>(), "each once and in order");
}

#[tokio::test]
async fn with_one_page_for_all_streams_nothing_is_lost() {
    let bench = Setup { engine_paused: true, pages_bytes: 1, ..Setup::default() }.start();
    let client = bench.session().await;
    let mut open = Vec::new();
    for index in 0..20_u32 {
        let (mut send, receive) = client.stream().await;
        let session = client.session;
        let writing = tokio::spawn(async move {
            for counter in 0..100 {
                send.write_all(&move_frame(0, session, counter, index, &[1; 100])).await.unwrap();
            }
            send
        });
        open.push((writing, receive));
    }
    until("the pool is the bottleneck", || bench.counters.get(CounterId::PagesExhausted) >= 19).await;
    bench.engine.resume();
    for (writing, mut receive) in open {
        watched("writing", writing).await.unwrap();
        until_acked(&mut receive, 99).await;
    }
    assert_eq!(bench.engine.seen().len(), 2000);
}

#[tokio::test]
async fn a_client_that_takes_no_answers_is_read_no_further_and_then_closed() {
    let bench = with(|config| config.slow_consumer_ms = 200).start();
    let connection = bench.connect_with(|transport| {
        transport.stream_receive_window(1000_u32.into());
    });
    let mut client = Client::welcomed(connection.await, &[]).await;
    let (connection, session) = (client.connection.clone(), client.session);
    let reading_nothing = tokio::spawn(async move {
        for counter in 1.. {
            if client.send.write_all(&pair_frame(READ, 0, session, counter, 1, 0)).await.is_err() {
                return client.receive;
            }
        }
        client.receive
    });
    let (code, reason) = closed(&connection).await;
    assert_eq!(code, 15);
    assert!(reason.contains("not taken"), "{reason}");
    drop(watched("writing ends", reading_nothing).await);
    assert_eq!(bench.counters.get(CounterId::SlowConsumersClosed), 1);
    // 64 KiB of answers hold 234 STATEs; a window of 1,000 bytes and what QUIC had in hand add a few.
    assert!(bench.engine.seen().len() < 300, "{}", bench.engine.seen().len());
    until("the session is gone", || bench.server.sessions().is_empty()).await;
}

#[tokio::test]
async fn a_slow_client_holds_up_nobody_else() {
    let bench = with(|config| config.slow_consumer_ms = PATIENT_MS).start();
    let slow = bench.connect_with(|transport| {
        transport.stream_receive_window(1000_u32.into());
    });
    let mut slow = Client::welcomed(slow.await, &[]).await;
    let session = slow.session;
    let stuck = tokio::spawn(async move {
        for counter in 1..10_000 {
            slow.send.write_all(&pair_frame(READ, 0, session, counter, 1, 0)).await.unwrap();
        }
    });
    until("its buffer is full", || bench.engine.seen().len() >= 230).await;
    let mut quick = bench.session().await;
    for counter in 1..=500 {
        quick.send.write_all(&move_frame(0, quick.session, counter, 5, &[])).await.unwrap();
    }
    until_acked(&mut quick.receive, 500).await;
    assert!(!stuck.is_finished());
    stuck.abort();
}

#[tokio::test]
async fn a_client_that_takes_its_answers_late_loses_none() {
    let bench = with(|config| {
        config.answer_buffer_bytes = 40 * 1024;
        config.slow_consumer_ms = PATIENT_MS;
    })
    .start();
    let connection = bench.connect_with(|transport| {
        transport.stream_receive_window(2000_u32.into());
    });
    let mut client = Client::welcomed(connection.await, &[]).await;
    let session = client.session;
    let writing = tokio::spawn(async move {
        for counter in 1..=1000 {
            client.send.write_all(&pair_frame(READ, 0, session, counter, 1, 0)).await.unwrap();
        }
        client.send
    });
    until("the buffer is full", || bench.engine.seen().len() > 140).await;
    for counter in 1..=1000 {
        assert_eq!(next(&mut client.receive).await.unwrap().counter, counter);
    }
    watched("writing", writing).await.unwrap();
}

#[tokio::test]
async fn routes_beyond_the_limit_wait_on_their_streams_only() {
    let bench = with(|config| config.routes_in_flight_max = 2).start();
    bench.engine.hold_routes();
    let client = bench.session().await;
    let mut open = Vec::new();
    for _ in 0..5 {
        let (mut send, receive) = client.stream().await;
        let requests =
            [pair_frame(ROUTE, 0, client.session, 0, 1, 2), move_frame(0, client.session, 1, 9, &[])].concat();
        send.write_all(&requests).await.unwrap();
        open.push((send, receive));
    }
    until("two are at the engine", || bench.engine.held_routes() == 2).await;
    let (mut send, mut receive) = client.stream().await;
    send.write_all(&move_frame(0, client.session, 0, 8, &[])).await.unwrap();
    until_acked(&mut receive, 0).await;
    for _ in 0..5 {
        until("the next is at the engine", || bench.engine.held_routes() > 0).await;
        assert!(bench.engine.held_routes() <= 2);
        bench.engine.release_route(&[1, 2]);
    }
    for (_, receive) in &mut open {
        let kinds = [next(receive).await.unwrap().kind, next(receive).await.unwrap().kind];
        assert!(kinds.contains(&PATH) && kinds.contains(&ACK), "{kinds:?}");
    }
}

#[tokio::test]
async fn a_path_lists_at_most_8192_nodes() {
    let bench = Bench::start();
    bench.engine.hold_routes();
    let mut client = bench.session().await;
    client.send.write_all(&pair_frame(ROUTE, 0, client.session, 1, 1, 2)).await.unwrap();
    until("it is at the engine", || bench.engine.held_routes() == 1).await;
    bench.engine.release_route(&(0..10_000).collect::<Vec<_>>());
    let path = next(&mut client.receive).await.unwrap();
    assert_eq!((path.u32(16), path.body.len()), (10_000, 24 + 4 * 8192));
    assert_eq!(path.u32(24 + 4 * 8191), 8191);
}

#[tokio::test]
async fn frames_behind_a_route_wait_for_its_answer_so_that_revisions_never_fall() {
    let bench = Bench::start();
    bench.engine.hold_routes();
    let mut client = bench.session().await;
    let session = client.session;
    let requests =
        [move_frame(0, session, 1, 5, &[]), pair_frame(ROUTE, 0, session, 2, 1, 2), move_frame(0, session, 3, 5, &[])];
    client.send.write_all(&requests.concat()).await.unwrap();
    until("the route is at the engine", || bench.engine.held_routes() == 1).await;
    assert_eq!(next(&mut client.receive).await.unwrap().brief(), (ACK, 1, 1));
    bench.engine.release_route(&[1, 2]);
    assert_eq!(next(&mut client.receive).await.unwrap().brief(), (PATH, 2, 1));
    assert_eq!(next(&mut client.receive).await.unwrap().brief(), (ACK, 3, 2));
}
