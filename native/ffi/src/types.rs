//! The values that cross the C edge. All of them are plain numbers and bytes of fixed size.

/// Numbers below 100 are those of the wire contract; from 100 on they concern calls. They are only ever added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum LodestoneStatus {
    /// Done.
    Ok = 0,
    /// A protocol error of a client.
    Malformed = 1,
    /// The digest does not match header and packet.
    BadDigest = 2,
    /// A node, reserved byte or length is out of its range.
    OutOfBounds = 3,
    /// The node is outside the range of the session's token.
    Forbidden = 4,
    /// The expected version is not the node's version.
    Conflict = 5,
    /// No free slot, or the tenant's quota is used up.
    ArenaExhausted = 6,
    /// No room for a new edge.
    GraphFull = 7,
    /// A bounded queue is full.
    Overloaded = 8,
    /// Missing, bad, expired or revoked token.
    Unauthorized = 9,
    /// Another protocol version.
    VersionUnsupported = 10,
    /// A datagram's counter did not rise.
    Replayed = 11,
    /// The state went back to an earlier revision.
    RolledBack = 12,
    /// The server is ending.
    ShuttingDown = 13,
    /// The node has no slot.
    NoSlot = 14,
    /// A client did not take its answers.
    SlowConsumer = 15,
    /// A failure inside the library.
    Internal = 16,
    /// A route used up its budget.
    Budget = 17,
    /// The revision is not in the rollback window.
    OutOfWindow = 18,
    /// The configuration is wrong; the text names the key.
    Config = 100,
    /// The address could not be bound.
    Bind = 101,
    /// The certificate or its key could not be used.
    Certificate = 102,
    /// The system refused a file or thread.
    Io = 103,
    /// The engine is closed, or never was.
    Closed = 104,
    /// The engine failed before: its state is frozen and stays readable.
    Poisoned = 105,
    /// An argument is null or out of its range.
    InvalidArgument = 106,
    /// Not enough memory.
    Memory = 107,
    /// The graph file is damaged, or does not fit.
    MapFile = 108,
    /// The engine did not answer in time.
    Timeout = 109,
    /// Every watch is in use.
    WatchesFull = 110,
    /// The connection of a client was lost, or closed by the server, for good.
    ConnectionLost = 120,
    /// The handshake of a client failed: another certificate, no Lodestone server, or the server refused it.
    Handshake = 121,
    /// A client's connection broke after the request was sent: whether it was applied cannot be told.
    InDoubt = 122,
}

/// Why a call failed.
#[repr(C)]
pub struct LodestoneError {
    /// A `LodestoneStatus`.
    pub status: u32,
    /// Bytes of `text` in use.
    pub text_length: u32,
    /// UTF-8: what went wrong, where, and what to do.
    pub text: [u8; 1016],
}

/// One entry of the table of layouts.
#[repr(C)]
pub struct LodestoneLayout {
    /// `Struct` or `Struct.field`, padded with zeros.
    pub name: [u8; 48],
    /// Bytes from the start of the struct; 0 for the struct itself.
    pub offset: u64,
    /// Bytes it takes.
    pub bytes: u64,
}

/// What an open engine is.
#[repr(C)]
pub struct LodestoneDescription {
    /// First address of the shared region.
    pub region_address: u64,
    /// Bytes of the shared region.
    pub region_bytes: u64,
    /// The region's generation while this engine is open.
    pub generation: u64,
    /// Nodes: ids are below this.
    pub nodes_max: u32,
    /// Slots.
    pub slots_max: u32,
    /// UDP port that takes QUIC connections.
    pub quic_port: u16,
    /// Bytes of `address` in use.
    pub address_length: u16,
    /// Bytes of `region_path` in use; 0 for anonymous memory.
    pub region_path_length: u16,
    /// Bytes of `certificate` in use.
    pub certificate_length: u16,
    /// SHA-256 of the certificate (DER).
    pub fingerprint: [u8; 32],
    /// `host:port` that takes QUIC connections.
    pub address: [u8; 64],
    /// The region's file.
    pub region_path: [u8; 512],
    /// The certificate, PEM.
    pub certificate: [u8; 8192],
}

