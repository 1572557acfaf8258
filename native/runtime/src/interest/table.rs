//! The tables behind fan-out: subscriptions by node, by session and by both; all memory taken at start.

use std::sync::Arc;

use lodestone_memory::outbox::Marked;
use lodestone_transport::{Fanout, Outbox, Way};

use super::grants::Grants;

/// Numbers of entries and seats are kept + 1, so that 0 stands for none.
const NONE: u32 = 0;

/// How large the tables are.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableSizes {
    pub(super) nodes_max: u32,
    pub(super) sessions_max: u32,
    pub(super) subscriptions_max: u32,
}

/// Where a subscription stands.
#[derive(Clone, Copy, Default)]
struct Links {
    seat: u32,
    way: Way,
    node_next: u32,
    node_before: u32,
    seat_next: u32,
    seat_before: u32,
}

/// A session that has subscriptions or grants, or had some.
#[derive(Default)]
struct Seat {
    outbox: Option<Arc<Outbox>>,
    /// Its first subscription, + 1.
    first: u32,
    count: u32,
    /// Its entries: the subscriptions that it has, and ended ones that its sender has not given back.
    entries: u32,
    grants: Grants,
}

pub(super) struct Table {
    fanout: Fanout,
    /// The first subscription of each node, + 1.
    nodes: Vec<u32>,
    links: Vec<Links>,
    free: Vec<u32>,
    seats: Vec<Seat>,
    free_seats: Vec<u32>,
    seats_max: usize,
    /// Subscriptions by session and node, + 1: open addressing, at most half full.
    places: Vec<u32>,
    salt: u64,
    live: u32,
    to_wake: Vec<(u32, Way)>,
    coalesced: u64,
}

/// A list of this many zeros or whatever stands for nothing; `None` where there is no memory.
fn filled<T: Clone>(count: usize, with: T) -> Option<Vec<T>> {
    let mut list = room(count)?;
    list.resize(count, with);
    Some(list)
}

fn room<T>(count: usize) -> Option<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(count).ok()?;
    Some(list)
}

impl Table {
    pub(super) fn new(sizes: TableSizes, fanout: Fanout, salt: u64) -> Option<Table> {
        let subscriptions = sizes.subscriptions_max as usize;
        let nodes = if subscriptions == 0 { 0 } else { sizes.nodes_max as usize };
        let seats_max = if subscriptions == 0 { 0 } else { sizes.sessions_max as usize };
        let mut free = room(subscriptions)?;
        free.extend((0..sizes.subscriptions_max).rev());
        Some(Table {
            fanout,
            nodes: filled(nodes, NONE)?,
            links: filled(subscriptions, Links::default())?,
            free,
            seats: room(seats_max)?,
            free_seats: room(seats_max)?,
            seats_max,
            places: filled((2 * subscriptions).next_power_of_two(), NONE)?,
            salt,
            live: 0,
            to_wake: room(seats_max)?,
            coalesced: 0,
        })
    }

    pub(super) fn fanout(&self) -> &Fanout {
        &self.fanout
    }

    /// Subscriptions there are.
    #[inline]
    pub(super) fn live(&self) -> u32 {
        self.live
    }

    /// Subscriptions that can be begun.
    pub(super) fn free(&self) -> u32 {
        self.free.len() as u32
    }

    /// Whether a session may begin this many more. An ended subscription keeps its entry until the sender lets go of it, so
    /// one that ends and begins all the time while its sender is held up is refused at twice its bound: it must not take
    /// the entries of all others.
    pub(super) fn has_room(&self, seat: u32, new: u32, session_max: u32) -> bool {
        let seat = &self.seats[seat as usize];
        new <= self.free()
            && new <= session_max.saturating_sub(seat.count)
            && new <= session_max.saturating_mul(2).saturating_sub(seat.entries)
    }

    /// The seat of a session, a new one if it has none; `None` where all are taken.
    pub(super) fn seat(&mut self, outbox: Arc<Outbox>) -> Option<u32> {
        if let Some(seat) = outbox.seat().checked_sub(1) {
            return Some(seat);
        }
        let seat = match self.free_seats.pop() {
            Some(seat) => seat,
            None if self.seats.len() < self.seats_max => {
                self.seats.push(Seat::default());
                self.seats.len() as u32 - 1
            }
            None => return None,
        };
        outbox.set_seat(seat + 1);
        self.seats[seat as usize].outbox = Some(outbox);
        Some(seat)
    }

