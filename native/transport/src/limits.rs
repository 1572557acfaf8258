//! Rates and the table of addresses: who may do how much, in memory that is taken once.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SECOND_NS: u64 = 1_000_000_000;
/// Addresses that share one stretch of the table: looked through one after the other, in three cache lines.
const WAYS: usize = 8;

/// Something that may happen so often a second, and in a burst of a given length. It is one word: the instant at which
/// what has happened so far would have been due, one after the other (generic cell rate algorithm). Any thread.
#[derive(Debug)]
pub(crate) struct Rate {
    due_ns: AtomicU64,
}

/// The parameters of a [`Rate`]; many rates share them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    per_second: u64,
    burst_ns: u64,
}

impl Allowance {
    /// `None` without a limit, which 0 stands for. At least one at a time is allowed, and bursts of what comes in
    /// `burst`.
    pub(crate) fn new(per_second: u64, burst: Duration) -> Option<Allowance> {
        let burst_ns = u64::try_from(burst.as_nanos()).unwrap_or(u64::MAX);
        (per_second > 0).then_some(Allowance { per_second, burst_ns })
    }

    /// As [`Allowance::new`], with room for so many at once.
    pub(crate) fn with_burst_of(per_second: u64, burst: Duration, count: u32) -> Option<Allowance> {
        let mut allowance = Allowance::new(per_second, burst)?;
        allowance.burst_ns = allowance.burst_ns.max(allowance.cost_ns(count.into()));
        Some(allowance)
    }

    fn cost_ns(self, amount: u64) -> u64 {
        let cost = u128::from(amount) * u128::from(SECOND_NS) / u128::from(self.per_second);
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    /// The instant after `amount` more, or how long to wait before. Whoever is within the burst may go beyond it once:
    /// so a single large amount is never stuck, and pays afterwards.
    fn take(self, due_ns: u64, now_ns: u64, amount: u64) -> Result<u64, Duration> {
        let due_ns = due_ns.max(now_ns);
        let ahead_ns = due_ns - now_ns;
        if ahead_ns > self.burst_ns {
            return Err(Duration::from_nanos(ahead_ns - self.burst_ns));
        }
        Ok(due_ns.saturating_add(self.cost_ns(amount)))
    }
}

impl Rate {
    pub(crate) fn new() -> Rate {
        Rate { due_ns: AtomicU64::new(0) }
    }

    /// Takes `amount` now, or says how long to wait before asking again. `now_ns` comes from one clock that never goes
    /// back.
    pub(crate) fn take(&self, allowance: Allowance, now_ns: u64, amount: u64) -> Result<(), Duration> {
        let mut seen = self.due_ns.load(Ordering::Relaxed);
        loop {
            let after = allowance.take(seen, now_ns, amount)?;
            // Relaxed: the word stands for itself, nothing else is published with it.
            match self.due_ns.compare_exchange_weak(seen, after, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(changed) => seen = changed,
            }
        }
    }

    /// Takes `amount`, whatever was taken before.
    fn charge(&self, allowance: Allowance, now_ns: u64, amount: u64) {
        let cost_ns = allowance.cost_ns(amount);
        let after = |due_ns: u64| Some(due_ns.max(now_ns).saturating_add(cost_ns));
        // Relaxed as above; the change is never refused.
        let _ = self.due_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
    }
}

/// What a session may send in a second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SessionLimits {
    /// MOVEs and RELEASEs.
    pub(crate) moves: Option<Allowance>,
    /// Bytes of frames.
    pub(crate) bytes: Option<Allowance>,
    /// Streams that it begins.
    pub(crate) streams: Option<Allowance>,
}

/// What one session has sent of late. Any thread.
#[derive(Debug)]
pub(crate) struct SessionRates {
    moves: Rate,
    bytes: Rate,
    streams: Rate,
}

impl SessionRates {
    pub(crate) fn new() -> SessionRates {
        SessionRates { moves: Rate::new(), bytes: Rate::new(), streams: Rate::new() }
    }

    /// Takes a frame from what the session may send, or says how long to wait, with nothing taken.
    pub(crate) fn take(&self, limits: &SessionLimits, now_ns: u64, is_move: bool, bytes: u64) -> Result<(), Duration> {
        if let Some(allowance) = limits.bytes {
            // Nothing is taken yet: a wait for moves must not be paid for with bytes.
            self.bytes.take(allowance, now_ns, 0)?;
        }
        if let (Some(allowance), true) = (limits.moves, is_move) {
            self.moves.take(allowance, now_ns, 1)?;
        }
        if let Some(allowance) = limits.bytes {
            // Without a second question: where another thread was faster meanwhile, asking again would charge the move again.
            self.bytes.charge(allowance, now_ns, bytes);
        }
        Ok(())
    }

    /// Takes one more stream, or says how long to wait.
    pub(crate) fn take_stream(&self, limits: &SessionLimits, now_ns: u64) -> Result<(), Duration> {
        limits.streams.map_or(Ok(()), |allowance| self.streams.take(allowance, now_ns, 1))
    }
}

