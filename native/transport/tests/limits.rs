//! Limits of addresses, handshakes and sessions, and what QUIC does for a port that anybody can reach.

mod common;

use std::time::Duration;

use common::half_open::HalfOpen;
use common::*;
use lodestone_memory::{CounterId, Status};
use lodestone_transport::TransportConfig;

fn with(adjust: impl FnOnce(&mut TransportConfig)) -> Bench {
    let mut setup = Setup::default();
    adjust(&mut setup.config);
    setup.start()
}

async fn try_connect(bench: &Bench) -> Result<quinn::Connection, quinn::ConnectionError> {
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = client_config(bench.server.certificate_der(), b"lodestone/1", |_| {});
    let connecting = endpoint.connect_with(config, bench.server.local_address(), "localhost").unwrap();
    watched("a connection or its refusal", connecting).await
}

/// Counted at least so often: a client that waits too long for an answer asks again, and is counted once more.
fn assert_counted(bench: &Bench, id: CounterId, least: u64) {
    let counted = bench.counters.get(id);
    assert!(counted >= least, "{id:?} is {counted}, at least {least} were to be");
}

async fn move_is_acked(client: &mut Client, counter: u64) {
    client.send.write_all(&move_frame(0, client.session, counter, 5, &[])).await.unwrap();
    until_acked(&mut client.receive, counter).await;
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_one_more_when_one_ends() {
    let bench = with(|config| {
        config.limit_loopback = true;
        config.address_connections_max = 2;
    });
    let (one, _two) = (bench.session().await, bench.session().await);
    let error = try_connect(&bench).await.unwrap_err().to_string();
    assert!(error.contains("refused"), "{error}");
    assert_counted(&bench, CounterId::ConnectionsLimited, 1);
    one.connection.close(0_u32.into(), b"");
    until("it is gone", || bench.server.sessions().len() == 1).await;
    let third = watched("a free place", async {
        loop {
            if let Ok(connection) = try_connect(&bench).await {
                return connection;
            }
        }
    });
    Client::welcomed(third.await, &[]).await;
}

#[tokio::test]
async fn an_address_begins_so_many_handshakes_in_a_second() {
    let bench = with(|config| {
        config.limit_loopback = true;
        config.address_handshakes_per_second = 1;
    });
    // At once, so that no machine is so slow that each has its second.
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = client_config(bench.server.certificate_der(), b"lodestone/1", |_| {});
    let attempts: Vec<_> = (0..20)
        .map(|_| endpoint.connect_with(config.clone(), bench.server.local_address(), "localhost").unwrap())
        .collect();
    let mut refused = 0;
    for attempt in attempts {
        refused += u64::from(watched("a connection or its refusal", attempt).await.is_err());
    }
    assert!(refused > 0, "twenty in less than twenty seconds");
    assert_counted(&bench, CounterId::ConnectionsLimited, refused);
}

#[tokio::test]
async fn this_machine_is_exempt_unless_it_is_asked_for() {
    let bench = with(|config| {
        config.address_connections_max = 1;
        config.address_handshakes_per_second = 1;
    });
    for _ in 0..10 {
        try_connect(&bench).await.unwrap();
    }
    assert_eq!(bench.counters.get(CounterId::ConnectionsLimited), 0);
}

#[tokio::test]
async fn with_a_threshold_of_none_every_client_proves_its_address() {
    let bench = with(|config| config.retry_handshakes = 0);
    for count in 1..=3 {
        let mut client = bench.session().await;
        move_is_acked(&mut client, 1).await;
        assert_counted(&bench, CounterId::ConnectionsRetried, count);
    }
}

#[tokio::test]
async fn addresses_are_proven_only_while_many_handshakes_are_under_way() {
    let bench = with(|config| config.retry_handshakes = 2);
    bench.session().await;
    assert_eq!(bench.counters.get(CounterId::ConnectionsRetried), 0);
    let _half_open = HalfOpen::begin(&bench, 2).await;
    let mut client = bench.session().await;
    move_is_acked(&mut client, 1).await;
    assert_counted(&bench, CounterId::ConnectionsRetried, 1);
}

#[tokio::test]
async fn beyond_the_limit_of_handshakes_attempts_get_no_answer_until_those_under_way_time_out() {
    let bench = with(|config| {
        config.handshakes_max = 2;
        // Longer than a busy machine keeps the attempt from being made.
        config.handshake_timeout_ms = 5000;
    });
    let mut client = bench.session().await;
    let _half_open = HalfOpen::begin(&bench, 2).await;
    let waiting = bench.session();
    let shed = until("an attempt is ignored", || bench.counters.get(CounterId::ConnectionsShed) > 0);
    let (mut late, ()) = tokio::join!(waiting, async {
        shed.await;
        move_is_acked(&mut client, 1).await;
    });
    // It asked again, as QUIC clients do, and had its turn.
    move_is_acked(&mut late, 1).await;
    assert_eq!(bench.counters.get(CounterId::HandshakesFailed), 2);
    until("none is under way", || bench.counters.get(CounterId::HandshakesLive) == 0).await;
}

#[tokio::test]
async fn a_session_over_its_rate_waits_and_loses_nothing() {
    let bench = with(|config| config.session_moves_per_second = 400);
    let mut client = bench.session().await;
    // In one go, so that a client that is slow itself is over its rate as well.
    let burst: Vec<u8> = (1..=300).flat_map(|counter| move_frame(0, client.session, counter, 5, &[])).collect();
    client.send.write_all(&burst).await.unwrap();
    until_acked(&mut client.receive, 300).await;
    let counters: Vec<_> = bench.engine.seen().iter().map(|seen| seen.counter).collect();
    assert_eq!(counters, (1..=300).collect::<Vec<_>>());
    assert!(bench.counters.get(CounterId::SessionsThrottled) > 0, "a hundred at once, and 200 more");
}

#[tokio::test]
async fn a_session_over_its_rate_holds_up_no_other() {
    let bench = with(|config| config.session_moves_per_second = 1);
    let mut flooding = bench.session().await;
    let session = flooding.session;
    let burst: Vec<u8> = (1..=100).flat_map(|counter| move_frame(0, session, counter, 5, &[])).collect();
    flooding.send.write_all(&burst).await.unwrap();
    until("it waits", || bench.counters.get(CounterId::SessionsThrottled) > 0).await;
    for _ in 0..10 {
        move_is_acked(&mut bench.session().await, 1).await;
    }
    assert!(bench.engine.seen().len() < 60, "100 moves take 99 seconds");
}

#[tokio::test]
async fn all_streams_of_a_session_over_its_rate_have_their_turns() {
    const STREAMS: u64 = 8;
    const MOVES: u64 = 30;
    let bench = with(|config| config.session_moves_per_second = 200);
    let client = bench.session().await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let (mut send, receive) = client.stream().await;
        let moves: Vec<u8> = (0..MOVES).flat_map(|counter| move_frame(0, client.session, counter, 5, &[])).collect();
        send.write_all(&moves).await.unwrap();
        streams.push((send, receive));
    }
    for (_, receive) in &mut streams {
        until_acked(receive, MOVES - 1).await;
    }
    assert_eq!(bench.engine.seen().len() as u64, STREAMS * MOVES, "nothing twice, nothing lost");
    assert!(bench.counters.get(CounterId::SessionsThrottled) > STREAMS, "fifty at once, and 190 more");
}

