//! HELLO, tokens, the session table, and how a server ends.

mod common;

use std::time::{SystemTime, UNIX_EPOCH};

use common::*;
use hmac::{Hmac, KeyInit, Mac};
use lodestone_memory::{CounterId, HistogramId, Status};
use lodestone_transport::{Auth, SessionEvent, TokenKey};
use sha2::Sha256;

fn key() -> TokenKey {
    TokenKey { id: 3, secret: vec![0x5a; 32] }
}

fn with_tokens() -> Setup {
    let mut setup = Setup::default();
    setup.config.auth = Auth::Tokens(vec![TokenKey { id: 1, secret: vec![1; 64] }, key()]);
    setup
}

/// Longer than any test takes.
const TOKEN_LIFE_MS: u64 = 3_600_000;

fn now_unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

fn token(key: &TokenKey, expires_unix_ms: u64, nonce: u64) -> Vec<u8> {
    let mut bytes = key.id.to_le_bytes().to_vec();
    bytes.extend_from_slice(&6_u32.to_le_bytes());
    bytes.extend_from_slice(&expires_unix_ms.to_le_bytes());
    bytes.extend_from_slice(&100_u32.to_le_bytes());
    bytes.extend_from_slice(&199_u32.to_le_bytes());
    bytes.extend_from_slice(&nonce.to_le_bytes());
    let signature = Hmac::<Sha256>::new_from_slice(&key.secret).unwrap().chain_update(&bytes).finalize();
    bytes.extend_from_slice(&signature.into_bytes());
    bytes
}

/// Says HELLO and expects to be turned away: WELCOME with the status, session 0, FIN, then the close code.
async fn refused(bench: &Bench, hello: Vec<u8>, status: Status) -> String {
    let connection = bench.connect().await;
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    send.write_all(&hello).await.unwrap();
    let welcome = next(&mut receive).await.expect("WELCOME is delivered");
    assert_eq!((welcome.kind, welcome.session, welcome.counter), (WELCOME, 0, 0));
    assert_eq!((welcome.u16(0), welcome.u16(2)), (1, status.code()));
    assert!(next(&mut receive).await.is_none());
    let (code, reason) = closed(&connection).await;
    assert_eq!(code, u64::from(status.code()));
    reason
}

#[tokio::test]
async fn welcome_tells_what_the_client_needs() {
    let bench = Bench::start();
    let client = bench.session().await;
    let welcome = &client.welcome;
    assert_eq!((welcome.kind, welcome.counter, welcome.body.len()), (WELCOME, 0, 24));
    assert_eq!((welcome.u16(0), welcome.u16(2), welcome.u32(4)), (1, 0, 128));
    assert_eq!((welcome.u64(8), welcome.u32(16), welcome.u16(20), welcome.u16(22)), (0, NODES_MAX, 256, 0));
    assert_eq!(bench.histograms.count(HistogramId::Handshake), 1);
}

