//! What an engine told a client of its nodes and nobody has taken yet: of each node the newest state.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::answer::Slot;
use crate::status::Status;
use crate::updates::Update;
use crate::wire::SLOT_BYTES;

/// What is new of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeNews {
    /// The node.
    pub node: u32,
    /// [`Status::OK`] for a state. Else the client was subscribed to the node, lost its connection, and was refused the
    /// subscription on the new one with this status: it is not told of the node any more, and everything but the node,
    /// [`missed`](NodeNews::missed) and [`connection`](NodeNews::connection) is 0.
    pub status: Status,
    /// Everything up to this revision that concerns the node is in the state; it may be newer than that.
    pub revision: u64,
    /// Rollbacks before that revision.
    pub rollbacks: u64,
    /// The node's version.
    pub version: u64,
    /// States of the node that came since the last one was taken, and that this one has replaced. What the server did not send
    /// because this client lagged is not among them: the version tells how many changes there were.
    pub missed: u64,
    /// Connections made before the one that it came by. After each new one every node that the client subscribed to comes
    /// first as it is.
    pub connection: u64,
    bytes: Box<[u8; SLOT_BYTES]>,
}

impl NodeNews {
    fn none() -> NodeNews {
        NodeNews {
            node: 0,
            status: Status::OK,
            revision: 0,
            rollbacks: 0,
            version: 0,
            missed: 0,
            connection: 0,
            bytes: Box::new([0; SLOT_BYTES]),
        }
    }

    /// The slot; not active where the node has none.
    pub fn slot(&self) -> Slot<'_> {
        Slot::new(&self.bytes)
    }

    fn set(&mut self, update: &Update<'_>, connection: u64) {
        self.node = update.node;
        self.status = Status::OK;
        (self.revision, self.rollbacks, self.version) = (update.revision, update.rollbacks, update.version);
        self.connection = connection;
        *self.bytes = *update.slot.bytes();
    }

    fn set_ended(&mut self, node: u32, status: Status, connection: u64) {
        (self.node, self.status, self.connection) = (node, status, connection);
        (self.revision, self.rollbacks, self.version) = (0, 0, 0);
        self.bytes.fill(0);
    }
}

/// Each waiting node has one cell, in the order of their first news.
#[derive(Default)]
struct Waiting {
    cells: Vec<NodeNews>,
    free: Vec<usize>,
    order: VecDeque<usize>,
    by_node: HashMap<u32, usize>,
    ended: bool,
    /// Threads that wait: telling one is a call into the system.
    threads: usize,
}

impl Waiting {
    /// The cell of the node, whose state there counts as missed, or a new one.
    fn cell(&mut self, node: u32) -> &mut NodeNews {
        let cell = match self.by_node.get(&node) {
            Some(cell) => {
                self.cells[*cell].missed += 1;
                *cell
            }
            None => {
                let cell = self.free.pop().unwrap_or_else(|| {
                    self.cells.push(NodeNews::none());
                    self.cells.len() - 1
                });
                self.cells[cell].missed = 0;
                self.by_node.insert(node, cell);
                self.order.push_back(cell);
                cell
            }
        };
        &mut self.cells[cell]
    }

    fn next(&mut self) -> Option<&NodeNews> {
        let cell = self.order.pop_front()?;
        self.by_node.remove(&self.cells[cell].node);
        self.free.push(cell);
        Some(&self.cells[cell])
    }
}

/// What waits to be taken. The client's task puts, any thread takes.
#[derive(Default)]
pub(crate) struct News {
    waiting: Mutex<Waiting>,
    nodes_max: usize,
    /// For takers that are tasks, and for those that are threads.
    arrived: Notify,
    arrived_thread: Condvar,
    /// For the client's task, which reads no further while all is full.
    taken: Notify,
}

impl std::fmt::Debug for News {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("News").field("nodes_max", &self.nodes_max).finish_non_exhaustive()
    }
}

impl News {
    pub(crate) fn new(nodes_max: usize) -> News {
        News { nodes_max, ..News::default() }
    }

