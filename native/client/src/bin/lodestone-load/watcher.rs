//! What sessions are told of the nodes that they are subscribed to, and how long after the move was due.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lodestone_client::wire::{SUBSCRIBE_NODES_MAX, VERSION_LATEST};
use lodestone_client::{Answer, DatagramReceiver, Session, StreamReceiver, StreamSender, Update, UpdateReceiver};

use crate::hunter::Hunt;
use crate::options::Watching;
use crate::roads::Roads;

/// Where the time at which a move was due lies in its payload, and the payload's length.
const DUE_AT: usize = 8;
const PAYLOAD_BYTES: usize = 16;

/// The stream of a session's subscriptions; dropping it tells the server that nobody reads its answers.
pub(crate) type Asking = (StreamSender, StreamReceiver);

/// Subscribes a session to its nodes: those of the ground one after the other, from the hunter's own number on.
pub(crate) async fn subscribe(
    session: &Session,
    number: u32,
    watching: Watching,
    roads: &Roads,
) -> Result<Asking, String> {
    let crossings = roads.crossings();
    let nodes = (0..watching.nodes.min(crossings))
        .map(|index| roads.node_of(((u64::from(number) + u64::from(index)) % u64::from(crossings)) as u32));
    let nodes: Vec<u32> = nodes.collect();
    let said = |error: lodestone_client::ClientError| format!("hunter {number} could not subscribe: {error}");
    let (mut sender, mut receiver) = session.open_stream().await.map_err(said)?;
    for nodes in nodes.chunks(SUBSCRIBE_NODES_MAX) {
        if watching.latest && session.version() >= VERSION_LATEST {
            sender.queue_subscribe_latest(nodes).map_err(said)?;
        } else {
            sender.queue_subscribe(nodes).map_err(said)?;
        }
        sender.flush().await.map_err(said)?;
        match receiver.next().await.map_err(said)? {
            Some(Answer::Subscribed(_)) => {}
            Some(Answer::Reject(reject)) => {
                return Err(format!("hunter {number} may not subscribe to node {}: {}", reject.node, reject.status));
            }
            _ => return Err(format!("hunter {number} got no answer to its subscriptions")),
        }
    }
    Ok((sender, receiver))
}

/// What one session knows of its nodes.
pub(crate) struct Watcher {
    hunt: Arc<Hunt>,
    versions: BTreeMap<u32, u64>,
}

impl Watcher {
    pub(crate) fn new(hunt: Arc<Hunt>) -> Watcher {
        Watcher { hunt, versions: BTreeMap::new() }
    }

    /// Reads until the connection is over; whoever sends on it reports that.
    pub(crate) async fn run(mut self, mut updates: UpdateReceiver, mut datagrams: DatagramReceiver) {
        loop {
            let over = tokio::select! {
                read = updates.read_more() => read.is_err() || self.take_buffered(&mut updates).is_err(),
                answer = datagrams.next() => match answer {
                    Ok(Answer::Latest(update)) => {
                        self.take(&update);
                        false
                    }
                    other => other.is_err(),
                },
            };
            if over {
                return;
            }
        }
    }

    fn take_buffered(&mut self, updates: &mut UpdateReceiver) -> Result<(), lodestone_client::ClientError> {
        while let Some(update) = updates.next_buffered()? {
            self.take(&update);
        }
        Ok(())
    }

    fn take(&mut self, update: &Update<'_>) {
        let before = self.versions.get(&update.node).copied();
        if before.is_some_and(|before| update.version <= before) {
            // What rested after a datagram, or was overtaken.
            self.hunt.totals.lock().updates_again += 1;
            return;
        }
        self.versions.insert(update.node, update.version);
        let payload = update.slot.payload();
        let due = payload.get(DUE_AT..PAYLOAD_BYTES).filter(|_| payload.len() == PAYLOAD_BYTES);
        let due = due.and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        let start = self.hunt.clock.start_unix_ns;
        let since =
            due.and_then(|due| due.checked_sub(start)).map(|due| self.hunt.clock.elapsed_ns().saturating_sub(due));
        // What was there before the run is no delivery.
        let Some(since) = since else { return };
        self.hunt
            .totals
            .lock()
            .delivered(Duration::from_nanos(since), before.map_or(0, |before| update.version - before - 1));
    }
}
