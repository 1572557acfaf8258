//! How sessions, the engine and other loops reach a loop.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use bytes::Bytes;
use quinn_proto::{ServerConfig, VarInt};
use tokio::sync::Notify;

use super::connection::Inner;
use crate::sockets::owner_of;

/// Packets that wait for a loop which another one found them for. The system hands packets to the right socket by itself,
/// but for those that it joined with others of the same sender before it looked.
const STRAYS_MAX: usize = 1024;
/// Of those so many are taken in one round, about as many as come by the socket itself.
pub(super) const STRAYS_PER_ROUND: usize = 64;

/// A packet that the system handed to another socket than that of its connection.
#[derive(Debug)]
pub(super) struct Stray {
    pub(super) meta: quinn_udp::RecvMeta,
    pub(super) packet: Vec<u8>,
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// At most [`STRAYS_MAX`].
    strays: VecDeque<Stray>,
    /// Connections that their sessions changed; each stands here once at most.
    pub(super) asked: Vec<Arc<Inner>>,
    pub(super) close: Option<(VarInt, Bytes)>,
    /// Replaces what new connections are accepted with; `None` inside: none are.
    pub(super) server_config: Option<Option<Arc<ServerConfig>>>,
    /// Something was told that the loop has not come for.
    pub(super) roused: bool,
    /// To be woken when it is roused; `None` while it comes round by itself.
    pub(super) driver: Option<Waker>,
    /// There is no driver any more. A connection put on the list now would be held by itself for ever.
    abandoned: bool,
}

impl Inbox {
    /// Takes what is a round's share of the strays; `true` when some are left.
    pub(super) fn take_strays(&mut self, share: &mut Vec<Stray>) -> bool {
        let count = self.strays.len().min(STRAYS_PER_ROUND);
        share.extend(self.strays.drain(..count));
        !self.strays.is_empty()
    }
}

/// How sessions reach the driver.
#[derive(Debug, Default)]
pub(super) struct Shared {
    inbox: Mutex<Inbox>,
    pub(super) finished: AtomicBool,
    pub(super) finish: Notify,
}

impl Shared {
    pub(super) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, change: impl FnOnce(&mut Inbox)) {
        let mut inbox = self.inbox();
        change(&mut inbox);
        inbox.roused = true;
        let driver = inbox.driver.take();
        drop(inbox);
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// The loop has nothing to do and is to be woken from here on; `false`: it was told something meanwhile.
    pub(super) fn rest(&self, context: &Context<'_>) -> bool {
        let mut inbox = self.inbox();
        if !inbox.roused {
            inbox.driver = Some(context.waker().clone());
        }
        !inbox.roused
    }

    pub(super) fn ask(&self, connection: Arc<Inner>) {
        self.tell(|inbox| {
            if !inbox.abandoned {
                inbox.asked.push(connection);
            }
        });
    }

    /// Nobody drives the connections any more.
    pub(super) fn abandon(&self) {
        let mut inbox = self.inbox();
        inbox.abandoned = true;
        inbox.driver = None;
        let left = (std::mem::take(&mut inbox.asked), std::mem::take(&mut inbox.strays));
        drop(inbox);
        drop(left);
    }
}

/// Which of the sockets that share an address a loop has, and how it reaches the loops of the others.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// From 0 on.
    pub(crate) number: usize,
    /// Of all sockets, by number.
    pub(crate) hubs: Vec<Hub>,
}

impl Seat {
    /// The other loop that a packet belongs to; `None`: it is handled here. So is what belongs to a loop that has ended: a
    /// new client is served, one of that loop's is told by a stateless reset that its connection is gone.
    fn elsewhere(&self, packet: &[u8]) -> Option<usize> {
        if self.hubs.len() == 1 {
            return None;
        }
        let owner = owner_of(packet, self.hubs.len());
        (owner != self.number && !self.hubs[owner].0.finished.load(Ordering::Acquire)).then_some(owner)
    }

    /// Lays a packet that belongs elsewhere to the others of its loop; `false`: it is to be handled here.
    pub(super) fn gather(&self, strays: &mut Strays, meta: &quinn_udp::RecvMeta, packet: &[u8]) -> bool {
        let Some(owner) = self.elsewhere(packet) else { return false };
        strays.0.resize_with(self.hubs.len(), Vec::new);
        let list = &mut strays.0[owner];
        // Beyond that it is a packet lost on its way, which QUIC expects.
        if list.len() < STRAYS_MAX {
            list.push(Stray { meta: *meta, packet: packet.to_vec() });
        }
        true
    }

    /// Hands over what was gathered, and rouses each loop that gets something once.
    pub(super) fn hand_over(&self, strays: &mut Strays) {
        for (hub, list) in self.hubs.iter().zip(&mut strays.0).filter(|(_, list)| !list.is_empty()) {
            hub.0.tell(|inbox| {
                // Nobody would ever take them where the loop has ended since.
                let room = if inbox.abandoned { 0 } else { STRAYS_MAX - inbox.strays.len() };
                inbox.strays.extend(list.drain(..room.min(list.len())));
            });
            list.clear();
        }
    }
}

/// Packets of one batch that belong to other loops, by their numbers: at most [`STRAYS_MAX`] each.
#[derive(Debug, Default)]
pub(super) struct Strays(Vec<Vec<Stray>>);

/// How a loop is roused from outside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hub(pub(super) Arc<Shared>);

impl Hub {
    /// Has the loop come round, soon. Any thread; never waits.
    pub(crate) fn rouse(&self) {
        self.0.tell(|_| {});
    }
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
