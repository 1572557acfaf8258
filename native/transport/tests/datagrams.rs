//! Datagrams: answers, replays, overload.

mod common;

use common::*;
use lodestone_memory::{CounterId, Status};

#[tokio::test]
async fn each_kind_is_answered_as_the_contract_says() {
    let bench = Bench::start();
    let client = bench.session().await;
    let session = client.session;
    // Any first value, gaps allowed.
    client.datagram(move_frame(ACK_EACH, session, 500, 3, b"datagram"));
    let ack = client.answer_datagram().await;
    assert_eq!((ack.kind, ack.counter, ack.u64(0), ack.session), (ACK, 500, 1, session));

    client.datagram(pair_frame(READ, 0, session, 510, 3, 0));
    let state = client.answer_datagram().await;
    assert_eq!((state.kind, state.counter, &state.body[32..40]), (STATE, 510, &b"datagram"[..]));

    client.datagram(pair_frame(READ, 0, session, 511, NODES_MAX, 0));
    assert_eq!(client.answer_datagram().await.brief(), (REJECT, 511, 3));

    client.datagram(pair_frame(RELEASE, ACK_EACH, session, 512, 3, 0));
    assert_eq!(client.answer_datagram().await.brief(), (ACK, 512, 2));
    client.datagram(pair_frame(RELEASE, ACK_EACH, session, 513, 3, 0));
    let reject = client.answer_datagram().await;
    assert_eq!((reject.brief(), reject.u32(4)), ((REJECT, 513, Status::NoSlot.code().into()), 3));

    let mut bad = move_frame(ACK_EACH, session, 514, 3, b"x");
    bad[72] ^= 1;
    client.datagram(bad);
    assert_eq!(client.answer_datagram().await.brief(), (REJECT, 514, 2));
}

#[tokio::test]
async fn without_ack_each_moves_and_releases_are_applied_silently() {
    let bench = Bench::start();
    let client = bench.session().await;
    client.datagram(move_frame(0, client.session, 1, 3, &[]));
    client.datagram(move_frame(0, client.session, 2, NODES_MAX, &[]));
    client.datagram(pair_frame(RELEASE, 0, client.session, 3, 9, 0));
    client.datagram(pair_frame(READ, 0, client.session, 4, 3, 0));
    let only = client.answer_datagram().await;
    assert_eq!((only.kind, only.counter), (STATE, 4), "the first answer is that of READ");
    assert_eq!(bench.engine.seen().len(), 4);
}

#[tokio::test]
async fn a_counter_that_does_not_rise_is_a_replay() {
    let bench = Bench::start();
    let client = bench.session().await;
    let session = client.session;
    client.datagram(move_frame(ACK_EACH, session, 10, 3, &[]));
    assert_eq!(client.answer_datagram().await.kind, ACK);
    // Replays: told with ACK_EACH only; a READ is always told.
    client.datagram(move_frame(0, session, 10, 3, &[]));
    client.datagram(move_frame(0, session, 0, 3, &[]));
    client.datagram(move_frame(ACK_EACH, session, 9, 4, &[]));
    let reject = client.answer_datagram().await;
    assert_eq!((reject.brief(), reject.u32(4)), ((REJECT, 9, 11), 4));
    client.datagram(pair_frame(READ, 0, session, 10, 5, 0));
    assert_eq!(client.answer_datagram().await.brief(), (REJECT, 10, 11));
    // A replay is found before a bad digest.
    let mut bad = move_frame(ACK_EACH, session, 10, 3, b"x");
    bad[72] ^= 1;
    client.datagram(bad.clone());
    assert_eq!(client.answer_datagram().await.brief(), (REJECT, 10, 11));
    // A refused one uses up its counter too.
    bad = move_frame(ACK_EACH, session, 11, NODES_MAX, &[]);
    client.datagram(bad.clone());
    assert_eq!(client.answer_datagram().await.brief(), (REJECT, 11, 3));
    client.datagram(bad);
    assert_eq!(client.answer_datagram().await.brief(), (REJECT, 11, 11));
    assert_eq!(bench.counters.get(CounterId::DatagramsReplayed), 6);
    assert_eq!(bench.engine.seen().len(), 2);
}

