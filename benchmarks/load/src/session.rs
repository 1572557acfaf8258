//! One session of the protocol, on whatever carries its bytes.

use std::collections::VecDeque;
use std::time::Instant;

use lodestone_client::Status;
use lodestone_client::wire::{
    HEADER_BYTES, Header, Move, frame_type, put_hello, put_move, put_read,
};

/// Nodes that the moves of one session go to, in turn: its edges stay few, as they would in a game.
const TARGETS: u32 = 16;
/// Weight 3 and a flag of the application.
const EDGE_MASK: u32 = 0x1_0003;

/// What an answer of the server means to the driver.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The session is open.
    Welcome,
    /// This many moves more are acknowledged, by this revision.
    Acked { moves: u64, revision: u64 },
    /// A move was refused.
    Refused { counter: u64, status: Status },
    /// A slot, as the server has it.
    Slot { version: u64, payload: Vec<u8> },
}

/// The session's books.
#[derive(Debug)]
pub(crate) struct Session {
    node: u32,
    number: u32,
    counter_next: u64,
    nodes_max: u32,
    payload: Vec<u8>,
    received: Vec<u8>,
    /// Counter and start of each move under way.
    pending: VecDeque<(u64, Instant)>,
    datagram_next: u64,
    /// The same of each move in a datagram, by rising counters; answers may stay out.
    datagrams: VecDeque<(u64, Instant)>,
    /// Moves in datagrams that were never answered: nobody knows what became of them.
    unsure: u64,
    moved: bool,
    /// The version that the slot must have: what it had before, and one for each accepted move.
    pub(crate) version: u64,
}

impl Session {
    /// A session that moves this node; nothing is sent yet.
    pub(crate) fn new(node: u32, payload_bytes: usize) -> Session {
        Session {
            node,
            number: 0,
            counter_next: 0,
            nodes_max: 0,
            payload: vec![0x5a; payload_bytes],
            received: Vec::new(),
            pending: VecDeque::new(),
            datagram_next: 1,
            datagrams: VecDeque::new(),
            unsure: 0,
            moved: false,
            version: 0,
        }
    }

    /// Moves under way.
    pub(crate) fn outstanding(&self) -> usize {
        self.pending.len()
    }

    /// Whether a move was sent.
    pub(crate) fn has_moved(&self) -> bool {
        self.moved
    }

    /// Appends HELLO.
    pub(crate) fn hello(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        self.counter_next = 1;
        put_hello(out, lodestone_client::wire::VERSION, &[]).map_err(|error| error.to_string())
    }

    /// Appends a move that counts from `start`.
    pub(crate) fn step(&mut self, out: &mut Vec<u8>, start: Instant) -> Result<(), String> {
        self.put(out, self.counter_next, false)?;
        self.pending.push_back((self.counter_next, start));
        self.counter_next += 1;
        Ok(())
    }

    /// Appends a move that is to leave as a datagram, is answered by itself or not at all, and counts from `start`.
    pub(crate) fn step_datagram(
        &mut self,
        out: &mut Vec<u8>,
        start: Instant,
    ) -> Result<(), String> {
        self.put(out, self.datagram_next, true)?;
        self.datagrams.push_back((self.datagram_next, start));
        self.datagram_next += 1;
        Ok(())
    }

    fn put(&mut self, out: &mut Vec<u8>, counter: u64, ack_each: bool) -> Result<(), String> {
        let target = (self.node + 1 + (counter % u64::from(TARGETS)) as u32) % self.nodes_max;
        self.payload[..8].copy_from_slice(&counter.to_le_bytes());
        let step = Move {
            source: self.node,
            target,
            edge_mask: EDGE_MASK,
            payload: &self.payload,
            ack_each,
            ..Move::default()
        };
        put_move(out, self.number, counter, &step).map_err(|error| error.to_string())?;
        self.moved = true;
        Ok(())
    }

    /// Moves in datagrams that may still be answered.
    pub(crate) fn datagrams_outstanding(&self) -> usize {
        self.datagrams.len()
    }

    /// Waits for no answer to a datagram any more; says how many stayed out.
    pub(crate) fn give_up_datagrams(&mut self) -> u64 {
        let given_up = self.datagrams.len() as u64;
        self.datagrams.clear();
        self.unsure += given_up;
        given_up
    }

    /// Whether a slot of this version is what the answers say.
    pub(crate) fn may_have(&self, version: u64) -> bool {
        (self.version..=self.version + self.unsure).contains(&version)
    }

    /// Whether the slot holds the payload of the last move: a move in a datagram may have been lost or refused.
    pub(crate) fn knows_payload(&self) -> bool {
        self.datagram_next == 1
    }

