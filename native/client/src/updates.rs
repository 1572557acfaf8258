//! Updates: what the server tells of the nodes that a session is subscribed to.

use crate::answer::{RawFrame, Slot, broken};
use crate::error::ClientError;
use crate::wire::{HEADER_BYTES, Header, PACKET_HEAD_BYTES, SLOT_BYTES, UPDATE_HEAD_BYTES, field, frame_type};

/// Bytes that are read at once: some 50 updates of full slots.
const BUFFER_BYTES: usize = 16 * 1024;

/// A node as it was at one instant; borrows from the receiver until the next one is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update<'a> {
    /// Updates of this session before this one, sent the same way.
    pub counter: u64,
    /// Everything up to this revision that concerns the node is in the state; it may be newer than that.
    pub revision: u64,
    /// Rollbacks before that revision. A state with a higher number replaces one with a lower number, whatever their
    /// revisions.
    pub rollbacks: u64,
    /// The node's version.
    pub version: u64,
    /// The node.
    pub node: u32,
    /// Orders the states of this node within this session: see [`Update::is_behind`]. 0 before protocol version 3.
    pub order: u32,
    /// Its slot; not active where it has none.
    pub slot: Slot<'a>,
}

impl Update<'_> {
    /// Whether a state of the same node with this [`order`](Update::order) is as new as this one, or newer.
    pub fn is_behind(&self, order: u32) -> bool {
        self.order.wrapping_sub(order).cast_signed() <= 0
    }
}

/// The update in the body of a frame whose header [`fits`]; its slot is written to `slot`.
pub(crate) fn update_of<'a>(frame: RawFrame<'_>, slot: &'a mut [u8; SLOT_BYTES]) -> Update<'a> {
    let body = frame.body;
    let used = &body[UPDATE_HEAD_BYTES..];
    slot[..used.len()].copy_from_slice(used);
    slot[used.len()..].fill(0);
    Update {
        counter: frame.header.counter,
        revision: u64::from_le_bytes(field(body, 0)),
        rollbacks: u64::from_le_bytes(field(body, 8)),
        version: u64::from_le_bytes(field(body, 16)),
        node: u32::from_le_bytes(field(body, 24)),
        order: u32::from_le_bytes(field(body, 28)),
        slot: Slot::new(slot),
    }
}

/// Whether this is the header of an update of this type, of this session.
pub(crate) fn fits(header: &Header, frame_type: u8, session: u32) -> bool {
    let slot_bytes = usize::from(header.length).checked_sub(UPDATE_HEAD_BYTES);
    header.frame_type == frame_type
        && header.flags == 0
        && header.session == session
        && slot_bytes.is_some_and(|bytes| bytes == 0 || (PACKET_HEAD_BYTES..=SLOT_BYTES).contains(&bytes))
}

/// Receives the updates of one session. Dropping it tells the server that nobody reads them any more.
#[derive(Debug)]
pub struct UpdateReceiver {
    connection: quinn::Connection,
    session: u32,
    stream: Option<quinn::RecvStream>,
    /// None before the first update: most sessions get none.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    slot: [u8; SLOT_BYTES],
    counter_next: u64,
}

impl UpdateReceiver {
    pub(crate) fn new(connection: quinn::Connection, session: u32) -> UpdateReceiver {
        UpdateReceiver {
            connection,
            session,
            stream: None,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            slot: [0; SLOT_BYTES],
            counter_next: 0,
        }
    }

    /// Waits for the next update. Safe to cancel: nothing is lost.
    ///
    /// # Errors
    /// [`ClientError::Protocol`], or the end of the session.
    pub async fn next(&mut self) -> Result<Update<'_>, ClientError> {
        while self.whole_frame_bytes()?.is_none() {
            self.read_more().await?;
        }
        self.next_buffered()?.ok_or_else(|| broken("an update that is whole and is not".into()))
    }

    /// The next update if it has already been read; `None` when it must be waited for with [`next`](UpdateReceiver::next) or
    /// [`read_more`](UpdateReceiver::read_more).
    ///
    /// # Errors
    /// [`ClientError::Protocol`].
    pub fn next_buffered(&mut self) -> Result<Option<Update<'_>>, ClientError> {
        let Some(frame_bytes) = self.whole_frame_bytes()? else { return Ok(None) };
        let bytes = &self.buffer[self.start..self.start + frame_bytes];
        let frame = RawFrame { header: Header::decode(&field(bytes, 0)), body: &bytes[HEADER_BYTES..] };
        self.start += frame_bytes;
        self.counter_next += 1;
        Ok(Some(update_of(frame, &mut self.slot)))
    }

    /// Waits for bytes of the server and takes what is there. Together with
    /// [`next_buffered`](UpdateReceiver::next_buffered) it hands over many updates with one wait. Safe to cancel.
    ///
    /// # Errors
    /// The end of the session.
    pub async fn read_more(&mut self) -> Result<(), ClientError> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let opened = self.connection.accept_uni().await?;
                self.buffer = vec![0; BUFFER_BYTES];
                self.stream.insert(opened)
            }
        };
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        match stream.read(&mut self.buffer[self.end..]).await? {
            Some(bytes) => self.end += bytes,
            // The server ends it together with the session, whose end says why.
            None => return Err(self.connection.closed().await.into()),
        }
        Ok(())
    }

    /// Bytes of the first frame, if all of them are there.
    fn whole_frame_bytes(&self) -> Result<Option<usize>, ClientError> {
        let bytes = &self.buffer[self.start..self.end];
        let Some(head) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let header = Header::decode(head);
        if !fits(&header, frame_type::UPDATE, self.session) || header.counter != self.counter_next {
            return Err(broken(format!("{header:?} is not the header of update {}", self.counter_next)));
        }
        let frame_bytes = HEADER_BYTES + usize::from(header.length);
        Ok(Some(frame_bytes).filter(|frame_bytes| bytes.len() >= *frame_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_states_wraps() {
        let slot = [0; SLOT_BYTES];
        let state = |order| Update {
            counter: 0,
            revision: 0,
            rollbacks: 0,
            version: 0,
            node: 0,
            order,
            slot: Slot::new(&slot),
        };
        for (order, known, behind) in
            [(2, 2, true), (2, 4, true), (4, 2, false), (0, u32::MAX - 1, false), (u32::MAX - 1, 0, true)]
        {
            assert_eq!(state(order).is_behind(known), behind, "{order} and {known}");
        }
    }

    #[test]
    fn headers_of_updates_are_judged() {
        let good = Header { frame_type: frame_type::LATEST, flags: 0, length: 32, session: 7, counter: 5 };
        assert!(fits(&good, frame_type::LATEST, 7));
        for (wrong, why) in [
            (Header { frame_type: frame_type::UPDATE, ..good }, "type"),
            (Header { flags: 1, ..good }, "flags"),
            (Header { session: 8, ..good }, "session"),
            (Header { length: 31, ..good }, "too short"),
            (Header { length: 55, ..good }, "half a slot's head"),
            (Header { length: 289, ..good }, "too long"),
        ] {
            assert!(!fits(&wrong, frame_type::LATEST, 7), "{why}");
        }
        assert!(fits(&Header { length: 56, ..good }, frame_type::LATEST, 7));
        assert!(fits(&Header { length: 288, ..good }, frame_type::LATEST, 7));
    }
}
