//! Which nodes of whom have news: a table of subscriptions, and an outbox for each session that is told.
//!
//! A subscription is an entry of the table: one node, for one session. The engine thread marks it after each change; one
//! that is marked already stays where it is, so an outbox holds each of its subscriptions at most once, however slow its
//! session is. The session's sender takes the entries, looks at the nodes, and marks nothing back. No step waits: a mark
//! is two atomic steps, and an entry whose subscription ends while the sender has it comes back by way of the sender.

use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// The entry is in an outbox.
const QUEUED: u32 = 1;
/// The sender works on the entry; it may be in the outbox again.
const IN_HAND: u32 = 2;
/// The subscription has ended; whoever lets go of the entry last gives it back.
const ENDED: u32 = 4;

/// `seen`: something was sent, with the sequence in the lower half.
const SENT: u64 = 1 << 32;

struct Entry {
    node: AtomicU32,
    /// The next entry of the list that this one is in, + 1; 0 ends it.
    link: AtomicU32,
    flags: AtomicU32,
    /// What the session was sent last: [`SENT`] and the node's sequence, 0 before.
    seen: AtomicU64,
}

/// The table. [`Subscriptions::news`] is for the senders, one a session; everything else for the engine thread.
pub struct Subscriptions {
    entries: Box<[Entry]>,
    /// Entries that senders gave back.
    returned: AtomicU32,
}

/// The subscriptions of one session that have news, each once.
#[derive(Default)]
pub struct Outbox {
    /// Those marked since the sender came last, the newest first.
    marked: AtomicU32,
    /// Those that the sender has taken over and not looked at, the oldest first.
    taken: AtomicU32,
}

/// What became of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// It is the first in an outbox that was empty: the sender is to be woken.
    First,
    /// It stands behind others.
    Behind,
    /// It stood there already.
    Already,
}

impl Outbox {
    /// Whether nothing was marked since the sender came last.
    pub fn is_empty(&self) -> bool {
        self.marked.load(Ordering::Relaxed) == 0
    }
}

impl Subscriptions {
    /// A table of this many entries, all free. Memory is taken here and never again; `None` where there is none.
    pub fn new(count: u32) -> Option<Subscriptions> {
        let mut entries = Vec::new();
        entries.try_reserve_exact(count as usize).ok()?;
        entries.extend((0..count).map(|_| Entry {
            node: AtomicU32::new(0),
            link: AtomicU32::new(0),
            flags: AtomicU32::new(0),
            seen: AtomicU64::new(0),
        }));
        Some(Subscriptions { entries: entries.into_boxed_slice(), returned: AtomicU32::new(0) })
    }

    /// Number of entries.
    pub fn len(&self) -> u32 {
        self.entries.len() as u32
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn entry(&self, entry: u32) -> &Entry {
        &self.entries[entry as usize]
    }

    /// Makes a subscription of a free entry. Its first mark tells the state that the node has then.
    pub fn begin(&self, entry: u32, node: u32) {
        let entry = self.entry(entry);
        entry.node.store(node, Ordering::Relaxed);
        entry.seen.store(0, Ordering::Relaxed);
        // Nobody else knows the entry; the release of its first mark shows all three to the sender.
        entry.flags.store(0, Ordering::Relaxed);
    }

    /// The node of an entry.
    pub fn node(&self, entry: u32) -> u32 {
        self.entry(entry).node.load(Ordering::Relaxed)
    }

    /// Whether the session was sent the state of this sequence last.
    pub fn has_seen(&self, entry: u32, sequence: u32) -> bool {
        self.entry(entry).seen.load(Ordering::Relaxed) == SENT | u64::from(sequence)
    }

    /// Says that the node of this subscription has changed, in the outbox of its session.
    pub fn mark(&self, entry: u32, outbox: &Outbox) -> Marked {
        let place = self.entry(entry);
        // Release: a sender that takes the mark sees the change that was published before it, be it the first mark or a
        // further one.
        if place.flags.fetch_or(QUEUED, Ordering::AcqRel) & QUEUED != 0 {
            return Marked::Already;
        }
        let mut first = outbox.marked.load(Ordering::Relaxed);
        loop {
            place.link.store(first, Ordering::Relaxed);
            // Only the sender changes the word besides, and only to 0. Release: it finds the link.
            match outbox.marked.compare_exchange(first, entry + 1, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(0) => return Marked::First,
                Ok(_) => return Marked::Behind,
                Err(now) => first = now,
            }
        }
    }

    /// Ends a subscription. `true`: its entry is free; `false`: it comes with [`Subscriptions::take_returned`].
    pub fn end(&self, entry: u32) -> bool {
        self.entry(entry).flags.fetch_or(ENDED, Ordering::AcqRel) & (QUEUED | IN_HAND) == 0
    }

    /// Whether senders gave entries back.
    pub fn has_returned(&self) -> bool {
        self.returned.load(Ordering::Relaxed) != 0
    }

    /// Tells the entries of ended subscriptions that senders gave back; they are free.
    pub fn take_returned(&self, mut free: impl FnMut(u32)) {
        let mut next = self.returned.swap(0, Ordering::Acquire);
        while next != 0 {
            let entry = next - 1;
            next = self.entry(entry).link.load(Ordering::Relaxed);
            free(entry);
        }
    }

    /// Empties the outbox of a session whose sender is gone, once this thread knows that it is. Tells the entries of ended
    /// subscriptions in it, which are free; the others are free once [`Subscriptions::end`] was called.
    pub fn abandon(&self, outbox: &Outbox, mut free: impl FnMut(u32)) {
        for list in [&outbox.marked, &outbox.taken] {
            let mut next = list.swap(0, Ordering::Acquire);
            while next != 0 {
                let entry = next - 1;
                next = self.entry(entry).link.load(Ordering::Relaxed);
                if self.entry(entry).flags.swap(0, Ordering::Relaxed) & ENDED != 0 {
                    free(entry);
                }
            }
        }
    }

    /// The subscription whose news waits longest; `None` when there is no news. The session's sender alone.
    pub fn news(&self, outbox: &Outbox) -> Option<News<'_>> {
        loop {
            let entry = self.take(outbox)?;
            // Acquire: whatever was published before the mark is seen. From here on a new mark queues the entry again.
            let flags = self.entry(entry).flags.fetch_xor(QUEUED | IN_HAND, Ordering::AcqRel);
            let news = News { subscriptions: self, entry };
            if flags & ENDED == 0 {
                return Some(news);
            }
        }
    }

