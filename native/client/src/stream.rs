//! The two halves of a stream: frames out, answers in.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::answer::{Answer, WelcomeFrame, answer_of, broken, first_frame, welcome_of};
use crate::error::ClientError;
use crate::status::Status;
use crate::wire::{
    CLIENT_FRAME_BYTES_MAX, Move, SERVER_FRAME_BYTES_MAX, put_close, put_move, put_read, put_release, put_route,
    put_subscribe, put_subscribe_latest, put_unsubscribe,
};

/// Most bytes that wait in a sender for a flush: about 700 small moves. Beyond that, QUIC's own flow control is the
/// place to wait.
const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// First size of a receive buffer: 80 ACKs, or seven slots. Only a long PATH makes it grow.
const RECEIVE_BUFFER_BYTES: usize = 2 * 1024;

/// Sends frames on one stream. Frames are queued without waiting and leave together with the next flush; each `queue_`
/// method returns the counter under which the answer will come.
#[derive(Debug)]
pub struct StreamSender {
    stream: quinn::SendStream,
    session: u32,
    counter_next: u64,
    buffer: Vec<u8>,
    written_bytes: usize,
}

impl StreamSender {
    pub(crate) fn new(stream: quinn::SendStream, session: u32, counter_next: u64) -> StreamSender {
        StreamSender { stream, session, counter_next, buffer: Vec::new(), written_bytes: 0 }
    }

    /// The counter of the next frame.
    pub fn counter_next(&self) -> u64 {
        self.counter_next
    }

    /// Bytes queued and not yet handed to QUIC.
    pub fn queued_bytes(&self) -> usize {
        self.buffer.len() - self.written_bytes
    }

    /// Queues a MOVE.
    ///
    /// # Errors
    /// [`ClientError::BufferFull`], or [`ClientError::TooLong`] for the payload; nothing is queued then.
    pub fn queue_move(&mut self, step: &Move<'_>) -> Result<u64, ClientError> {
        self.queue(|out, session, counter| put_move(out, session, counter, step))
    }

    /// Queues a RELEASE of the node's slot.
    ///
    /// # Errors
    /// [`ClientError::BufferFull`]; nothing is queued then.
    pub fn queue_release(&mut self, node: u32, ack_each: bool) -> Result<u64, ClientError> {
        self.queue(|out, session, counter| {
            put_release(out, session, counter, node, ack_each);
            Ok(())
        })
    }

    /// Queues a READ, answered by [`Answer::State`].
    ///
    /// # Errors
    /// [`ClientError::BufferFull`]; nothing is queued then.
    pub fn queue_read(&mut self, node: u32) -> Result<u64, ClientError> {
        self.queue(|out, session, counter| {
            put_read(out, session, counter, node);
            Ok(())
        })
    }

    /// Queues a ROUTE, answered by [`Answer::Path`].
    ///
    /// # Errors
    /// [`ClientError::BufferFull`]; nothing is queued then.
    pub fn queue_route(&mut self, source: u32, target: u32) -> Result<u64, ClientError> {
        self.queue(|out, session, counter| {
            put_route(out, session, counter, source, target);
            Ok(())
        })
    }

    /// Queues a SUBSCRIBE to nodes (1 to 64), answered by [`Answer::Subscribed`]: all of them or none. Only for sessions
    /// with [`updates`](crate::ClientOptions::updates); others are closed for it.
    ///
    /// # Errors
    /// [`ClientError::BufferFull`], or [`ClientError::TooLong`] for the nodes; nothing is queued then.
    pub fn queue_subscribe(&mut self, nodes: &[u32]) -> Result<u64, ClientError> {
        self.queue(|out, session, counter| put_subscribe(out, session, counter, nodes))
    }

    /// Queues a SUBSCRIBE_LATEST to nodes (1 to 64), as [`queue_subscribe`](StreamSender::queue_subscribe): their states come
    /// as [`Answer::Latest`] by datagram. Only for sessions of [`version`](crate::Session::version) 3; others are closed
    /// for it.
    ///
    /// # Errors
    /// [`ClientError::BufferFull`], or [`ClientError::TooLong`] for the nodes; nothing is queued then.
    pub fn queue_subscribe_latest(&mut self, nodes: &[u32]) -> Result<u64, ClientError> {
        self.queue(|out, session, counter| put_subscribe_latest(out, session, counter, nodes))
    }

    /// Queues an UNSUBSCRIBE from nodes (at most 64; none: from all), answered by [`Answer::Subscribed`].
    ///
    /// # Errors
    /// [`ClientError::BufferFull`], or [`ClientError::TooLong`] for the nodes; nothing is queued then.
    pub fn queue_unsubscribe(&mut self, nodes: &[u32]) -> Result<u64, ClientError> {
        self.queue(|out, session, counter| put_unsubscribe(out, session, counter, nodes))
    }

    /// Queues a CLOSE: the server applies the frames before it, answers nothing more and ends the session.
    ///
    /// # Errors
    /// [`ClientError::BufferFull`], or [`ClientError::TooLong`] for the text; nothing is queued then.
    pub fn queue_close(&mut self, status: Status, text: &str) -> Result<u64, ClientError> {
        self.queue(|out, session, counter| put_close(out, session, counter, status, text))
    }

    /// Hands all queued frames to QUIC; waits while the server's flow control holds them back.
    ///
    /// Safe to cancel: what was not handed over stays queued.
    ///
    /// # Errors
    /// [`ClientError::StreamEnded`], or the end of the session.
    pub async fn flush(&mut self) -> Result<(), ClientError> {
        while self.queued_bytes() > 0 {
            self.written_bytes += self.stream.write(&self.buffer[self.written_bytes..]).await?;
        }
        self.reuse_buffer();
        Ok(())
    }

