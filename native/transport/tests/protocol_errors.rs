//! Every protocol error of the contract: close code, reason, CLOSE frame, and that nothing before it is lost.

mod common;

use common::*;
use lodestone_memory::CounterId;

const MALFORMED: u64 = 1;

/// What is wrong with one header: how it is built, and what the reason says.
type Case = (&'static str, BadFrame, &'static str);

/// Builds something wrong for a session's number.
type BadFrame = fn(u32) -> Vec<u8>;

fn header(kind: u8, flags: u8, length: u16, session: u32, counter: u64) -> Vec<u8> {
    let mut bytes = frame(kind, flags, session, counter, &[]);
    bytes[2..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// All of them only a header: the body never arrives.
const CASES: &[Case] = &[
    ("unknown type", |session| header(0x55, 0, 8, session, 1), "unknown type"),
    ("type 0", |session| header(0, 0, 0, session, 1), "unknown type"),
    ("WELCOME", |session| header(WELCOME, 0, 24, session, 1), "only the server"),
    ("ACK", |session| header(ACK, 0, 8, session, 1), "only the server"),
    ("REJECT", |session| header(REJECT, 0, 8, session, 1), "only the server"),
    ("PATH", |session| header(PATH, 0, 24, session, 1), "only the server"),
    ("STATE", |session| header(STATE, 0, 264, session, 1), "only the server"),
    ("MOVE too short", |session| header(MOVE, 0, 55, session, 1), "length"),
    ("MOVE too long", |session| header(MOVE, 0, 289, session, 1), "length"),
    ("RELEASE too short", |session| header(RELEASE, 0, 7, session, 1), "length"),
    ("READ too long", |session| header(READ, 0, 9, session, 1), "length"),
    ("ROUTE empty", |session| header(ROUTE, 0, 0, session, 1), "length"),
    ("CLOSE too short", |session| header(CLOSE, 0, 3, session, 1), "length"),
    ("CLOSE too long", |session| header(CLOSE, 0, 1029, session, 1), "length"),
    ("longest length", |session| header(MOVE, 0, u16::MAX, session, 1), "length"),
    ("flag bit 1", |session| header(MOVE, 2, 56, session, 1), "flag"),
    ("flag bit 7", |session| header(READ, 0x80, 8, session, 1), "flag"),
    ("session 0", |_| header(MOVE, 0, 56, 0, 1), "session"),
    ("session of another", |session| header(MOVE, 0, 56, session + 1, 1), "session"),
    ("counter repeated", |session| header(READ, 0, 8, session, 0), "counter"),
    ("counter with a gap", |session| header(READ, 0, 8, session, 2), "counter"),
    ("counter far away", |session| header(MOVE, 0, 56, session, u64::MAX), "counter"),
    ("second HELLO", |_| header(HELLO, 0, 4, 0, 1), "second HELLO"),
];

#[tokio::test]
async fn each_is_answered_by_close_and_code_and_reason_before_the_body_arrives() {
    let bench = Bench::start();
    for (name, bad, part) in CASES {
        let mut client = bench.session().await;
        client.send.write_all(&bad(client.session)).await.unwrap();
        let close = next(&mut client.receive).await.unwrap_or_else(|| panic!("{name}: no CLOSE"));
        assert_eq!((close.kind, close.counter, close.session, close.u16(0)), (CLOSE, 0, client.session, 1), "{name}");
        let text = String::from_utf8(close.body[4..].to_vec()).unwrap();
        assert_eq!(usize::from(close.u16(2)), text.len(), "{name}");
        assert!(text.contains(part), "{name}: {text}");
        assert!(next(&mut client.receive).await.is_none(), "{name}: FIN after CLOSE");
        assert_eq!(closed(&client.connection).await, (MALFORMED, text), "{name}");
    }
    assert_eq!(bench.counters.get(CounterId::ProtocolErrors), CASES.len() as u64);
    until("all sessions are gone", || bench.server.sessions().is_empty()).await;
    assert!(bench.engine.seen().is_empty());
}

#[tokio::test]
async fn frames_before_the_fault_stay_applied_and_nothing_of_the_faulty_one() {
    let bench = Bench::start();
    let client = bench.session().await;
    let (mut send, mut receive) = client.stream().await;
    let requests = [
        move_frame(0, client.session, 0, 1, &[]),
        move_frame(0, client.session, 1, 2, &[]),
        move_frame(4, client.session, 2, 3, &[]),
        move_frame(0, client.session, 3, 4, &[]),
    ]
    .concat();
    send.write_all(&requests).await.unwrap();
    // On the stream at fault, perhaps after an ACK.
    loop {
        match next(&mut receive).await {
            Some(answer) if answer.kind == CLOSE => break,
            Some(answer) => assert_eq!(answer.kind, ACK),
            None => panic!("no CLOSE on the stream at fault"),
        }
    }
    assert_eq!(closed(&client.connection).await.0, MALFORMED);
    until("both are applied", || bench.engine.seen().len() == 2).await;
    let nodes: Vec<_> = bench.engine.seen().iter().map(|seen| seen.node).collect();
    assert_eq!(nodes, [1, 2]);
}

/// What goes wrong before WELCOME: the bytes, and what the reason says.
#[tokio::test]
async fn nothing_but_hello_is_taken_before_welcome() {
    let bench = Bench::start();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a MOVE first", move_frame(0, 0, 0, 1, &[]), "HELLO"),
        ("a READ header", header(READ, 0, 8, 1, 0), "HELLO"),
        ("a CLOSE", frame(CLOSE, 0, 0, 0, &[0; 4]), "HELLO"),
        ("an unknown type", header(0xff, 0, 8, 0, 0), "unknown type"),
        ("a HELLO with a session", header(HELLO, 0, 4, 3, 0), "session"),
        ("a HELLO with a counter", header(HELLO, 0, 4, 0, 1), "counter"),
        ("a HELLO with a flag", header(HELLO, 2, 4, 0, 0), "flag"),
        ("a HELLO too short", header(HELLO, 0, 3, 0, 0), "length"),
        ("a HELLO too long", header(HELLO, 0, 1029, 0, 0), "length"),
        ("a token length that lies", frame(HELLO, 0, 0, 0, &[1, 0, 9, 0, 1, 2]), "token length"),
        ("something behind HELLO", [hello_frame(1, &[]), vec![1]].concat(), "after HELLO"),
    ];
    for (name, bytes, part) in cases {
        let connection = bench.connect().await;
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        send.write_all(&bytes).await.unwrap();
        let close = next(&mut receive).await.unwrap_or_else(|| panic!("{name}: no CLOSE"));
        assert_eq!((close.kind, close.session, close.u16(0)), (CLOSE, 0, 1), "{name}");
        let (code, reason) = closed(&connection).await;
        assert_eq!(code, MALFORMED, "{name}");
        assert!(reason.contains(part), "{name}: {reason}");
    }
    assert!(bench.server.sessions().is_empty());
    assert_eq!(bench.counters.get(CounterId::SessionsTotal), 0);
}

#[tokio::test]
async fn a_first_stream_that_ends_without_hello_ends_the_connection() {
    let bench = Bench::start();
    for reset in [false, true] {
        let connection = bench.connect().await;
        let (mut send, _receive) = connection.open_bi().await.unwrap();
        send.write_all(&hello_frame(1, &[])[..10]).await.unwrap();
        if reset {
            send.reset(0_u32.into()).unwrap();
        } else {
            send.finish().unwrap();
        }
        let (code, reason) = closed(&connection).await;
        assert_eq!(code, MALFORMED);
        assert!(reason.contains("before HELLO"), "{reason}");
    }
}

#[tokio::test]
async fn other_streams_wait_and_datagrams_drop_until_hello_is_accepted() {
    let bench = Bench::start();
    let connection = bench.connect().await;
    let (mut first, mut first_answers) = connection.open_bi().await.unwrap();
    let (mut second, mut second_answers) = connection.open_bi().await.unwrap();
    // The session number is known here: a fresh server begins with 1.
    second.write_all(&move_frame(0, 1, 0, 42, &[])).await.unwrap();
    connection.send_datagram(move_frame(ACK_EACH, 1, 0, 43, &[]).into()).unwrap();
    until("the datagram is dropped", || bench.counters.get(CounterId::DatagramsDropped) == 1).await;
    assert!(bench.engine.seen().is_empty());
    first.write_all(&hello_frame(1, &[])).await.unwrap();
    let welcome = next(&mut first_answers).await.unwrap();
    assert_eq!((welcome.kind, welcome.session), (WELCOME, 1));
    assert_eq!(next(&mut second_answers).await.unwrap().kind, ACK);
    let nodes: Vec<_> = bench.engine.seen().iter().map(|seen| seen.node).collect();
    assert_eq!(nodes, [42]);
}

#[tokio::test]
async fn a_malformed_datagram_is_a_protocol_error() {
    let bench = Bench::start();
    let cases: Vec<(&str, BadFrame)> = vec![
        ("empty", |_| vec![]),
        ("short", |session| header(READ, 0, 8, session, 0)[..15].to_vec()),
        ("cut", |session| pair_frame(READ, 0, session, 0, 1, 0)[..23].to_vec()),
        ("two frames", |session| {
            [pair_frame(READ, 0, session, 0, 1, 0), pair_frame(READ, 0, session, 1, 1, 0)].concat()
        }),
        ("ROUTE", |session| pair_frame(ROUTE, 0, session, 0, 1, 2)),
        ("HELLO", |_| hello_frame(1, &[])),
        ("CLOSE", |session| frame(CLOSE, 0, session, 0, &[0; 4])),
        ("ACK", |session| frame(ACK, 0, session, 0, &[0; 8])),
        ("unknown", |session| frame(0xee, 0, session, 0, &[0; 8])),
        ("session", |session| pair_frame(READ, 0, session + 1, 0, 1, 0)),
        ("flag", |session| pair_frame(READ, 0x10, session, 0, 1, 0)),
        ("length", |session| frame(MOVE, 0, session, 0, &[0; 55])),
    ];
    for (name, bad) in cases {
        let mut client = bench.session().await;
        client.datagram(bad(client.session));
        let close = next(&mut client.receive).await.unwrap_or_else(|| panic!("{name}: no CLOSE on the first stream"));
        assert_eq!((close.kind, close.u16(0)), (CLOSE, 1), "{name}");
        assert_eq!(closed(&client.connection).await.0, MALFORMED, "{name}");
    }
    assert!(bench.engine.seen().is_empty());
}

#[tokio::test]
async fn a_fault_of_a_client_that_reads_nothing_still_closes_the_connection() {
    let bench = Bench::start();
    let connection = bench.connect_with(|transport| {
        transport.stream_receive_window(64_u32.into());
    });
    let mut client = Client::welcomed(connection.await, &[]).await;
    // Answers that do not fit the window stand in front of CLOSE.
    for counter in 1..=100 {
        client.send.write_all(&pair_frame(READ, 0, client.session, counter, 1, 0)).await.unwrap();
    }
    client.send.write_all(&header(0x77, 0, 0, client.session, 101)).await.unwrap();
    assert_eq!(closed(&client.connection).await, (MALFORMED, "a frame of an unknown type".to_owned()));
}
