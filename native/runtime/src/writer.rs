//! The engine thread: the one writer of all state.
//!
//! It takes what the channel holds, forms batches of at most 128 moves in the order they came, applies and publishes
//! each, hands the answers out, and looks for control calls. It never waits to fill a batch. A READ or a ROUTE ends the
//! batch before it, so that it sees exactly the frames before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use lodestone_core::{BATCH_RECORDS_MAX, EdgeChange, Outcome, PutError, RollbackReport, State, StateHash};
use lodestone_memory::events::{Event, EventRing};
use lodestone_memory::header::Header;
use lodestone_memory::log::LogLimit;
use lodestone_memory::rings::{Doorbell, SLEEP_MS_MAX};
use lodestone_memory::{CounterId, Counters, HistogramId, Histograms, PAGE_RECORDS_MAX, Record, RecordKind, Status};
use lodestone_transport::{AnswerSink, Batch, Decision, Server, SessionEvent};
use tokio::sync::mpsc;

use crate::bridge::{Commands, SPIN_LOOKS_MAX};
use crate::calls::{AwaitedCalls, Call};
use crate::clock::now_unix_ms;
use crate::config::{IdleStrategy, RollbackVerify};
use crate::control::{Control, HashReport, PutAnswer};
use crate::feed::Feed;
use crate::interest::Interest;
use crate::routes::{RouteReply, RouteRequest};

/// Pages taken from the channel at once.
const INBOX_BATCHES_MAX: usize = 64;

/// How often an idle engine gives way to others, after batches came, before it goes to sleep: what comes next is mostly under
/// way. Going to sleep and being woken costs both sides some microseconds, giving way half a one.
const GIVES_WAY: u32 = 4;

/// Calls of a turn: one of each lane and one of the ring.
const CALLS_MAX: usize = 65;

/// How often the slot arena is looked at for holes.
const FRAGMENTATION_LOOK_MS: u64 = 1_000;

/// Routes would be wrong from here on, so the engine stops too.
const PATHFINDER_GONE: &str = "the pathfinder thread ended before the engine";

/// The engine thread's state.
pub(crate) struct Writer {
    pub(crate) state: State,
    pub(crate) events: EventRing,
    pub(crate) header: Header,
    pub(crate) counters: Counters,
    pub(crate) histograms: Histograms,
    pub(crate) ingress: mpsc::Receiver<Batch>,
    pub(crate) control: mpsc::Receiver<Control>,
    pub(crate) feed: Feed,
    pub(crate) interest: Interest,
    pub(crate) commands: Commands,
    pub(crate) awaited: AwaitedCalls,
    pub(crate) bell: Doorbell,
    pub(crate) server: Arc<std::sync::OnceLock<Server>>,
    pub(crate) idle_strategy: IdleStrategy,
    pub(crate) fragmentation_threshold: f64,
    pub(crate) rollback_sla: Duration,
    pub(crate) rollback_verify: RollbackVerify,
    pub(crate) panic_at_revision: u64,
    pub(crate) watch: Watch,
}

/// What is told once until it is over.
#[derive(Default)]
pub(crate) struct Watch {
    slots_exhausted_told: bool,
    slots_exhausted_log: LogLimit,
    fragmented_told: bool,
    graph_full_told: bool,
    /// Moves that found no room in the graph since the last look.
    graph_full: u64,
    looked_unix_ms: u64,
    rollbacks: LogLimit,
    stopping: bool,
    /// Turns since it was told to stop.
    last_turns: u64,
}

/// Wakes the engine thread when a channel has something: by the same doorbell as producers.
struct Ring(Doorbell);

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        self.0.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.ring();
    }
}

/// What the engine thread works on in a turn; taken once.
struct Desk {
    inbox: Vec<Batch>,
    calls: Vec<Call>,
    /// It said that it is about to sleep.
    announced: bool,
    /// How often it gives way before it says so.
    gives_way: u32,
}

