//! Every frame of docs/protocol.md, both ways, between quiche and the engine.

use lodestone_foreign_quiche::client::{Client, FIRST_STREAM, UPDATE_STREAM};
use lodestone_foreign_quiche::served::Served;
use lodestone_foreign_quiche::wire::{ACK_EACH, Frame, kind, move_frame, number, status, words};

const NODES: u32 = 1_000;
const CONFIGURATION: &str = "\
arena: {capacity: 1000}
graph: {nodes_max: 1000, edges_max: 4000}
transport: {listen: '127.0.0.1:0'}
";
/// Weight 5, and a flag of the application.
const WEIGHT_5: u32 = 0x1_0005;

fn send_move(client: &mut Client, stream: u64, from: u32, to: u32, payload: &[u8]) -> u64 {
    let counter = client.next_counter(stream);
    let frame = move_frame(0, client.session, counter, from, to, WEIGHT_5, payload);
    client.send(stream, &frame.encode(), false);
    counter
}

/// Status and node of a REJECT.
fn rejection(frame: &Frame) -> (u16, u64) {
    assert_eq!(frame.kind, kind::REJECT, "{frame:?}");
    (frame.field(0, 2) as u16, frame.field(4, 4))
}

/// Source, target, payload length and version of the slot that STATE brings.
fn slot(frame: &Frame) -> (u64, u64, u64, u64) {
    assert_eq!((frame.kind, frame.body.len()), (kind::STATE, 264), "{frame:?}");
    (frame.field(8, 4), frame.field(12, 4), frame.field(22, 2), frame.field(24, 8))
}

#[test]
fn moves_reads_routes_and_releases() {
    let served = Served::start(CONFIGURATION);
    let (mut client, welcome) = Client::welcomed(&served, 1);
    assert!(welcome.field(4, 4) >= 128 && welcome.session != 0, "{welcome:?}");
    assert_eq!((welcome.field(0, 2), welcome.field(16, 4), welcome.field(20, 2)), (1, NODES.into(), 256));

    send_move(&mut client, FIRST_STREAM, 7, 8, b"seven");
    let last = send_move(&mut client, FIRST_STREAM, 8, 9, b"");
    let acks = client.frames_to_ack(FIRST_STREAM, last);
    let revision = acks.last().map_or(0, |ack| ack.field(0, 8));
    assert!(revision >= 1 && acks.iter().all(|ack| ack.kind == kind::ACK), "{acks:?}");

    let counter = client.ask_words(FIRST_STREAM, kind::READ, &[7, 0]);
    let state = client.answer(FIRST_STREAM);
    assert_eq!((slot(&state), state.counter), ((7, 8, 5, 1), counter));
    assert_eq!(&state.body[8 + 24..8 + 29], b"seven");

    client.ask_words(FIRST_STREAM, kind::ROUTE, &[7, 9]);
    let path = client.answer(FIRST_STREAM);
    assert_eq!((path.kind, path.field(8, 8), path.field(16, 4)), (kind::PATH, 10, 3), "{path:?}");
    assert_eq!(path.body[24..], words(&[7, 8, 9]));

    let counter = client.ask_words(FIRST_STREAM, kind::RELEASE, &[7, 0]);
    client.frames_to_ack(FIRST_STREAM, counter);
    client.ask_words(FIRST_STREAM, kind::READ, &[7, 0]);
    assert_eq!(slot(&client.answer(FIRST_STREAM)), (0, 0, 0, 0));
    client.ask_words(FIRST_STREAM, kind::RELEASE, &[7, 0]);
    assert_eq!(rejection(&client.answer(FIRST_STREAM)), (status::NO_SLOT, 7));
}

#[test]
fn what_is_wrong_is_refused_and_the_stream_goes_on() {
    let served = Served::start(CONFIGURATION);
    let (mut client, _) = Client::welcomed(&served, 1);
    let counter = client.next_counter(FIRST_STREAM);
    let mut frame = move_frame(ACK_EACH, client.session, counter, 1, 2, WEIGHT_5, &[]);
    frame.body[3] ^= 1;
    client.send(FIRST_STREAM, &frame.encode(), false);
    let frames = client.frames_to_ack(FIRST_STREAM, counter);
    assert_eq!(frames.len(), 2, "{frames:?}");
    assert_eq!((rejection(&frames[0]), frames[1].counter), ((status::BAD_DIGEST, 1), counter));
    client.ask_words(FIRST_STREAM, kind::ROUTE, &[1, NODES]);
    assert_eq!(rejection(&client.answer(FIRST_STREAM)), (status::OUT_OF_BOUNDS, NODES.into()));
    let counter = send_move(&mut client, FIRST_STREAM, 1, 2, &[]);
    client.frames_to_ack(FIRST_STREAM, counter);
}

#[test]
fn datagrams() {
    let served = Served::start(CONFIGURATION);
    let (mut client, _) = Client::welcomed(&served, 1);
    let session = client.session;
    client.send_datagram(&move_frame(ACK_EACH, session, 5, 20, 21, WEIGHT_5, b"by datagram").encode());
    let ack = client.datagram();
    assert_eq!((ack.kind, ack.counter, ack.field(0, 8)), (kind::ACK, 5, 1));
    client.send_datagram(&move_frame(ACK_EACH, session, 5, 20, 22, WEIGHT_5, &[]).encode());
    let replayed = client.datagram();
    assert_eq!((rejection(&replayed), replayed.counter), ((status::REPLAYED, 20), 5));
    let read = Frame { kind: kind::READ, flags: 0, session, counter: 9, body: words(&[20, 0]) };
    client.send_datagram(&read.encode());
    assert_eq!(slot(&client.datagram()), (20, 21, 11, 1));
}

