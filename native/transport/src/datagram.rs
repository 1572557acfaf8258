//! Datagrams: one frame each, never waited for, answered as best as it goes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use lodestone_memory::{CounterId, Counters, Page, PageFull, RecordKind, Status};
use tokio::sync::Notify;

use crate::dock::{Dock, Noted};
use crate::frame::{
    FRAME_BYTES_MAX, Fault, Frame, FrameKind, HEADER_BYTES, put_ack, put_reject, put_state, u16_at, u32_at,
};
use crate::ingress::{FRAMES_PER_TURN, record_head};
use crate::overload::falls_behind;
use crate::quic::Connection;
use crate::session::Session;
use crate::sink::{AnswerSink, Batch, Decision, PathAnswer};

/// Answers that may wait for the sending task; further ones are dropped, as datagrams may be anywhere.
const ANSWERS_BYTES_MAX: usize = 16 * 1024;

/// The answers that a session's datagrams get.
pub(crate) struct DatagramAnswers {
    session: u32,
    counters: Counters,
    /// Whole frames back to back.
    waiting: Mutex<Vec<u8>>,
    wake: Notify,
    dock: Arc<Dock>,
    /// Noted at the dock, and the loop has not come yet.
    noted: AtomicBool,
    me: Weak<DatagramAnswers>,
}

impl DatagramAnswers {
    pub(crate) fn new(session: u32, counters: Counters, dock: Arc<Dock>) -> Arc<DatagramAnswers> {
        Arc::new_cyclic(|me| DatagramAnswers {
            session,
            counters,
            waiting: Mutex::new(Vec::new()),
            wake: Notify::new(),
            dock,
            noted: AtomicBool::new(false),
            me: Weak::clone(me),
        })
    }

    /// The loop has come: the task that sends does the rest.
    pub(crate) fn carry_on(&self) {
        self.noted.swap(false, Ordering::AcqRel);
        self.wake.notify_one();
    }

    fn put(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() + FRAME_BYTES_MAX > ANSWERS_BYTES_MAX {
            drop(waiting);
            self.counters.add(CounterId::DatagramsDropped, 1);
            return;
        }
        write(&mut waiting);
        drop(waiting);
        if !self.noted.swap(true, Ordering::AcqRel)
            && let Some(me) = self.me.upgrade()
        {
            self.dock.note(Noted::Datagrams(me));
            self.dock.rouse();
        }
    }

    fn reject(&self, counter: u64, status: Status, node: u32) {
        self.put(|out| put_reject(out, self.session, counter, status, node));
    }

    /// Sends answers as they come; ends only with the task that runs it.
    pub(crate) async fn send_all(&self, connection: &Connection) {
        loop {
            self.wake.notified().await;
            let mut rest =
                Bytes::from(std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner)));
            while rest.len() >= HEADER_BYTES {
                let frame_bytes = HEADER_BYTES + usize::from(u16_at(&rest, 2));
                let frame = rest.split_to(frame_bytes.min(rest.len()));
                // Lost on the way or refused here: to the client it is the same.
                if connection.send_datagram(frame).is_ok() {
                    self.counters.add(CounterId::AnswersSent, 1);
                }
            }
        }
    }
}

impl AnswerSink for DatagramAnswers {
    fn decided(&self, decisions: &[Decision], revision: u64) {
        for decision in decisions.iter().filter(|decision| decision.ack_each) {
            match decision.status {
                Status::Ok => self.put(|out| put_ack(out, self.session, decision.counter, revision)),
                status => self.reject(decision.counter, status, decision.node),
            }
        }
    }

    fn refused(&self, counter: u64, status: Status, node: u32) {
        self.reject(counter, status, node);
    }

    fn state(&self, counter: u64, revision: u64, slot: &[u8; 256]) {
        self.put(|out| put_state(out, self.session, counter, revision, slot));
    }

    fn path(&self, _counter: u64, _path: &PathAnswer<'_>) -> bool {
        debug_assert!(false, "a datagram with ROUTE is a protocol error and never reaches the pathfinder");
        true
    }

    fn is_gone(&self) -> bool {
        // No question by datagram takes long.
        false
    }
}

/// Throws away the datagrams that came before the session was welcomed, and those that come until it ends.
pub(crate) async fn drop_all(connection: &Connection, counters: &Counters) {
    while connection.read_datagram().await.is_ok() {
        counters.add(CounterId::DatagramsDropped, 1);
    }
}

