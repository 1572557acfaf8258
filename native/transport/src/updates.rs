//! The senders of one session: its news on a stream, and in datagrams what it asked to have that way.
//!
//! A datagram may be lost, and nobody says so. So the state of a node that rests after a datagram goes by the stream once
//! more: whoever lost the last one has it a moment later, and a node that changes all the time costs nothing besides.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use lodestone_memory::{CounterId, Status};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::fanout::{Fanout, Leaving, Outbox, Way};
use crate::frame::{PROTOCOL_VERSION_LATEST, UPDATE_FRAME_BYTES_MAX, Update, put_latest, put_update};
use crate::quic::{SendStream, WriteError};
use crate::server::DATAGRAM_BUFFER_BYTES;
use crate::session::Session;

/// Bytes of updates that are handed to QUIC together: some 50 of them. What changes meanwhile is sent as it is after that.
const BUFFER_BYTES_MAX: usize = 8 * 1024;
/// What must be free of QUIC's buffer for datagrams when more are handed over: all but 4 KiB. What waits there is states that
/// grow old, and with nothing there QUIC would have nothing to send until the sender was woken.
const ROOM_BYTES: usize = DATAGRAM_BUFFER_BYTES - 4 * 1024;
/// Answers go first where both wait.
const UPDATES_PRIORITY: i32 = -1;
/// How long a node must not change until its state goes by the stream once more: several times as long as the pause
/// between two changes of what moves all the time (20 to 60 a second in games), and a round trip or two of most paths.
const REST: Duration = Duration::from_millis(200);
/// Nodes of a session whose states may be waiting for their rest, or for the stream after it. Beyond, no datagrams leave,
/// and what changes meanwhile stays marked.
const RESTING_MAX: usize = 8_192;
/// How long the sender waits until it looks again whether fewer are resting.
const CROWDED_LOOK: Duration = Duration::from_millis(10);

/// Sends the session's news until its connection ends, or the client stops the stream.
pub(crate) async fn send_updates(session: &Session, leaving: Option<Leaving<'_>>) {
    let Some(Leaving(fanout, outbox)) = &leaving else { return };
    let senders = Senders { session, fanout, outbox, resting: Mutex::default() };
    tokio::select! {
        () = senders.stream() => {}
        () = senders.datagrams() => {}
    }
}

/// What the two senders of a session share.
struct Senders<'session> {
    session: &'session Session,
    fanout: &'session Fanout,
    outbox: &'session Outbox,
    resting: Mutex<Resting>,
}

