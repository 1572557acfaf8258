//! The bridge: how commands come from other threads and processes through shared memory, without a call.
//!
//! A producer registers in a table and gets a **lane** of its own where one is free, else it shares the **ring** with
//! others. It claims cells, fills them, and commits; the engine thread takes what is committed, in order, and says in
//! the producer's entry how far it is. Nobody waits for anybody but where it is said: no room is a value, a producer that
//! dies in the middle of a claim is proven dead and repaired, one that is merely slow is waited for.
//!
//! What other processes write is not trusted with bounds: lengths, kinds and positions are checked before use.
//! `docs/shared-memory.md` tells where each byte lies, [`layout`] is its source.

pub mod layout;

mod answers;
mod cells;
mod claims;
mod doorbell;
mod drain;
mod front;
mod lane;
mod process;
mod producers;
mod replies;
mod ring;

#[cfg(not(all(loom, test)))]
pub(crate) mod bridge;
#[cfg(not(all(loom, test)))]
mod pace;
#[cfg(not(all(loom, test)))]
mod producer;
#[cfg(not(all(loom, test)))]
mod sweep;

#[cfg(all(test, not(loom)))]
mod faults;
#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

pub use answers::{Acknowledged, Answers, Rejection, RejectionReader};
pub use cells::{Command, RingRecord};
pub use claims::Full;
pub use doorbell::{BELL_ASLEEP, BELL_AWAKE, Doorbell, ORDER_ALL, ORDER_NONE, ORDER_STRANGERS, SLEEP_MS_MAX};
#[cfg(not(all(loom, test)))]
pub use doorbell::{barrier_everywhere, sleep_on_word, wake_word};
pub use front::{Drained, Take};
pub use layout::BridgeSizes;
pub use process::ProcessIdentity;
pub use producers::{Caller, EntryState, Producers, Registration, Stage};
pub use replies::{Replies, Reply};

#[cfg(not(all(loom, test)))]
pub use bridge::{Bridge, BridgeEnd};
#[cfg(not(all(loom, test)))]
pub use producer::{Batch, NoEntry, Producer, SendError};
#[cfg(not(all(loom, test)))]
pub use sweep::Sweep;
