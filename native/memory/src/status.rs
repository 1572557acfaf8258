//! The status numbers of the wire contract, shared by every layer.

/// What became of a frame, a call or a connection. The numbers are those of `docs/protocol.md`; they are only ever
/// added to, and a retired one stays reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Status {
    /// Accepted.
    Ok = 0,
    /// A protocol error: the connection is closed.
    Malformed = 1,
    /// The digest does not match header and packet.
    BadDigest = 2,
    /// A node, reserved byte or length is out of its range.
    OutOfBounds = 3,
    /// The node is outside the range of the session's token.
    Forbidden = 4,
    /// The expected version is not the node's version.
    Conflict = 5,
    /// No free slot in the slot arena, or the tenant's quota is used up.
    ArenaExhausted = 6,
    /// A new edge found no room in the graph.
    GraphFull = 7,
    /// A datagram found the channel full and was dropped.
    Overloaded = 8,
    /// Missing, bad, expired or revoked token.
    Unauthorized = 9,
    /// The client speaks another protocol version.
    VersionUnsupported = 10,
    /// The datagram's counter did not rise.
    Replayed = 11,
    /// The state went back to an earlier revision.
    RolledBack = 12,
    /// The server is ending.
    ShuttingDown = 13,
    /// RELEASE of a node that has no slot.
    NoSlot = 14,
    /// The client did not take its answers in time.
    SlowConsumer = 15,
    /// The engine failed; its state is frozen.
    Internal = 16,
    /// A route used up its budget of settled vertices.
    Budget = 17,
    /// The revision is not in the rollback window. Never on the wire.
    OutOfWindow = 18,
}

impl Status {
    /// Every status, in the order of its number.
    pub const ALL: [Status; 19] = [
        Status::Ok,
        Status::Malformed,
        Status::BadDigest,
        Status::OutOfBounds,
        Status::Forbidden,
        Status::Conflict,
        Status::ArenaExhausted,
        Status::GraphFull,
        Status::Overloaded,
        Status::Unauthorized,
        Status::VersionUnsupported,
        Status::Replayed,
        Status::RolledBack,
        Status::ShuttingDown,
        Status::NoSlot,
        Status::SlowConsumer,
        Status::Internal,
        Status::Budget,
        Status::OutOfWindow,
    ];

    /// The number on the wire.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The status with this number, if there is one.
    pub fn from_code(code: u16) -> Option<Status> {
        Status::ALL.get(usize::from(code)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn every_number_finds_its_status_and_no_other_number_does() {
        for (number, status) in Status::ALL.iter().enumerate() {
            assert_eq!(usize::from(status.code()), number);
            assert_eq!(Status::from_code(status.code()), Some(*status));
        }
        assert_eq!(Status::from_code(19), None);
        assert_eq!(Status::from_code(u16::MAX), None);
    }
}
