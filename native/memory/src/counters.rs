//! Counters in the shared region: one 64-bit word each, written by the data plane, read by everyone.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::layout::COUNTERS_MAX;
use crate::mapping::Mapping;

macro_rules! counter_ids {
    ($($(#[$doc:meta])* $name:ident = $number:literal $label:literal,)*) => {
        /// Which counter. The numbers are places in the shared region: they are only ever added to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum CounterId { $($(#[$doc])* $name = $number,)* }

        impl CounterId {
            /// Every counter with its label, in the order of its place.
            pub const ALL: &'static [(CounterId, &'static str)] = &[$((CounterId::$name, $label),)*];
        }
    };
}

counter_ids! {
    /// Sessions welcomed and not yet ended.
    SessionsLive = 0 "sessions_live",
    /// Sessions ever welcomed.
    SessionsTotal = 1 "sessions_total",
    /// Connections that failed before WELCOME.
    HandshakesFailed = 2 "handshakes_failed",
    /// TLS handshakes that took longer than the configured target.
    HandshakesOverTarget = 3 "handshakes_over_target",
    /// Frames decoded.
    FramesReceived = 4 "frames_received",
    /// Bytes of frames decoded.
    BytesReceived = 5 "bytes_received",
    /// Datagrams decoded.
    DatagramsReceived = 6 "datagrams_received",
    /// Datagrams dropped because the channel or the bump arena was full.
    DatagramsDropped = 7 "datagrams_dropped",
    /// Datagrams whose counter did not rise.
    DatagramsReplayed = 8 "datagrams_replayed",
    /// Connections closed for a protocol error.
    ProtocolErrors = 9 "protocol_errors",
    /// Moves whose digest did not match.
    DigestFailures = 10 "digest_failures",
    /// Answer frames written to streams and datagrams.
    AnswersSent = 11 "answers_sent",
    /// Sessions closed because they did not take their answers.
    SlowConsumersClosed = 12 "slow_consumers_closed",
    /// HELLOs refused for their token.
    UnauthorizedRefused = 13 "unauthorized_refused",
    /// Times a stream waited for a bump page.
    PagesExhausted = 14 "pages_exhausted",
    /// Times a stream waited for room in the channel.
    ChannelFull = 15 "channel_full",
    /// Moves accepted.
    MovesAccepted = 16 "moves_accepted",
    /// Moves and releases refused.
    MovesRejected = 17 "moves_rejected",
    /// Releases accepted.
    ReleasesAccepted = 18 "releases_accepted",
    /// READs answered.
    Reads = 19 "reads",
    /// ROUTEs answered.
    Routes = 20 "routes",
    /// ROUTEs that used up their budget.
    RoutesOverBudget = 21 "routes_over_budget",
    /// Rollbacks done.
    Rollbacks = 22 "rollbacks",
    /// Rollbacks that took longer than the configured limit.
    RollbacksOverSla = 23 "rollbacks_over_sla",
    /// Batches committed.
    Batches = 24 "batches",
    /// Events written to the event ring.
    EventsPublished = 25 "events_published",
    /// Session events that found the engine's queue full and were not published.
    EventsDropped = 26 "events_dropped",
    /// Arcs taken in by the bulk load under way or done last.
    LoadDone = 27 "load_done",
    /// Arcs of that bulk load; 0 while nobody knows.
    LoadTotal = 28 "load_total",
    /// Committed changes, and one mark for each revision, that the pathfinder has not applied yet.
    PathfinderLag = 29 "pathfinder_lag",
    /// Connections refused because the limit of connections was reached.
    ConnectionsRefused = 30 "connections_refused",
    /// Slots in use.
    SlotsUsed = 31 "slots_used",
    /// One more than the highest slot in use.
    SlotsHighWater = 32 "slots_high_water",
    /// Edges in the graph.
    EdgesUsed = 33 "edges_used",
    /// Bytes of the undo ring that hold history.
    UndoBytesUsed = 34 "undo_bytes_used",
    /// Times the engine waited for the pathfinder to make room for committed changes.
    PathfinderWaits = 35 "pathfinder_waits",
    /// Routes not searched to the end because nobody waited for them any more.
    RoutesCancelled = 36 "routes_cancelled",
    /// Repairs of watched sources, one for each source and run of changes.
    WatchRepairs = 37 "watch_repairs",
    /// Labels that those repairs wrote.
    WatchLabelsWritten = 38 "watch_labels_written",
    /// Times a watched source became stale: its repair went over `graph.watch_budget`.
    WatchesStale = 39 "watches_stale",
    /// Fills of watched sources that came to their end, the first ones included.
    WatchFills = 40 "watch_fills",
    /// Commands taken from lanes and the ring.
    Commands = 41 "commands",
    /// Times a producer of commands found no room.
    CommandsFull = 42 "commands_full",
    /// Claims in the ring that a dead producer left and that were skipped.
    ClaimsRepaired = 43 "claims_repaired",
    /// Records and stretches in lanes and the ring that no producer writes.
    CommandsGarbage = 44 "commands_garbage",
    /// Producers of commands registered: now.
    ProducersLive = 45 "producers_live",
    /// Producers of commands whose process ended without a word.
    ProducersDied = 46 "producers_died",
    /// Log records written to the log ring.
    LogRecords = 47 "log_records",
    /// Log records dropped, since a writer a whole lap ahead of them had not finished.
    LogRecordsLost = 48 "log_records_lost",
    /// Tickets of earlier connections that were taken: handshakes without certificates.
    HandshakesResumed = 49 "handshakes_resumed",
    /// Times that certificate, authorities and token keys were taken up anew.
    IdentityReloads = 50 "identity_reloads",
    /// Times that this was refused and the old ones went on.
    IdentityReloadsRefused = 51 "identity_reloads_refused",
    /// UPDATEs handed to the streams of sessions.
    UpdatesSent = 52 "updates_sent",
    /// Changes that found their node waiting for the session already: one UPDATE tells of both.
    UpdatesCoalesced = 53 "updates_coalesced",
    /// Nodes that sessions are told of, each counted once for each session: now.
    SubscriptionsLive = 54 "subscriptions_live",
    /// Handshakes under way: from a connection's first packet to WELCOME or its refusal.
    HandshakesLive = 55 "handshakes_live",
    /// Attempts to connect that were asked to prove their address.
    ConnectionsRetried = 56 "connections_retried",
    /// Attempts to connect that got no answer: too many handshakes under way, or too many packets.
    ConnectionsShed = 57 "connections_shed",
    /// Attempts to connect that were refused because of a limit of their address.
    ConnectionsLimited = 58 "connections_limited",
    /// Times a stream waited because its session sends more than it may.
    SessionsThrottled = 59 "sessions_throttled",
    /// Datagrams dropped because their session sends more than it may.
    DatagramsShed = 60 "datagrams_shed",
    /// Sessions that were told of the server's end with everything accepted answered.
    SessionsDrained = 61 "sessions_drained",
    /// Times that a session's next stream waited because it begins more than it may.
    StreamsThrottled = 62 "streams_throttled",
}

