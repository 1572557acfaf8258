//! What the driver asks of a transport: connections that carry bytes both ways, in order.

use std::time::Instant;

/// What happened to a connection.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// The TLS handshake is complete; bytes may be sent.
    Connected,
    /// Bytes of the server, in order.
    Bytes(&'a [u8]),
    /// A datagram of the server.
    Datagram(&'a [u8]),
    /// The connection is over, and why.
    Lost(&'a str),
}

/// Many connections served by the caller's thread.
pub(crate) trait Transport {
    /// Starts another connection and says its number: 0, 1, 2, …
    fn open(&mut self) -> Result<usize, String>;

    /// Where bytes for a connection are appended; they leave at the next turn.
    fn out(&mut self, connection: usize) -> &mut Vec<u8>;

    /// Sends a datagram at the next turn; nobody sends it again.
    fn datagram(&mut self, connection: usize, bytes: &[u8]) -> Result<(), String>;

    /// Connections that could have sent bytes with their first packet (0-RTT).
    fn early_data(&self) -> u64;

    /// Sends what waits, then waits for events, at most until the given instant, and tells those that are there.
    fn turn(
        &mut self,
        until: Instant,
        tell: &mut dyn FnMut(usize, Event<'_>),
    ) -> Result<(), String>;

    /// Ends one connection; nothing more is told of it.
    fn close(&mut self, connection: usize);

    /// Ends all connections, and lets the servers know.
    fn close_all(&mut self);
}