    /// Hands over what QUIC takes at once, without waiting; `false` when something stays queued. For callers that serve
    /// many streams from one task and come back by themselves.
    ///
    /// # Errors
    /// As for [`flush`](StreamSender::flush).
    pub fn try_flush(&mut self) -> Result<bool, ClientError> {
        let mut context = Context::from_waker(Waker::noop());
        while self.queued_bytes() > 0 {
            match Pin::new(&mut self.stream).poll_write(&mut context, &self.buffer[self.written_bytes..]) {
                Poll::Ready(written) => self.written_bytes += written?,
                Poll::Pending => {
                    self.buffer.drain(..self.written_bytes);
                    self.written_bytes = 0;
                    return Ok(false);
                }
            }
        }
        self.reuse_buffer();
        Ok(true)
    }

    /// Flushes, then ends this direction. The server answers all frames, then ends its own direction:
    /// [`StreamReceiver::next`] returns `None` after the last answer.
    ///
    /// # Errors
    /// As for [`flush`](StreamSender::flush).
    pub async fn finish(&mut self) -> Result<(), ClientError> {
        self.flush().await?;
        self.stream.finish().map_err(|error| ClientError::StreamEnded { reason: error.to_string() })
    }

    fn queue(
        &mut self,
        put: impl FnOnce(&mut Vec<u8>, u32, u64) -> Result<(), ClientError>,
    ) -> Result<u64, ClientError> {
        if self.buffer.len() + CLIENT_FRAME_BYTES_MAX > SEND_BUFFER_BYTES_MAX {
            return Err(ClientError::BufferFull { bytes_max: SEND_BUFFER_BYTES_MAX });
        }
        let counter = self.counter_next;
        put(&mut self.buffer, self.session, counter)?;
        self.counter_next += 1;
        Ok(counter)
    }

    fn reuse_buffer(&mut self) {
        self.buffer.clear();
        self.written_bytes = 0;
    }
}

/// Receives the answers of one stream. Dropping it tells the server that nobody reads them any more.
#[derive(Debug)]
pub struct StreamReceiver {
    stream: quinn::RecvStream,
    session: u32,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl StreamReceiver {
    pub(crate) fn new(stream: quinn::RecvStream, session: u32) -> StreamReceiver {
        StreamReceiver { stream, session, buffer: vec![0; RECEIVE_BUFFER_BYTES], start: 0, end: 0 }
    }

    /// Waits for the next answer; `None` once the server has ended the stream.
    ///
    /// Safe to cancel: nothing is lost.
    ///
    /// # Errors
    /// [`ClientError::Protocol`], [`ClientError::StreamReset`], or the end of the session.
    pub async fn next(&mut self) -> Result<Option<Answer<'_>>, ClientError> {
        while !self.whole_frame_buffered()? {
            if !self.read_more().await? {
                return Ok(None);
            }
        }
        self.next_buffered()
    }

    /// The next answer if it has already been read; `None` when the next one must be waited for with
    /// [`next`](StreamReceiver::next) or [`read_more`](StreamReceiver::read_more).
    ///
    /// # Errors
    /// [`ClientError::Protocol`].
    pub fn next_buffered(&mut self) -> Result<Option<Answer<'_>>, ClientError> {
        let bytes = &self.buffer[self.start..self.end];
        let Ok(frame) = first_frame(bytes)? else {
            return Ok(None);
        };
        self.start += crate::wire::HEADER_BYTES + frame.body.len();
        answer_of(frame, self.session).map(Some)
    }

    /// Waits for bytes of the server and takes what is there; `false` once the server has ended the stream. Together
    /// with [`next_buffered`](StreamReceiver::next_buffered) it hands over a burst of answers with one wait.
    ///
    /// # Errors
    /// As for [`next`](StreamReceiver::next).
    pub async fn read_more(&mut self) -> Result<bool, ClientError> {
        self.make_room()?;
        match self.stream.read(&mut self.buffer[self.end..]).await? {
            Some(bytes) => {
                self.end += bytes;
                Ok(true)
            }
            None if self.start == self.end => Ok(false),
            None => Err(broken("the stream ended inside a frame".into())),
        }
    }

    /// The answer to HELLO; from here on answers must carry the session's number.
    pub(crate) async fn welcome(&mut self, version: u16) -> Result<WelcomeFrame, ClientError> {
        while !self.whole_frame_buffered()? {
            if !self.read_more().await? {
                return Err(broken("the stream ended before WELCOME".into()));
            }
        }
        let Ok(frame) = first_frame(&self.buffer[self.start..self.end])? else {
            return Err(broken("no WELCOME".into()));
        };
        self.start += crate::wire::HEADER_BYTES + frame.body.len();
        let welcome = welcome_of(frame, version)?;
        self.session = welcome.session;
        Ok(welcome)
    }

    fn whole_frame_buffered(&self) -> Result<bool, ClientError> {
        Ok(first_frame(&self.buffer[self.start..self.end])?.is_ok())
    }

    /// Moves the cut-off frame to the front and grows the buffer to hold it whole: never past the longest frame.
    fn make_room(&mut self) -> Result<(), ClientError> {
        let needed_bytes = first_frame(&self.buffer[self.start..self.end])?.err().unwrap_or(0);
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        debug_assert!(needed_bytes <= SERVER_FRAME_BYTES_MAX);
        if self.buffer.len() < needed_bytes.max(self.end + 1) {
            self.buffer.resize(needed_bytes.max(2 * self.buffer.len()).min(SERVER_FRAME_BYTES_MAX), 0);
        }
        Ok(())
    }
}
