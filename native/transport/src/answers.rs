//! The answers one stream owes its client: reserved before a frame is admitted, stored by engine and pathfinder, taken
//! by the stream's writer.
//!
//! Everything is bounded by the answer buffer: a frame is admitted only if its largest answer still fits. ACKs are
//! kept as one watermark and become bytes when the writer comes, or when something else must not overtake them, so
//! that revisions rise on the stream and only a rollback lowers them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use lodestone_memory::Status;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::dock::{Dock, Noted};
use crate::frame::{
    ACK_FRAME_BYTES, FrameKind, PATH_FRAME_BYTES_MAX, REJECT_FRAME_BYTES, STATE_FRAME_BYTES, put_ack, put_path,
    put_reject, put_state, put_subscribed,
};
use crate::quic::{Pen, Turns};
use crate::sink::{AnswerSink, Decision, PathAnswer};

/// Largest answer to a MOVE or RELEASE: a REJECT and the ACK that covers it.
const DECISION_BYTES: usize = REJECT_FRAME_BYTES + ACK_FRAME_BYTES;
/// Rollback notices cannot be reserved for; this much beyond the buffer is theirs (85 notices that nobody took).
const NOTICE_BYTES_MAX: usize = 4096;
/// An idle stream keeps no larger buffer than this.
const IDLE_BUFFER_BYTES: usize = 1024;

/// What admitting a frame reserves.
fn answer_bytes(kind: FrameKind) -> usize {
    match kind {
        FrameKind::Move | FrameKind::Release => DECISION_BYTES,
        // Their answers are short; one size for all questions but ROUTE keeps the account simple.
        FrameKind::Read | FrameKind::Subscribe | FrameKind::SubscribeLatest | FrameKind::Unsubscribe => {
            STATE_FRAME_BYTES
        }
        FrameKind::Route => PATH_FRAME_BYTES_MAX,
        FrameKind::Hello | FrameKind::Close => 0,
    }
}

/// The client left a full answer buffer untouched for longer than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlowConsumer;

/// What all streams of a server share for their answers.
#[derive(Clone)]
pub(crate) struct AnswerLimits {
    /// Bytes one stream may owe.
    pub(crate) buffer_bytes: usize,
    /// One permit for each ROUTE that may be at the engine.
    pub(crate) routes: Arc<Semaphore>,
    /// Number of rollbacks so far. Written by the engine thread before anything later is decided.
    pub(crate) rollbacks: Arc<AtomicU64>,
    /// Where the loop takes answers.
    pub(crate) dock: Arc<Dock>,
}

/// What the writer is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// The buffer holds this many frames to be sent.
    Send { frames: u64 },
    /// This is the last frame; then the stream is done.
    Close(Vec<u8>),
    /// Everything is answered: send FIN.
    Finish,
    /// Nothing more is to be answered here.
    Stop,
    /// Nothing to do until woken.
    Wait,
}

#[derive(Clone, Copy)]
struct Watermark {
    counter: u64,
    revision: u64,
}

#[derive(Default)]
struct Owed {
    /// Whole frames, ready to go.
    out: Vec<u8>,
    out_frames: u64,
    /// Bytes the writer has taken and QUIC has not.
    taken_bytes: usize,
    /// Reserved for frames that are at the engine.
    reserved_bytes: usize,
    /// The ACK that is not bytes yet.
    watermark: Option<Watermark>,
    /// Value of `rollbacks` when the watermark was set.
    rollbacks_seen: u64,
    /// Counters of the ROUTEs at the engine, each with a permit.
    routes: VecDeque<u64>,
    frames_in_flight: usize,
    decisions_in_flight: usize,
    admitted_highest: u64,
    decided_highest: u64,
    /// Bytes QUIC has taken so far: how the reader sees that the client is alive.
    progress_bytes: u64,
    reader_waits: bool,
    reading_done: bool,
    closing: Option<Vec<u8>>,
    /// The last frame waits until nothing is read any more and everything read is answered.
    closing_in_order: bool,
    /// The writer has ended: whatever comes is dropped.
    muted: bool,
    /// The writer waits for work: until it is woken the loop may write in its place.
    writer_waits: bool,
    /// The loop is writing.
    loop_writes: bool,
    /// Noted at the dock, and the loop has not come yet.
    noted: bool,
}