impl Senders<'_> {
    /// The sender of the stream.
    async fn stream(&self) {
        let (mut buffer, mut stream, mut sent) = (Vec::new(), None, 0);
        loop {
            self.outbox.marked(Way::Stream).await;
            loop {
                let count = self.fill(sent, &mut buffer);
                if count == 0 {
                    break;
                }
                if self.session.is_muted() {
                    return;
                }
                // Ahead of the bytes, so that whoever has received them finds them counted.
                self.session.plane.counters.add(CounterId::UpdatesSent, count);
                if !send(self.session, &mut stream, &buffer).await {
                    return;
                }
                buffer.clear();
                sent += count;
            }
            // An idle session keeps no buffer.
            buffer = Vec::new();
        }
    }

    /// Fills the buffer until it is full; returns the number of updates. `counter`: updates sent before.
    fn fill(&self, counter: u64, out: &mut Vec<u8>) -> u64 {
        let subscriptions = self.fanout.subscriptions();
        let mut count = 0;
        while out.len() + UPDATE_FRAME_BYTES_MAX <= BUFFER_BYTES_MAX {
            let settled = self.resting().next_settled();
            if let Some((node, sequence)) = settled {
                count += self.put_again(out, counter + count, node, sequence);
                continue;
            }
            let Some(news) = subscriptions.news(self.outbox.list(Way::Stream)) else { break };
            let node = news.node();
            // Not shown: it is being rolled back, or changes all the time, and is marked again after that.
            let Some(state) = self.fanout.look(node).filter(|state| !news.has_seen(state.sequence)) else { continue };
            news.sent(state.sequence);
            let (session, order) = (self.outbox.session(), self.order(state.sequence));
            put_update(out, &Update { session, counter: counter + count, node, state: &state, order });
            count += 1;
        }
        count
    }

    /// Puts the state of a node that rested, if it is still the one that went as a datagram: another one has its own mark,
    /// unless nobody is to be told of it any more. Returns the number of updates.
    fn put_again(&self, out: &mut Vec<u8>, counter: u64, node: u32, sequence: u32) -> u64 {
        let Some(state) = self.fanout.look(node) else {
            // It is being rolled back, perhaps to what it is. Whoever looks when it has rested may be asleep.
            self.resting().begin_again(node, sequence, Instant::now() + REST);
            self.outbox.wake(Way::Datagram);
            return 0;
        };
        if state.sequence != sequence {
            return 0;
        }
        put_update(out, &Update { session: self.outbox.session(), counter, node, state: &state, order: sequence });
        1
    }

    fn order(&self, sequence: u32) -> u32 {
        if self.session.version >= PROTOCOL_VERSION_LATEST { sequence } else { 0 }
    }

    /// The sender of datagrams. Most sessions have none, and no room for more than the first wait.
    async fn datagrams(&self) {
        self.outbox.marked(Way::Datagram).await;
        Box::pin(self.send_datagrams()).await;
    }

    /// Ends with the connection.
    async fn send_datagrams(&self) {
        let (mut idle, mut sent) = (false, 0);
        loop {
            let (due, crowded) = (self.settle(), self.resting().is_crowded());
            let rested = async || match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            };
            tokio::select! {
                biased;
                () = rested() => {}
                () = self.outbox.marked(Way::Datagram), if idle => idle = false,
                () = sleep(CROWDED_LOOK), if !idle && crowded => {}
                room = self.session.connection.datagram_room(ROOM_BYTES), if !idle && !crowded => {
                    if room.is_err() || self.session.is_muted() {
                        return;
                    }
                    idle = !self.send_some(&mut sent);
                }
            }
        }
    }

    /// Lets the stream's sender have what has rested; returns when more will have.
    fn settle(&self) -> Option<Instant> {
        let (some, due) = self.resting().settle(Instant::now());
        if some {
            self.outbox.wake(Way::Stream);
        }
        due
    }

    /// Sends a batch of datagrams; `false` when there is no news.
    fn send_some(&self, sent: &mut u64) -> bool {
        let (mut bytes, mut lengths) = (Vec::new(), Vec::new());
        let mut looked = false;
        let due = Instant::now() + REST;
        while bytes.len() + UPDATE_FRAME_BYTES_MAX <= BUFFER_BYTES_MAX {
            let Some(news) = self.fanout.subscriptions().news(self.outbox.list(Way::Datagram)) else { break };
            looked = true;
            let node = news.node();
            let Some(state) = self.fanout.look(node).filter(|state| !news.has_seen(state.sequence)) else { continue };
            news.sent(state.sequence);
            self.resting().begin(node, state.sequence, due);
            let (session, order) = (self.outbox.session(), state.sequence);
            let counter = *sent + lengths.len() as u64;
            lengths.push(put_latest(&mut bytes, &Update { session, counter, node, state: &state, order }));
        }
        if !lengths.is_empty() {
            *sent += lengths.len() as u64;
            self.session.plane.counters.add(CounterId::UpdatesSent, lengths.len() as u64);
            let mut rest = Bytes::from(bytes);
            let datagrams = lengths.into_iter().map(|length| rest.split_to(length));
            // One that QUIC does not take is as good as lost: the stream brings the state.
            let _ = self.session.connection.send_datagrams(datagrams);
        }
        looked
    }

    fn resting(&self) -> MutexGuard<'_, Resting> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// States that went as datagrams, and are to go by the stream once their nodes rest.
#[derive(Default)]
struct Resting {
    /// By node: the sequence sent last, and when it will have rested.
    sent: BTreeMap<u32, (u32, Instant)>,
    /// The nodes in there, in the order in which they are looked at.
    order: VecDeque<(u32, Instant)>,
    /// Nodes that have rested, with their sequences.
    settled: VecDeque<(u32, u32)>,
}

impl Resting {
    fn begin(&mut self, node: u32, sequence: u32, due: Instant) {
        if self.sent.insert(node, (sequence, due)).is_none() {
            self.order.push_back((node, due));
        }
    }

