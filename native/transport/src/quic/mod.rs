//! QUIC with one task for each socket: quinn's protocol crate, driven by a loop of our own.
//!
//! The task reads the socket in batches, hands every packet to its connection, and then lets each connection that has
//! something to do send, so that whatever a batch of packets brought about leaves together. Connections have no task,
//! no timer and no queue of their own: what an idle one holds is its protocol state. Why: decision 0017.

mod congestion;
mod connection;
mod driver;
mod hub;
mod packets;
mod socket;
mod stream;
#[cfg(test)]
mod test_support;
mod timers;
mod waiting;

pub(crate) use congestion::Congestion;
pub(crate) use connection::{Connection, Pen, Turns};
pub(crate) use driver::{Acceptor, Attempt, Endpoint, Verdict};
pub(crate) use hub::{Hub, Seat};
pub(crate) use stream::{ReadError, RecvStream, SendStream, WriteError};