    /// Appends a READ of the session's own node.
    pub(crate) fn read(&mut self, out: &mut Vec<u8>) {
        put_read(out, self.number, self.counter_next, self.node);
        self.counter_next += 1;
    }

    /// The payload that the last move carried.
    pub(crate) fn last_payload(&self) -> &[u8] {
        &self.payload
    }

    /// Takes bytes of the server; each whole frame is told, each acknowledged move with its start.
    pub(crate) fn take(
        &mut self,
        bytes: &[u8],
        mut acked: impl FnMut(Instant),
        mut tell: impl FnMut(Answer),
    ) -> Result<(), String> {
        if self.received.is_empty() {
            let used = self.take_whole(bytes, &mut acked, &mut tell)?;
            self.received.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        let mut joined = std::mem::take(&mut self.received);
        joined.extend_from_slice(bytes);
        let used = self.take_whole(&joined, &mut acked, &mut tell)?;
        joined.drain(..used);
        self.received = joined;
        Ok(())
    }

    /// Takes a datagram of the server, the answer to one of ours.
    pub(crate) fn take_datagram(
        &mut self,
        bytes: &[u8],
        mut acked: impl FnMut(Instant),
    ) -> Result<Answer, String> {
        let (head, body) = bytes
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or("a datagram without a header")?;
        let header = Header::decode(head);
        let place = self
            .datagrams
            .binary_search_by_key(&header.counter, |(counter, _)| *counter)
            .map_err(|_| format!("an answer to datagram {}, which has one", header.counter))?;
        let start = self.datagrams.remove(place).map(|(_, start)| start);
        match (header.frame_type, body.len(), start) {
            (frame_type::ACK, 8, Some(start)) => {
                acked(start);
                self.version += 1;
                Ok(Answer::Acked {
                    moves: 1,
                    revision: u64_at(body, 0),
                })
            }
            (frame_type::REJECT, 8, _) => Ok(Answer::Refused {
                counter: header.counter,
                status: Status::from_code(u16_at(body, 0)),
            }),
            (kind, bytes, _) => Err(format!(
                "a datagram was answered with type {kind:#04x} and {bytes} bytes"
            )),
        }
    }

    fn take_whole(
        &mut self,
        bytes: &[u8],
        acked: &mut impl FnMut(Instant),
        tell: &mut impl FnMut(Answer),
    ) -> Result<usize, String> {
        let mut used = 0;
        while let Some(head) = bytes[used..].first_chunk::<HEADER_BYTES>() {
            let header = Header::decode(head);
            let body_start = used + HEADER_BYTES;
            let Some(body) = bytes.get(body_start..body_start + usize::from(header.length)) else {
                break;
            };
            tell(self.answer(header, body, acked)?);
            used = body_start + body.len();
        }
        Ok(used)
    }

    fn answer(
        &mut self,
        header: Header,
        body: &[u8],
        acked: &mut impl FnMut(Instant),
    ) -> Result<Answer, String> {
        if header.frame_type != frame_type::WELCOME && header.session != self.number {
            return Err(format!(
                "an answer for session {} came in session {}",
                header.session, self.number
            ));
        }
        match (header.frame_type, body.len()) {
            (frame_type::WELCOME, 24) => self.welcome(header, body),
            (frame_type::ACK, 8) => Ok(Answer::Acked {
                moves: self.ack(header.counter, acked)?,
                revision: u64_at(body, 0),
            }),
            (frame_type::REJECT, 8) => self.reject(header.counter, body),
            (frame_type::STATE, 264) => {
                let payload_bytes = usize::from(u16_at(body, 8 + 14)).min(232);
                Ok(Answer::Slot {
                    version: u64_at(body, 8 + 16),
                    payload: body[32..32 + payload_bytes].to_vec(),
                })
            }
            (kind, bytes) => Err(format!(
                "the server sent a frame of type {kind:#04x} with {bytes} bytes"
            )),
        }
    }

    fn welcome(&mut self, header: Header, body: &[u8]) -> Result<Answer, String> {
        let status = u16_at(body, 2);
        self.number = header.session;
        self.nodes_max = u32_at(body, 16);
        if status != 0 || header.session == 0 || self.nodes_max <= self.node {
            return Err(format!(
                "WELCOME with status {status}, nodes below {}",
                self.nodes_max
            ));
        }
        Ok(Answer::Welcome)
    }

    fn ack(&mut self, counter: u64, acked: &mut impl FnMut(Instant)) -> Result<u64, String> {
        if counter >= self.counter_next {
            return Err(format!(
                "ACK for frame {counter}, {} were sent",
                self.counter_next
            ));
        }
        let mut moves = 0;
        while let Some((_, start)) = self.pending.pop_front_if(|(oldest, _)| *oldest <= counter) {
            acked(start);
            moves += 1;
        }
        self.version += moves;
        Ok(moves)
    }

    fn reject(&mut self, counter: u64, body: &[u8]) -> Result<Answer, String> {
        let place = self
            .pending
            .iter()
            .position(|(pending, _)| *pending == counter);
        let place =
            place.ok_or_else(|| format!("REJECT for frame {counter}, which is not under way"))?;
        self.pending.remove(place);
        Ok(Answer::Refused {
            counter,
            status: Status::from_code(u16_at(body, 0)),
        })
    }
}

fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    bytes[offset..]
        .first_chunk()
        .map_or(0, |found| u16::from_le_bytes(*found))
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes[offset..]
        .first_chunk()
        .map_or(0, |found| u32::from_le_bytes(*found))
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    bytes[offset..]
        .first_chunk()
        .map_or(0, |found| u64::from_le_bytes(*found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(frame_type: u8, session: u32, counter: u64, body: &[u8]) -> Vec<u8> {
        let header = Header {
            frame_type,
            flags: 0,
            length: body.len() as u16,
            session,
            counter,
        };
        [header.encode().as_slice(), body].concat()
    }

    fn welcome() -> Vec<u8> {
        let mut body = [0; 24];
        body[0] = 1;
        body[16..20].copy_from_slice(&1_000_u32.to_le_bytes());
        frame(frame_type::WELCOME, 9, 0, &body)
    }

    /// A session that was welcomed and has sent moves 1 to 3.
    fn moving() -> Session {
        let mut session = Session::new(4, 40);
        let mut out = Vec::new();
        session.hello(&mut out).unwrap();
        session.take(&welcome(), |_| {}, |_| {}).unwrap();
        (0..3).for_each(|_| session.step(&mut out, Instant::now()).unwrap());
        session
    }

    #[test]
    fn answers_may_be_cut_anywhere() {
        let mut reject = [0; 8];
        reject[0] = 2;
        let bytes = [
            frame(frame_type::REJECT, 9, 2, &reject),
            frame(frame_type::ACK, 9, 3, &77_u64.to_le_bytes()),
        ]
        .concat();
        for cut in 0..=bytes.len() {
            let mut session = moving();
            let (mut acked, mut told) = (0, Vec::new());
            for part in [&bytes[..cut], &bytes[cut..]] {
                session
                    .take(part, |_| acked += 1, |answer| told.push(answer))
                    .unwrap();
            }
            let refused = Answer::Refused {
                counter: 2,
                status: Status::BAD_DIGEST,
            };
            assert_eq!(
                told,
                [
                    refused,
                    Answer::Acked {
                        moves: 2,
                        revision: 77
                    }
                ],
                "cut at {cut}"
            );
            assert_eq!(
                (acked, session.outstanding(), session.version),
                (2, 0, 2),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn datagrams_are_answered_in_any_order_or_not_at_all() {
        let mut session = moving();
        let mut out = Vec::new();
        (0..4).for_each(|_| session.step_datagram(&mut out, Instant::now()).unwrap());
        let mut overloaded = [0; 8];
        overloaded[0] = 8;
        let answers = [
            frame(frame_type::ACK, 9, 3, &77_u64.to_le_bytes()),
            frame(frame_type::REJECT, 9, 1, &overloaded),
        ];
        let mut acked = 0;
        let [first, second] = answers
            .each_ref()
            .map(|answer| session.take_datagram(answer, |_| acked += 1).unwrap());
        let expected = Answer::Acked {
            moves: 1,
            revision: 77,
        };
        assert_eq!((first, acked, session.version), (expected, 1, 1));
        let expected = Answer::Refused {
            counter: 1,
            status: Status::OVERLOADED,
        };
        assert_eq!(second, expected);
        assert!(session.take_datagram(&answers[0], |_| {}).is_err());
        assert_eq!(session.give_up_datagrams(), 2);
        assert!(session.may_have(1) && session.may_have(3) && !session.may_have(4));
        assert!(!session.knows_payload());
    }

    #[test]
    fn answers_that_cannot_be_are_trouble() {
        let ack = |session, counter| frame(frame_type::ACK, session, counter, &[0; 8]);
        let reject = |counter| frame(frame_type::REJECT, 9, counter, &[0; 8]);
        for wrong in [
            ack(8, 1),
            ack(9, 4),
            reject(4),
            frame(0x55, 9, 1, &[]),
            frame(frame_type::ACK, 9, 1, &[0; 7]),
        ] {
            assert!(
                moving().take(&wrong, |_| {}, |_| {}).is_err(),
                "{wrong:02x?}"
            );
        }
    }
}