impl Owed {
    fn used_bytes(&self) -> usize {
        let watermark = if self.watermark.is_some() { ACK_FRAME_BYTES } else { 0 };
        self.out.len() + self.taken_bytes + self.reserved_bytes + watermark
    }

    fn unsent_bytes(&self) -> usize {
        self.used_bytes() - self.reserved_bytes
    }

    fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if !self.muted {
            write(&mut self.out);
            self.out_frames += 1;
        }
    }

    /// Makes bytes of the watermark, so that what follows cannot be taken for older than it.
    fn settle(&mut self, session: u32) {
        if let Some(mark) = self.watermark.take() {
            self.put(|out| put_ack(out, session, mark.counter, mark.revision));
        }
    }

    /// The highest counter up to which every frame is decided. READ and ROUTE count as decided at once.
    fn decided_counter(&self) -> u64 {
        if self.decisions_in_flight == 0 { self.admitted_highest } else { self.decided_highest }
    }

    fn answered(&mut self, kind: FrameKind) {
        self.reserved_bytes = self.reserved_bytes.saturating_sub(answer_bytes(kind));
        self.frames_in_flight = self.frames_in_flight.saturating_sub(1);
    }
}

/// The answers of one stream. The engine, the pathfinder, the stream's reader and its writer each hold it.
pub(crate) struct StreamAnswers {
    session: u32,
    limits: AnswerLimits,
    owed: Mutex<Owed>,
    writer_wake: Notify,
    reader_wake: Notify,
    ended: Notify,
    /// What the loop writes with.
    pen: OnceLock<(Pen, Arc<AtomicBool>)>,
    me: Weak<StreamAnswers>,
}

impl StreamAnswers {
    /// `first` are frames to be sent before any answer (WELCOME).
    pub(crate) fn new(session: u32, limits: AnswerLimits, first: Vec<u8>) -> Arc<StreamAnswers> {
        let owed = Owed { out_frames: u64::from(!first.is_empty()), out: first, ..Owed::default() };
        Arc::new_cyclic(|me| StreamAnswers {
            session,
            limits,
            owed: Mutex::new(owed),
            writer_wake: Notify::new(),
            reader_wake: Notify::new(),
            ended: Notify::new(),
            pen: OnceLock::new(),
            me: Weak::clone(me),
        })
    }

    /// Lets the loop write answers itself while the writer waits, until the session is `silenced`. The first call counts.
    pub(crate) fn let_loop_write(&self, pen: Pen, silenced: Arc<AtomicBool>) {
        let _ = self.pen.set((pen, silenced));
    }

    fn owed(&self) -> MutexGuard<'_, Owed> {
        // Each change below is complete before the lock is let go, also when a panic elsewhere poisoned it.
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves room for the answers of a frame; `false`, with nothing changed, while there is none.
    pub(crate) fn try_admit(&self, kind: FrameKind, counter: u64) -> bool {
        let mut owed = self.owed();
        let bytes = answer_bytes(kind);
        if !owed.muted && owed.used_bytes() + bytes > self.limits.buffer_bytes {
            owed.reader_waits = true;
            return false;
        }
        owed.reserved_bytes += bytes;
        owed.frames_in_flight += 1;
        owed.decisions_in_flight += usize::from(matches!(kind, FrameKind::Move | FrameKind::Release));
        owed.admitted_highest = counter;
        true
    }

    /// The same for MOVEs and RELEASEs that follow each other, of which `counter` is the first: reserves for so many of
    /// them as there is room for, at most `most`, and says for how many. What is not used is given back with
    /// [`StreamAnswers::return_moves`].
    pub(crate) fn try_admit_moves(&self, counter: u64, most: usize) -> usize {
        let mut owed = self.owed();
        let room = self.limits.buffer_bytes.saturating_sub(owed.used_bytes()) / DECISION_BYTES;
        let count = if owed.muted { most } else { room.min(most) };
        if count == 0 {
            owed.reader_waits = true;
            return 0;
        }
        owed.reserved_bytes += count * DECISION_BYTES;
        owed.frames_in_flight += count;
        owed.decisions_in_flight += count;
        owed.admitted_highest = counter + count as u64 - 1;
        count
    }

