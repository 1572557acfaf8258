//! Rates and the table of addresses: who may do how much, in memory that is taken once.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SECOND_NS: u64 = 1_000_000_000;
/// Addresses that share one stretch of the table: looked through one after the other, in four cache lines.
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
    /// Its stretch of the table is full of other addresses with connections.
    Untracked,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    /// 0: never used.
    address: u64,
    due_ns: u64,
    connections: u32,
}

/// Addresses with what they did of late. Of a set of eight the one with no connection that was quiet for longest makes
/// room for a new one; an address with a connection is never forgotten.
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
        let key = key_of(address);
        let entry = self.set(key).iter_mut().find(|entry| entry.address == key);
        debug_assert!(entry.is_some(), "an address with a connection is never forgotten");
        if let Some(entry) = entry {
            entry.connections = entry.connections.saturating_sub(1);
        }
    }

    fn set(&mut self, key: u64) -> &mut [Entry] {
        let sets = self.entries.len() / WAYS;
        let first = (self.hasher.hash_one(key) as usize & (sets - 1)) * WAYS;
        &mut self.entries[first..first + WAYS]
    }

    fn find(&mut self, key: u64) -> Option<&mut Entry> {
        let set = self.set(key);
        if let Some(index) = set.iter().position(|entry| entry.address == key) {
            return set.get_mut(index);
        }
        let free = set.iter_mut().filter(|entry| entry.connections == 0).min_by_key(|entry| entry.due_ns)?;
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
