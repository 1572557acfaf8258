//! Updates: what the server tells of the nodes that a session is subscribed to.

use crate::answer::{Slot, broken};
use crate::error::ClientError;
use crate::wire::{HEADER_BYTES, Header, PACKET_HEAD_BYTES, SLOT_BYTES, UPDATE_HEAD_BYTES, field, frame_type};

/// A node as it was at one instant; borrows from the receiver until the next one is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update<'a> {
    /// Updates of this session before this one.
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
    /// Its slot; not active where it has none.
    pub slot: Slot<'a>,
}

/// Receives the updates of one session. Dropping it tells the server that nobody reads them any more.
#[derive(Debug)]
pub struct UpdateReceiver {
    connection: quinn::Connection,
    session: u32,
    stream: Option<quinn::RecvStream>,
    /// One frame, as far as it is there.
    frame: [u8; HEADER_BYTES + UPDATE_HEAD_BYTES + SLOT_BYTES],
    filled: usize,
    slot: [u8; SLOT_BYTES],
    counter_next: u64,
}

impl UpdateReceiver {
    pub(crate) fn new(connection: quinn::Connection, session: u32) -> UpdateReceiver {
        UpdateReceiver {
            connection,
            session,
            stream: None,
            frame: [0; HEADER_BYTES + UPDATE_HEAD_BYTES + SLOT_BYTES],
            filled: 0,
            slot: [0; SLOT_BYTES],
            counter_next: 0,
        }
    }

    /// Waits for the next update. Safe to cancel: nothing is lost.
    ///
    /// # Errors
    /// [`ClientError::Protocol`], or the end of the session.
    pub async fn next(&mut self) -> Result<Update<'_>, ClientError> {
        while self.filled < HEADER_BYTES {
            self.read(HEADER_BYTES).await?;
        }
        let header = self.header()?;
        let frame_bytes = HEADER_BYTES + usize::from(header.length);
        while self.filled < frame_bytes {
            self.read(frame_bytes).await?;
        }
        self.filled = 0;
        self.counter_next += 1;
        let body = &self.frame[HEADER_BYTES..frame_bytes];
        let used = &body[UPDATE_HEAD_BYTES..];
        self.slot[..used.len()].copy_from_slice(used);
        self.slot[used.len()..].fill(0);
        Ok(Update {
            counter: header.counter,
            revision: u64::from_le_bytes(field(body, 0)),
            rollbacks: u64::from_le_bytes(field(body, 8)),
            version: u64::from_le_bytes(field(body, 16)),
            node: u32::from_le_bytes(field(body, 24)),
            slot: Slot::new(&self.slot),
        })
    }

    fn header(&self) -> Result<Header, ClientError> {
        let header = Header::decode(&field(&self.frame, 0));
        let slot_bytes = usize::from(header.length).checked_sub(UPDATE_HEAD_BYTES);
        let fits = slot_bytes.is_some_and(|bytes| bytes == 0 || (PACKET_HEAD_BYTES..=SLOT_BYTES).contains(&bytes));
        if header.frame_type != frame_type::UPDATE || header.flags != 0 || !fits {
            return Err(broken(format!("{header:?} is not the header of an UPDATE")));
        }
        if header.session != self.session || header.counter != self.counter_next {
            return Err(broken(format!("update {} of session {}", header.counter, header.session)));
        }
        Ok(header)
    }

    /// Reads some bytes of the frame, up to this many of it in all.
    async fn read(&mut self, wanted: usize) -> Result<(), ClientError> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let opened = self.connection.accept_uni().await?;
                self.stream.insert(opened)
            }
        };
        match stream.read(&mut self.frame[self.filled..wanted]).await? {
            Some(bytes) => self.filled += bytes,
            // The server ends it together with the session, whose end says why.
            None => return Err(self.connection.closed().await.into()),
        }
        Ok(())
    }
}