#[tokio::test]
async fn streams_that_wait_for_their_rate_end_with_their_connection() {
    let bench = with(|config| {
        config.session_moves_per_second = 1;
        config.connections_max = 1;
        // Should the client's last packet get lost, its silence says the same.
        config.idle_timeout_ms = 20_000;
    });
    let client = bench.session().await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        let (mut send, receive) = client.stream().await;
        let moves: Vec<u8> = (0..50).flat_map(|counter| move_frame(0, client.session, counter, 5, &[])).collect();
        send.write_all(&moves).await.unwrap();
        streams.push((send, receive));
    }
    until("they wait", || bench.counters.get(CounterId::SessionsThrottled) >= 7).await;
    client.connection.close(0_u32.into(), b"");
    // The place is free once the last task of the session has ended: 400 moves would take 400 seconds.
    watched("a free place", async {
        while try_connect(&bench).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn bytes_have_a_rate_of_their_own() {
    let bench = with(|config| config.session_bytes_per_second = 1);
    let mut client = bench.session().await;
    let session = client.session;
    let reads = [pair_frame(READ, 0, session, 1, 1, 0), pair_frame(READ, 0, session, 2, 1, 0)].concat();
    client.send.write_all(&reads).await.unwrap();
    assert_eq!(next(&mut client.receive).await.unwrap().counter, 1, "a frame larger than the rate passes once");
    until("the next waits", || bench.counters.get(CounterId::SessionsThrottled) > 0).await;
    assert_eq!(bench.engine.seen().len(), 1);
}

#[tokio::test]
async fn datagrams_over_the_rate_are_dropped_and_those_that_asked_are_told() {
    let bench = with(|config| config.session_moves_per_second = 1);
    let client = bench.session().await;
    for counter in 1..=5 {
        client.datagram(move_frame(ACK_EACH, client.session, counter, 5, &[]));
    }
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(client.answer_datagram().await);
    }
    let told = |answer: &&Answer| answer.kind == REJECT && answer.u16(0) == Status::Overloaded.code();
    let dropped = answers.iter().filter(told).count() as u64;
    assert!((1..=4).contains(&dropped), "{answers:?}");
    assert_eq!(bench.counters.get(CounterId::DatagramsShed), dropped);
    assert_eq!(bench.counters.get(CounterId::DatagramsDropped), dropped);
    assert_eq!(bench.engine.seen().len() as u64, 5 - dropped);
}

#[tokio::test]
async fn a_client_goes_on_from_another_address() {
    let bench = Bench::start();
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = client_config(bench.server.certificate_der(), b"lodestone/1", |_| {});
    let connection = endpoint.connect_with(config, bench.server.local_address(), "localhost").unwrap().await.unwrap();
    let mut client = Client::welcomed(connection, &[]).await;
    move_is_acked(&mut client, 1).await;
    endpoint.rebind(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
    move_is_acked(&mut client, 2).await;
    assert_eq!(bench.server.sessions().len(), 1);
}

#[tokio::test]
async fn keys_are_renewed_whenever_the_client_asks() {
    let bench = Bench::start();
    let mut client = bench.session().await;
    for counter in 1..=10 {
        client.connection.force_key_update();
        move_is_acked(&mut client, counter).await;
    }
}