    /// The session in a seat, while its updates are sent.
    pub(super) fn session(&self, seat: u32) -> Option<u32> {
        let outbox = self.seats[seat as usize].outbox.as_ref()?;
        (!outbox.has_left()).then(|| outbox.session())
    }

    pub(super) fn count(&self, seat: u32) -> u32 {
        self.seats[seat as usize].count
    }

    pub(super) fn grants(&self, seat: u32) -> &Grants {
        &self.seats[seat as usize].grants
    }

    pub(super) fn grants_mut(&mut self, seat: u32) -> &mut Grants {
        &mut self.seats[seat as usize].grants
    }

    /// Where the search for this pair begins.
    fn home(&self, seat: u32, node: u32) -> usize {
        let key = (u64::from(seat) << 32 | u64::from(node)) ^ self.salt;
        let mixed = (key ^ key >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) as usize >> 16 & (self.places.len() - 1)
    }

    /// The place of this pair, or the empty one where it would be.
    fn place(&self, seat: u32, node: u32) -> usize {
        let mut place = self.home(seat, node);
        while self.places[place] != NONE {
            let entry = self.places[place] - 1;
            if self.links[entry as usize].seat == seat && self.fanout.subscriptions().node(entry) == node {
                break;
            }
            place = (place + 1) & (self.places.len() - 1);
        }
        place
    }

    /// The way of a subscription.
    pub(super) fn way(&self, entry: u32) -> Way {
        self.links[entry as usize].way
    }

    /// The way that subscriptions of a session take which were asked for by this one.
    pub(super) fn way_for(&self, seat: u32, asked: Way) -> Way {
        self.seats[seat as usize].outbox.as_ref().map_or(asked, |outbox| outbox.way(asked))
    }

    /// The subscription of the session to the node.
    pub(super) fn find(&self, seat: u32, node: u32) -> Option<u32> {
        self.places[self.place(seat, node)].checked_sub(1)
    }

    /// Empties a place and moves what stood behind it because it was taken.
    fn clear_place(&mut self, mut empty: usize) {
        let mask = self.places.len() - 1;
        let mut next = empty;
        loop {
            self.places[empty] = NONE;
            loop {
                next = (next + 1) & mask;
                let Some(entry) = self.places[next].checked_sub(1) else { return };
                let home = self.home(self.links[entry as usize].seat, self.fanout.subscriptions().node(entry));
                // It stays when its home lies cyclically behind the empty place.
                if next.wrapping_sub(home) & mask >= next.wrapping_sub(empty) & mask {
                    break;
                }
            }
            self.places[empty] = self.places[next];
            empty = next;
        }
    }

    /// Begins a subscription that there is not, and marks it: its first update tells the state now. There must be a free
    /// entry.
    pub(super) fn begin(&mut self, seat: u32, node: u32, way: Way) {
        let Some(entry) = self.free.pop() else { unreachable!("the caller has looked for a free entry") };
        self.fanout.subscriptions().begin(entry, node);
        let (node_next, seat_next) = (self.nodes[node as usize], self.seats[seat as usize].first);
        let place = self.place(seat, node);
        self.links[entry as usize] = Links { seat, way, node_next, node_before: NONE, seat_next, seat_before: NONE };
        self.places[place] = entry + 1;
        self.nodes[node as usize] = entry + 1;
        if let Some(next) = node_next.checked_sub(1) {
            self.links[next as usize].node_before = entry + 1;
        }
        if let Some(next) = seat_next.checked_sub(1) {
            self.links[next as usize].seat_before = entry + 1;
        }
        let place = &mut self.seats[seat as usize];
        place.first = entry + 1;
        place.count += 1;
        place.entries += 1;
        self.live += 1;
        self.mark(entry);
    }

    /// Ends a subscription.
    pub(super) fn end(&mut self, entry: u32) {
        let links = self.links[entry as usize];
        let node = self.fanout.subscriptions().node(entry);
        self.clear_place(self.place(links.seat, node));
        match links.node_before.checked_sub(1) {
            Some(before) => self.links[before as usize].node_next = links.node_next,
            None => self.nodes[node as usize] = links.node_next,
        }
        if let Some(next) = links.node_next.checked_sub(1) {
            self.links[next as usize].node_before = links.node_before;
        }
        let seat = &mut self.seats[links.seat as usize];
        seat.count -= 1;
        match links.seat_before.checked_sub(1) {
            Some(before) => self.links[before as usize].seat_next = links.seat_next,
            None => seat.first = links.seat_next,
        }
        if let Some(next) = links.seat_next.checked_sub(1) {
            self.links[next as usize].seat_before = links.seat_before;
        }
        self.live -= 1;
        if self.fanout.subscriptions().end(entry) {
            give(&mut self.free, &mut self.seats, &self.links, entry);
        }
    }

