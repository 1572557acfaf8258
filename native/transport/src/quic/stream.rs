//! The two halves of a stream.

use std::future::poll_fn;
use std::task::{Context, Poll};

use quinn_proto::{Chunk, ConnectionError, FinishError, StreamId, VarInt};

use super::connection::{Connection, Pen, within_budget};
use super::waiting::Wait;

/// Why a stream cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// The client gave the stream up.
    Reset,
    /// Nothing is to be read from this connection any more.
    Halted,
    /// The connection is over.
    Lost(ConnectionError),
}

/// Why a stream takes no more bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WriteError {
    /// The client wants no more, or the stream is finished.
    Stopped,
    /// The connection is over.
    Lost(ConnectionError),
}

/// The receiving half. Dropped before its end it tells the client to stop.
#[derive(Debug)]
pub(crate) struct RecvStream {
    connection: Connection,
    id: StreamId,
    ended: bool,
}

impl RecvStream {
    pub(super) fn new(connection: Connection, id: StreamId) -> RecvStream {
        RecvStream { connection, id, ended: false }
    }

    /// The next bytes, at most `bytes_max`; `None` after the client's FIN. One task at a time.
    pub(crate) async fn read_chunk(&mut self, bytes_max: usize) -> Result<Option<Chunk>, ReadError> {
        poll_fn(|context| within_budget(context, |context| self.poll_chunk(context, bytes_max))).await
    }

    fn poll_chunk(&mut self, context: &Context<'_>, bytes_max: usize) -> Poll<Result<Option<Chunk>, ReadError>> {
        if self.ended {
            return Poll::Ready(Ok(None));
        }
        let mut state = self.connection.lock();
        if state.reading_halted {
            return Poll::Ready(Err(ReadError::Halted));
        }
        let mut receive = state.protocol.recv_stream(self.id);
        let Ok(mut chunks) = receive.read(true) else {
            // Stopped by us or read to its end.
            self.ended = true;
            return Poll::Ready(Ok(None));
        };
        let read = chunks.next(bytes_max);
        let credit = chunks.finalize().should_transmit();
        let answer = match read {
            Ok(Some(chunk)) => Poll::Ready(Ok(Some(chunk))),
            Ok(None) => {
                self.ended = true;
                Poll::Ready(Ok(None))
            }
            Err(quinn_proto::ReadError::Reset(_)) => {
                self.ended = true;
                Poll::Ready(Err(ReadError::Reset))
            }
            Err(quinn_proto::ReadError::Blocked) => match &state.error {
                Some(error) => Poll::Ready(Err(ReadError::Lost(error.clone()))),
                None => {
                    state.waiting.wait(Wait::Readable(self.id), context);
                    Poll::Pending
                }
            },
        };
        drop(state);
        if credit || self.ended {
            self.connection.touch();
        }
        answer
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        let mut state = self.connection.lock();
        state.waiting.forget(Wait::Readable(self.id));
        if state.error.is_some() || self.ended {
            return;
        }
        // Fails only where the stream has ended by itself.
        let _ = state.protocol.recv_stream(self.id).stop(VarInt::from_u32(0));
        drop(state);
        self.connection.touch();
    }
}

/// The sending half. Dropped it is finished.
#[derive(Debug)]
pub(crate) struct SendStream {
    connection: Connection,
    id: StreamId,
}

impl SendStream {
    pub(super) fn new(connection: Connection, id: StreamId) -> SendStream {
        SendStream { connection, id }
    }

    /// What the loop writes with, whoever holds this half: they must not write at once.
    pub(crate) fn pen(&self) -> Pen {
        self.connection.pen(self.id)
    }

    /// Hands over the start of `bytes`, at least one; waits while the client or the path takes none.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<usize, WriteError> {
        poll_fn(|context| within_budget(context, |context| self.poll_write(context, bytes))).await
    }

    /// Hands over all bytes.
    pub(crate) async fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), WriteError> {
        while !bytes.is_empty() {
            let written = self.write(bytes).await?;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    fn poll_write(&mut self, context: &Context<'_>, bytes: &[u8]) -> Poll<Result<usize, WriteError>> {
        let mut state = self.connection.lock();
        if let Some(error) = &state.error {
            return Poll::Ready(Err(WriteError::Lost(error.clone())));
        }
        match state.protocol.send_stream(self.id).write(bytes) {
            Ok(written) => {
                drop(state);
                self.connection.touch();
                Poll::Ready(Ok(written))
            }
            Err(quinn_proto::WriteError::Blocked) => {
                state.waiting.wait(Wait::Writable(self.id), context);
                Poll::Pending
            }
            Err(quinn_proto::WriteError::Stopped(_) | quinn_proto::WriteError::ClosedStream) => {
                Poll::Ready(Err(WriteError::Stopped))
            }
        }
    }

    /// Streams of a higher priority have their bytes sent first; 0 unless set.
    pub(crate) fn set_priority(&self, priority: i32) {
        // Fails only on a stream that has ended, which has no bytes left to send.
        let _ = self.connection.lock().protocol.send_stream(self.id).set_priority(priority);
    }

    /// Sends FIN behind everything written; `false` when the stream had been finished or given up already.
    pub(crate) fn finish(&mut self) -> bool {
        let finished = self.connection.lock().protocol.send_stream(self.id).finish();
        if finished.is_ok() {
            self.connection.touch();
        }
        !matches!(finished, Err(FinishError::ClosedStream))
    }

    /// Completes when the client has everything of a finished stream, wants no more of it, or is gone.
    pub(crate) async fn stopped(&self) {
        poll_fn(|context| self.poll_stopped(context)).await;
    }

    fn poll_stopped(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.connection.lock();
        let open = matches!(state.protocol.send_stream(self.id).stopped(), Ok(None)) && state.error.is_none();
        if !open {
            return Poll::Ready(());
        }
        state.waiting.wait(Wait::Stopped(self.id), context);
        Poll::Pending
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        let mut state = self.connection.lock();
        state.waiting.forget(Wait::Writable(self.id));
        state.waiting.forget(Wait::Stopped(self.id));
        if state.error.is_some() {
            return;
        }
        let mut stream = state.protocol.send_stream(self.id);
        let changed = match stream.finish() {
            Ok(()) => true,
            // The client wanted no more: tell it that no more comes, so that both can forget the stream.
            Err(FinishError::Stopped(code)) => stream.reset(code).is_ok(),
            Err(FinishError::ClosedStream) => false,
        };
        drop(state);
        if changed {
            self.connection.touch();
        }
    }
}
