//! Status numbers of the protocol.

use std::fmt;

/// Why something was refused or closed: the 16-bit number of the protocol.
///
/// Numbers are only ever added, so a number this crate does not know is a value too, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(u16);

impl Status {
    /// Done as asked.
    pub const OK: Status = Status(0);
    /// A frame broke the protocol; the connection closes.
    pub const MALFORMED: Status = Status(1);
    /// The digest of a MOVE does not fit its header and packet.
    pub const BAD_DIGEST: Status = Status(2);
    /// A node, a length or a reserved byte is outside what is allowed.
    pub const OUT_OF_BOUNDS: Status = Status(3);
    /// The token does not cover this node.
    pub const FORBIDDEN: Status = Status(4);
    /// The expected version is not the node's version.
    pub const CONFLICT: Status = Status(5);
    /// No free slot, or the tenant's quota is used up.
    pub const ARENA_EXHAUSTED: Status = Status(6);
    /// No room for another edge.
    pub const GRAPH_FULL: Status = Status(7);
    /// The server had no room for a datagram.
    pub const OVERLOADED: Status = Status(8);
    /// The token is missing, wrong, expired or revoked.
    pub const UNAUTHORIZED: Status = Status(9);
    /// The server does not speak this protocol version.
    pub const VERSION_UNSUPPORTED: Status = Status(10);
    /// A datagram's counter did not rise.
    pub const REPLAYED: Status = Status(11);
    /// The state went back to an older revision.
    pub const ROLLED_BACK: Status = Status(12);
    /// The server is going away.
    pub const SHUTTING_DOWN: Status = Status(13);
    /// The node to release has no slot.
    pub const NO_SLOT: Status = Status(14);
    /// The client did not take its answers.
    pub const SLOW_CONSUMER: Status = Status(15);
    /// A fault inside the server.
    pub const INTERNAL: Status = Status(16);
    /// A route needed more work than the server allows.
    pub const BUDGET: Status = Status(17);
    /// A revision outside the rollback window; never on the wire.
    pub const OUT_OF_WINDOW: Status = Status(18);

    /// The status with this number.
    pub const fn from_code(code: u16) -> Status {
        Status(code)
    }

    /// The number on the wire.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// The name in the protocol, or `UNKNOWN` for a number that is newer than this crate.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 19] = [
            "OK",
            "MALFORMED",
            "BAD_DIGEST",
            "OUT_OF_BOUNDS",
            "FORBIDDEN",
            "CONFLICT",
            "ARENA_EXHAUSTED",
            "GRAPH_FULL",
            "OVERLOADED",
            "UNAUTHORIZED",
            "VERSION_UNSUPPORTED",
            "REPLAYED",
            "ROLLED_BACK",
            "SHUTTING_DOWN",
            "NO_SLOT",
            "SLOW_CONSUMER",
            "INTERNAL",
            "BUDGET",
            "OUT_OF_WINDOW",
        ];
        NAMES.get(usize::from(self.0)).copied().unwrap_or("UNKNOWN")
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.name(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_numbers() {
        assert_eq!(Status::CONFLICT.to_string(), "CONFLICT (5)");
        assert_eq!(Status::OUT_OF_WINDOW.name(), "OUT_OF_WINDOW");
        assert_eq!(Status::OUT_OF_WINDOW.code(), 18);
        assert_eq!(Status::from_code(19).to_string(), "UNKNOWN (19)");
        assert_eq!(Status::from_code(u16::MAX).name(), "UNKNOWN");
    }
}