/// Throws away the datagrams that are here already.
pub(crate) fn drop_ready(connection: &Connection, counters: &Counters) {
    while connection.try_read_datagram().is_some() {
        counters.add(CounterId::DatagramsDropped, 1);
    }
}

/// Reads a session's datagrams.
pub(crate) struct DatagramIngress {
    session: Arc<Session>,
    answers: Arc<DatagramAnswers>,
    counter_highest: Option<u64>,
    page: Option<Page>,
}

impl DatagramIngress {
    pub(crate) fn new(session: Arc<Session>, answers: Arc<DatagramAnswers>) -> DatagramIngress {
        DatagramIngress { session, answers, counter_highest: None, page: None }
    }

    /// Reads until a protocol error or the connection's end. Whatever is here already shares a page; nothing waits.
    pub(crate) async fn run(mut self) {
        let session = Arc::clone(&self.session);
        while let Ok(datagram) = session.connection.read_datagram().await {
            let (mut next, mut turn_frames) = (Some(datagram), FRAMES_PER_TURN);
            while let Some(datagram) = next {
                if session.is_closing() {
                    return;
                }
                if let Err(Fault(text)) = self.take(&datagram) {
                    self.flush();
                    return session.close(Status::Malformed, text);
                }
                turn_frames -= 1;
                next = if turn_frames > 0 { session.connection.try_read_datagram() } else { None };
            }
            self.flush();
            if turn_frames == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let counters = &self.session.plane.counters;
        counters.add(CounterId::DatagramsReceived, 1);
        counters.add(CounterId::BytesReceived, bytes.len() as u64);
        let frame = Frame::of_datagram(bytes, self.session.number)?;
        counters.add(CounterId::FramesReceived, 1);
        self.session.frames.fetch_add(1, Ordering::Relaxed);
        let counter = frame.head.counter;
        if self.counter_highest.is_some_and(|highest| counter <= highest) {
            counters.add(CounterId::DatagramsReplayed, 1);
            self.refuse(
                frame.head.kind == FrameKind::Read,
                frame.head.ack_each,
                counter,
                frame.node(),
                Status::Replayed,
            );
            return Ok(());
        }
        self.counter_highest = Some(counter);
        if self.session.take_allowance(frame.head.kind, bytes.len() as u64).is_err() {
            counters.add(CounterId::DatagramsShed, 1);
            self.overloaded(frame.head.kind == FrameKind::Read, frame.head.ack_each, counter, frame.node());
            return Ok(());
        }
        self.push(&frame);
        Ok(())
    }

    fn push(&mut self, frame: &Frame<'_>) {
        let head = record_head(&self.session, frame);
        for _ in 0..2 {
            if self.page.is_none() {
                self.page = self.session.plane.pages.try_take();
            }
            match self.page.as_mut().map(|page| page.push(head, frame.packet())) {
                Some(Ok(())) => return,
                Some(Err(PageFull)) => self.flush(),
                None => break,
            }
        }
        self.overloaded(frame.head.kind == FrameKind::Read, head.ack_each, head.counter, frame.node());
    }

    /// Sends the page to the engine, or drops it where the channel is full.
    fn flush(&mut self) {
        let Some(page) = self.page.take() else { return };
        let sink = Arc::clone(&self.answers) as Arc<dyn AnswerSink>;
        let batch = Batch::of_one(page, sink);
        if let Err(refused) = self.session.plane.ingress.try_send(batch) {
            self.session.plane.counters.add(CounterId::ChannelFull, 1);
            falls_behind(&self.session.plane.told.backlog);
            let page = refused.into_inner().page;
            for index in 0..page.len() {
                let record = page.record(index);
                let node = match record.head.kind {
                    RecordKind::Move => u32_at(record.packet, 0),
                    _ => record.head.node,
                };
                let head = record.head;
                self.overloaded(head.kind == RecordKind::Read, head.ack_each, head.counter, node);
            }
        }
    }

    fn overloaded(&self, is_read: bool, ack_each: bool, counter: u64, node: u32) {
        self.session.plane.counters.add(CounterId::DatagramsDropped, 1);
        self.refuse(is_read, ack_each, counter, node, Status::Overloaded);
    }

    /// READ is always answered; MOVE and RELEASE only if they asked for it.
    fn refuse(&self, is_read: bool, ack_each: bool, counter: u64, node: u32, status: Status) {
        if is_read || ack_each {
            self.answers.reject(counter, status, node);
        }
    }
}
