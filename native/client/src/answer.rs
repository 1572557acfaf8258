//! The frames a server sends, read in place.

use crate::error::ClientError;
use crate::status::Status;
use crate::updates::Update;
use crate::wire::{HEADER_BYTES, Header, PATH_NODES_MAX, PAYLOAD_BYTES_MAX, SLOT_BYTES, field, frame_type};

/// One answer of the server; borrows from the receiver's buffer until the next one is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Frames are decided.
    Ack(Ack),
    /// One frame is refused, or the state was rolled back.
    Reject(Reject),
    /// A shortest path.
    Path(Path<'a>),
    /// The slot of a node.
    State(State<'a>),
    /// SUBSCRIBE or UNSUBSCRIBE was carried out.
    Subscribed(Subscribed),
    /// What a node is, for a SUBSCRIBE_LATEST; in datagrams alone. It may be older than another one that came before:
    /// [`Update::order`] tells.
    Latest(Update<'a>),
    /// The server ends the session; nothing follows.
    Close {
        /// Why.
        status: Status,
        /// The server's words.
        text: &'a str,
    },
}

/// Every frame of the stream up to `counter` is decided. One ACK may answer many frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The highest decided counter (in a datagram: the counter of the one frame answered).
    pub counter: u64,
    /// The revision that holds all that was accepted.
    pub revision: u64,
}

/// The frame `counter` was refused and changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The frame refused.
    pub counter: u64,
    /// Why.
    pub status: Status,
    /// The node concerned.
    pub node: u32,
}

impl Reject {
    /// Whether this is the notice of a rollback and not the refusal of a frame.
    pub fn is_rollback(&self) -> bool {
        self.counter == u64::MAX && self.status == Status::ROLLED_BACK
    }
}

/// The shortest path that ROUTE asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path<'a> {
    /// The ROUTE answered.
    pub counter: u64,
    /// The revision of the graph that was searched.
    pub revision: u64,
    /// Sum of the weights; `u64::MAX` when there is no path.
    pub distance: u64,
    /// Nodes on the whole path, both ends included; 0 when there is no path.
    pub nodes_total: u32,
    listed: &'a [u8],
}

impl<'a> Path<'a> {
    /// The first nodes of the path, source first: at most 8,192 of them.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = u32> + 'a {
        self.listed.chunks_exact(4).map(|bytes| u32::from_le_bytes(field(bytes, 0)))
    }
}

/// What the session is told of from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// The frame answered.
    pub counter: u64,
    /// Changes after this revision come as updates.
    pub revision: u64,
    /// Nodes that the session is told of, all in all.
    pub subscriptions: u32,
}

/// The slot that READ asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State<'a> {
    /// The READ answered.
    pub counter: u64,
    /// The revision of the state.
    pub revision: u64,
    /// The slot.
    pub slot: Slot<'a>,
}

/// The 256 bytes of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot<'a>(&'a [u8; SLOT_BYTES]);

impl<'a> Slot<'a> {
    /// A view of these bytes.
    pub fn new(bytes: &'a [u8; SLOT_BYTES]) -> Slot<'a> {
        Slot(bytes)
    }

    /// All bytes.
    pub fn bytes(&self) -> &'a [u8; SLOT_BYTES] {
        self.0
    }

    /// Whether the node has a slot; without one all else is 0.
    pub fn is_active(&self) -> bool {
        self.0[13] == 1
    }

    /// The node whose slot this is.
    pub fn source(&self) -> u32 {
        u32::from_le_bytes(field(self.0, 0))
    }

    /// The node of the last move's target.
    pub fn target(&self) -> u32 {
        u32::from_le_bytes(field(self.0, 4))
    }

    /// Weight and flags of the last move's edge.
    pub fn edge_mask(&self) -> u32 {
        u32::from_le_bytes(field(self.0, 8))
    }

    /// Weight of the last move's edge.
    pub fn weight(&self) -> u8 {
        self.0[12]
    }

    /// The node's version: 1 after its first accepted move.
    pub fn version(&self) -> u64 {
        u64::from_le_bytes(field(self.0, 16))
    }

    /// The application's bytes of the last move.
    pub fn payload(&self) -> &'a [u8] {
        let bytes = usize::from(u16::from_le_bytes(field(self.0, 14))).min(PAYLOAD_BYTES_MAX);
        &self.0[24..24 + bytes]
    }
}