/// What an address may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressLimits {
    /// Connections at once, those in the handshake included; 0: no limit.
    pub(crate) connections_max: u32,
    /// Handshakes begun.
    pub(crate) handshakes: Option<Allowance>,
}

/// Why an address gets no connection now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OverLimit {
    /// It has as many as it may have.
    Connections,
    /// It begins them too fast.
    Handshakes,
    /// Both its stretches of the table are full of other addresses with connections.
    Untracked,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    /// 0: never used.
    address: u64,
    due_ns: u64,
    connections: u32,
}

/// Addresses with what they did of late. An address lies in one of two sets of eight. A new one goes where fewer have
/// connections, in the place of the one without that was quiet for longest; an address with a connection is never forgotten.
///
/// With as many addresses as there may be connections, each with one, half of the places are in use at most. A set holds four
/// on average then, and with two to choose from one of a thousand million million million would have a ninth; with one
/// set for each address it was one of fifty.
pub(crate) struct Addresses {
    limits: AddressLimits,
    entries: Vec<Entry>,
    /// Keyed by chance, so that nobody can choose addresses that meet in one set.
    hasher: RandomState,
}

impl Addresses {
    /// Room for twice as many addresses as there may be connections.
    pub(crate) fn new(limits: AddressLimits, connections_max: u32) -> Addresses {
        let sets = (connections_max as usize * 2).div_ceil(WAYS).next_power_of_two();
        Addresses { limits, entries: vec![Entry::default(); sets * WAYS], hasher: RandomState::new() }
    }

    /// Counts a connection of the address, if it may have one more.
    ///
    /// # Errors
    /// Why it may not; nothing is counted then.
    pub(crate) fn enter(&mut self, address: SocketAddr, now_ns: u64) -> Result<(), OverLimit> {
        let (limits, key) = (self.limits, key_of(address));
        let entry = self.find(key).ok_or(OverLimit::Untracked)?;
        if limits.connections_max > 0 && entry.connections >= limits.connections_max {
            return Err(OverLimit::Connections);
        }
        if let Some(allowance) = limits.handshakes {
            entry.due_ns = allowance.take(entry.due_ns, now_ns, 1).map_err(|_| OverLimit::Handshakes)?;
        }
        entry.connections += 1;
        Ok(())
    }

    /// A connection that [`Addresses::enter`] counted has ended.
    pub(crate) fn leave(&mut self, address: SocketAddr) {
        let known = self.known(key_of(address));
        debug_assert!(known.is_some(), "an address with a connection is never forgotten");
        if let Some(index) = known {
            self.entries[index].connections = self.entries[index].connections.saturating_sub(1);
        }
    }

    /// The two sets that an address may lie in; they may be the same.
    fn sets(&self, key: u64) -> [Range<usize>; 2] {
        let (hash, sets) = (self.hasher.hash_one(key), self.entries.len() / WAYS);
        [hash, hash >> 32].map(|part| {
            let first = (part as usize & (sets - 1)) * WAYS;
            first..first + WAYS
        })
    }

    fn known(&self, key: u64) -> Option<usize> {
        self.sets(key).into_iter().flatten().find(|index| self.entries[*index].address == key)
    }

    fn find(&mut self, key: u64) -> Option<&mut Entry> {
        if let Some(index) = self.known(key) {
            return self.entries.get_mut(index);
        }
        let connected =
            |set: &Range<usize>| self.entries[set.clone()].iter().filter(|entry| entry.connections > 0).count();
        let set = self.sets(key).into_iter().min_by_key(connected)?;
        let free =
            self.entries[set].iter_mut().filter(|entry| entry.connections == 0).min_by_key(|entry| entry.due_ns)?;
        *free = Entry { address: key, ..Entry::default() };
        Some(free)
    }
}

