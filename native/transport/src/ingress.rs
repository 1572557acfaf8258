//! The task that reads a stream: chunk → frames in place → digest → the loop's bump page.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lodestone_memory::{CounterId, RecordHead, RecordKind, Status};

use crate::answers::StreamAnswers;
use crate::dock::{Dock, Lack, Stage};
use crate::frame::{Expected, Fault, Frame, FrameDecoder, FrameKind};
use crate::quic::{ReadError, RecvStream};
use crate::session::{End, Session};

/// Most bytes taken from QUIC at once; more than a packet brings, so that a chunk is never cut for it.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// Frames that are taken one after the other before others have the worker: some 100 us of it. A client whose frames keep
/// coming would hold it otherwise.
pub(crate) const FRAMES_PER_TURN: u32 = 256;

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

/// What the frame in hand waits for.
enum Wait {
    /// The session may not send so much yet.
    Allowance { kind: FrameKind, bytes: u64 },
    /// A ROUTE of this stream is at the engine.
    Routes,
    /// There is no room for its answers.
    Answers { kind: FrameKind, counter: u64 },
    /// As many ROUTEs are at the engine as may be.
    Permit { counter: u64 },
    /// The loop's page is full.
    Stage(Lack),
    /// Others are to have the worker first.
    Turn,
}

/// What the frame in hand has passed already.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Passed {
    Nothing,
    Allowance,
    Answers,
    Permit,
}

/// Reads one stream of a welcomed session.
pub(crate) struct Ingress {
    session: Arc<Session>,
    answers: Arc<StreamAnswers>,
    /// Of the frame in hand.
    counter: u64,
    passed: Passed,
    /// Moves whose answers have room, beyond those that came.
    granted: usize,
    /// A ROUTE was asked, and may not be answered yet.
    routing: bool,
    /// Frames that may be taken before others have the worker.
    turn_frames: u32,
}