impl Writer {
    /// Works until told to stop; everything in channel, lanes and ring by then is decided.
    pub(crate) fn run(&mut self) {
        let waker = Waker::from(Arc::new(Ring(self.bell)));
        let mut context = Context::from_waker(&waker);
        let inbox = Vec::with_capacity(INBOX_BATCHES_MAX);
        let mut desk = Desk { inbox, calls: Vec::with_capacity(CALLS_MAX), announced: false, gives_way: 0 };
        loop {
            let now = now_unix_ms();
            self.header.beat(now);
            self.look_for_holes(now);
            if self.commands.sweep(now) {
                self.end_orphaned_watches();
            }
            if self.turn(&mut context, &mut desk) {
                desk.announced = false;
                self.bell.awake();
            } else if self.watch.stopping {
                return;
            } else {
                self.rest(&mut desk);
            }
        }
    }

    /// Does what is there to do; `false` when there was nothing.
    fn turn(&mut self, context: &mut Context<'_>, desk: &mut Desk) -> bool {
        self.interest.tidy();
        let controlled = self.take_control(context);
        let filling = self.feed.watch_some();
        let received = self.take_batches(context, &mut desk.inbox);
        if received {
            desk.gives_way = GIVES_WAY;
            let taken = Instant::now();
            for batch in &desk.inbox {
                let queued = taken.saturating_duration_since(batch.entered);
                self.histograms.record(HistogramId::Queue, queued.as_nanos() as u64);
            }
            self.decide(&desk.inbox, taken);
            desk.inbox.clear();
        }
        let commanded = self.take_commands(desk);
        let awaiting = self.answer_awaited();
        controlled | filling | received | commanded | awaiting
    }

    /// Decides what waits in lanes and ring, then does what was called for behind it.
    fn take_commands(&mut self, desk: &mut Desk) -> bool {
        if !self.commands.has_some() || self.is_past_its_last_commands() {
            self.commands.settle();
            return false;
        }
        self.commands.take(&mut desk.inbox, &mut desk.calls);
        self.decide(&desk.inbox, Instant::now());
        desk.inbox.clear();
        for call in desk.calls.drain(..) {
            self.serve_call(&call);
        }
        true
    }

    /// Whether everything is taken that stood in lanes and ring when the engine was told to stop. Producers may go on for
    /// ever.
    fn is_past_its_last_commands(&mut self) -> bool {
        self.watch.last_turns += u64::from(self.watch.stopping);
        self.watch.last_turns > self.commands.turns_of_a_lap()
    }

    /// Nothing to do: looks again soon, or sleeps until rung. Before it sleeps it says so and looks once more, which is
    /// the turn after this.
    fn rest(&mut self, desk: &mut Desk) {
        match self.idle_strategy {
            IdleStrategy::Yield => thread::yield_now(),
            IdleStrategy::BusySpin => self.commands.rest(),
            IdleStrategy::Park if desk.announced => {
                self.bell.sleep(SLEEP_MS_MAX);
                desk.announced = false;
            }
            IdleStrategy::Park if desk.gives_way > 0 => {
                desk.gives_way -= 1;
                thread::yield_now();
            }
            IdleStrategy::Park => {
                if !self.spin() {
                    self.bell.announce();
                    desk.announced = self.commands.order();
                }
            }
        }
    }

    /// Looks for work for a while, where producers are registered; whether there is some.
    fn spin(&mut self) -> bool {
        let looks = if self.commands.is_worth_spinning() { SPIN_LOOKS_MAX } else { 0 };
        (0..looks).any(|_| {
            self.commands.rest();
            self.commands.has_some() || !self.ingress.is_empty() || !self.control.is_empty()
        })
    }

    fn take_batches(&mut self, context: &mut Context<'_>, inbox: &mut Vec<Batch>) -> bool {
        matches!(self.ingress.poll_recv_many(context, inbox, INBOX_BATCHES_MAX), Poll::Ready(count) if count > 0)
    }

