//! The task that reads a stream: chunk → frames in place → digest → bump page → channel.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use lodestone_memory::{CounterId, Page, RecordHead, RecordKind, Status};

use crate::answers::StreamAnswers;
use crate::frame::{Expected, Fault, Frame, FrameDecoder, FrameKind};
use crate::overload::{falls_behind, keeps_up};
use crate::quic::{ReadError, RecvStream};
use crate::session::{End, Session};
use crate::sink::{AnswerSink, Batch};

/// Most bytes taken from QUIC at once; more than a packet brings, so that a chunk is never cut for it.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// Why a stream is not read any further.
enum Stop {
    /// FIN or RESET_STREAM: what was admitted is answered, then the server's side ends too.
    Done,
    /// The client sent CLOSE with this status.
    Closed(u16),
    /// A protocol error.
    Fault(Fault),
    /// The client did not take its answers.
    Slow,
    /// The engine drains the channel no more.
    EngineGone,
    /// The server ends: what was read is answered, and nothing more is read.
    Halted,
    /// The session or the connection is ending anyway.
    Ending,
}

/// Reads one stream of a welcomed session.
pub(crate) struct Ingress {
    session: Arc<Session>,
    answers: Arc<StreamAnswers>,
    counter: u64,
    page: Option<Page>,
}

impl Ingress {
    /// `counter` is that of the next frame: 1 after HELLO, 0 on every other stream.
    pub(crate) fn new(session: Arc<Session>, answers: Arc<StreamAnswers>, counter: u64) -> Ingress {
        Ingress { session, answers, counter, page: None }
    }

    /// Reads until the stream or the session ends.
    pub(crate) async fn run(mut self, mut stream: RecvStream) {
        let (session, answers) = (Arc::clone(&self.session), Arc::clone(&self.answers));
        let at = Some(Arc::clone(&answers));
        match self.read(&mut stream).await {
            Stop::Done => return answers.reading_done(),
            Stop::Halted => answers.reading_done(),
            Stop::Closed(status) => session.end(End::Client { status }),
            Stop::Fault(Fault(text)) => session.end(End::Server { status: Status::Malformed, text: text.into(), at }),
            Stop::Slow => session.end(End::Server {
                status: Status::SlowConsumer,
                text: "the answers of a stream are not taken".into(),
                at,
            }),
            Stop::EngineGone => session.end(End::engine_gone()),
            Stop::Ending => {}
        }
        // Letting go of the stream now would send STOP_SENDING ahead of CLOSE.
        session.connection.closed().await;
    }