    /// Gives back what was reserved for moves that did not come; `counter` is that of the last frame that did.
    pub(crate) fn return_moves(&self, count: usize, counter: u64) {
        let mut owed = self.owed();
        owed.reserved_bytes = owed.reserved_bytes.saturating_sub(count * DECISION_BYTES);
        owed.frames_in_flight = owed.frames_in_flight.saturating_sub(count);
        owed.decisions_in_flight = owed.decisions_in_flight.saturating_sub(count);
        owed.admitted_highest = counter;
    }

    /// Waits until there is room for the answers of a frame and reserves it.
    ///
    /// # Errors
    /// The client took nothing of what it is owed for `limit`. Time that the engine takes does not count.
    pub(crate) async fn admit(&self, kind: FrameKind, counter: u64, limit: Duration) -> Result<(), SlowConsumer> {
        let mut seen_bytes = self.owed().progress_bytes;
        let mut deadline = Instant::now() + limit;
        loop {
            if self.try_admit(kind, counter) {
                return Ok(());
            }
            let waited_out = timeout_at(deadline, self.reader_wake.notified()).await.is_err();
            let owed = self.owed();
            if owed.progress_bytes != seen_bytes || owed.unsent_bytes() == 0 {
                seen_bytes = owed.progress_bytes;
                deadline = Instant::now() + limit;
            } else if waited_out {
                return Err(SlowConsumer);
            }
        }
    }

    /// Takes one of the permits for ROUTEs at the engine, for a frame that was admitted; `false` while there is none.
    pub(crate) fn try_admit_route(&self, counter: u64) -> bool {
        match self.limits.routes.try_acquire() {
            Ok(permit) => {
                permit.forget();
                self.owed().routes.push_back(counter);
                true
            }
            Err(_) => false,
        }
    }

    /// Waits for one of the permits for ROUTEs at the engine, first come first served.
    pub(crate) async fn admit_route(&self, counter: u64) {
        // The semaphore is never closed, so the only way out is with a permit.
        if let Ok(permit) = self.limits.routes.acquire().await {
            permit.forget();
            self.owed().routes.push_back(counter);
        }
    }

    /// Completes once no ROUTE of this stream is at the engine. A PATH carries the revision at which its ROUTE was
    /// taken; a later frame's answer must not go ahead of it with a later revision.
    pub(crate) async fn routes_answered(&self) {
        while self.route_pending() {
            self.reader_wake.notified().await;
        }
    }

    /// Whether a ROUTE of this stream is at the engine; the reader is woken when that changes.
    pub(crate) fn route_pending(&self) -> bool {
        let mut owed = self.owed();
        let pending = !owed.muted && !owed.routes.is_empty();
        owed.reader_waits |= pending;
        pending
    }

    /// No further frame will be admitted; once all are answered the writer sends FIN.
    pub(crate) fn reading_done(&self) {
        self.owed().reading_done = true;
        self.writer_wake.notify_one();
    }

    /// Asks the writer to send this frame after everything stored so far, and to end; `in_order`: after everything that
    /// was read is answered. `false` when it has ended.
    pub(crate) fn close(&self, frame: Vec<u8>, in_order: bool) -> bool {
        let mut owed = self.owed();
        if owed.muted {
            return false;
        }
        owed.closing = Some(frame);
        owed.closing_in_order = in_order;
        drop(owed);
        self.writer_wake.notify_one();
        true
    }

    /// Tells the client of a rollback to `revision`: an ACK of what was pending, REJECT, then the ACK with the lower
    /// revision. Engine thread. `false` when the client has left so many answers that there is no room.
    pub(crate) fn rolled_back(&self, revision: u64) -> bool {
        let mut owed = self.owed();
        if owed.muted {
            return true;
        }
        if owed.used_bytes() + DECISION_BYTES > self.limits.buffer_bytes + NOTICE_BYTES_MAX {
            return false;
        }
        self.enter(&mut owed);
        owed.settle(self.session);
        let counter = owed.decided_counter();
        owed.put(|out| put_reject(out, self.session, u64::MAX, Status::RolledBack, 0));
        owed.put(|out| put_ack(out, self.session, counter, revision));
        self.leave(owed);
        true
    }

