//! One hunter on one connection: a half that sends moves and a task that reads their answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lodestone_client::{Answer, ClientError, Move, StreamReceiver, StreamSender};

use crate::roads::{Roads, Walker};
use crate::schedule::Schedule;
use crate::totals::{Counts, Totals, record};
use crate::tracker::Tracker;

/// Moves that are queued before they are handed to QUIC together; far below the sender's buffer.
const MOVES_PER_FLUSH: usize = 64;
/// u32 hunter, u32 step, u64 time at which the move was due (Unix nanoseconds).
const PAYLOAD_BYTES: usize = 16;

/// The start of the schedule on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) start: Instant,
    pub(crate) start_unix_ns: u64,
}

impl Clock {
    /// Time since the start of the schedule; 0 before it.
    pub(crate) fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn since(&self, scheduled_ns: u64) -> Duration {
        Duration::from_nanos(self.elapsed_ns().saturating_sub(scheduled_ns))
    }
}

/// What all hunters share.
#[derive(Debug)]
pub(crate) struct Hunt {
    pub(crate) roads: Roads,
    pub(crate) schedule: Schedule,
    pub(crate) clock: Clock,
    pub(crate) totals: Totals,
}

/// What the two halves of a hunter share. Both run on the runtime's one thread, so relaxed order is enough.
#[derive(Debug, Default)]
struct Link {
    /// Counter of the next frame; written by the sending half before the frame can leave.
    counter_next: AtomicU64,
    /// No more moves can be sent; whichever half notices first writes it, and reports the loss.
    ended: AtomicBool,
}

/// The sending half of a hunter.
#[derive(Debug)]
pub(crate) struct Hunter {
    number: u32,
    steps: u64,
    first_counter: u64,
    walker: Walker,
    sender: StreamSender,
    link: Arc<Link>,
    blocked: bool,
}

impl Hunter {
    /// A hunter on the session's first stream; the future reads the answers until the connection is over.
    pub(crate) fn new(
        number: u32,
        walker: Walker,
        sender: StreamSender,
        receiver: StreamReceiver,
        hunt: Arc<Hunt>,
    ) -> (Hunter, impl Future<Output = ()> + Send + 'static) {
        let first_counter = sender.counter_next();
        let link = Arc::new(Link::default());
        link.counter_next.store(first_counter, Ordering::Relaxed);
        let reader = Reader { number, first_counter, tracker: Tracker::new(first_counter), link: link.clone(), hunt };
        let hunter = Hunter { number, steps: 0, first_counter, walker, sender, link, blocked: false };
        (hunter, reader.run(receiver))
    }

    /// Sends all moves of this hunter among the first `due` ones of the schedule, as far as the connection takes them.
    /// `false`: something is left for later.
    pub(crate) fn send_due(&mut self, hunt: &Hunt, due: u64) -> bool {
        let ended = self.link.ended.load(Ordering::Relaxed);
        let done = ended
            || self.try_send_due(hunt, due).unwrap_or_else(|error| {
                self.give_up(hunt, &error);
                true
            });
        self.blocked = !done;
        done
    }

    /// Whether the last call of [`send_due`](Hunter::send_due) left something.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked
    }

    fn try_send_due(&mut self, hunt: &Hunt, due: u64) -> Result<bool, ClientError> {
        loop {
            if !self.sender.try_flush()? {
                return Ok(false);
            }
            let mut queued = 0;
            while queued < MOVES_PER_FLUSH && hunt.schedule.move_index(self.number, self.steps) < due {
                self.queue_step(hunt)?;
                queued += 1;
            }
            if queued == 0 {
                return Ok(true);
            }
        }
    }

    fn queue_step(&mut self, hunt: &Hunt) -> Result<(), ClientError> {
        let scheduled_ns = hunt.schedule.scheduled_ns(hunt.schedule.move_index(self.number, self.steps));
        let step = self.walker.step(&hunt.roads);
        let mut payload = [0; PAYLOAD_BYTES];
        payload[0..4].copy_from_slice(&self.number.to_le_bytes());
        payload[4..8].copy_from_slice(&(self.steps as u32).to_le_bytes());
        payload[8..16].copy_from_slice(&(hunt.clock.start_unix_ns + scheduled_ns).to_le_bytes());
        self.sender.queue_move(&Move {
            source: hunt.roads.node_of(step.source),
            target: hunt.roads.node_of(step.target),
            edge_mask: step.edge_mask,
            payload: &payload,
            ..Move::default()
        })?;
        self.steps += 1;
        self.link.counter_next.store(self.first_counter + self.steps, Ordering::Relaxed);
        let mut counts = hunt.totals.lock();
        counts.moves_sent += 1;
        record(&mut counts.send_delay, hunt.clock.since(scheduled_ns));
        Ok(())
    }

    /// Sends no more. The reading half goes on: it takes in what is still answered, and notices the connection's end.
    fn give_up(&self, hunt: &Hunt, error: &ClientError) {
        self.link.ended.store(true, Ordering::Relaxed);
        hunt.totals.lock().lost(format!("hunter {}: {error}", self.number));
    }
}

/// The reading half of a hunter.
struct Reader {
    number: u32,
    first_counter: u64,
    tracker: Tracker,
    link: Arc<Link>,
    hunt: Arc<Hunt>,
}

impl Reader {
    async fn run(mut self, mut receiver: StreamReceiver) {
        let reason = loop {
            match receiver.read_more().await {
                Ok(true) => {}
                Ok(false) => break "the server ended the stream".to_owned(),
                Err(error) => break error.to_string(),
            }
            if let Err(reason) = self.take_answers(&mut receiver) {
                break reason;
            }
        };
        let unanswered = self.tracker.unanswered(self.link.counter_next.load(Ordering::Relaxed));
        let mut counts = self.hunt.totals.lock();
        counts.moves_abandoned += unanswered;
        if !self.link.ended.swap(true, Ordering::Relaxed) {
            counts.lost(format!("hunter {}: {reason}", self.number));
        }
    }

    fn take_answers(&mut self, receiver: &mut StreamReceiver) -> Result<(), String> {
        let hunt = self.hunt.clone();
        let mut counts = hunt.totals.lock();
        let elapsed_ns = hunt.clock.elapsed_ns();
        while let Some(answer) = receiver.next_buffered().map_err(|error| error.to_string())? {
            self.take_answer(&mut counts, answer, elapsed_ns)?;
        }
        Ok(())
    }

    fn take_answer(&mut self, counts: &mut Counts, answer: Answer<'_>, elapsed_ns: u64) -> Result<(), String> {
        let counter_next = self.link.counter_next.load(Ordering::Relaxed);
        match answer {
            Answer::Ack(ack) => self.tracker.ack(ack.counter, counter_next, |counter| {
                let index = self.hunt.schedule.move_index(self.number, counter - self.first_counter);
                let scheduled_ns = self.hunt.schedule.scheduled_ns(index);
                counts.acked(Duration::from_nanos(elapsed_ns.saturating_sub(scheduled_ns)));
            }),
            Answer::Reject(reject) if reject.is_rollback() => {
                counts.rollbacks_seen += 1;
                Ok(())
            }
            Answer::Reject(reject) => {
                self.tracker.reject(reject.counter, counter_next)?;
                counts.rejected(reject.status);
                Ok(())
            }
            Answer::Close { status, text } => Err(format!("the server closed the session: {status} {text:?}")),
            Answer::Path(_) | Answer::State(_) | Answer::Subscribed(_) | Answer::Latest(_) => {
                Err("the server answered a question that nobody asked".into())
            }
        }
    }
}