impl Ingress {
    /// `counter` is that of the next frame: 1 after HELLO, 0 on every other stream.
    pub(crate) fn new(session: Arc<Session>, answers: Arc<StreamAnswers>, counter: u64) -> Ingress {
        let turn_frames = FRAMES_PER_TURN;
        Ingress { session, answers, counter, passed: Passed::Nothing, granted: 0, routing: false, turn_frames }
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

    /// Admits every frame of the chunk and stages it; a protocol error comes after the frames before it. What is staged
    /// leaves when the loop comes round, which it does while this waits.
    async fn take_chunk(&mut self, decoder: &mut FrameDecoder, bytes: &[u8]) -> Result<(), Stop> {
        let (mut rest, mut uncounted) = (bytes, bytes.len() as u64);
        loop {
            match self.take_some(decoder, &mut rest, uncounted)? {
                None => return Ok(()),
                Some(wait) => self.wait(wait).await?,
            }
            uncounted = 0;
        }
    }

    /// Stages frames until the chunk is used up or something has to be waited for.
    fn take_some(
        &mut self,
        decoder: &mut FrameDecoder,
        rest: &mut &[u8],
        uncounted: u64,
    ) -> Result<Option<Wait>, Stop> {
        let dock = Arc::clone(&self.session.plane.dock);
        let mut stage = dock.stage();
        let before = self.counter;
        let outcome = self.stage_frames(&dock, &mut stage, decoder, rest);
        let frames = self.counter - before;
        stage.count(frames, uncounted);
        dock.leave(stage);
        self.session.frames.fetch_add(frames, Ordering::Relaxed);
        self.give_back();
        outcome
    }

    fn stage_frames(
        &mut self,
        dock: &Arc<Dock>,
        stage: &mut Stage,
        decoder: &mut FrameDecoder,
        rest: &mut &[u8],
    ) -> Result<Option<Wait>, Stop> {
        let (session, version) = (self.session.number, self.session.version);
        loop {
            if self.turn_frames == 0 {
                return Ok(Some(Wait::Turn));
            }
            let before = *rest;
            let expected = Expected { session, counter: self.counter, version };
            let frame = match decoder.next(rest, expected) {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(None),
                Err(fault) => return Err(Stop::Fault(fault)),
            };
            if frame.head.kind == FrameKind::Close {
                self.counter += 1;
                return Err(Stop::Closed(frame.close_status()));
            }
            let room = self.admit(&frame, before.len());
            let room = room.and_then(|()| dock.make_room(stage, frame.packet().len()).map_err(Wait::Stage));
            if let Err(wait) = room {
                let head = frame.head;
                decoder.put_back(head, rest, before);
                return Ok(Some(wait));
            }
            stage.push(&self.answers, record_head(&self.session, &frame), frame.packet());
            self.counter += 1;
            self.turn_frames -= 1;
            self.passed = Passed::Nothing;
        }
    }

    /// Makes sure that the frame may come and that its answers have room. `bytes`: from the frame on to the chunk's end.
    fn admit(&mut self, frame: &Frame<'_>, bytes: usize) -> Result<(), Wait> {
        let (kind, counter) = (frame.head.kind, frame.head.counter);
        if self.passed < Passed::Allowance && self.session.take_allowance(kind, frame.bytes()).is_err() {
            return Err(Wait::Allowance { kind, bytes: frame.bytes() });
        }
        self.passed = self.passed.max(Passed::Allowance);
        if self.routing {
            self.routing = self.answers.route_pending();
            if self.routing && self.passed < Passed::Answers {
                return Err(Wait::Routes);
            }
        }
        if self.passed < Passed::Answers && !self.reserve(kind, counter, bytes / frame.head.frame_bytes()) {
            return Err(Wait::Answers { kind, counter });
        }
        self.passed = self.passed.max(Passed::Answers);
        if kind == FrameKind::Route && self.passed < Passed::Permit {
            self.routing = true;
            if !self.answers.try_admit_route(counter) {
                return Err(Wait::Permit { counter });
            }
        }
        self.passed = Passed::Permit;
        Ok(())
    }

    /// Reserves room for the answers of the frame, and for those of moves like it that are here already.
    fn reserve(&mut self, kind: FrameKind, counter: u64, frames: usize) -> bool {
        if !matches!(kind, FrameKind::Move | FrameKind::Release) {
            self.give_back();
            return self.answers.try_admit(kind, counter);
        }
        if self.granted == 0 {
            self.granted = self.answers.try_admit_moves(counter, frames.max(1));
        }
        let has_room = self.granted > 0;
        self.granted -= usize::from(has_room);
        has_room
    }

    /// Gives back the room that was reserved for moves that did not come.
    fn give_back(&mut self) {
        if self.granted > 0 {
            let last = if self.passed >= Passed::Answers { self.counter } else { self.counter.wrapping_sub(1) };
            self.answers.return_moves(std::mem::take(&mut self.granted), last);
        }
    }

    async fn wait(&mut self, wait: Wait) -> Result<(), Stop> {
        match wait {
            Wait::Allowance { kind, bytes } => {
                if !Box::pin(self.session.allowed(kind, bytes)).await {
                    return Err(Stop::Ending);
                }
                self.passed = Passed::Allowance;
            }
            Wait::Routes => self.answers.routes_answered().await,
            Wait::Answers { kind, counter } => {
                let limit = self.session.plane.slow_consumer;
                self.answers.admit(kind, counter, limit).await.map_err(|_| Stop::Slow)?;
                self.passed = Passed::Answers;
            }
            Wait::Permit { counter } => {
                self.answers.admit_route(counter).await;
                self.passed = Passed::Permit;
            }
            Wait::Stage(lack) => {
                self.session.plane.dock.wait(lack).await;
                if self.session.plane.ingress.is_closed() {
                    return Err(Stop::EngineGone);
                }
            }
            Wait::Turn => {
                self.turn_frames = FRAMES_PER_TURN;
                tokio::task::yield_now().await;
            }
        }
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
        FrameKind::SubscribeLatest => (RecordKind::SubscribeLatest, 0, session.number),
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