    fn take_control(&mut self, context: &mut Context<'_>) -> bool {
        let mut any = false;
        while let Poll::Ready(Some(control)) = self.control.poll_recv(context) {
            any = true;
            // A load always has its next part here, and who asks for routes may ask again at once: moves come in between.
            let takes_long = matches!(control, Control::Put { .. } | Control::Routes(_));
            self.serve(control);
            if takes_long {
                break;
            }
        }
        any
    }

    fn decide(&mut self, inbox: &[Batch], taken: Instant) {
        let mut place = Place::default();
        while place.batch < inbox.len() {
            let batch = &inbox[place.batch];
            if place.record == batch.page.len() {
                batch.carry();
                place = place.next_batch();
                continue;
            }
            let record = batch.page.record(place.record);
            let (sink, end) = batch.run(place.run);
            if place.record == end {
                place.run += 1;
                continue;
            }
            match record.head.kind {
                RecordKind::Move | RecordKind::Release => self.step(inbox, &mut place, taken),
                RecordKind::Read | RecordKind::Route => {
                    self.question(sink, &record);
                    place.record += 1;
                }
                RecordKind::Subscribe | RecordKind::SubscribeLatest | RecordKind::Unsubscribe => {
                    self.subscription(sink, &record);
                    place.record += 1;
                }
                RecordKind::Interest => place.record += self.decide_interests(batch, place.record),
            }
        }
    }

    /// Applies the MOVEs and RELEASEs from `place` on, across pages, and moves `place` behind them. Answers of pages that
    /// were left go out.
    fn step(&mut self, inbox: &[Batch], place: &mut Place, taken: Instant) {
        let first = *place;
        let mut records: ArrayVec<Record<'_>, BATCH_RECORDS_MAX> = ArrayVec::new();
        while let Some(batch) = inbox.get(place.batch)
            && !records.is_full()
        {
            if place.record == batch.page.len() {
                *place = place.next_batch();
                continue;
            }
            let record = batch.page.record(place.record);
            if !matches!(record.head.kind, RecordKind::Move | RecordKind::Release) {
                break;
            }
            records.push(record);
            place.record += 1;
        }
        let mut outcomes = [Outcome::NONE; BATCH_RECORDS_MAX];
        let step = self.state.step(now_unix_ms(), &records, &mut outcomes);
        assert!(self.panic_at_revision == 0 || step.revision < self.panic_at_revision, "testing.panic_at_revision");
        self.publish(step.accepted > 0);
        if self.interest.is_watching() {
            self.tell_watchers(&outcomes[..records.len()]);
        }
        let engine_ns = taken.elapsed().as_nanos() as u64;
        self.count(&records, &outcomes, step.accepted);
        *place = self.answer(inbox, first, &records, &outcomes, step.revision, engine_ns);
    }

    fn publish(&mut self, committed: bool) {
        if committed {
            self.header.publish(&self.state.to_commit());
            self.feed.commit(self.state.revision(), self.state.changes()).expect(PATHFINDER_GONE);
        }
    }

    /// Out of line: most batches change nothing that anybody is told of.
    #[cold]
    fn tell_watchers(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes.iter().filter(|outcome| outcome.status == Status::Ok) {
            self.interest.changed(outcome.node);
        }
        self.interest.wake();
    }

    /// A SUBSCRIBE or UNSUBSCRIBE.
    fn subscription(&mut self, sink: &Arc<dyn AnswerSink>, record: &Record<'_>) {
        let counter = record.head.counter;
        match self.interest.ask(self.server.get(), &record.head, record.packet) {
            Ok(subscriptions) => sink.subscribed(counter, self.state.revision(), subscriptions),
            Err((status, node)) => sink.refused(counter, status, node),
        }
    }

