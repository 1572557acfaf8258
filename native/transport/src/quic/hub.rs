//! How sessions, the engine and other loops reach a loop.

use std::sync::atomic::AtomicBool;
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

/// A packet that the system handed to another socket than that of its connection.
#[derive(Debug)]
pub(super) struct Stray {
    pub(super) meta: quinn_udp::RecvMeta,
    pub(super) packet: Vec<u8>,
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// At most [`STRAYS_MAX`].
    pub(super) strays: Vec<Stray>,
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
        let asked = std::mem::take(&mut inbox.asked);
        drop(inbox);
        drop(asked);
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
    /// Hands a packet that belongs elsewhere to where it belongs; `false`: it belongs here.
    pub(super) fn pass_on(&self, meta: &quinn_udp::RecvMeta, packet: &[u8]) -> bool {
        let owner = if self.hubs.len() > 1 { owner_of(packet, self.hubs.len()) } else { self.number };
        if owner == self.number {
            return false;
        }
        self.hubs[owner].0.tell(|inbox| {
            // Beyond that it is a packet lost on its way, which QUIC expects.
            if inbox.strays.len() < STRAYS_MAX {
                inbox.strays.push(Stray { meta: *meta, packet: packet.to_vec() });
            }
        });
        true
    }
}

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