/// One MOVE or RELEASE of Java's own, in and out.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LodestoneMove {
    /// 0x10 MOVE, 0x18 RELEASE.
    pub kind: u8,
    /// 0.
    pub reserved: u8,
    /// Out: a `LodestoneStatus` of the wire contract.
    pub status: u16,
    /// 0.
    pub reserved_2: u32,
    /// Out: the revision that holds it, or that it was refused at.
    pub revision: u64,
    /// The packet of the wire contract; of a RELEASE the source alone counts.
    pub packet: [u8; 256],
    /// 0.
    pub reserved_3: [u8; 48],
}

/// What became of a submission.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct LodestoneSubmission {
    /// Revision after the last of them.
    pub revision: u64,
    /// How many were accepted.
    pub accepted: u32,
    /// How many were refused.
    pub rejected: u32,
}

/// What a bulk load brought.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct LodestoneLoad {
    /// Revision after the last arc.
    pub revision: u64,
    /// Nodes of the file; 0 for arcs given directly.
    pub nodes: u64,
    /// Arcs given.
    pub arcs: u64,
    /// Edges in the graph now.
    pub edges: u64,
    /// Nanoseconds it took.
    pub nanoseconds: u64,
    /// Millimetres of one unit of weight; 0 for arcs given directly.
    pub unit_mm: u32,
    /// 0.
    pub reserved: u32,
}

/// A shortest path.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct LodestoneRoute {
    /// The revision it was found at.
    pub revision: u64,
    /// Sum of the weights; `UINT64_MAX` where there is no path.
    pub distance: u64,
    /// Nodes on the path, both ends included; 0 where there is no path.
    pub nodes_total: u64,
    /// How many of them were written.
    pub nodes_listed: u64,
    /// Vertices that the search settled.
    pub settled: u64,
}

/// One answer of a batch of routes.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct LodestoneRouteAnswer {
    /// The revision that all of the batch is true for.
    pub revision: u64,
    /// Sum of the weights; `UINT64_MAX` where there is no path, or none was found.
    pub distance: u64,
    /// Nodes on the path, both ends included; 0 where there is no path.
    pub nodes_total: u64,
    /// How many of them were written.
    pub nodes_listed: u64,
    /// Vertices that the search settled; 0 where it was refused.
    pub settled: u64,
    /// A `LodestoneStatus`: `OK`, `OUT_OF_BOUNDS` or `BUDGET`.
    pub status: u32,
    /// 0.
    pub reserved: u32,
}

/// How far a bulk load is.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct LodestoneProgress {
    /// Arcs set.
    pub done: u64,
    /// Arcs in all; `UINT64_MAX` where nobody said.
    pub total: u64,
    /// 1 when that was all of a file.
    pub finished: u64,
}

/// What a rollback did.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct LodestoneRollback {
    /// Revision before.
    pub from_revision: u64,
    /// Revision now.
    pub to_revision: u64,
    /// Undo records walked.
    pub records: u64,
    /// Nanoseconds it took on the engine thread.
    pub nanoseconds: u64,
    /// State hash now, first lane.
    pub hash_low: u64,
    /// State hash now, second lane.
    pub hash_high: u64,
    /// Branch now.
    pub branch: u64,
    /// Edges now.
    pub edges: u64,
    /// 1 if it kept within `rollback.sla_ms`.
    pub within_sla: u64,
}

/// A state hash.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct LodestoneHash {
    /// The revision it belongs to.
    pub revision: u64,
    /// First lane.
    pub hash_low: u64,
    /// Second lane.
    pub hash_high: u64,
}

/// A session.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LodestoneSession {
    /// Its number.
    pub session: u32,
    /// Its tenant, 0 without tokens.
    pub tenant: u32,
    /// First node its token may move.
    pub node_first: u32,
    /// Last node its token may move.
    pub node_last: u32,
    /// When it was welcomed, Unix milliseconds.
    pub connected_unix_ms: u64,
    /// Frames received from it.
    pub frames: u64,
    /// Bytes of `address` in use.
    pub address_length: u32,
    /// 0.
    pub reserved: u32,
    /// `host:port` it comes from.
    pub address: [u8; 64],
}