/// The server's answer to HELLO, before anybody judged its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WelcomeFrame {
    pub(crate) session: u32,
    pub(crate) version: u16,
    pub(crate) status: Status,
    pub(crate) streams_max: u32,
    pub(crate) revision: u64,
    pub(crate) nodes_max: u32,
    pub(crate) packet_max: u16,
}

/// One whole frame at the start of a buffer: header and body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawFrame<'a> {
    pub(crate) header: Header,
    pub(crate) body: &'a [u8],
}

/// The first frame in `bytes`, or how many bytes it takes at least when it is not whole yet. The header is judged
/// as soon as it is there, so a body never makes the buffer grow past the longest frame of the protocol.
pub(crate) fn first_frame(bytes: &[u8]) -> Result<Result<RawFrame<'_>, usize>, ClientError> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Ok(Err(HEADER_BYTES));
    };
    let header = Header::decode(head);
    let length = usize::from(header.length);
    let fits = match header.frame_type {
        frame_type::WELCOME => length == 24,
        frame_type::ACK | frame_type::REJECT => length == 8,
        frame_type::PATH => length >= 24 && length.is_multiple_of(4) && length <= 24 + 4 * PATH_NODES_MAX,
        frame_type::STATE => length == 8 + SLOT_BYTES,
        frame_type::SUBSCRIBED => length == 16,
        frame_type::CLOSE => (4..=4 + crate::wire::TEXT_BYTES_MAX).contains(&length),
        other => return Err(broken(format!("frame type {other:#04x} is not one that a server sends"))),
    };
    if !fits {
        return Err(broken(format!("a frame of type {:#04x} cannot be {length} bytes long", header.frame_type)));
    }
    Ok(rest.get(..length).map(|body| RawFrame { header, body }).ok_or(HEADER_BYTES + length))
}

/// The answer in a whole frame of this session.
pub(crate) fn answer_of<'a>(frame: RawFrame<'a>, session: u32) -> Result<Answer<'a>, ClientError> {
    let RawFrame { header, body } = frame;
    if header.flags != 0 {
        return Err(broken(format!("flags {:#04x} in an answer", header.flags)));
    }
    // A CLOSE ends everything whichever number it carries.
    if header.session != session && header.frame_type != frame_type::CLOSE {
        return Err(broken(format!("an answer for session {} arrived in session {session}", header.session)));
    }
    let counter = header.counter;
    match header.frame_type {
        frame_type::ACK => Ok(Answer::Ack(Ack { counter, revision: u64::from_le_bytes(field(body, 0)) })),
        frame_type::REJECT => Ok(Answer::Reject(Reject {
            counter,
            status: Status::from_code(u16::from_le_bytes(field(body, 0))),
            node: u32::from_le_bytes(field(body, 4)),
        })),
        frame_type::PATH => path_of(counter, body).map(Answer::Path),
        frame_type::STATE => {
            let slot = body.last_chunk::<SLOT_BYTES>().ok_or_else(|| broken("a STATE without slot".into()))?;
            Ok(Answer::State(State { counter, revision: u64::from_le_bytes(field(body, 0)), slot: Slot(slot) }))
        }
        frame_type::SUBSCRIBED => Ok(Answer::Subscribed(Subscribed {
            counter,
            revision: u64::from_le_bytes(field(body, 0)),
            subscriptions: u32::from_le_bytes(field(body, 8)),
        })),
        frame_type::CLOSE => close_of(body).map(|(status, text)| Answer::Close { status, text }),
        _ => Err(broken("a second WELCOME".into())),
    }
}

/// The WELCOME in a whole frame; a CLOSE in its place is an error.
pub(crate) fn welcome_of(frame: RawFrame<'_>, version: u16) -> Result<WelcomeFrame, ClientError> {
    let RawFrame { header, body } = frame;
    match header.frame_type {
        frame_type::WELCOME => {}
        frame_type::CLOSE => {
            let (status, text) = close_of(body)?;
            return Err(ClientError::Closed { status, text: text.to_owned() });
        }
        other => return Err(broken(format!("frame type {other:#04x} came instead of WELCOME"))),
    }
    let welcome = WelcomeFrame {
        session: header.session,
        version: u16::from_le_bytes(field(body, 0)),
        status: Status::from_code(u16::from_le_bytes(field(body, 2))),
        streams_max: u32::from_le_bytes(field(body, 4)),
        revision: u64::from_le_bytes(field(body, 8)),
        nodes_max: u32::from_le_bytes(field(body, 16)),
        packet_max: u16::from_le_bytes(field(body, 20)),
    };
    if welcome.status != Status::OK {
        return Err(ClientError::Refused { status: welcome.status });
    }
    if welcome.session == 0 || welcome.version != version {
        return Err(broken(format!("WELCOME for session {} in version {}", welcome.session, welcome.version)));
    }
    Ok(welcome)
}

