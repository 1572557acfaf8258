//! Calls that come through lanes and ring: what the C edge offers to this process, for others.
//!
//! A producer has one call under way at a time. The answer lands in its reply area: a status, words, and for a route the
//! first 8,192 nodes.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use lodestone_memory::Status;
use lodestone_memory::rings::layout::REPLY_WATCHES_FULL;
use lodestone_memory::rings::{Caller, RingRecord};

use crate::bridge::{ReplyWords, key_of};
use crate::clock::now_unix_ms;
use crate::error::EngineError;
use crate::routes::RouteReply;
use crate::watching::WatchRequest;
use crate::writer::Writer;

/// {u32 source, u32 target}; answered with revision, distance, nodes on the path, vertices settled, and the path. Given up
/// when its producer leaves or dies.
const ROUTE: u8 = 0x20;
/// {u64 revision}; answered with revision before, revision, records undone, nanoseconds, hash low, hash high, branch,
/// edges, 1 if within `rollback.sla_ms`.
const ROLLBACK: u8 = 0x40;
/// {u64 revision, all ones for the present one}; answered with revision, hash low, hash high.
const HASH: u8 = 0x41;
/// {u64 age in milliseconds}; answered with the newest revision in the window that is so old.
const REVISION_BEFORE: u8 = 0x42;
/// {u64 source}; answered with the id of the watch, which ends at the latest with its producer.
const WATCH: u8 = 0x43;
/// {u64 id}; answered with 1 if there was such a watch.
const UNWATCH: u8 = 0x44;

/// Whether records of this type are calls.
pub(crate) fn is_call(kind: u8) -> bool {
    kind == ROUTE || (ROLLBACK..=UNWATCH).contains(&kind)
}

/// A call, copied out of shared memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) caller: Caller,
    pub(crate) counter: u64,
    kind: u8,
    body_bytes: usize,
    argument: u64,
}

impl Call {
    pub(crate) fn new(caller: Caller, record: &RingRecord) -> Call {
        let (kind, body_bytes, argument) = (record.kind, record.body_bytes, record.word(0));
        Call { caller, counter: record.counter, kind, body_bytes, argument }
    }
}

/// The answer to a call that the pathfinder works on.
enum Awaited {
    Watch(Caller, Receiver<Result<u64, EngineError>>),
    Unwatch(u64, Receiver<Result<bool, EngineError>>),
}

/// Calls that wait for the pathfinder, at most one a producer, and the watches that came of them.
#[derive(Default)]
pub(crate) struct AwaitedCalls {
    calls: Vec<(u64, Awaited)>,
    /// Watches and the producers that began them; no more than there are watches.
    begun: Vec<(u64, Caller)>,
    /// Watches of producers that are gone, and the answer to their end. One that was refused is tried again.
    ending: Vec<(u64, Receiver<Result<bool, EngineError>>)>,
}

impl Writer {
    /// Does what was called for, and answers at once or lets the pathfinder answer.
    pub(crate) fn serve_call(&mut self, call: &Call) {
        if call.body_bytes != 8 {
            return self.reply(call, Err(Status::Malformed));
        }
        let argument = call.argument;
        match call.kind {
            ROUTE => self.call_route(call, argument as u32, (argument >> 32) as u32),
            ROLLBACK => {
                let words = self.call_rollback(argument);
                self.reply(call, words);
            }
            HASH => {
                let number = if argument == u64::MAX { self.state.revision() } else { argument };
                let hash = self.state.hash_at(number).ok_or(Status::OutOfWindow);
                self.reply(call, hash.map(|hash| words(&[number, hash.low, hash.high])));
            }
            REVISION_BEFORE => {
                let revision = self.state.revision_at(now_unix_ms().saturating_sub(argument));
                self.reply(call, Ok(words(&[revision])));
            }
            WATCH => {
                let (reply, answer) = sync_channel(1);
                self.awaited.calls.push((key_of(call), Awaited::Watch(call.caller, answer)));
                // A number that no node has stays one that no node has.
                let source = u32::try_from(argument).unwrap_or(u32::MAX);
                self.route(RouteReply::Watch(WatchRequest::Add { source, reply }), 0);
            }
            _ => {
                let (reply, answer) = sync_channel(1);
                self.awaited.calls.push((key_of(call), Awaited::Unwatch(argument, answer)));
                self.route(RouteReply::Watch(WatchRequest::Remove { id: argument, reply }), 0);
            }
        }
    }