#[tokio::test]
async fn hello_may_be_split_and_tokens_are_ignored_without_auth() {
    let bench = Bench::start();
    let connection = bench.connect().await;
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    for byte in hello_frame(1, &[9; 1024]) {
        send.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(next(&mut receive).await.unwrap().u16(2), 0);
}

#[tokio::test]
async fn another_version_is_refused_whatever_else_hello_holds() {
    let bench = with_tokens().start();
    for version in [0, 2, u16::MAX] {
        let reason = refused(&bench, hello_frame(version, &[]), Status::VersionUnsupported).await;
        assert!(reason.contains("version 1"), "{reason}");
    }
}

#[tokio::test]
async fn a_good_token_brings_tenant_and_range() {
    let bench = with_tokens().start();
    let token = token(&key(), now_unix_ms() + TOKEN_LIFE_MS, 77);
    let mut client = Client::welcomed(bench.connect().await, &token).await;
    let info = bench.server.sessions()[0];
    assert_eq!((info.session, info.tenant), (client.session, 6));
    assert_eq!((info.node_first, info.node_last), (100, 199));
    let requests = [move_frame(0, client.session, 1, 150, &[]), move_frame(0, client.session, 2, 200, &[])].concat();
    client.send.write_all(&requests).await.unwrap();
    let answers = until_acked(&mut client.receive, 2).await;
    assert!(answers.iter().any(|answer| answer.brief() == (REJECT, 2, 4)), "FORBIDDEN outside the range");
    assert!(bench.engine.seen().iter().all(|seen| seen.tenant == 6));
    // Reusable until it expires.
    Client::welcomed(bench.connect().await, &token).await;
}

#[tokio::test]
async fn missing_bad_expired_and_revoked_tokens_are_refused() {
    let bench = with_tokens().start();
    let good = token(&key(), now_unix_ms() + TOKEN_LIFE_MS, 77);
    let mut forged = good.clone();
    forged[20] ^= 1;
    let stranger = TokenKey { id: 4, secret: key().secret };
    let other_secret = TokenKey { id: 3, secret: vec![0x5b; 32] };
    bench.server.revoke_token(78).unwrap();
    let cases = [
        (vec![], "needed"),
        (good[..63].to_vec(), "not valid"),
        ([&good[..], &[0]].concat(), "not valid"),
        (forged, "not valid"),
        (token(&stranger, now_unix_ms() + TOKEN_LIFE_MS, 1), "not valid"),
        (token(&other_secret, now_unix_ms() + TOKEN_LIFE_MS, 1), "not valid"),
        (token(&key(), now_unix_ms() - 1, 77), "expired"),
        (token(&key(), now_unix_ms() + TOKEN_LIFE_MS, 78), "revoked"),
    ];
    let count = cases.len() as u64;
    for (token, part) in cases {
        let reason = refused(&bench, hello_frame(1, &token), Status::Unauthorized).await;
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(bench.counters.get(CounterId::UnauthorizedRefused), count);
    assert!(bench.server.sessions().is_empty());
    Client::welcomed(bench.connect().await, &good).await;
}

#[tokio::test]
async fn revoking_a_token_closes_its_sessions_and_no_others() {
    let bench = with_tokens().start();
    let revoked = Client::welcomed(bench.connect().await, &token(&key(), u64::MAX, 1)).await;
    let mut other = Client::welcomed(bench.connect().await, &token(&key(), u64::MAX, 2)).await;
    bench.server.revoke_token(1).unwrap();
    let (code, reason) = closed(&revoked.connection).await;
    assert_eq!(code, 9);
    assert!(reason.contains("revoked"), "{reason}");
    other.send.write_all(&move_frame(0, other.session, 1, 150, &[])).await.unwrap();
    until_acked(&mut other.receive, 1).await;
}

#[tokio::test]
async fn session_numbers_differ_and_events_tell_of_each() {
    let bench = Bench::start();
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(bench.session().await);
    }
    let mut numbers: Vec<_> = clients.iter().map(|client| client.session).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 10);
    let listed: Vec<_> = bench.server.sessions().iter().map(|info| info.session).collect();
    assert_eq!(listed, numbers);
    for client in &clients {
        client.connection.close(0_u32.into(), b"");
    }
    until("all are gone", || bench.counters.get(CounterId::SessionsLive) == 0).await;
    until("all events are here", || bench.events.lock().unwrap().len() == 20).await;
    for number in numbers {
        let events: Vec<_> = bench.events.lock().unwrap().clone();
        let of_it: Vec<_> = events
            .iter()
            .filter(|event| match event {
                SessionEvent::Opened { session, .. } | SessionEvent::Closed { session, .. } => *session == number,
            })
            .collect();
        assert!(
            matches!(of_it[..], [SessionEvent::Opened { tenant: 0, .. }, SessionEvent::Closed { status: 0, .. }]),
            "{of_it:?}"
        );
    }
}