/// What counts as one address: an IPv4 address, or the /64 that one IPv6 site has to itself. Never 0.
fn key_of(address: SocketAddr) -> u64 {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => 1 << 32 | u64::from(u32::from(ip)),
        IpAddr::V6(ip) => ((u128::from(ip) >> 64) as u64).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn addresses(connections_max: u32, handshakes: Option<Allowance>, room: u32) -> Addresses {
        Addresses::new(AddressLimits { connections_max, handshakes }, room)
    }

    #[test]
    fn a_rate_gives_its_burst_and_then_what_it_promises() {
        let allowance = Allowance::new(1000, Duration::from_millis(10)).unwrap();
        let rate = Rate::new();
        let start = 5_000_000_000;
        let at_once = (0..100).take_while(|_| rate.take(allowance, start, 1).is_ok()).count();
        assert_eq!(at_once, 11, "ten in the burst of 10 ms and the one that is due now");
        assert_eq!(rate.take(allowance, start, 1), Err(Duration::from_millis(1)));
        let within = (0..1_000_000_u64).filter(|us| rate.take(allowance, start + us * 1000, 1).is_ok()).count();
        assert!((990..=1000).contains(&within), "{within} in a second");
    }

    #[test]
    fn a_large_amount_passes_and_is_paid_for_afterwards() {
        let allowance = Allowance::new(1000, Duration::from_millis(10)).unwrap();
        let rate = Rate::new();
        assert_eq!(rate.take(allowance, 0, 5000), Ok(()));
        assert_eq!(rate.take(allowance, 0, 1), Err(Duration::from_millis(4990)));
        assert_eq!(rate.take(allowance, 4_990_000_000, 1), Ok(()));
        assert!(Allowance::new(0, Duration::ZERO).is_none());
        assert_eq!(Rate::new().take(Allowance::new(1, Duration::ZERO).unwrap(), u64::MAX, u64::MAX), Ok(()));
    }

    #[test]
    fn connections_of_an_address_are_counted_whatever_its_port() {
        let mut table = addresses(2, None, 100);
        assert_eq!(table.enter(address("10.0.0.1:1"), 0), Ok(()));
        assert_eq!(table.enter(address("[::ffff:10.0.0.1]:2"), 0), Ok(()));
        assert_eq!(table.enter(address("10.0.0.1:3"), 0), Err(OverLimit::Connections));
        assert_eq!(table.enter(address("10.0.0.2:3"), 0), Ok(()));
        table.leave(address("10.0.0.1:9"));
        assert_eq!(table.enter(address("10.0.0.1:3"), 0), Ok(()));
        for host in 1..=2 {
            assert_eq!(table.enter(address(&format!("[2001:db8::{host}]:1")), 0), Ok(()));
        }
        assert_eq!(table.enter(address("[2001:db8::3]:1"), 0), Err(OverLimit::Connections), "one /64");
        assert_eq!(table.enter(address("[2001:db8:0:1::3]:1"), 0), Ok(()));
    }

    #[test]
    fn handshakes_of_an_address_have_a_rate() {
        let mut table = addresses(0, Allowance::new(10, Duration::from_secs(1)), 100);
        let first = (0..100).take_while(|_| table.enter(address("10.0.0.1:1"), 0).is_ok()).count();
        assert_eq!(first, 11);
        assert_eq!(table.enter(address("10.0.0.1:1"), 0), Err(OverLimit::Handshakes));
        assert_eq!(table.enter(address("10.0.0.1:1"), 100_000_000), Ok(()));
    }

    #[test]
    fn threads_that_race_pay_for_each_move_once() {
        const MOVE_NS: u64 = 1_000_000;
        let limits = SessionLimits {
            moves: Allowance::new(SECOND_NS / MOVE_NS, Duration::from_secs(1 << 30)),
            bytes: Allowance::new(1_000_000, Duration::ZERO),
            streams: None,
        };
        let (rates, clock) = (SessionRates::new(), AtomicU64::new(1_000));
        let race = || {
            // Half of the bytes are due when the next come, so that threads meet at that limit all the time.
            let take = |_| rates.take(&limits, clock.fetch_add(500, Ordering::Relaxed), true, 1).is_ok();
            (0..200_000).filter(|round| take(*round)).count() as u64
        };
        let passed: u64 = std::thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(race));
            threads.map(|thread| thread.join().unwrap()).iter().sum()
        });
        assert!((1..800_000).contains(&passed), "{passed} passed, and some had to wait");
        let paid_ns = rates.moves.due_ns.load(Ordering::Relaxed);
        assert_eq!(paid_ns / MOVE_NS, passed, "{paid_ns} ns are paid for");
    }

    #[test]
    fn as_many_addresses_as_there_may_be_connections_are_all_let_in() {
        // The table is rounded up to a power of two: 4,096 of them fill it as far as it can be.
        for connections_max in [1, 2, 7, 100, 1_000, 4_096, 60_000] {
            let mut table = addresses(1, Allowance::new(1, Duration::ZERO), connections_max);
            let entries = table.entries.len();
            let host = |number: u32| SocketAddr::from((number.to_le_bytes(), 1));
            for number in 0..connections_max {
                assert_eq!(table.enter(host(number), 0), Ok(()), "{number} of {connections_max}");
            }
            for number in (0..connections_max).step_by(61) {
                assert_eq!(table.enter(host(number), 0), Err(OverLimit::Connections), "{number}");
            }
            // Others come in the place of each that leaves.
            for number in (0..connections_max).step_by(7) {
                table.leave(host(number));
                assert_eq!(table.enter(host(number + connections_max), 0), Ok(()), "{number} of {connections_max}");
            }
            assert_eq!(table.entries.len(), entries);
        }
    }

    #[test]
    fn a_full_table_forgets_the_quiet_and_never_the_connected() {
        let mut table = addresses(1, Allowance::new(1000, Duration::ZERO), 1);
        let host = |number: u32| SocketAddr::from((number.to_le_bytes(), 1));
        for number in 0..8 {
            assert_eq!(table.enter(host(number), 0), Ok(()));
        }
        assert_eq!(table.enter(host(99), 0), Err(OverLimit::Untracked), "eight ways, all connected");
        table.leave(host(3));
        assert_eq!(table.enter(host(99), 0), Ok(()));
        assert_eq!(table.enter(host(0), 0), Err(OverLimit::Connections), "the connected are remembered");
        for number in 1_000..200_000 {
            let _ = table.enter(host(number), u64::from(number));
        }
        assert_eq!(table.entries.len(), 8);
    }
}
