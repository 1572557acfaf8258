//! The parts that read a stranger's bytes, each alone and without a network, for tests that feed them whatever they like.
//! Not for servers: [`crate::Server`] puts the same parts together.

use lodestone_memory::Status;

use crate::config::TokenKey;
use crate::error::TransportError;
use crate::frame::{Expected, Frame, FrameDecoder, FrameKind, Header, PROTOCOL_VERSION_LATEST};
use crate::hello::{HelloReader, token_of};
use crate::token::{Rights, Verifier};

/// A frame as the ingress takes it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenFrame {
    /// Bytes of the frame, its header included.
    pub bytes: usize,
    /// Its counter.
    pub counter: u64,
    /// Whether an answer to exactly this frame is asked for.
    pub ack_each: bool,
    /// What a REJECT of it would name.
    pub node: u32,
    /// Whether its digest is right, where it has one.
    pub digest_matches: bool,
    /// The packet of a MOVE; else empty.
    pub packet: Vec<u8>,
    /// The status of a CLOSE, after which nothing more is read.
    pub closes: Option<u16>,
}

/// What came out of a stream: the frames in their order, and the protocol error that ended it, if one did.
pub type SeenStream = (Vec<SeenFrame>, Option<&'static str>);

/// Cuts the chunks of one stream of a welcomed session of the highest version into frames, as the ingress does.
pub fn stream<'chunk>(chunks: impl IntoIterator<Item = &'chunk [u8]>, session: u32, counter: u64) -> SeenStream {
    let (mut decoder, mut frames) = (FrameDecoder::new(), Vec::new());
    let mut expected = Expected { session, counter, version: PROTOCOL_VERSION_LATEST };
    for mut chunk in chunks {
        loop {
            match decoder.next(&mut chunk, expected) {
                Ok(Some(frame)) => {
                    expected.counter = expected.counter.wrapping_add(1);
                    frames.push(seen(&frame));
                    if frame.head.kind == FrameKind::Close {
                        return (frames, None);
                    }
                }
                Ok(None) => break,
                Err(fault) => return (frames, Some(fault.0)),
            }
        }
    }
    (frames, None)
}

/// Reads a datagram of a welcomed session.
///
/// # Errors
/// The text of the protocol error.
pub fn datagram(bytes: &[u8], session: u32) -> Result<SeenFrame, &'static str> {
    Frame::of_datagram(bytes, session).map(|frame| seen(&frame)).map_err(|fault| fault.0)
}

fn seen(frame: &Frame<'_>) -> SeenFrame {
    let Header { kind, counter, ack_each, .. } = frame.head;
    SeenFrame {
        bytes: frame.head.frame_bytes(),
        counter,
        ack_each,
        node: if kind == FrameKind::Close { 0 } else { frame.node() },
        digest_matches: frame.digest_matches(),
        packet: if kind == FrameKind::Move { frame.packet().to_vec() } else { Vec::new() },
        closes: (kind == FrameKind::Close).then(|| frame.close_status()),
    }
}

/// Whom a token belongs to: tenant, first node, last node, and the number that names it.
pub type SeenRights = (u32, u32, u32, Option<u64>);

/// Checks tokens as a server with these keys does.
pub struct Tokens(Verifier);

impl Tokens {
    /// Takes up the keys.
    ///
    /// # Errors
    /// A secret that HMAC cannot be keyed with.
    pub fn new(keys: &[TokenKey]) -> Result<Tokens, TransportError> {
        Verifier::new(keys).map(Tokens)
    }

    /// The rights of a token.
    ///
    /// # Errors
    /// The text with which it is refused.
    pub fn check(&self, token: &[u8], now_unix_ms: u64) -> Result<SeenRights, &'static str> {
        let rights = self.0.check(token, now_unix_ms).map_err(|fault| fault.0)?;
        let Rights { tenant, node_first, node_last, nonce, .. } = rights;
        Ok((tenant, node_first, node_last, nonce))
    }
}

/// Reads what comes on a first stream up to the end of HELLO, and gives the token in it; `None`: HELLO is not whole.
///
/// # Errors
/// The status with which the client is turned away, and the text.
pub fn hello<'chunk>(
    chunks: impl IntoIterator<Item = &'chunk [u8]>,
) -> Result<Option<Vec<u8>>, (Status, &'static str)> {
    let mut reader = HelloReader::default();
    for chunk in chunks {
        if let Some(body) = reader.take(chunk).map_err(|text| (Status::Malformed, text))? {
            return token_of(&body, PROTOCOL_VERSION_LATEST).map(|(_, token)| Some(token.to_vec()));
        }
    }
    Ok(None)
}