    async fn read(&mut self, stream: &mut RecvStream) -> Stop {
        let mut decoder = FrameDecoder::new();
        loop {
            let chunk = match stream.read_chunk(CHUNK_BYTES_MAX).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) | Err(ReadError::Reset) => return Stop::Done,
                Err(ReadError::Halted) => return Stop::Halted,
                Err(ReadError::Lost(_)) => return Stop::Ending,
            };
            if self.session.is_closing() {
                return if self.session.is_draining() { Stop::Halted } else { Stop::Ending };
            }
            if let Err(stop) = self.take_chunk(&mut decoder, &chunk.bytes).await {
                return stop;
            }
        }
    }

    /// Admits every frame of the chunk and sends them off; a protocol error comes after the frames before it.
    async fn take_chunk(&mut self, decoder: &mut FrameDecoder, bytes: &[u8]) -> Result<(), Stop> {
        let counter_before = self.counter;
        let outcome = self.take_frames(decoder, bytes).await;
        let frames = self.counter - counter_before;
        let counters = &self.session.plane.counters;
        counters.add(CounterId::FramesReceived, frames);
        counters.add(CounterId::BytesReceived, bytes.len() as u64);
        self.session.frames.fetch_add(frames, Ordering::Relaxed);
        self.flush().await?;
        outcome
    }

    async fn take_frames(&mut self, decoder: &mut FrameDecoder, bytes: &[u8]) -> Result<(), Stop> {
        let mut rest = bytes;
        loop {
            let fanout = self.session.outbox.is_some();
            let expected = Expected { session: self.session.number, counter: self.counter, fanout };
            match decoder.next(&mut rest, expected) {
                Ok(Some(frame)) => {
                    self.counter += 1;
                    if frame.head.kind == FrameKind::Close {
                        return Err(Stop::Closed(frame.close_status()));
                    }
                    if self.session.take_allowance(frame.head.kind, frame.bytes()).is_err() {
                        self.flush().await?;
                        Box::pin(self.session.allowed(frame.head.kind, frame.bytes())).await;
                    }
                    self.reserve(&frame).await?;
                    self.push(&frame).await?;
                }
                Ok(None) => return Ok(()),
                Err(fault) => return Err(Stop::Fault(fault)),
            }
        }
    }

    /// Makes sure that the frame's answers have room. Whatever is in hand leaves before anything is waited for: it may
    /// be what the waiting depends on.
    async fn reserve(&mut self, frame: &Frame<'_>) -> Result<(), Stop> {
        let (kind, counter) = (frame.head.kind, frame.head.counter);
        if self.answers.route_pending() {
            self.flush().await?;
            self.answers.routes_answered().await;
        }
        if !self.answers.try_admit(kind, counter) {
            self.flush().await?;
            let limit = self.session.plane.slow_consumer;
            self.answers.admit(kind, counter, limit).await.map_err(|_| Stop::Slow)?;
        }
        if kind == FrameKind::Route && !self.answers.try_admit_route(counter) {
            self.flush().await?;
            self.answers.admit_route(counter).await;
        }
        Ok(())
    }

    async fn push(&mut self, frame: &Frame<'_>) -> Result<(), Stop> {
        let head = record_head(&self.session, frame);
        loop {
            let page = match &mut self.page {
                Some(page) => page,
                None => self.page.insert(self.session.plane.pages.take().await),
            };
            if page.push(head, frame.packet()).is_ok() {
                return Ok(());
            }
            self.flush().await?;
        }
    }

    /// Sends the page to the engine; waits while the channel is full.
    async fn flush(&mut self) -> Result<(), Stop> {
        let Some(page) = self.page.take() else { return Ok(()) };
        let plane = &self.session.plane;
        let place = match plane.ingress.try_reserve() {
            Ok(place) => {
                keeps_up(&plane.told.backlog);
                place
            }
            Err(_) => {
                plane.counters.add(CounterId::ChannelFull, 1);
                falls_behind(&plane.told.backlog);
                plane.ingress.reserve().await.map_err(|_| Stop::EngineGone)?
            }
        };
        let sink = Arc::clone(&self.answers) as Arc<dyn AnswerSink>;
        place.send(Batch { page, sink, entered: Instant::now() });
        Ok(())
    }
}

/// What the engine is told of a frame besides its packet; this is where the digest is checked.
pub(crate) fn record_head(session: &Session, frame: &Frame<'_>) -> RecordHead {
    let (kind, node, argument) = match frame.head.kind {
        FrameKind::Release => (RecordKind::Release, frame.node(), frame.argument()),
        FrameKind::Route => (RecordKind::Route, frame.node(), frame.argument()),
        FrameKind::Read => (RecordKind::Read, frame.node(), frame.argument()),
        FrameKind::Subscribe => (RecordKind::Subscribe, 0, session.number),
        FrameKind::Unsubscribe => (RecordKind::Unsubscribe, 0, session.number),
        FrameKind::Move | FrameKind::Hello | FrameKind::Close => (RecordKind::Move, 0, 0),
    };
    let status = if frame.digest_matches() {
        Status::Ok
    } else {
        session.plane.counters.add(CounterId::DigestFailures, 1);
        Status::BadDigest
    };
    RecordHead {
        kind,
        ack_each: frame.head.ack_each,
        status,
        tenant: session.rights.tenant,
        node_first: session.rights.node_first,
        node_last: session.rights.node_last,
        counter: frame.head.counter,
        node,
        argument,
    }
}
