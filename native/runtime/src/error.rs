//! Why a call on an engine failed.

use std::fmt;

use lodestone_memory::{RegionError, Status};
use lodestone_transport::TransportError;

/// Why a call on an engine failed. Every text says what went wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineError {
    /// The configuration is wrong.
    Config {
        /// The key.
        key: String,
        /// What is wrong with it and what is allowed.
        text: String,
    },
    /// The address could not be bound.
    Bind(String),
    /// Certificate or key could not be used.
    Certificate(String),
    /// The system refused a file or a thread.
    Io(String),
    /// The system has not the memory.
    Memory(String),
    /// The graph file is damaged or does not fit.
    MapFile(String),
    /// The graph has no room for the arcs.
    GraphFull(String),
    /// Every watch is in use.
    WatchesFull(String),
    /// An argument is out of its range.
    InvalidArgument(String),
    /// The engine refused with this status of the wire contract.
    Refused(Status),
    /// The engine failed before; its state is frozen and readable.
    Poisoned(String),
    /// The engine is closed.
    Closed,
    /// The engine did not answer in time.
    Timeout(String),
}

impl fmt::Display for EngineError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineError::Config { key, text } => write!(formatter, "{key}: {text}"),
            EngineError::Bind(text)
            | EngineError::Certificate(text)
            | EngineError::Io(text)
            | EngineError::Memory(text)
            | EngineError::MapFile(text)
            | EngineError::GraphFull(text)
            | EngineError::WatchesFull(text)
            | EngineError::InvalidArgument(text)
            | EngineError::Timeout(text) => formatter.write_str(text),
            EngineError::Refused(status) => write!(formatter, "refused: {}", reason(*status)),
            EngineError::Poisoned(text) => write!(
                formatter,
                "the engine failed and is frozen at its last revision ({text}); its state can still be read: save what \
                 you need, close it, and open a new one"
            ),
            EngineError::Closed => formatter.write_str("the engine is closed; open a new one"),
        }
    }
}

impl std::error::Error for EngineError {}

fn reason(status: Status) -> &'static str {
    match status {
        Status::OutOfBounds => "a node is not below graph.nodes_max",
        Status::OutOfWindow => "the revision is not in the rollback window; raise rollback.window_mib to keep more",
        Status::Budget => "the route used up its budget of settled vertices; raise graph.route_budget",
        Status::Overloaded => "the route queue is full; ask again later or raise graph.route_queue",
        Status::ShuttingDown => "the engine is closing",
        _ => "see the status number",
    }
}

impl From<RegionError> for EngineError {
    fn from(error: RegionError) -> EngineError {
        match error {
            RegionError::File { .. } => EngineError::Io(error.to_string()),
            RegionError::TooLarge | RegionError::Memory { .. } => EngineError::Memory(error.to_string()),
        }
    }
}

impl From<TransportError> for EngineError {
    fn from(error: TransportError) -> EngineError {
        let text = error.to_string();
        match error {
            TransportError::Bind { .. } => EngineError::Bind(text),
            TransportError::Auth { .. } => EngineError::Config { key: "transport.auth".to_owned(), text },
            TransportError::RevocationsFile { .. } => EngineError::Io(text),
            _ => EngineError::Certificate(text),
        }
    }
}