    fn take(&self, outbox: &Outbox) -> Option<u32> {
        let mut first = outbox.taken.load(Ordering::Relaxed);
        if first == 0 {
            first = self.reversed(outbox.marked.swap(0, Ordering::AcqRel));
        }
        let entry = first.checked_sub(1)?;
        outbox.taken.store(self.entry(entry).link.load(Ordering::Relaxed), Ordering::Relaxed);
        Some(entry)
    }

    /// The list turned round. Its entries are queued, so nobody else touches their links.
    fn reversed(&self, mut next: u32) -> u32 {
        let mut first = 0;
        while next != 0 {
            let link = &self.entry(next - 1).link;
            let behind = link.load(Ordering::Relaxed);
            link.store(first, Ordering::Relaxed);
            first = next;
            next = behind;
        }
        first
    }

    /// The sender lets go of an entry.
    fn let_go(&self, entry: u32) {
        let place = self.entry(entry);
        let flags = place.flags.fetch_and(!IN_HAND, Ordering::AcqRel);
        // One that is queued again comes once more.
        if flags & (ENDED | QUEUED) == ENDED {
            let mut first = self.returned.load(Ordering::Relaxed);
            loop {
                place.link.store(first, Ordering::Relaxed);
                match self.returned.compare_exchange(first, entry + 1, Ordering::AcqRel, Ordering::Relaxed) {
                    Ok(_) => return,
                    Err(now) => first = now,
                }
            }
        }
    }
}

/// A subscription in its sender's hand; dropping it lets go of it.
pub struct News<'table> {
    subscriptions: &'table Subscriptions,
    entry: u32,
}

impl News<'_> {
    /// The node.
    pub fn node(&self) -> u32 {
        self.subscriptions.node(self.entry)
    }

    /// Whether the state of this sequence is what the session was sent last.
    pub fn has_seen(&self, sequence: u32) -> bool {
        self.subscriptions.has_seen(self.entry, sequence)
    }

    /// Notes that the session is sent the state of this sequence.
    pub fn sent(&self, sequence: u32) {
        // Relaxed: read by this sender, and by the engine thread only to leave out what makes no difference.
        self.subscriptions.entry(self.entry).seen.store(SENT | u64::from(sequence), Ordering::Relaxed);
    }
}