    fn call_route(&mut self, call: &Call, source: u32, target: u32) {
        let sink = Arc::clone(self.commands.sink());
        let (key, caller) = (key_of(call), call.caller);
        match [source, target].into_iter().find(|node| *node >= self.state.nodes_max()) {
            Some(node) => sink.reply(key, Status::OutOfBounds.code(), &[u64::from(node)], &[]),
            None => self.route(RouteReply::Call { sink, key, caller, source, target }, source),
        }
    }

    fn call_rollback(&mut self, revision: u64) -> Result<ReplyWords, Status> {
        let (report, elapsed) = self.rollback(revision)?;
        Ok(words(&[
            report.from_revision,
            report.to_revision,
            report.records,
            elapsed.as_nanos() as u64,
            report.hash.low,
            report.hash.high,
            report.branch,
            report.edges,
            u64::from(elapsed <= self.rollback_sla),
        ]))
    }

    fn reply(&self, call: &Call, result: Result<ReplyWords, Status>) {
        let (status, words) = match result {
            Ok(words) => (Status::Ok, words),
            Err(status) => (status, ReplyWords::new()),
        };
        self.commands.sink().reply(key_of(call), status.code(), &words, &[]);
    }

    /// Hands on what the pathfinder answered; whether calls still wait.
    pub(crate) fn answer_awaited(&mut self) -> bool {
        let sink = Arc::clone(self.commands.sink());
        let mut unwanted: Vec<u64> = Vec::new();
        let AwaitedCalls { calls, begun, .. } = &mut self.awaited;
        calls.retain(|(key, awaited)| {
            let Some(answer) = awaited.poll() else { return true };
            match (awaited, &answer) {
                // Nobody would ever end a watch that nobody knows of.
                (Awaited::Watch(caller, _), Ok(id)) if sink.is_caller_gone(caller) => unwanted.push(*id),
                (Awaited::Watch(caller, _), Ok(id)) => begun.push((*id, *caller)),
                (Awaited::Unwatch(id, _), Ok(_)) => begun.retain(|(watch, _)| watch != id),
                _ => {}
            }
            match answer {
                Ok(word) => sink.reply(*key, Status::Ok.code(), &[word], &[]),
                Err(code) => sink.reply(*key, code, &[], &[]),
            }
            false
        });
        unwanted.into_iter().for_each(|watch| self.end_watch(watch));
        !self.awaited.calls.is_empty()
    }

    /// After a look at the producers: ends the watches of those that left or died.
    pub(crate) fn end_orphaned_watches(&mut self) {
        let sink = Arc::clone(self.commands.sink());
        let mut orphaned: Vec<u64> = Vec::new();
        self.awaited.begun.retain(|(watch, caller)| {
            let gone = sink.is_caller_gone(caller);
            if gone {
                orphaned.push(*watch);
            }
            !gone
        });
        self.awaited.ending.retain(|(watch, answer)| {
            let answer = take(answer);
            if answer == Some(Err(Status::Overloaded.code())) {
                orphaned.push(*watch);
            }
            answer.is_none()
        });
        orphaned.into_iter().for_each(|watch| self.end_watch(watch));
    }

    fn end_watch(&mut self, id: u64) {
        let (reply, answer) = sync_channel(1);
        self.awaited.ending.push((id, answer));
        self.route(RouteReply::Watch(WatchRequest::Remove { id, reply }), 0);
    }
}

impl Awaited {
    fn poll(&self) -> Option<Result<u64, u16>> {
        match self {
            Awaited::Watch(_, answer) => take(answer),
            Awaited::Unwatch(_, answer) => take(answer).map(|removed| removed.map(u64::from)),
        }
    }
}

/// The answer, if it is there, or the number of its refusal.
fn take<T>(answer: &Receiver<Result<T, EngineError>>) -> Option<Result<T, u16>> {
    match answer.try_recv() {
        Ok(Ok(value)) => Some(Ok(value)),
        Ok(Err(EngineError::Refused(status))) => Some(Err(status.code())),
        Ok(Err(EngineError::WatchesFull(_))) => Some(Err(REPLY_WATCHES_FULL)),
        Ok(Err(_)) => Some(Err(Status::Internal.code())),
        Err(TryRecvError::Empty) => None,
        Err(TryRecvError::Disconnected) => Some(Err(Status::ShuttingDown.code())),
    }
}

fn words(of: &[u64]) -> ReplyWords {
    of.iter().copied().collect()
}