    /// Ends the subscriptions of a session whose nodes are meant.
    pub(super) fn end_where(&mut self, seat: u32, meant: impl Fn(u32) -> bool) {
        let mut next = self.seats[seat as usize].first;
        while let Some(entry) = next.checked_sub(1) {
            next = self.links[entry as usize].seat_next;
            if meant(self.fanout.subscriptions().node(entry)) {
                self.end(entry);
            }
        }
    }

    #[inline]
    pub(super) fn mark_node(&mut self, node: u32) {
        let mut next = self.nodes[node as usize];
        while let Some(entry) = next.checked_sub(1) {
            next = self.links[entry as usize].node_next;
            self.mark(entry);
        }
    }

    /// Marks every subscription whose session saw another state of its node than this sequence stands for.
    pub(super) fn mark_unlike(&mut self, sequence_of: impl Fn(u32) -> u32) {
        for seat in 0..self.seats.len() {
            let mut next = self.seats[seat].first;
            while let Some(entry) = next.checked_sub(1) {
                next = self.links[entry as usize].seat_next;
                let subscriptions = self.fanout.subscriptions();
                if !subscriptions.has_seen(entry, sequence_of(subscriptions.node(entry))) {
                    self.mark(entry);
                }
            }
        }
    }

    fn mark(&mut self, entry: u32) {
        let Links { seat, way, .. } = self.links[entry as usize];
        let Some(outbox) = &self.seats[seat as usize].outbox else { return };
        match self.fanout.subscriptions().mark(entry, outbox.list(way)) {
            // A sender that takes what there is while a batch is marked may be named twice.
            Marked::First if self.to_wake.len() < self.to_wake.capacity() => self.to_wake.push((seat, way)),
            Marked::First => outbox.wake(way),
            Marked::Behind => {}
            Marked::Already => self.coalesced += 1,
        }
    }

    /// Wakes the senders of what was marked; returns how many marks found theirs there already.
    pub(super) fn wake(&mut self) -> u64 {
        for (seat, way) in self.to_wake.drain(..) {
            if let Some(outbox) = &self.seats[seat as usize].outbox {
                outbox.wake(way);
            }
        }
        std::mem::take(&mut self.coalesced)
    }

    /// Takes back the entries that senders gave back, and all that sessions have whose senders ended; whether there was
    /// such a session.
    pub(super) fn tidy(&mut self) -> bool {
        self.take_returned();
        if !self.fanout.has_left() {
            return false;
        }
        let fanout = self.fanout.clone();
        if fanout.take_left(|outbox| self.vacate(&outbox)) {
            self.vacate_unlisted();
        }
        true
    }

    /// Looks at every seat for those whose senders ended without being listed.
    fn vacate_unlisted(&mut self) {
        for seat in 0..self.seats.len() {
            let left = self.seats[seat].outbox.as_ref().filter(|outbox| outbox.has_left()).map(Arc::clone);
            if let Some(outbox) = left {
                self.vacate(&outbox);
            }
        }
    }

    fn take_returned(&mut self) {
        let Table { fanout, links, seats, free, .. } = self;
        if fanout.subscriptions().has_returned() {
            fanout.subscriptions().take_returned(|entry| give(free, seats, links, entry));
        }
    }

    fn vacate(&mut self, outbox: &Outbox) {
        let Table { fanout, links, seats, free, .. } = self;
        for way in [Way::Stream, Way::Datagram] {
            fanout.subscriptions().abandon(outbox.list(way), |entry| give(free, seats, links, entry));
        }
        let Some(seat) = outbox.seat().checked_sub(1) else { return };
        self.end_where(seat, |_| true);
        // What its sender gave back at last is counted off here, not at whoever has the seat next.
        self.take_returned();
        outbox.set_seat(NONE);
        self.seats[seat as usize] = Seat::default();
        self.free_seats.push(seat);
    }
}

/// An entry is free, and no longer its session's.
fn give(free: &mut Vec<u32>, seats: &mut [Seat], links: &[Links], entry: u32) {
    let seat = &mut seats[links[entry as usize].seat as usize];
    seat.entries = seat.entries.saturating_sub(1);
    free.push(entry);
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