impl Drop for News<'_> {
    fn drop(&mut self) {
        self.subscriptions.let_go(self.entry);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn nodes_of(table: &Subscriptions, outbox: &Outbox) -> Vec<u32> {
        std::iter::from_fn(|| table.news(outbox).map(|news| news.node())).collect()
    }

    #[test]
    fn news_come_in_the_order_of_their_marks_and_once() {
        let (table, outbox) = (Subscriptions::new(4).unwrap(), Outbox::default());
        (0..4).for_each(|entry| table.begin(entry, 10 + entry));
        assert_eq!(table.mark(2, &outbox), Marked::First);
        assert_eq!(table.mark(0, &outbox), Marked::Behind);
        assert_eq!(table.mark(2, &outbox), Marked::Already);
        assert_eq!(table.mark(3, &outbox), Marked::Behind);
        assert_eq!(table.news(&outbox).unwrap().node(), 12);
        assert_eq!(table.mark(2, &outbox), Marked::First);
        assert_eq!(nodes_of(&table, &outbox), [10, 13, 12]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn an_entry_that_ends_comes_back_exactly_once() {
        let (table, outbox) = (Subscriptions::new(3).unwrap(), Outbox::default());
        (0..3).for_each(|entry| table.begin(entry, entry));
        let mut returned = Vec::new();
        assert!(table.end(0), "nobody has it");
        table.mark(1, &outbox);
        assert!(!table.end(1), "it is queued");
        table.mark(2, &outbox);
        let news = table.news(&outbox).unwrap();
        assert_eq!(news.node(), 2, "what has ended is not told");
        table.take_returned(|entry| returned.push(entry));
        assert_eq!(returned, [1]);
        assert!(!table.end(2), "it is in hand");
        assert!(!table.has_returned());
        drop(news);
        table.take_returned(|entry| returned.push(entry));
        assert_eq!(returned, [1, 2]);
    }

    #[test]
    fn an_abandoned_outbox_frees_what_has_ended_and_forgets_the_rest() {
        let (table, outbox) = (Subscriptions::new(3).unwrap(), Outbox::default());
        (0..3).for_each(|entry| table.begin(entry, entry));
        (0..3).for_each(|entry| _ = table.mark(entry, &outbox));
        assert!(!table.end(0) && !table.end(2));
        let mut free = Vec::new();
        table.abandon(&outbox, |entry| free.push(entry));
        assert_eq!(free, [2, 0]);
        assert!(table.end(1), "in no list any more");
        assert!(table.news(&outbox).is_none());
    }

    #[test]
    fn what_was_sent_is_told_apart_from_nothing_sent() {
        let (table, outbox) = (Subscriptions::new(1).unwrap(), Outbox::default());
        table.begin(0, 5);
        assert!(!table.has_seen(0, 0));
        table.mark(0, &outbox);
        table.news(&outbox).unwrap().sent(0);
        assert!(table.has_seen(0, 0) && !table.has_seen(0, 2));
        table.begin(0, 6);
        assert!(!table.has_seen(0, 0));
    }
}

#[cfg(all(test, loom))]
mod models {
    use std::sync::Arc;

    use super::*;

    fn model(body: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(body);
    }

    fn shared() -> Arc<(Subscriptions, Outbox, [AtomicU64; 2])> {
        let table = Subscriptions::new(2).unwrap();
        (0..2).for_each(|entry| table.begin(entry, entry));
        let outbox = Outbox { marked: AtomicU32::new(0), taken: AtomicU32::new(0) };
        Arc::new((table, outbox, [AtomicU64::new(0), AtomicU64::new(0)]))
    }

    #[test]
    fn the_last_change_of_a_node_is_always_told() {
        model(|| {
            let all = shared();
            let sender_all = Arc::clone(&all);
            let sender = loom::thread::spawn(move || {
                let (table, outbox, states) = &*sender_all;
                let mut seen = [0; 2];
                for _ in 0..3 {
                    if let Some(news) = table.news(outbox) {
                        seen[news.node() as usize] = states[news.node() as usize].load(Ordering::Relaxed);
                    }
                }
                seen
            });
            let (table, outbox, states) = &*all;
            for (node, state) in [(0, 1), (1, 1), (0, 2)] {
                states[node as usize].store(state, Ordering::Relaxed);
                table.mark(node, outbox);
            }
            let mut seen = sender.join().unwrap();
            while let Some(news) = table.news(outbox) {
                seen[news.node() as usize] = states[news.node() as usize].load(Ordering::Relaxed);
            }
            assert_eq!(seen, [2, 1]);
        });
    }

    #[test]
    fn an_entry_is_given_back_once_whoever_has_it_when_it_ends() {
        model(|| {
            let all = shared();
            let sender_all = Arc::clone(&all);
            let sender = loom::thread::spawn(move || {
                let (table, outbox, _) = &*sender_all;
                for _ in 0..2 {
                    drop(table.news(outbox));
                }
            });
            let (table, outbox, _) = &*all;
            let mut free = 0;
            table.mark(0, outbox);
            table.mark(0, outbox);
            free += u32::from(table.end(0));
            table.take_returned(|_| free += 1);
            sender.join().unwrap();
            while table.news(outbox).is_some() {}
            table.take_returned(|_| free += 1);
            assert_eq!(free, 1);
        });
    }
}
