//! Frames: of a datagram, of a stream in one piece, and of a stream in any pieces.

use lodestone_transport::wire::{self, SeenFrame};
use sha2::{Digest, Sha256};

use crate::script::Script;

const HEADER_BYTES: usize = 16;
const PACKET_AT: usize = HEADER_BYTES + 32;

/// The session and the counter that the first header names: with others nothing but a refusal would ever be seen.
fn expected(bytes: &[u8]) -> (u32, u64) {
    let mut header = Script(bytes);
    header.take(4);
    let session = u32::from(header.u16()) | u32::from(header.u16()) << 16;
    (session, header.u64())
}

/// A stream in one piece, and the same bytes as a datagram.
pub(crate) fn run_whole(input: &[u8]) {
    let (session, counter) = expected(input);
    let (frames, fault) = wire::stream([input], session, counter);
    let mut at = 0;
    for (index, frame) in frames.iter().enumerate() {
        assert_eq!(frame.counter, counter.wrapping_add(index as u64), "counters have no gap");
        // Of a CLOSE the text need not be there.
        let end = at + frame.bytes;
        assert!(end <= input.len() || frame.closes.is_some(), "a frame ends inside the input");
        check(frame, &input[at..end.min(input.len())]);
        at = end;
    }
    if fault.is_none() && frames.last().is_none_or(|last| last.closes.is_none()) {
        assert!(input.len() - at < PACKET_AT + 256, "what is left is less than the longest frame");
    }
    if let Ok(frame) = wire::datagram(input, session) {
        assert_eq!((frame.bytes, frame.closes), (input.len(), None), "a datagram is one whole frame");
        assert_eq!(frames, [frame], "a datagram's frame is that of a stream of the same bytes");
    }
}

fn check(frame: &SeenFrame, bytes: &[u8]) {
    assert_eq!(frame.bytes, HEADER_BYTES + usize::from(bytes[2]) + (usize::from(bytes[3]) << 8));
    assert_eq!(frame.ack_each, bytes[1] == 1);
    if frame.packet.is_empty() {
        assert!(frame.digest_matches, "only a MOVE has a digest");
        return;
    }
    assert_eq!(bytes[0], 0x10, "only a MOVE has a packet");
    assert!((24..=256).contains(&frame.packet.len()));
    assert_eq!(frame.packet, bytes[PACKET_AT..]);
    let digest = Sha256::new().chain_update(&bytes[..HEADER_BYTES]).chain_update(&frame.packet).finalize();
    assert_eq!(frame.digest_matches, digest[..] == bytes[HEADER_BYTES..PACKET_AT]);
}

/// However a stream is cut into pieces, its frames are the same, and so is the fault behind them.
pub(crate) fn run_split(input: &[u8]) {
    let mut script = Script(input);
    let chunks = script.chunks();
    let whole = chunks.concat();
    let (session, counter) = expected(&whole);
    let split = wire::stream(chunks, session, counter);
    assert_eq!(split, wire::stream([whole.as_slice()], session, counter), "cuts change nothing");
    let bytes = whole.chunks(1);
    assert_eq!(split, wire::stream(bytes, session, counter), "not even one after each byte");
}
