//! Frames against bytes that were computed from the protocol's description by other means (Python's struct, hashlib).

use lodestone_client::wire::{Header, put_close, put_hello, put_move, put_read, put_release, put_route};
use lodestone_client::{ClientError, Move, Status};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(put: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    put(&mut out);
    hex(&out)
}

#[test]
fn hello() {
    let bytes = bytes_of(|out| put_hello(out, 1, b"abc").unwrap());
    assert_eq!(bytes, "0100070000000000000000000000000001000300616263");
}

#[test]
fn move_with_payload_and_version() {
    let step = Move {
        source: 0x0102_0304,
        target: 0x0a0b_0c0d,
        edge_mask: 0x0001_0007,
        version: 0x1122_3344_5566_7788,
        payload: &[0xde, 0xad, 0xbe, 0xef],
        ack_each: false,
    };
    let expected = "10003c0007000000010000000000000058ec92e41bcabb29c7ad737e40faed08106e1c20021e625d925393f35350d8fd\
                    040302010d0c0b0a07000100000004008877665544332211deadbeef";
    assert_eq!(bytes_of(|out| put_move(out, 7, 1, &step).unwrap()), expected);
}

#[test]
fn move_without_payload_that_wants_its_own_answer() {
    let step = Move { source: 1, target: 2, ack_each: true, ..Move::default() };
    let expected = "1001380001000080030000000001000092a6eaa5cc6476dab0f95331a739d5e659bdb35e631a346d1f85953abd8ef92d\
                    010000000200000000000000000000000000000000000000";
    assert_eq!(bytes_of(|out| put_move(out, 0x8000_0001, (1 << 40) + 3, &step).unwrap()), expected);
}

#[test]
fn short_frames() {
    let release = bytes_of(|out| put_release(out, 7, 2, 99, true));
    assert_eq!(release, "180108000700000002000000000000006300000000000000");
    let route = bytes_of(|out| put_route(out, 7, 3, 5, 6));
    assert_eq!(route, "200008000700000003000000000000000500000006000000");
    let read = bytes_of(|out| put_read(out, 7, 4, 99));
    assert_eq!(read, "280008000700000004000000000000006300000000000000");
    let close = bytes_of(|out| put_close(out, 7, 0, Status::SHUTTING_DOWN, "bye").unwrap());
    assert_eq!(close, "7e0007000700000000000000000000000d000300627965");
}

#[test]
fn headers_survive_a_round_trip() {
    let header = Header { frame_type: 0x10, flags: 1, length: 288, session: 0xffee_ddcc, counter: u64::MAX - 1 };
    assert_eq!(Header::decode(&header.encode()), header);
}

#[test]
fn too_long_fields_leave_nothing_behind() {
    let mut out = vec![1, 2, 3];
    let long_move = Move { source: 1, target: 2, payload: &[0; 233], ..Move::default() };
    let error = put_move(&mut out, 1, 1, &long_move).unwrap_err();
    assert!(matches!(error, ClientError::TooLong { what: "payload", bytes: 233, bytes_max: 232 }), "{error}");
    assert!(put_hello(&mut out, 1, &[0; 1025]).unwrap_err().to_string().contains("at most 1024 fit"));
    // Longer than the field itself: the length must not wrap.
    assert!(put_close(&mut out, 1, 1, Status::OK, &"x".repeat(65_537)).is_err());
    assert_eq!(out, [1, 2, 3]);
    put_move(&mut out, 1, 1, &Move { payload: &[0; 232], ..long_move }).unwrap();
    assert_eq!(out.len(), 3 + 16 + 32 + 256);
}