/// A handle on the counters; `Copy`, usable from any thread.
#[derive(Clone, Copy)]
pub struct Counters {
    words: &'static [AtomicU64],
}

impl Counters {
    pub(crate) fn new(words: &'static [AtomicU64]) -> Counters {
        assert!(words.len() >= CounterId::ALL.len());
        Counters { words }
    }

    /// Counters that no region shows, for tests of parts.
    ///
    /// # Panics
    /// When the system has not one page of memory left.
    pub fn detached() -> Counters {
        match Mapping::anonymous(COUNTERS_MAX * 8, false) {
            Ok(mapping) => Counters::new(mapping.words(0, COUNTERS_MAX)),
            Err(error) => panic!("no memory for one page of counters: {error}"),
        }
    }

    /// Adds to the counter (wrapping).
    pub fn add(&self, id: CounterId, amount: u64) {
        self.words[id as usize].fetch_add(amount, Ordering::Relaxed);
    }

    /// Takes from the counter (wrapping).
    pub fn subtract(&self, id: CounterId, amount: u64) {
        self.words[id as usize].fetch_sub(amount, Ordering::Relaxed);
    }

    /// Sets the counter; for counters with one writer.
    pub fn set(&self, id: CounterId, value: u64) {
        self.words[id as usize].store(value, Ordering::Relaxed);
    }

    /// The counter's value.
    pub fn get(&self, id: CounterId) -> u64 {
        self.words[id as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_dense_and_fit_the_section() {
        for (place, (id, _)) in CounterId::ALL.iter().enumerate() {
            assert_eq!(*id as usize, place);
        }
        assert!(CounterId::ALL.len() <= COUNTERS_MAX);
    }

    #[test]
    fn counters_count() {
        let counters = Counters::detached();
        counters.add(CounterId::Reads, 3);
        counters.subtract(CounterId::Reads, 1);
        counters.set(CounterId::Routes, 9);
        assert_eq!((counters.get(CounterId::Reads), counters.get(CounterId::Routes)), (2, 9));
    }
}