#[test]
fn updates_come_on_a_stream_of_the_server() {
    let served = Served::start(CONFIGURATION);
    let (mut client, welcome) = Client::welcomed(&served, 2);
    assert_eq!(welcome.field(0, 2), 2);
    client.ask_words(FIRST_STREAM, kind::SUBSCRIBE, &[30, 31]);
    let subscribed = client.answer(FIRST_STREAM);
    assert_eq!((subscribed.kind, subscribed.field(8, 4)), (kind::SUBSCRIBED, 2));
    // First each node as it is, in any order: neither has a slot.
    let mut nodes: Vec<u64> = (0..2)
        .map(|counter| {
            let update = client.frame(UPDATE_STREAM);
            assert_eq!((update.kind, update.counter, update.body.len()), (kind::UPDATE, counter, 32), "{update:?}");
            update.field(24, 4)
        })
        .collect();
    nodes.sort_unstable();
    assert_eq!(nodes, [30, 31]);
    send_move(&mut client, FIRST_STREAM, 31, 30, b"told");
    let update = client.frame(UPDATE_STREAM);
    assert_eq!((update.counter, update.field(24, 4), update.field(16, 8)), (2, 31, 1), "{update:?}");
    assert_eq!((number(&update.body, 32, 4), &update.body[56..]), (31, &b"told"[..]));
    client.ask(FIRST_STREAM, kind::UNSUBSCRIBE, Vec::new());
    let unsubscribed = client.answer(FIRST_STREAM);
    assert_eq!((unsubscribed.kind, unsubscribed.field(8, 4)), (kind::SUBSCRIBED, 0));
}

#[test]
fn many_streams_with_frames_in_pieces() {
    let served = Served::start(CONFIGURATION);
    let (mut client, _) = Client::welcomed(&served, 1);
    let streams: Vec<u64> = (1..=60).map(|index| 4 * index).collect();
    for (index, stream) in streams.iter().enumerate() {
        let from = 100 + index as u32;
        let moves = [from + 1, from + 2].map(|to| {
            let counter = client.next_counter(*stream);
            move_frame(0, client.session, counter, from, to, WEIGHT_5, b"in pieces").encode()
        });
        let bytes = moves.concat();
        let pieces: Vec<&[u8]> = bytes.chunks(31).collect();
        for (number, piece) in pieces.iter().enumerate() {
            client.send(*stream, piece, number + 1 == pieces.len());
        }
    }
    for stream in streams {
        client.frames_to_ack(stream, 1);
        client.wait_finished(stream);
    }
    client.ask_words(FIRST_STREAM, kind::READ, &[159, 0]);
    assert_eq!(slot(&client.answer(FIRST_STREAM)), (159, 161, 9, 2));
}

#[test]
fn an_unknown_frame_ends_the_connection() {
    let served = Served::start(CONFIGURATION);
    let (mut client, _) = Client::welcomed(&served, 1);
    client.ask(FIRST_STREAM, 0x55, Vec::new());
    let close = client.answer(FIRST_STREAM);
    assert_eq!((close.kind, close.field(0, 2)), (kind::CLOSE, status::MALFORMED.into()));
    let text = String::from_utf8_lossy(&close.body[4..]).into_owned();
    assert_eq!(client.wait_closed(), (status::MALFORMED.into(), text));
}

#[test]
fn a_client_says_farewell_and_comes_back_with_a_ticket() {
    let served = Served::start(CONFIGURATION);
    let (mut client, _) = Client::welcomed(&served, 1);
    let ticket = client.ticket();
    send_move(&mut client, FIRST_STREAM, 50, 51, b"last");
    // Status 0 and no text.
    client.ask(FIRST_STREAM, kind::CLOSE, vec![0; 4]);
    client.wait_closed();
    let mut again = Client::connect(&served, Some(&ticket));
    assert_eq!(again.resumed(), (true, false));
    again.ask(FIRST_STREAM, kind::HELLO, vec![1, 0, 0, 0]);
    again.session = again.frame(FIRST_STREAM).session;
    again.ask_words(FIRST_STREAM, kind::READ, &[50, 0]);
    assert_eq!(slot(&again.answer(FIRST_STREAM)), (50, 51, 4, 1));
}

#[test]
fn a_server_that_ends_says_so() {
    let served = Served::start(CONFIGURATION);
    let (mut client, _) = Client::welcomed(&served, 1);
    let counter = send_move(&mut client, FIRST_STREAM, 60, 61, b"kept");
    client.frames_to_ack(FIRST_STREAM, counter);
    served.terminate();
    let close = client.answer(FIRST_STREAM);
    assert_eq!((close.kind, close.field(0, 2)), (kind::CLOSE, status::SHUTTING_DOWN.into()));
    assert_eq!(client.wait_closed().0, u64::from(status::SHUTTING_DOWN));
}