    /// Whether there are any at all.
    pub(crate) fn is_wanted(&self) -> bool {
        self.nodes_max > 0
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a node that does not wait yet has room.
    pub(crate) fn has_room(&self) -> bool {
        self.lock().order.len() < self.nodes_max
    }

    /// Completes once there is room. The client's task alone.
    pub(crate) async fn room(&self) {
        while !self.has_room() {
            self.taken.notified().await;
        }
    }

    /// Takes in a state; `false`: there is no room, and it is lost.
    pub(crate) fn put(&self, update: &Update<'_>, connection: u64) -> bool {
        let mut waiting = self.lock();
        if waiting.order.len() >= self.nodes_max && !waiting.by_node.contains_key(&update.node) {
            return false;
        }
        waiting.cell(update.node).set(update, connection);
        self.tell(&waiting);
        true
    }

    /// Takes in that a node is not told of any more. There is always room: at most one for each node that was subscribed to.
    pub(crate) fn put_ended(&self, node: u32, status: Status, connection: u64) {
        let mut waiting = self.lock();
        waiting.cell(node).set_ended(node, status, connection);
        self.tell(&waiting);
    }

    /// Nothing more comes: whoever waits is told.
    pub(crate) fn end(&self) {
        let mut waiting = self.lock();
        waiting.ended = true;
        self.tell(&waiting);
    }

    fn tell(&self, waiting: &Waiting) {
        self.arrived.notify_one();
        if waiting.threads > 0 {
            self.arrived_thread.notify_all();
        }
    }

    /// Hands over what waits, the longest first, as long as `take` says that it wants more; how many.
    pub(crate) fn take(&self, mut take: impl FnMut(&NodeNews) -> bool) -> usize {
        let mut waiting = self.lock();
        let (mut count, mut more) = (0, true);
        while more && let Some(news) = waiting.next() {
            more = take(news);
            count += 1;
        }
        if count > 0 {
            self.taken.notify_one();
        }
        if waiting.ended || !waiting.order.is_empty() {
            // Others who wait were perhaps not told of each.
            self.tell(&waiting);
        }
        count
    }

    /// Waits until something waits to be taken; `false`: nothing will, any more. Any number of tasks.
    pub(crate) async fn wait(&self) -> bool {
        loop {
            {
                let waiting = self.lock();
                if !waiting.order.is_empty() || waiting.ended {
                    self.tell(&waiting);
                    return !waiting.order.is_empty();
                }
            }
            self.arrived.notified().await;
        }
    }

    /// As [`wait`](News::wait) on a thread, for this long at most.
    pub(crate) fn wait_on_thread(&self, time: Duration) -> bool {
        let deadline = Instant::now().checked_add(time);
        let mut waiting = self.lock();
        while waiting.order.is_empty() && !waiting.ended {
            let left = deadline.map_or(Duration::MAX, |last| last.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            waiting.threads += 1;
            waiting = self.arrived_thread.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
            waiting.threads -= 1;
        }
        !waiting.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(node: u32, version: u64, slot: &[u8; SLOT_BYTES]) -> Update<'_> {
        Update { counter: 0, revision: version, rollbacks: 0, version, node, order: 0, slot: Slot::new(slot) }
    }

    fn all(news: &News) -> Vec<(u32, u16, u64, u64)> {
        let mut all = Vec::new();
        news.take(|news| {
            all.push((news.node, news.status.code(), news.version, news.missed));
            true
        });
        all
    }

    #[test]
    fn of_each_node_the_newest_waits_and_what_it_replaced_is_counted() {
        let (news, slot) = (News::new(2), [0; SLOT_BYTES]);
        assert!(news.put(&update(7, 1, &slot), 0) && news.put(&update(8, 1, &slot), 0));
        assert!(!news.has_room());
        assert!(!news.put(&update(9, 1, &slot), 0), "a third node has no room");
        assert!(news.put(&update(7, 2, &slot), 0) && news.put(&update(7, 3, &slot), 0));
        news.put_ended(9, Status::FORBIDDEN, 1);
        assert_eq!(all(&news), [(7, 0, 3, 2), (8, 0, 1, 0), (9, 4, 0, 0)]);
        assert!(news.has_room() && news.put(&update(9, 5, &slot), 0));
        assert_eq!(all(&news), [(9, 0, 5, 0)], "what was missed is counted once");
        assert_eq!(news.lock().cells.len(), 3, "cells are used again");
    }

    #[test]
    fn waiting_ends_with_the_client() {
        let (news, slot) = (News::new(2), [0; SLOT_BYTES]);
        assert!(!news.wait_on_thread(Duration::ZERO));
        assert!(news.put(&update(7, 1, &slot), 0));
        news.end();
        assert!(news.wait_on_thread(Duration::MAX), "what came before the end is still to be taken");
        assert_eq!(all(&news).len(), 1);
        assert!(!news.wait_on_thread(Duration::MAX));
    }
}