#[tokio::test]
async fn one_session_can_be_closed_by_the_server() {
    let bench = Bench::start();
    let (mut one, mut two) = (bench.session().await, bench.session().await);
    assert!(bench.server.close_session(one.session, Status::Forbidden, "the match is over"));
    let close = next(&mut one.receive).await.expect("CLOSE on the first stream");
    assert_eq!((close.kind, close.u16(0), &close.body[4..]), (CLOSE, 4, &b"the match is over"[..]));
    assert_eq!(closed(&one.connection).await, (4, "the match is over".to_owned()));
    until("it is gone", || bench.server.sessions().len() == 1).await;
    assert!(!bench.server.close_session(one.session, Status::Forbidden, ""), "there is none any more");
    two.send.write_all(&move_frame(0, two.session, 1, 1, &[])).await.unwrap();
    until_acked(&mut two.receive, 1).await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_until_one_ends() {
    let mut setup = Setup::default();
    setup.config.connections_max = 2;
    let bench = setup.start();
    let (one, _two) = (bench.session().await, bench.session().await);
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = client_config(bench.server.certificate_der(), b"lodestone/1", |_| {});
    let connecting = endpoint.connect_with(config, bench.server.local_address(), "localhost").unwrap();
    let error = watched("the refusal", connecting).await.unwrap_err().to_string();
    assert!(error.contains("refused"), "{error}");
    // More than once where the client asked again before it knew.
    assert!(bench.counters.get(CounterId::ConnectionsRefused) >= 1);
    one.connection.close(0_u32.into(), b"");
    until("a place is free", || bench.server.sessions().len() == 1).await;
    let third = watched("a place", async {
        loop {
            let config = client_config(bench.server.certificate_der(), b"lodestone/1", |_| {});
            let connecting = endpoint.connect_with(config, bench.server.local_address(), "localhost").unwrap();
            if let Ok(connection) = connecting.await {
                return connection;
            }
        }
    })
    .await;
    Client::welcomed(third, &[]).await;
}

#[tokio::test]
async fn another_alpn_is_refused_in_the_handshake() {
    let bench = Bench::start();
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = client_config(bench.server.certificate_der(), b"h3", |_| {});
    let connecting = endpoint.connect_with(config, bench.server.local_address(), "localhost").unwrap();
    assert!(watched("the refusal", connecting).await.is_err());
    until("it is counted", || bench.counters.get(CounterId::HandshakesFailed) >= 1).await;
}

#[tokio::test]
async fn early_data_and_streams_of_the_server_are_not_offered() {
    let bench = Bench::start();
    let client = bench.session().await;
    let opening = tokio::time::timeout(std::time::Duration::from_millis(50), client.connection.open_uni());
    assert!(opening.await.is_err(), "no unidirectional streams are granted");
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = client_config(bench.server.certificate_der(), b"lodestone/1", |_| {});
    for _ in 0..2 {
        let connecting = endpoint.connect_with(config.clone(), bench.server.local_address(), "localhost").unwrap();
        match connecting.into_0rtt() {
            Ok(_) => panic!("the server gave out what early data needs"),
            Err(connecting) => Client::welcomed(connecting.await.unwrap(), &[]).await,
        };
    }
}

#[tokio::test]
async fn shutting_down_says_so_to_everyone_and_ends() {
    let bench = Bench::start();
    let mut clients = vec![bench.session().await, bench.session().await, bench.session().await];
    let silent = bench.connect().await;
    let session = clients[0].session;
    clients[0].send.write_all(&move_frame(0, session, 1, 1, &[])).await.unwrap();
    until_acked(&mut clients[0].receive, 1).await;
    watched("shutdown", bench.server.shutdown(60_000)).await;
    for client in &mut clients {
        let close = next(&mut client.receive).await.expect("CLOSE");
        assert_eq!((close.kind, close.u16(0)), (CLOSE, 13));
        assert_eq!(closed(&client.connection).await.0, 13);
    }
    assert_eq!(closed(&silent).await.0, 13);
    assert!(bench.server.sessions().is_empty());
    assert_eq!(bench.counters.get(CounterId::SessionsLive), 0);
    watched("a second shutdown", bench.server.shutdown(60_000)).await;
}

#[tokio::test]
async fn an_engine_that_is_gone_closes_the_session_with_internal() {
    let mut setup = Setup::default();
    setup.config.idle_timeout_ms = 30_000;
    let pages = lodestone_memory::PagePool::new(1 << 20, false).unwrap();
    let (ingress, batches) = tokio::sync::mpsc::channel(4);
    drop(batches);
    let server = lodestone_transport::Server::start(
        setup.config,
        &[tokio::runtime::Handle::current()],
        pages,
        ingress,
        std::sync::Arc::new(|| 0),
        lodestone_memory::Counters::detached(),
        lodestone_memory::Histograms::detached(),
        std::sync::Arc::new(|_| {}),
    )
    .unwrap();
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = client_config(server.certificate_der(), b"lodestone/1", |_| {});
    let connection = endpoint.connect_with(config, server.local_address(), "localhost").unwrap().await.unwrap();
    let mut client = Client::welcomed(connection, &[]).await;
    client.send.write_all(&move_frame(0, client.session, 1, 1, &[])).await.unwrap();
    assert_eq!(closed(&client.connection).await.0, 16);
}

#[tokio::test]
async fn a_silent_connection_times_out() {
    let mut setup = Setup::default();
    setup.config.idle_timeout_ms = 3000;
    let bench = setup.start();
    let silent = bench.session().await;
    let error = watched("idle time-out", silent.connection.closed()).await;
    assert_eq!(error, quinn::ConnectionError::TimedOut);
    until("the session is gone", || bench.server.sessions().is_empty()).await;
}

#[tokio::test]
async fn a_connection_that_is_held_without_hello_is_closed() {
    let mut setup = Setup::default();
    setup.config.handshake_timeout_ms = 3000;
    let bench = setup.start();
    let held = bench
        .connect_with(|transport| {
            transport.keep_alive_interval(Some(std::time::Duration::from_millis(500)));
        })
        .await;
    assert_eq!(closed(&held).await, (1, "no HELLO came".to_owned()));
}