    /// As [`Resting::begin`], for a state that has rested before: a later one of the node that went meanwhile stays.
    fn begin_again(&mut self, node: u32, sequence: u32, due: Instant) {
        if !self.sent.contains_key(&node) {
            self.begin(node, sequence, due);
        }
    }

    fn is_crowded(&self) -> bool {
        self.sent.len() + self.settled.len() >= RESTING_MAX
    }

    /// Sees who has rested by now: whether anybody has, and when to look again. One that changed since it was put in order is
    /// put in order anew, so none is looked at later than twice the rest after its last change.
    fn settle(&mut self, now: Instant) -> (bool, Option<Instant>) {
        let before = self.settled.len();
        while let Some((node, _)) = self.order.pop_front_if(|(_, due)| *due <= now) {
            match self.sent.get(&node) {
                Some((_, due)) if *due > now => self.order.push_back((node, *due)),
                Some((sequence, _)) => {
                    self.settled.push_back((node, *sequence));
                    self.sent.remove(&node);
                }
                None => {}
            }
        }
        (self.settled.len() > before, self.order.front().map(|(_, due)| *due))
    }

    fn next_settled(&mut self) -> Option<(u32, u32)> {
        self.settled.pop_front()
    }
}

/// Hands the bytes to QUIC; `false` when there is nobody for them. A client that takes none of them for too long, not even
/// the stream, is closed.
async fn send(session: &Session, stream: &mut Option<SendStream>, mut bytes: &[u8]) -> bool {
    let limit = session.plane.slow_consumer;
    while !bytes.is_empty() {
        let written = timeout(limit, async {
            let stream = match stream {
                Some(stream) => stream,
                None => {
                    let opened = session.connection.open_uni().await.map_err(WriteError::Lost)?;
                    opened.set_priority(UPDATES_PRIORITY);
                    stream.insert(opened)
                }
            };
            stream.write(bytes).await
        });
        match written.await {
            Ok(Ok(written)) => bytes = &bytes[written..],
            Ok(Err(_)) => return false,
            Err(_) => {
                session.close(Status::SlowConsumer, "the updates are not taken");
                return false;
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rests_settles_once_with_its_last_state_and_what_changes_does_not() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let mut resting = Resting::default();
        resting.begin(7, 2, at(200));
        resting.begin(8, 10, at(200));
        assert_eq!(resting.settle(at(199)), (false, Some(at(200))));
        resting.begin(7, 4, at(300));
        assert_eq!(resting.settle(at(200)), (true, Some(at(300))));
        assert_eq!((resting.next_settled(), resting.next_settled()), (Some((8, 10)), None));
        for change in 0..100 {
            resting.begin(7, 6 + 2 * change, at(400 + u64::from(change)));
            assert!(!resting.settle(at(300 + u64::from(change))).0, "change {change}");
        }
        assert_eq!(resting.order.len(), 1, "a node stands once, however often it changes");
        assert_eq!(resting.settle(at(700)), (true, None));
        assert_eq!((resting.next_settled(), resting.next_settled()), (Some((7, 204)), None));
    }

    #[test]
    fn what_could_not_be_shown_rests_again_and_never_in_place_of_a_later_state() {
        let (mut resting, due) = (Resting::default(), Instant::now());
        resting.begin(7, 2, due);
        assert_eq!(resting.settle(due), (true, None));
        let (node, sequence) = resting.next_settled().unwrap();
        resting.begin_again(node, sequence, due);
        assert_eq!(resting.settle(due), (true, None));
        let (node, sequence) = resting.next_settled().unwrap();
        resting.begin(7, 4, due);
        resting.begin_again(node, sequence, due);
        assert_eq!(resting.settle(due), (true, None));
        assert_eq!((resting.next_settled(), resting.next_settled()), (Some((7, 4)), None));
    }

    #[test]
    fn too_many_at_once_are_a_crowd_until_the_stream_has_them() {
        let (mut resting, due) = (Resting::default(), Instant::now());
        (0..RESTING_MAX as u32).for_each(|node| resting.begin(node, 2, due));
        assert!(resting.is_crowded());
        assert_eq!(resting.settle(due), (true, None));
        assert!(resting.is_crowded(), "they wait for the stream now");
        resting.next_settled().unwrap();
        assert!(!resting.is_crowded());
    }
}
