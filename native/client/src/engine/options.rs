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
    /// Nodes whose news may wait to be taken ([`EngineClient::next_update`](super::EngineClient::next_update)), each with its
    /// newest state in some 350 bytes; 0: the client takes no updates, and cannot subscribe. While so many wait, the client
    /// reads no more of the stream of updates, so that the server sends fewer and newer ones, and drops what comes of further
    /// nodes by datagram. Who takes nothing for the server's time for slow consumers loses the connection, and comes back.
    pub updates_max: usize,
    /// How long an answer to a datagram is waited for, in milliseconds.
    pub datagram_timeout_ms: u64,
    /// Of the network. [`ClientOptions::updates`] counts only with `updates_max` above 0, and is set then.
    pub network: ClientOptions,
}

impl Default for EngineClientOptions {
    fn default() -> EngineClientOptions {
        EngineClientOptions {
            in_flight_max: 1_024,
            reconnect_timeout_ms: 30_000,
            sole_writer: false,
            updates_max: 0,
            datagram_timeout_ms: 1_000,
            network: ClientOptions::default(),
        }
    }
}
