//! How an engine client behaves.

use crate::session::ClientOptions;

/// Most requests that may be under way at once in one client.
pub const IN_FLIGHT_LIMIT: usize = 65_536;

/// How an [`EngineClient`](super::EngineClient) behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineClientOptions {
    /// Requests that may be under way at once, 1 to 65,536. A further one waits, or is refused, as its caller wants it.
    pub in_flight_max: usize,
    /// How long a lost connection is tried to be had again, in milliseconds, before everything under way fails; 0: not at
    /// all.
    pub reconnect_timeout_ms: u64,
    /// Whether nobody else moves the nodes that this client moves, and their expected versions count along. Then a move that
    /// was sent before a connection broke, and that its node's version has passed, is known to have been applied; otherwise
    /// it is only when it was the node's last one, and in doubt else.
    pub sole_writer: bool,
    /// Of the network.
    pub network: ClientOptions,
}

impl Default for EngineClientOptions {
    fn default() -> EngineClientOptions {
        EngineClientOptions {
            in_flight_max: 1_024,
            reconnect_timeout_ms: 30_000,
            sole_writer: false,
            network: ClientOptions::default(),
        }
    }
}
