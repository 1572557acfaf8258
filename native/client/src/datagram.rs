//! Frames in QUIC datagrams: no order, no delivery promise, one frame each.

use bytes::Bytes;

use crate::answer::{Answer, RawFrame, answer_of, broken, first_frame};
use crate::error::ClientError;
use crate::updates::{Update, fits, update_of};
use crate::wire::{HEADER_BYTES, Header, Move, SLOT_BYTES, frame_type, put_move, put_read, put_release};

/// Sends MOVE, RELEASE and READ as datagrams with the session's datagram counter, which is apart from the streams'.
///
/// Each `send_` method returns the counter it used. A datagram that is lost on the way is never answered; without
/// `ack_each` neither MOVE nor RELEASE is.
#[derive(Debug)]
pub struct DatagramSender {
    connection: quinn::Connection,
    session: u32,
    counter_next: u64,
    buffer: Vec<u8>,
}

impl DatagramSender {
    pub(crate) fn new(connection: quinn::Connection, session: u32) -> DatagramSender {
        DatagramSender { connection, session, counter_next: 0, buffer: Vec::new() }
    }

    /// Continues at this counter; the server refuses counters that do not rise with REPLAYED.
    pub fn set_counter_next(&mut self, counter: u64) {
        self.counter_next = counter;
    }

    /// Sends a MOVE.
    ///
    /// # Errors
    /// [`ClientError::Datagram`], [`ClientError::TooLong`] for the payload, or the end of the session.
    pub fn send_move(&mut self, step: &Move<'_>) -> Result<u64, ClientError> {
        self.send(|out, session, counter| put_move(out, session, counter, step))
    }

    /// Sends a RELEASE.
    ///
    /// # Errors
    /// [`ClientError::Datagram`] or the end of the session.
    pub fn send_release(&mut self, node: u32, ack_each: bool) -> Result<u64, ClientError> {
        self.send(|out, session, counter| {
            put_release(out, session, counter, node, ack_each);
            Ok(())
        })
    }

    /// Sends a READ, answered by [`Answer::State`].
    ///
    /// # Errors
    /// [`ClientError::Datagram`] or the end of the session.
    pub fn send_read(&mut self, node: u32) -> Result<u64, ClientError> {
        self.send(|out, session, counter| {
            put_read(out, session, counter, node);
            Ok(())
        })
    }

    fn send(
        &mut self,
        put: impl FnOnce(&mut Vec<u8>, u32, u64) -> Result<(), ClientError>,
    ) -> Result<u64, ClientError> {
        self.buffer.clear();
        let counter = self.counter_next;
        put(&mut self.buffer, self.session, counter)?;
        match self.connection.send_datagram(Bytes::copy_from_slice(&self.buffer)) {
            Ok(()) => {
                self.counter_next = counter.saturating_add(1);
                Ok(counter)
            }
            Err(quinn::SendDatagramError::ConnectionLost(lost)) => Err(lost.into()),
            Err(other) => Err(ClientError::Datagram { reason: other.to_string() }),
        }
    }
}

/// Receives the answers and the states that come as datagrams.
#[derive(Debug)]
pub struct DatagramReceiver {
    connection: quinn::Connection,
    session: u32,
    last: Bytes,
    slot: [u8; SLOT_BYTES],
}

impl DatagramReceiver {
    pub(crate) fn new(connection: quinn::Connection, session: u32) -> DatagramReceiver {
        DatagramReceiver { connection, session, last: Bytes::new(), slot: [0; SLOT_BYTES] }
    }

    /// Waits for the next answer. Safe to cancel.
    ///
    /// # Errors
    /// [`ClientError::Protocol`] or the end of the session.
    pub async fn next(&mut self) -> Result<Answer<'_>, ClientError> {
        self.last = self.connection.read_datagram().await?;
        if self.last.first() == Some(&frame_type::LATEST) {
            return self.latest().map(Answer::Latest);
        }
        match first_frame(&self.last)? {
            Ok(frame) if HEADER_BYTES + frame.body.len() == self.last.len() => answer_of(frame, self.session),
            _ => Err(broken(format!("a datagram of {} bytes is not exactly one frame", self.last.len()))),
        }
    }

    fn latest(&mut self) -> Result<Update<'_>, ClientError> {
        let whole = self.last.split_first_chunk::<HEADER_BYTES>().map(|(head, body)| (Header::decode(head), body));
        match whole {
            Some((header, body))
                if fits(&header, frame_type::LATEST, self.session) && body.len() == usize::from(header.length) =>
            {
                Ok(update_of(RawFrame { header, body }, &mut self.slot))
            }
            _ => Err(broken(format!("a datagram of {} bytes is no LATEST of this session", self.last.len()))),
        }
    }
}