    /// Hands the writer its next work; bytes go into `buffer`, which must be empty and is exchanged for the full one.
    pub(crate) fn take(&self, buffer: &mut Vec<u8>) -> Work {
        let mut owed = self.owed();
        owed.writer_waits = false;
        if owed.muted {
            return Work::Stop;
        }
        if owed.loop_writes {
            // It wakes the writer afterwards.
            owed.writer_waits = true;
            return Work::Wait;
        }
        owed.settle(self.session);
        if !owed.out.is_empty() {
            std::mem::swap(&mut owed.out, buffer);
            owed.taken_bytes = buffer.len();
            return Work::Send { frames: std::mem::take(&mut owed.out_frames) };
        }
        let all_answered = owed.reading_done && owed.frames_in_flight == 0;
        if all_answered || !owed.closing_in_order {
            if let Some(frame) = owed.closing.take() {
                return Work::Close(frame);
            }
            if all_answered {
                return Work::Finish;
            }
        }
        if owed.out.capacity() > IDLE_BUFFER_BYTES {
            owed.out = Vec::new();
        }
        if buffer.capacity() > IDLE_BUFFER_BYTES {
            *buffer = Vec::new();
        }
        owed.writer_waits = true;
        Work::Wait
    }

    /// The loop has come: it writes what is there if the writer waits, and leaves everything else to the writer. Returns
    /// the number of frames sent.
    pub(crate) fn carry_on(&self, buffer: &mut Vec<u8>, turns: &mut Turns) -> u64 {
        let mut owed = self.owed();
        owed.noted = false;
        let pen = self.pen.get().filter(|(_, silenced)| !silenced.load(Ordering::Acquire));
        let Some((pen, _)) = pen.filter(|_| owed.writer_waits && !owed.muted && !owed.loop_writes) else {
            drop(owed);
            self.writer_wake.notify_one();
            return 0;
        };
        owed.settle(self.session);
        // Also where there is nothing to write: the writer takes nothing until this is through.
        owed.loop_writes = true;
        if owed.out.is_empty() {
            drop(owed);
            return self.written(&[], 0, 0);
        }
        buffer.clear();
        buffer.extend_from_slice(&owed.out);
        owed.out.clear();
        let frames = std::mem::take(&mut owed.out_frames);
        owed.taken_bytes = buffer.len();
        drop(owed);
        let written = pen.write(buffer, turns);
        self.written(buffer, written, frames)
    }

    /// After the loop has written the first `written` bytes of the frames.
    fn written(&self, bytes: &[u8], written: usize, frames: u64) -> u64 {
        let mut owed = self.owed();
        owed.loop_writes = false;
        owed.taken_bytes = 0;
        owed.progress_bytes += written as u64;
        let all = written == bytes.len() || owed.muted;
        if !all {
            owed.out.splice(0..0, bytes[written..].iter().copied());
            owed.out_frames += frames;
        }
        if owed.out.is_empty() && owed.out.capacity() > IDLE_BUFFER_BYTES {
            owed.out = Vec::new();
        }
        let more = !owed.out.is_empty() || owed.reading_done || owed.closing.is_some() || owed.muted;
        self.wake_reader(&mut owed);
        drop(owed);
        if more {
            self.writer_wake.notify_one();
        }
        if all { frames } else { 0 }
    }

    /// QUIC has taken this many bytes from the writer.
    pub(crate) fn sent(&self, bytes: usize) {
        let mut owed = self.owed();
        owed.taken_bytes = owed.taken_bytes.saturating_sub(bytes);
        owed.progress_bytes += bytes as u64;
        self.wake_reader(&mut owed);
    }

    /// The writer ends: answers are dropped from now on, and frames are admitted without room for them.
    pub(crate) fn mute(&self) {
        let mut owed = self.owed();
        owed.muted = true;
        owed.out = Vec::new();
        owed.out_frames = 0;
        owed.taken_bytes = 0;
        owed.watermark = None;
        self.wake_reader(&mut owed);
        drop(owed);
        self.ended.notify_one();
    }

