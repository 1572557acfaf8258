//! The values of clients that cross the C edge.

/// One request of a client.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LodestoneRequest {
    /// The caller's name for it; its completion carries the same.
    pub id: u64,
    /// 0x10 MOVE, 0x18 RELEASE, 0x20 ROUTE, 0x28 READ, 0x30 SUBSCRIBE, 0x32 UNSUBSCRIBE, 0x3a SUBSCRIBE_LATEST.
    pub kind: u8,
    /// 0: by the stream. 1: a MOVE, RELEASE or READ by datagram, with an answer. 2: a MOVE or RELEASE by datagram, without; it has
    /// no completion.
    pub way: u8,
    /// Nodes of the three kinds of subscriptions, at most 64.
    pub nodes: u8,
    /// 0.
    pub reserved: [u8; 5],
    /// Of a MOVE the packet of the wire contract; of a RELEASE and READ its first four bytes, the node; of a ROUTE its first
    /// eight, source and target; of subscriptions the nodes.
    pub packet: [u8; 256],
}

/// What became of a request.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LodestoneCompletion {
    /// The request's.
    pub id: u64,
    /// A revision that holds the move; that of the state or the graph for a READ or ROUTE; that of a subscription.
    pub revision: u64,
    /// Of a ROUTE: sum of the weights; `UINT64_MAX` where there is no path.
    pub distance: u64,
    /// Of a ROUTE: nodes on the path, both ends included; 0 where there is none. Of subscriptions: how many nodes the session is
    /// told of.
    pub nodes_total: u64,
    /// Of a ROUTE: where its nodes begin among those that were written.
    pub nodes_first: u32,
    /// Of a ROUTE: how many were written.
    pub nodes_listed: u32,
    /// A `LodestoneStatus`: `OK`; why it was refused; `IN_DOUBT`; or why the client ended.
    pub status: u32,
    /// The node concerned, when it was refused.
    pub node: u32,
    /// The request's.
    pub kind: u8,
    /// 1 when the server answered or its answer was found out; 0 when the client ended first.
    pub answered: u8,
    /// 0.
    pub reserved: [u8; 6],
    /// Of a READ: the slot, all zero where the node has none.
    pub slot: [u8; 256],
}

impl Default for LodestoneCompletion {
    fn default() -> LodestoneCompletion {
        LodestoneCompletion {
            id: 0,
            revision: 0,
            distance: 0,
            nodes_total: 0,
            nodes_first: 0,
            nodes_listed: 0,
            status: 0,
            node: 0,
            kind: 0,
            answered: 0,
            reserved: [0; 6],
            slot: [0; 256],
        }
    }
}

/// What is new of a node.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LodestoneNodeNews {
    /// Everything up to this revision that concerns the node is in the state.
    pub revision: u64,
    /// Rollbacks before that revision.
    pub rollbacks: u64,
    /// The node's version.
    pub version: u64,
    /// States of the node that came since its last news were fetched, and that this one has replaced.
    pub missed: u64,
    /// Connections made before the one that it came by.
    pub connection: u64,
    /// The node.
    pub node: u32,
    /// A `LodestoneStatus`: `OK` for a state; else why the node could not be subscribed to again on a new connection.
    pub status: u32,
    /// The slot, all zero where the node has none.
    pub slot: [u8; 256],
}

/// What a client is doing.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct LodestoneClientInfo {
    /// The revision of the last acknowledgement.
    pub revision: u64,
    /// Connections made after the first.
    pub reconnects: u64,
    /// Rollbacks that the server told of.
    pub rollbacks: u64,
    /// The session's number, of the last connection.
    pub session: u32,
    /// Nodes are numbered below this.
    pub nodes_max: u32,
    /// Requests under way.
    pub in_flight: u32,
    /// 0 connected, 1 reconnecting, 2 ended.
    pub state: u32,
    /// A `LodestoneStatus`: why the last connection was lost; `OK` while none was.
    pub loss: u32,
    /// 0.
    pub reserved: u32,
}
