//! The QUIC server of Lodestone: sessions, streams, datagrams, tokens and back-pressure of `docs/protocol.md`.
//!
//! A frame takes this way: QUIC packet → chunk of a stream → decoded in place → digest checked → copied once into the bump
//! page of its loop → bounded channel to the engine. Answers come back through an [`AnswerSink`], which never blocks its
//! caller, and are written by the loop, or by the stream's writer task where that has to wait. The crate knows nothing of slots or of the graph: what a MOVE does is
//! decided by whoever drains the channel.
//!
//! ```no_run
//! use std::sync::Arc;
//! use lodestone_memory::{Counters, Histograms, PagePool};
//! use lodestone_transport::{Server, TransportConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = tokio::runtime::Runtime::new()?;
//! let pages = PagePool::new(64 << 20, true).ok_or("no memory for the bump arena")?;
//! let (ingress, mut batches) = tokio::sync::mpsc::channel(1024);
//! let server = Server::start(
//!     TransportConfig { listen: "127.0.0.1:0".parse()?, ..TransportConfig::default() },
//!     &[runtime.handle().clone()],
//!     pages,
//!     ingress,
//!     Arc::new(|| 0),
//!     Counters::detached(),
//!     Histograms::detached(),
//!     Arc::new(|event| println!("{event:?}")),
//! )?;
//! println!("listening on {}", server.local_address());
//! while let Some(batch) = batches.blocking_recv() {
//!     println!("{} records", batch.page.len());
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod admission;
mod answers;
mod certificates;
mod config;
mod connection;
mod datagram;
mod dock;
mod error;
mod fanout;
mod frame;
mod hello;
mod ingress;
mod limits;
mod overload;
mod pages;
mod plane;
mod quic;
mod revocations;
mod server;
mod server_keys;
mod session;
mod sink;
mod sockets;
mod tls;
mod token;
mod updates;
mod writer;

#[doc(hidden)]
pub mod wire;

pub use config::{Auth, Certificate, ClientCertificates, StreamCredit, TokenKey, TransportConfig};
pub use error::TransportError;
pub use fanout::{Fanout, NodeState, Outbox, StateSource, Way};
pub use revocations::RevokeError;
pub use server::Server;
pub use session::SessionInfo;
pub use sink::{AnswerSink, Batch, Decision, PathAnswer, SessionEvent};