    /// Completes when the writer has ended, its last frame delivered or dropped. One task at a time.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }

    /// Completes when there may be work for the writer. One task at a time.
    pub(crate) async fn work(&self) {
        self.writer_wake.notified().await;
    }

    fn wake_reader(&self, owed: &mut Owed) {
        if std::mem::take(&mut owed.reader_waits) {
            self.reader_wake.notify_one();
        }
    }

    /// After a rollback an older ACK must leave before anything with the lower revision.
    fn enter(&self, owed: &mut Owed) {
        let rollbacks = self.limits.rollbacks.load(Ordering::Acquire);
        if owed.rollbacks_seen != rollbacks {
            owed.rollbacks_seen = rollbacks;
            owed.settle(self.session);
        }
    }

    /// Has the answers sent, at once.
    fn leave(&self, owed: MutexGuard<'_, Owed>) {
        if self.note(owed) {
            self.limits.dock.rouse();
        }
    }

    /// Notes at the dock that answers are there; `false` where the loop was to come anyway.
    fn note(&self, mut owed: MutexGuard<'_, Owed>) -> bool {
        self.wake_reader(&mut owed);
        let first = !std::mem::replace(&mut owed.noted, true);
        drop(owed);
        if first && let Some(me) = self.me.upgrade() {
            self.limits.dock.note(Noted::Answers(me));
        }
        first
    }

    /// Stores the one answer to a READ or ROUTE.
    fn answer(&self, mut owed: MutexGuard<'_, Owed>, counter: u64, write: impl FnOnce(&mut Vec<u8>)) {
        self.enter(&mut owed);
        let kind = match owed.routes.binary_search(&counter) {
            Ok(index) => {
                owed.routes.remove(index);
                self.limits.routes.add_permits(1);
                FrameKind::Route
            }
            Err(_) => FrameKind::Read,
        };
        owed.answered(kind);
        owed.settle(self.session);
        owed.put(write);
        self.leave(owed);
    }
}

impl AnswerSink for StreamAnswers {
    fn decided(&self, decisions: &[Decision], revision: u64) {
        let mut owed = self.owed();
        self.enter(&mut owed);
        for decision in decisions {
            let counter = decision.counter;
            owed.answered(FrameKind::Move);
            owed.decisions_in_flight = owed.decisions_in_flight.saturating_sub(1);
            owed.decided_highest = counter;
            owed.admitted_highest = owed.admitted_highest.max(counter);
            if decision.status != Status::Ok {
                owed.put(|out| put_reject(out, self.session, counter, decision.status, decision.node));
            }
            if !owed.muted {
                owed.watermark = Some(Watermark { counter, revision });
            }
            if decision.ack_each {
                owed.settle(self.session);
            }
        }
        self.note(owed);
    }

    fn carry(&self) {
        self.limits.dock.rouse();
    }

    fn refused(&self, counter: u64, status: Status, node: u32) {
        self.answer(self.owed(), counter, |out| put_reject(out, self.session, counter, status, node));
    }

    fn state(&self, counter: u64, revision: u64, slot: &[u8; 256]) {
        self.answer(self.owed(), counter, |out| put_state(out, self.session, counter, revision, slot));
    }

    fn subscribed(&self, counter: u64, revision: u64, subscriptions: u32) {
        let owed = self.owed();
        self.answer(owed, counter, |out| put_subscribed(out, self.session, counter, revision, subscriptions));
    }

    fn path(&self, counter: u64, path: &PathAnswer<'_>) -> bool {
        let owed = self.owed();
        // Looked at under the lock: a rollback that comes later puts its notice behind this answer.
        if self.limits.rollbacks.load(Ordering::Acquire) != path.rollbacks {
            return false;
        }
        self.answer(owed, counter, |out| put_path(out, self.session, counter, path));
        true
    }

    fn is_gone(&self) -> bool {
        self.owed().muted
    }
}

impl Drop for StreamAnswers {
    fn drop(&mut self) {
        // ROUTEs that an ending engine dropped unanswered.
        let unanswered = self.owed().routes.len();
        self.limits.routes.add_permits(unanswered);
    }
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
