//! Every frame of a welcomed session, and how streams begin and end.

mod common;

use common::*;
use lodestone_memory::{CounterId, RecordKind, Status};
use lodestone_transport::StreamCredit;

#[tokio::test]
async fn every_frame_is_answered_as_the_contract_says() {
    let bench = Bench::start();
    let mut client = bench.session().await;
    let session = client.session;
    let requests = [
        move_frame(0, session, 1, 5, b"hello"),
        pair_frame(READ, 0, session, 2, 5, 0),
        pair_frame(READ, 0, session, 3, NODES_MAX, 0),
        pair_frame(ROUTE, 0, session, 4, 5, 6),
        pair_frame(ROUTE, 0, session, 5, NODES_MAX, 6),
        pair_frame(RELEASE, 0, session, 6, 5, 0),
        pair_frame(RELEASE, ACK_EACH, session, 7, 5, 0),
    ];
    client.send.write_all(&requests.concat()).await.unwrap();
    let answers = until_acked(&mut client.receive, 7).await;
    assert!(answers.iter().all(|answer| answer.session == session));

    let of = |kind, counter| answers.iter().find(|answer| (answer.kind, answer.counter) == (kind, counter));
    let state = of(STATE, 2).expect("STATE");
    assert_eq!(state.body.len(), 8 + 256);
    assert_eq!((state.u32(8), state.u32(12), &state.body[8 + 24..8 + 29]), (5, 6, &b"hello"[..]));
    let refused = of(REJECT, 3).expect("READ out of bounds");
    assert_eq!((refused.u16(0), refused.u16(2), refused.u32(4)), (3, 0, NODES_MAX));
    let path = of(PATH, 4).expect("PATH");
    assert_eq!((path.u64(8), path.u32(16), path.u32(20), path.u32(24), path.u32(28)), (1, 2, 0, 5, 6));
    assert_eq!(path.body.len(), 24 + 8);
    assert_eq!(of(REJECT, 5).expect("ROUTE out of bounds").u16(0), 3);
    assert_eq!(of(REJECT, 7).expect("second RELEASE").u16(0), Status::NoSlot.code());
    assert_eq!(answers.last().unwrap().counter, 7, "ACK_EACH is answered by exactly its counter");
    assert_eq!(bench.counters.get(CounterId::FramesReceived), 7);
}

#[tokio::test]
async fn a_bad_digest_is_rejected_in_its_place() {
    let bench = Bench::start();
    let mut client = bench.session().await;
    let mut bad = move_frame(0, client.session, 2, 8, b"x");
    bad[60] ^= 1;
    let requests =
        [move_frame(0, client.session, 1, 7, b""), bad, move_frame(0, client.session, 3, 9, &[7; 232])].concat();
    client.send.write_all(&requests).await.unwrap();
    let answers: Vec<_> = until_acked(&mut client.receive, 3).await.iter().map(Answer::brief).collect();
    let reject = answers.iter().position(|answer| *answer == (REJECT, 2, 2)).expect("BAD_DIGEST");
    assert!(answers[..reject].iter().all(|answer| answer.1 < 2), "before an ACK that covers it: {answers:?}");
    assert_eq!(bench.counters.get(CounterId::DigestFailures), 1);
    assert_eq!(bench.engine.seen()[1].status, Status::BadDigest);
}

#[tokio::test]
async fn frames_may_be_split_byte_by_byte() {
    let bench = Bench::start();
    let mut client = bench.session().await;
    let session = client.session;
    let requests = [
        move_frame(0, session, 1, 5, &[9; 100]),
        pair_frame(READ, 0, session, 2, 5, 0),
        move_frame(0, session, 3, 6, &[]),
    ]
    .concat();
    for byte in requests {
        client.send.write_all(&[byte]).await.unwrap();
        // Gives the byte a packet of its own, most of the time.
        tokio::task::yield_now().await;
    }
    let answers = until_acked(&mut client.receive, 3).await;
    let state = answers.iter().find(|answer| answer.kind == STATE).expect("STATE");
    assert_eq!(&state.body[8 + 24..8 + 124], [9; 100]);
}

#[tokio::test]
async fn ack_each_is_answered_for_every_frame_in_order() {
    let bench = Bench::start();
    let mut client = bench.session().await;
    let mut requests = Vec::new();
    for counter in 1..=300_u64 {
        let node = if counter % 3 == 0 { NODES_MAX } else { 5 };
        requests.extend(move_frame(ACK_EACH, client.session, counter, node, b"abc"));
    }
    client.send.write_all(&requests).await.unwrap();
    let mut revision = 0;
    for counter in 1..=300_u64 {
        if counter % 3 == 0 {
            assert_eq!(next(&mut client.receive).await.unwrap().brief(), (REJECT, counter, 3));
        }
        let ack = next(&mut client.receive).await.unwrap();
        assert_eq!((ack.kind, ack.counter), (ACK, counter));
        assert!(ack.u64(0) >= revision, "revisions never fall");
        revision = ack.u64(0);
    }
}