#[tokio::test]
async fn datagram_counters_and_stream_counters_are_apart() {
    let bench = Bench::start();
    let mut client = bench.session().await;
    client.datagram(move_frame(ACK_EACH, client.session, u64::MAX, 3, &[]));
    assert_eq!(client.answer_datagram().await.brief(), (ACK, u64::MAX, 1));
    client.send.write_all(&move_frame(0, client.session, 1, 3, &[])).await.unwrap();
    until_acked(&mut client.receive, 1).await;
}

#[tokio::test]
async fn a_full_channel_drops_datagrams_and_tells_who_asked() {
    let bench = Setup { engine_paused: true, channel_batches: 1, ..Setup::default() }.start();
    let client = bench.session().await;
    let session = client.session;
    // Takes the one place in the channel and the one in the engine's hand, whatever is packed together.
    let mut counter = 0;
    while bench.counters.get(CounterId::DatagramsDropped) == 0 {
        client.datagram(move_frame(0, session, counter, 3, &[]));
        counter += 1;
        let sent = counter;
        until("the datagram is received", || bench.counters.get(CounterId::DatagramsReceived) == sent).await;
        tokio::task::yield_now().await;
    }
    client.datagram(move_frame(ACK_EACH, session, counter, 77, &[]));
    let reject = client.answer_datagram().await;
    assert_eq!((reject.brief(), reject.u32(4)), ((REJECT, counter, 8), 77));
    client.datagram(pair_frame(READ, 0, session, counter + 1, 78, 0));
    assert_eq!(client.answer_datagram().await.brief(), (REJECT, counter + 1, 8));
    // The counter is used up although the datagram was dropped.
    client.datagram(move_frame(ACK_EACH, session, counter, 77, &[]));
    assert_eq!(client.answer_datagram().await.brief(), (REJECT, counter, 11));
    bench.engine.resume();
    until("room again", || bench.engine.seen().len() as u64 == counter - 1).await;
    client.datagram(move_frame(ACK_EACH, session, counter + 2, 3, &[]));
    assert_eq!(client.answer_datagram().await.kind, ACK);
}

#[tokio::test]
async fn no_page_left_is_overload_too() {
    let bench = Setup { engine_paused: true, pages_bytes: 1, ..Setup::default() }.start();
    let client = bench.session().await;
    client.datagram(move_frame(0, client.session, 0, 3, &[]));
    until("the page is under way", || bench.counters.get(CounterId::DatagramsReceived) == 1).await;
    let mut counter = 1;
    let answer = loop {
        client.datagram(move_frame(ACK_EACH, client.session, counter, 3, &[]));
        let sent = counter + 1;
        until("the datagram is received", || bench.counters.get(CounterId::DatagramsReceived) == sent).await;
        if bench.counters.get(CounterId::DatagramsDropped) > 0 {
            break client.answer_datagram().await;
        }
        counter += 1;
    };
    assert_eq!(answer.u16(0), Status::Overloaded.code());
    assert!(bench.counters.get(CounterId::PagesExhausted) > 0);
    bench.engine.resume();
}

#[tokio::test]
async fn datagrams_of_1200_bytes_are_offered() {
    let bench = Bench::start();
    let client = bench.session().await;
    let largest = client.connection.max_datagram_size().expect("datagrams are offered");
    assert!(largest >= 1100, "the path carries packets of 1,200 bytes, less QUIC's own: {largest}");
    client.datagram(move_frame(ACK_EACH, client.session, 0, 3, &[1; 232]));
    assert_eq!(client.answer_datagram().await.kind, ACK);
}
