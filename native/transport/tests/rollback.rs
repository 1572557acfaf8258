//! Rollback as clients see it.

mod common;

use common::*;

#[tokio::test]
async fn every_session_is_told_on_its_first_stream() {
    let bench = Bench::start();
    let (mut one, mut two) = (bench.session().await, bench.session().await);
    for counter in 1..=5 {
        one.send.write_all(&move_frame(0, one.session, counter, 5, &[])).await.unwrap();
        until_acked(&mut one.receive, counter).await;
    }
    bench.engine.roll_back(&bench.server, 2);
    for (client, highest) in [(&mut one, 5), (&mut two, 0)] {
        let reject = next(&mut client.receive).await.unwrap();
        assert_eq!((reject.brief(), reject.u32(4)), ((REJECT, u64::MAX, 12), 0));
        assert_eq!(next(&mut client.receive).await.unwrap().brief(), (ACK, highest, 2));
    }
    one.send.write_all(&move_frame(0, one.session, 6, 5, &[])).await.unwrap();
    assert_eq!(next(&mut one.receive).await.unwrap().brief(), (ACK, 6, 3), "the next revision is R + 1");
    assert_eq!(bench.session().await.welcome.u64(8), 3);
}

#[tokio::test]
async fn other_streams_carry_the_lower_revision_without_a_notice() {
    let bench = Bench::start();
    let mut client = bench.session().await;
    let (mut send, mut receive) = client.stream().await;
    for counter in 0..5 {
        send.write_all(&move_frame(0, client.session, counter, 5, &[])).await.unwrap();
        until_acked(&mut receive, counter).await;
    }
    bench.engine.roll_back(&bench.server, 1);
    assert_eq!(next(&mut client.receive).await.unwrap().kind, REJECT);
    send.write_all(&move_frame(0, client.session, 5, 5, &[])).await.unwrap();
    assert_eq!(next(&mut receive).await.unwrap().brief(), (ACK, 5, 2));
}

#[tokio::test]
async fn moves_decided_after_the_rollback_are_acked_after_the_notice() {
    let bench = Bench::start();
    let mut client = bench.session().await;
    client.send.write_all(&move_frame(0, client.session, 1, 5, &[])).await.unwrap();
    until_acked(&mut client.receive, 1).await;
    bench.engine.pause();
    client.send.write_all(&move_frame(0, client.session, 2, 5, &[])).await.unwrap();
    bench.engine.roll_back(&bench.server, 0);
    bench.engine.resume();
    assert_eq!(next(&mut client.receive).await.unwrap().brief(), (REJECT, u64::MAX, 12));
    assert_eq!(next(&mut client.receive).await.unwrap().brief(), (ACK, 1, 0));
    assert_eq!(next(&mut client.receive).await.unwrap().brief(), (ACK, 2, 1));
}

#[tokio::test]
async fn a_session_whose_first_stream_has_ended_goes_on_without_the_notice() {
    let bench = Bench::start();
    let mut client = bench.session().await;
    client.send.finish().unwrap();
    assert!(next(&mut client.receive).await.is_none());
    let (mut send, mut receive) = client.stream().await;
    send.write_all(&move_frame(0, client.session, 0, 5, &[])).await.unwrap();
    until_acked(&mut receive, 0).await;
    bench.engine.roll_back(&bench.server, 0);
    send.write_all(&move_frame(0, client.session, 1, 5, &[])).await.unwrap();
    assert_eq!(next(&mut receive).await.unwrap().brief(), (ACK, 1, 1));
}

#[tokio::test]
async fn notices_that_a_client_never_takes_do_not_pile_up() {
    let mut setup = Setup::default();
    setup.config.slow_consumer_ms = 500;
    let bench = setup.start();
    let connection = bench.connect_with(|transport| {
        transport.stream_receive_window(64_u32.into());
    });
    let client = Client::welcomed(connection.await, &[]).await;
    for round in 0..5000 {
        bench.engine.roll_back(&bench.server, 0);
        if round % 100 == 0 {
            // The client's end of the connection runs in this very thread, and has to be heard of.
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(closed(&client.connection).await.0, 15, "SLOW_CONSUMER");
}