#[tokio::test]
async fn acks_are_cumulative_and_the_last_move_is_covered_even_when_refused() {
    let bench = Bench::start();
    let mut client = bench.session().await;
    let mut requests = Vec::new();
    for counter in 1..=1000 {
        let node = if counter == 1000 { NODES_MAX } else { 7 };
        requests.extend(move_frame(0, client.session, counter, node, &[]));
    }
    client.send.write_all(&requests).await.unwrap();
    let answers: Vec<_> = until_acked(&mut client.receive, 1000).await.iter().map(Answer::brief).collect();
    assert!(answers.len() < 1000, "ACKs are merged: {}", answers.len());
    assert!(answers.windows(2).all(|pair| pair[0].1 <= pair[1].1), "counters rise: {answers:?}");
    assert_eq!(answers[answers.len() - 2], (REJECT, 1000, 3));
    assert_eq!(answers[answers.len() - 1].1, 1000);
    let counters: Vec<_> = bench.engine.seen().iter().map(|seen| seen.counter).collect();
    assert_eq!(counters, (1..=1000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_hundred_and_twenty_eight_streams_are_open_at_once_and_credited_again() {
    let bench = Bench::start();
    let client = bench.session().await;
    assert_eq!(client.welcome.u32(4), 128);
    let mut open = Vec::new();
    for _ in 0..127 {
        open.push(client.stream().await);
    }
    for round in 0..2 {
        for (index, (send, _)) in open.iter_mut().enumerate() {
            send.write_all(&move_frame(0, client.session, 0, index as u32, &[])).await.unwrap();
            send.finish().unwrap();
        }
        for (_, receive) in &mut open {
            assert_eq!(next(receive).await.unwrap().counter, 0);
            assert!(next(receive).await.is_none(), "FIN after all is answered");
        }
        open.clear();
        if round == 0 {
            for _ in 0..127 {
                open.push(client.stream().await);
            }
        }
    }
    assert_eq!(bench.engine.seen().len(), 254);
}

#[tokio::test]
async fn with_credit_on_use_all_streams_are_granted_with_the_first_byte_of_a_second_one() {
    let mut setup = Setup::default();
    setup.config.stream_credit = StreamCredit::OnUse;
    let bench = setup.start();
    let client = bench.session().await;
    let mut open = Vec::new();
    for _ in 0..12 {
        open.push(client.stream().await);
    }
    open[0].0.write_all(&move_frame(0, client.session, 0, 1, &[])).await.unwrap();
    for _ in 12..127 {
        open.push(client.stream().await);
    }
    for (index, (send, receive)) in open.iter_mut().enumerate() {
        let counter = u64::from(index == 0);
        send.write_all(&move_frame(0, client.session, counter, index as u32, &[])).await.unwrap();
        until_acked(receive, counter).await;
    }
}

#[tokio::test]
async fn one_stream_that_ends_is_credited_at_once_also_when_it_was_stopped() {
    let bench = Bench::start();
    let client = bench.session().await;
    let mut open = Vec::new();
    for _ in 0..127 {
        open.push(client.stream().await);
    }
    for round in 0..6 {
        let (mut send, mut receive) = open.pop().unwrap();
        send.write_all(&move_frame(0, client.session, 0, 1, &[])).await.unwrap();
        if round % 2 == 0 {
            assert_eq!(next(&mut receive).await.unwrap().kind, ACK);
            receive.stop(0_u32.into()).unwrap();
        }
        send.finish().unwrap();
        drop((send, receive));
        open.push(client.stream().await);
    }
}

#[tokio::test]
async fn after_fin_all_is_answered_then_fin_comes() {
    let bench = Setup { engine_paused: true, ..Setup::default() }.start();
    let mut client = bench.session().await;
    let mut requests = Vec::new();
    for counter in 1..=50 {
        requests.extend(move_frame(0, client.session, counter, 3, &[1; 50]));
    }
    requests.extend(pair_frame(READ, 0, client.session, 51, 3, 0));
    // A frame cut off by FIN is dropped without error.
    requests.extend(&move_frame(0, client.session, 52, 3, &[])[..70]);
    client.send.write_all(&requests).await.unwrap();
    client.send.finish().unwrap();
    bench.engine.resume();
    let mut answers = Vec::new();
    while let Some(answer) = next(&mut client.receive).await {
        answers.push(answer.brief());
    }
    assert!(answers.iter().any(|answer| (answer.0, answer.1) == (ACK, 50)), "{answers:?}");
    assert!(answers.iter().any(|answer| (answer.0, answer.1) == (STATE, 51)), "{answers:?}");
    assert_eq!(bench.engine.seen().len(), 51);
    // The end of the first stream does not end the session.
    let (mut send, mut receive) = client.stream().await;
    send.write_all(&move_frame(0, client.session, 0, 4, &[])).await.unwrap();
    assert_eq!(next(&mut receive).await.unwrap().kind, ACK);
    assert_eq!(bench.server.sessions().len(), 1);
}

#[tokio::test]
async fn a_reset_stream_touches_no_other() {
    let bench = Bench::start();
    let mut client = bench.session().await;
    let (mut send, mut receive) = client.stream().await;
    send.write_all(&move_frame(0, client.session, 0, 11, &[])).await.unwrap();
    assert_eq!(next(&mut receive).await.unwrap().counter, 0);
    send.write_all(&move_frame(0, client.session, 1, 12, &[])[..40]).await.unwrap();
    send.reset(7_u32.into()).unwrap();
    assert!(next(&mut receive).await.is_none(), "what was admitted is answered, then FIN");
    client.send.write_all(&move_frame(0, client.session, 1, 13, &[])).await.unwrap();
    until_acked(&mut client.receive, 1).await;
    let nodes: Vec<_> = bench.engine.seen().iter().map(|seen| seen.node).collect();
    assert_eq!(nodes, [11, 13]);
}

#[tokio::test]
async fn after_stop_sending_frames_are_applied_but_not_answered() {
    let bench = Bench::start();
    let mut client = bench.session().await;
    let (mut send, mut receive) = client.stream().await;
    send.write_all(&move_frame(0, client.session, 0, 1, &[])).await.unwrap();
    assert_eq!(next(&mut receive).await.unwrap().counter, 0);
    receive.stop(0_u32.into()).unwrap();
    // More than the answer buffer would hold answers for.
    for counter in 1..=3000 {
        send.write_all(&move_frame(ACK_EACH, client.session, counter, 1, &[])).await.unwrap();
    }
    until("all moves are applied", || bench.engine.seen().len() == 3001).await;
    client.send.write_all(&move_frame(0, client.session, 1, 2, &[])).await.unwrap();
    until_acked(&mut client.receive, 1).await;
}

#[tokio::test]
async fn a_close_from_the_client_ends_the_session_after_the_frames_before_it() {
    let bench = Setup { engine_paused: true, ..Setup::default() }.start();
    let mut client = bench.session().await;
    let text = b"good night";
    let mut body = 5_u16.to_le_bytes().to_vec();
    body.extend_from_slice(&(text.len() as u16).to_le_bytes());
    body.extend_from_slice(text);
    let requests = [move_frame(0, client.session, 1, 1, &[]), move_frame(0, client.session, 2, 2, &[])].concat();
    client.send.write_all(&requests).await.unwrap();
    client.send.write_all(&frame(CLOSE, 0, client.session, 3, &body)).await.unwrap();
    // Not applied: it comes after CLOSE.
    client.send.write_all(&move_frame(0, client.session, 4, 3, &[])).await.unwrap();
    assert_eq!(closed(&client.connection).await, (0, String::new()));
    bench.engine.resume();
    until("the frames before CLOSE are applied", || bench.engine.seen().len() == 2).await;
    until("the session is gone", || bench.server.sessions().is_empty()).await;
    let events = bench.events.lock().unwrap().clone();
    assert!(matches!(events.last(), Some(lodestone_transport::SessionEvent::Closed { status: 5, .. })), "{events:?}");
}

#[tokio::test]
async fn what_a_client_sent_before_it_left_abruptly_is_applied() {
    let bench = Bench::start();
    let mut client = bench.session().await;
    client.send.write_all(&move_frame(0, client.session, 1, 1, &[])).await.unwrap();
    until_acked(&mut client.receive, 1).await;
    client.connection.close(9_u32.into(), b"gone");
    until("the session is gone", || bench.server.sessions().is_empty()).await;
    assert_eq!(bench.counters.get(CounterId::SessionsLive), 0);
    assert_eq!(bench.counters.get(CounterId::SessionsTotal), 1);
}

#[tokio::test]
async fn kinds_nodes_and_arguments_reach_the_engine_as_sent() {
    let bench = Bench::start();
    let mut client = bench.session().await;
    let session = client.session;
    let requests = [
        pair_frame(RELEASE, 0, session, 1, 20, 77),
        pair_frame(READ, ACK_EACH, session, 2, 21, 0),
        pair_frame(ROUTE, 0, session, 3, 22, 23),
        move_frame(0, session, 4, 24, &[]),
    ];
    client.send.write_all(&requests.concat()).await.unwrap();
    until_acked(&mut client.receive, 4).await;
    let seen: Vec<_> = bench.engine.seen().iter().map(|seen| (seen.kind, seen.counter, seen.node)).collect();
    let expected = [
        (RecordKind::Release, 1, 20),
        (RecordKind::Read, 2, 21),
        (RecordKind::Route, 3, 22),
        (RecordKind::Move, 4, 24),
    ];
    assert_eq!(seen, expected);
}
