//! Threads, clock and configuration around the Lodestone core.
//!
//! [`Engine::open`] starts everything that one engine needs: the shared region, the engine thread (the one writer of all
//! state), the pathfinder thread, and the QUIC server on its own tokio runtime. Several engines live side by side in one
//! process. No rule of the game lives here: what a move does is decided in `lodestone-core`.
//!
//! ```
//! use lodestone_runtime::{Engine, LocalKind, LocalMove};
//!
//! let engine = Engine::open("transport.listen=127.0.0.1:0\nruntime.shared_region=anonymous\narena.capacity=16\n\
//!                            graph.nodes_max=100\ngraph.edges_max=100\nrollback.window_mib=1\narena.bump_mib=1", 0)?;
//! let mut packet = [0; 24];
//! packet[..4].copy_from_slice(&7_u32.to_le_bytes()); // source
//! packet[4..8].copy_from_slice(&9_u32.to_le_bytes()); // target
//! packet[8..12].copy_from_slice(&5_u32.to_le_bytes()); // edge mask: weight 5
//! engine.submit(&[LocalMove { kind: LocalKind::Move, packet: &packet }], 0)?;
//! assert_eq!(engine.route(7, 9)?.distance, 5);
//! engine.close();
//! # Ok::<(), lodestone_runtime::EngineError>(())
//! ```
#![forbid(unsafe_code)]

mod bridge;
mod calls;
mod clock;
mod config;
mod control;
mod engine;
mod error;
mod feed;
mod finder;
mod interest;
mod load;
mod load_source;
mod local;
mod log;
mod loops;
mod pathfinder_thread;
mod poison;
mod routes;
mod sessions;
mod threads;
mod transport_keys;
mod watching;
mod writer;

pub use config::Config;
pub use control::HashReport;
pub use engine::{Description, Engine};
pub use error::EngineError;
pub use load::{BulkLoad, LoadProgress, LoadReport};
pub use local::{LocalDecision, LocalKind, LocalMove};
pub use lodestone_core::{RollbackReport, StateHash};
pub use lodestone_memory::log::{LogReader, LogRing, LogView};
pub use lodestone_memory::{CounterId, Counters, Status};
pub use lodestone_transport::SessionInfo;
pub use routes::{LocalRoute, PendingRoutes, ROUTES_MAX, RouteBatch};