fn path_of(counter: u64, body: &[u8]) -> Result<Path<'_>, ClientError> {
    let path = Path {
        counter,
        revision: u64::from_le_bytes(field(body, 0)),
        distance: u64::from_le_bytes(field(body, 8)),
        nodes_total: u32::from_le_bytes(field(body, 16)),
        listed: &body[24..],
    };
    let listed = path.listed.len() / 4;
    if listed as u64 > u64::from(path.nodes_total) {
        return Err(broken(format!("PATH lists {listed} nodes of {}", path.nodes_total)));
    }
    Ok(path)
}

fn close_of(body: &[u8]) -> Result<(Status, &str), ClientError> {
    let text_bytes = usize::from(u16::from_le_bytes(field(body, 2)));
    let text = &body[4..];
    if text_bytes != text.len() {
        return Err(broken(format!("CLOSE announces {text_bytes} bytes of text and carries {}", text.len())));
    }
    let text = std::str::from_utf8(text).map_err(|_| broken("the text of CLOSE is not UTF-8".into()))?;
    Ok((Status::from_code(u16::from_le_bytes(field(body, 0))), text))
}

pub(crate) fn broken(reason: String) -> ClientError {
    ClientError::Protocol { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks_exact(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// Decodes one whole frame of session 7.
    fn decode(bytes: &[u8]) -> Result<Answer<'_>, ClientError> {
        let frame = first_frame(bytes)?.expect("the frame is whole");
        assert_eq!(HEADER_BYTES + frame.body.len(), bytes.len());
        answer_of(frame, 7)
    }

    #[test]
    fn answers_from_fixed_bytes() {
        let ack = unhex("110008000700000009000000000000004d00000000000000");
        assert_eq!(decode(&ack).unwrap(), Answer::Ack(Ack { counter: 9, revision: 77 }));
        let reject = unhex("12000800070000000a0000000000000005000000d2040000");
        let expected = Reject { counter: 10, status: Status::CONFLICT, node: 1234 };
        assert_eq!(decode(&reject).unwrap(), Answer::Reject(expected));
        assert!(!expected.is_rollback());
        let rolled_back = unhex("1200080007000000ffffffffffffffff0c00000000000000");
        let Answer::Reject(reject) = decode(&rolled_back).unwrap() else { panic!("no REJECT") };
        assert!(reject.is_rollback());
        let close = unhex("7e0007000700000000000000000000000d000300627965");
        assert_eq!(decode(&close).unwrap(), Answer::Close { status: Status::SHUTTING_DOWN, text: "bye" });
    }

    #[test]
    fn subscriptions_are_confirmed() {
        let bytes = unhex("31001000070000000b000000000000004d000000000000002c01000000000000");
        let expected = Subscribed { counter: 11, revision: 77, subscriptions: 300 };
        assert_eq!(decode(&bytes).unwrap(), Answer::Subscribed(expected));
    }

    #[test]
    fn paths_with_and_without_nodes() {
        let path = unhex(
            "21002400070000000b000000000000004d000000000000002c010000000000000300000000000000050000000800000006000000",
        );
        let Answer::Path(path) = decode(&path).unwrap() else { panic!("no PATH") };
        assert_eq!((path.counter, path.revision, path.distance, path.nodes_total), (11, 77, 300, 3));
        assert_eq!(path.nodes().collect::<Vec<_>>(), [5, 8, 6]);
        let none = unhex("21001800070000000c000000000000004d00000000000000ffffffffffffffff0000000000000000");
        let Answer::Path(none) = decode(&none).unwrap() else { panic!("no PATH") };
        assert_eq!((none.distance, none.nodes().len()), (u64::MAX, 0));
    }

    #[test]
    fn slots_show_every_field() {
        let mut bytes = unhex("290008010700000004000000000000004e00000000000000");
        let mut slot = vec![0; SLOT_BYTES];
        slot[..31].copy_from_slice(&unhex(
            "04030201 0d0c0b0a 07000100 07 01 0700 8877665544332211 01020304050607".replace(' ', "").as_str(),
        ));
        bytes.extend_from_slice(&slot);
        let Answer::State(state) = decode(&bytes).unwrap() else { panic!("no STATE") };
        assert_eq!((state.counter, state.revision), (4, 78));
        let slot = state.slot;
        assert_eq!((slot.source(), slot.target(), slot.edge_mask()), (0x0102_0304, 0x0a0b_0c0d, 0x1_0007));
        assert_eq!((slot.weight(), slot.is_active(), slot.version()), (7, true, 0x1122_3344_5566_7788));
        assert_eq!(slot.payload(), [1, 2, 3, 4, 5, 6, 7]);
        let mut absurd = [0; SLOT_BYTES];
        absurd[14..16].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(Slot::new(&absurd).payload().len(), PAYLOAD_BYTES_MAX, "a wrong length must not leave the slot");
    }

    #[test]
    fn welcome_is_taken_or_refused() {
        let bytes = unhex("0200180007000000000000000000000001000000800000002a0000000000000040420f0000010000");
        let welcome = welcome_of(first_frame(&bytes).unwrap().unwrap(), 1).unwrap();
        assert_eq!((welcome.session, welcome.streams_max, welcome.revision), (7, 128, 42));
        assert_eq!((welcome.nodes_max, welcome.packet_max), (1_000_000, 256));
        let mut refused = bytes.clone();
        refused[4] = 0;
        refused[18] = 9;
        let error = welcome_of(first_frame(&refused).unwrap().unwrap(), 1).unwrap_err();
        assert_eq!(error.to_string(), "the server refused the session: UNAUTHORIZED (9)");
        let mut nobody = bytes.clone();
        nobody[4] = 0;
        assert!(welcome_of(first_frame(&nobody).unwrap().unwrap(), 1).is_err(), "session 0 with status OK");
    }

    #[test]
    fn a_frame_cut_anywhere_asks_for_more() {
        let whole = unhex("110008000700000009000000000000004d00000000000000");
        for cut in 0..whole.len() {
            let needed = first_frame(&whole[..cut]).unwrap().unwrap_err();
            assert_eq!(needed, if cut < HEADER_BYTES { HEADER_BYTES } else { whole.len() }, "cut at {cut}");
        }
    }

    #[test]
    fn broken_answers_are_refused_by_their_header() {
        let broken = [
            ("10003c0007000000010000000000000", "frame type 0x10"),
            ("ff0000000700000001000000000000000", "frame type 0xff"),
            ("110009000700000009000000000000004d0000000000000000", "cannot be 9 bytes"),
            ("21001900070000000c00000000000000", "cannot be 25 bytes"),
            ("2100ffff070000000c00000000000000", "cannot be 65535 bytes"),
            ("7e00030007000000000000000000000", "cannot be 3 bytes"),
        ];
        for (text, expected) in broken {
            let mut bytes = unhex(text);
            bytes.resize(bytes.len().max(HEADER_BYTES), 0);
            let error = first_frame(&bytes).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn broken_answers_are_refused_by_their_content() {
        let broken = [
            ("110008000800000009000000000000004d00000000000000", "session 8"),
            ("110108000700000009000000000000004d00000000000000", "flags 0x01"),
            ("7e0007000700000000000000000000000d000200627965", "announces 2 bytes"),
            ("7e0006000700000000000000000000000d000200c328", "not UTF-8"),
            ("0200180007000000000000000000000001000000800000002a0000000000000040420f0000010000", "second WELCOME"),
            ("21001c00070000000c000000000000004d0000000000000000000000000000000000000000000000", "lists 1 nodes of 0"),
        ];
        for (text, expected) in broken {
            let mut bytes = unhex(text);
            if expected.starts_with("lists") {
                bytes.extend_from_slice(&[0; 4]);
            }
            let error = decode(&bytes).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    /// Whatever arrives, decoding ends with a value or an error.
    #[test]
    fn random_bytes_never_panic() {
        let mut state: u64 = 99;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        for round in 0..20_000 {
            let mut bytes: Vec<u8> = (0..usize::from(random()) * 2).map(|_| random()).collect();
            if let Some(first) = bytes.first_mut() {
                *first = [0x02, 0x11, 0x12, 0x21, 0x29, 0x7e][round % 6];
            }
            if bytes.len() > 3 && round % 2 == 0 {
                bytes[3] = 0;
            }
            if let Ok(Ok(frame)) = first_frame(&bytes) {
                let _ = answer_of(frame, frame.header.session);
                let _ = welcome_of(frame, 1);
            }
        }
    }
}