    /// Decides what the application says about sessions, as far as such commands follow each other in the page; returns
    /// how many.
    fn decide_interests(&mut self, batch: &Batch, first: usize) -> usize {
        let mut decisions: ArrayVec<Decision, PAGE_RECORDS_MAX> = ArrayVec::new();
        for index in first..batch.page.len() {
            let Record { head, packet } = batch.page.record(index);
            if head.kind != RecordKind::Interest {
                break;
            }
            let decided = self.interest.decide(self.server.get(), &head, packet);
            let (status, node) = decided.err().unwrap_or((Status::Ok, 0));
            decisions.push(Decision { counter: head.counter, node, status, ack_each: false });
        }
        // They come from the bridge, whose pages have one sink.
        batch.run(0).0.decided(&decisions, self.state.revision());
        decisions.len()
    }

    fn count(&mut self, records: &[Record<'_>], outcomes: &[Outcome], accepted: u32) {
        let counters = &self.counters;
        let released = records.iter().zip(outcomes).filter(|(record, outcome)| {
            outcome.status == Status::Ok && matches!(record.head.kind, RecordKind::Release)
        });
        let released = released.count() as u64;
        counters.add(CounterId::MovesAccepted, u64::from(accepted) - released);
        counters.add(CounterId::ReleasesAccepted, released);
        counters.add(CounterId::MovesRejected, records.len() as u64 - u64::from(accepted));
        counters.add(CounterId::Batches, u64::from(accepted > 0));
        counters.set(CounterId::SlotsUsed, u64::from(self.state.slots_used()));
        counters.set(CounterId::UndoBytesUsed, self.state.undo_bytes_used());
        let exhausted = records.iter().zip(outcomes).find(|(_, outcome)| outcome.status == Status::ArenaExhausted);
        match exhausted {
            Some((record, _)) if !self.watch.slots_exhausted_told => {
                self.watch.slots_exhausted_told = true;
                if let Some(held_back) = self.watch.slots_exhausted_log.pass(now_unix_ms()) {
                    tracing::warn!(
                        tenant = record.head.tenant,
                        held_back,
                        "no slot is left; told once until one comes back"
                    );
                }
                self.event(Event::SlotsExhausted { tenant: record.head.tenant });
            }
            _ => self.watch.slots_exhausted_told &= released == 0,
        }
        self.watch.graph_full += outcomes.iter().filter(|outcome| outcome.status == Status::GraphFull).count() as u64;
        if self.watch.graph_full > 0 && !self.watch.graph_full_told {
            self.watch.graph_full_told = true;
            let edges = self.state.to_commit().edges;
            tracing::warn!(
                edges,
                "the graph has no room for another edge; told once until none is refused for a while"
            );
        }
    }

    /// Hands out what became of the records from `place` on; returns the place behind them.
    fn answer(
        &mut self,
        inbox: &[Batch],
        mut place: Place,
        records: &[Record<'_>],
        outcomes: &[Outcome],
        revision: u64,
        engine_ns: u64,
    ) -> Place {
        let mut done = 0;
        loop {
            let batch = &inbox[place.batch];
            let (sink, end) = batch.run(place.run);
            let count = (end - place.record).min(records.len() - done);
            let mut decisions: ArrayVec<Decision, BATCH_RECORDS_MAX> = ArrayVec::new();
            for (record, outcome) in records[done..done + count].iter().zip(&outcomes[done..]) {
                let (counter, ack_each) = (record.head.counter, record.head.ack_each);
                decisions.push(Decision { counter, node: outcome.node, status: outcome.status, ack_each });
            }
            if count > 0 {
                sink.decided(&decisions, revision);
            }
            done += count;
            place.record += count;
            if done == records.len() {
                self.histograms.record(HistogramId::Engine, engine_ns);
                return place;
            }
            if place.record == batch.page.len() {
                self.histograms.record(HistogramId::Engine, engine_ns);
                batch.carry();
                place = place.next_batch();
            } else {
                place.run += 1;
            }
        }
    }

    fn question(&mut self, sink: &Arc<dyn AnswerSink>, record: &Record<'_>) {
        let head = &record.head;
        match head.kind {
            RecordKind::Read => {
                self.counters.add(CounterId::Reads, 1);
                match self.state.slot_image(head.node).filter(|_| head.argument == 0) {
                    Some(image) => {
                        let mut slot = [0; 256];
                        for (bytes, word) in slot.chunks_exact_mut(8).zip(image) {
                            bytes.copy_from_slice(&word.to_le_bytes());
                        }
                        sink.state(head.counter, self.state.revision(), &slot);
                    }
                    None => sink.refused(head.counter, Status::OutOfBounds, head.node),
                }
            }
            _ => {
                let (sink, source, target) = (Arc::clone(sink), head.node, head.argument);
                let bad = [source, target].into_iter().find(|node| *node >= self.state.nodes_max());
                match bad {
                    Some(node) => sink.refused(head.counter, Status::OutOfBounds, node),
                    None => self.route(RouteReply::Stream { sink, counter: head.counter, source, target }, source),
                }
            }
        }
    }

    pub(crate) fn route(&mut self, reply: RouteReply, source: u32) {
        let (standing, asked) = (self.feed.standing(self.state.revision()), Instant::now());
        // Ingress lets no more routes in than the queue holds; beyond that stand only those of local threads.
        if let Some(request) = self.feed.route(RouteRequest { standing, asked, reply }).expect(PATHFINDER_GONE) {
            request.reply.refuse(Status::Overloaded, source);
        }
    }

    fn serve(&mut self, control: Control) {
        match control {
            Control::Rollback { revision, reply } => {
                let _ = reply.try_send(self.rollback(revision));
            }
            Control::Hash { revision, reply } => {
                let number = revision.unwrap_or(self.state.revision());
                let hash = self.state.hash_at(number).ok_or(Status::OutOfWindow);
                let _ = reply.try_send(hash.map(|hash| HashReport { revision: number, hash }));
            }
            Control::Verify { reply } => {
                let _ =
                    reply.try_send(HashReport { revision: self.state.revision(), hash: self.state.recompute_hash() });
            }
            Control::RevisionAt { unix_ms, reply } => {
                let _ = reply.try_send(self.state.revision_at(unix_ms));
            }
            Control::Put { arcs, failed, reply } => {
                let result = self.put(&arcs, &failed);
                let _ = reply.try_send(PutAnswer { arcs, result, edges: self.state.to_commit().edges });
            }
            Control::Routes(routes) => self.route(RouteReply::Local(routes), 0),
            Control::Watch(request) => self.route(RouteReply::Watch(request), 0),
            Control::Session(SessionEvent::Opened { session, tenant, .. }) => {
                self.event(Event::SessionOpened { session, tenant });
            }
            Control::Session(SessionEvent::Closed { session, status }) => {
                self.event(Event::SessionClosed { session, status });
            }
            Control::Stop => self.watch.stopping = true,
        }
    }

    /// One part of a load. Only this thread sets or reads the mark of failure, which goes with the parts.
    fn put(&mut self, arcs: &[EdgeChange], failed: &AtomicBool) -> Result<u64, PutError> {
        if failed.load(Ordering::Relaxed) {
            return Err(PutError::GraphFull);
        }
        let before = self.state.revision();
        let result = self.state.put_arcs(now_unix_ms(), arcs);
        failed.store(result.is_err(), Ordering::Relaxed);
        self.publish(result.is_ok_and(|revision| revision > before));
        result
    }

    pub(crate) fn rollback(&mut self, revision: u64) -> Result<(RollbackReport, Duration), Status> {
        self.interest.rollback_begins();
        let gone_back = self.go_back(revision);
        self.interest.rollback_ended();
        gone_back
    }

    fn go_back(&mut self, revision: u64) -> Result<(RollbackReport, Duration), Status> {
        let start = Instant::now();
        let feed = &mut self.feed;
        let report = self.state.rollback(revision, |change| {
            feed.stage(change).expect(PATHFINDER_GONE);
        })?;
        let undone = start.elapsed();
        self.verify_rollback(report.hash);
        let publishing = Instant::now();
        self.header.publish(&self.state.to_commit());
        let elapsed = undone + publishing.elapsed();
        self.feed.flush().expect(PATHFINDER_GONE);
        self.feed.rolled_back(revision).expect(PATHFINDER_GONE);
        if let Some(server) = self.server.get() {
            server.rolled_back(revision);
        }
        self.watch.slots_exhausted_told = false;
        self.counters.add(CounterId::Rollbacks, 1);
        self.counters.add(CounterId::RollbacksOverSla, u64::from(elapsed > self.rollback_sla));
        self.counters.set(CounterId::SlotsUsed, u64::from(self.state.slots_used()));
        self.histograms.record(HistogramId::Rollback, elapsed.as_nanos() as u64);
        let revisions = report.from_revision - report.to_revision;
        if let Some(held_back) = self.watch.rollbacks.pass(now_unix_ms()) {
            tell_rollback(&report, elapsed, elapsed > self.rollback_sla, held_back);
        }
        self.event(Event::RolledBack { revision, branch: report.branch, revisions });
        Ok((report, elapsed))
    }

    /// `rollback.verify`: the state itself must have the hash that it was kept up to. A damaged one is never published.
    fn verify_rollback(&self, recorded: StateHash) {
        if self.rollback_verify == RollbackVerify::Off {
            return;
        }
        let mut found = self.state.recompute_hash();
        if self.rollback_verify == RollbackVerify::FailOnPurpose {
            found.low ^= 1;
        }
        assert!(found == recorded, "rollback.verify: the state after the rollback has another hash than was recorded");
    }

    fn event(&mut self, event: Event) {
        self.events.publish(event);
        self.counters.add(CounterId::EventsPublished, 1);
    }

    fn look_for_holes(&mut self, now_unix_ms: u64) {
        if now_unix_ms < self.watch.looked_unix_ms + FRAGMENTATION_LOOK_MS {
            return;
        }
        self.watch.looked_unix_ms = now_unix_ms;
        let high_water = u64::from(self.state.slots_high_water());
        let holes = high_water - u64::from(self.state.slots_used());
        self.counters.set(CounterId::SlotsHighWater, high_water);
        self.counters.set(CounterId::EdgesUsed, self.state.to_commit().edges);
        let fragmented = high_water > 0 && holes as f64 / high_water as f64 > self.fragmentation_threshold;
        if fragmented && !self.watch.fragmented_told {
            tracing::info!(holes, high_water, "the slots are fragmented");
            self.event(Event::Fragmented { holes });
        }
        self.watch.fragmented_told = fragmented;
        self.watch.graph_full_told &= std::mem::take(&mut self.watch.graph_full) > 0;
    }
}

fn tell_rollback(report: &RollbackReport, elapsed: Duration, is_slow: bool, held_back: u64) {
    let (from, to, branch) = (report.from_revision, report.to_revision, report.branch);
    let (records, us) = (report.records, elapsed.as_micros() as u64);
    if is_slow {
        tracing::warn!(from, to, branch, records, us, held_back, "rolled back, slower than rollback.sla_ms");
    } else {
        tracing::info!(from, to, branch, records, us, held_back, "rolled back");
    }
}

impl Drop for Writer {
    /// A failure is told to readers of the event ring too.
    fn drop(&mut self) {
        if thread::panicking() {
            self.events.publish(Event::Poisoned);
        }
    }
}

/// A record in the inbox.
#[derive(Clone, Copy, Default)]
struct Place {
    batch: usize,
    /// The run of the batch that the record belongs to.
    run: usize,
    record: usize,
}

impl Place {
    fn next_batch(self) -> Place {
        Place { batch: self.batch + 1, ..Place::default() }
    }
}
