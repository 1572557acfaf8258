//! When each connection is due next: a binary heap that knows where each connection stands in it.

use std::time::Instant;

/// Not in the heap.
const ABSENT: u32 = u32::MAX;

/// At most one instant for each key; memory is bounded by the highest key. The times are lazy: a key stands at its
/// instant or at an earlier one, because moving it later on every packet would cost more than looking once in vain.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: Vec<(Instant, u32)>,
    places: Vec<u32>,
}

impl Timers {
    pub(super) fn with_capacity(keys: usize) -> Timers {
        Timers { heap: Vec::with_capacity(keys), places: Vec::with_capacity(keys) }
    }

    /// The key is due at this instant or earlier.
    pub(super) fn at_latest(&mut self, key: usize, instant: Instant) {
        if self.places.len() <= key {
            self.places.resize(key + 1, ABSENT);
        }
        match self.places[key] {
            ABSENT => {
                self.heap.push((instant, key as u32));
                self.places[key] = (self.heap.len() - 1) as u32;
                self.rise(self.heap.len() - 1);
            }
            place if self.heap[place as usize].0 > instant => {
                self.heap[place as usize].0 = instant;
                self.rise(place as usize);
            }
            _ => {}
        }
    }

    /// Forgets the key.
    pub(super) fn remove(&mut self, key: usize) {
        let place = self.places.get(key).copied().unwrap_or(ABSENT);
        if place != ABSENT {
            self.take(place as usize);
        }
    }

    /// The earliest instant of all.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|(instant, _)| *instant)
    }

    /// Takes out a key whose instant is here.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        self.next().filter(|next| *next <= now)?;
        Some(self.take(0))
    }

    fn take(&mut self, place: usize) -> usize {
        let last = self.heap.len() - 1;
        self.swap(place, last);
        let key = self.heap.pop().map_or(0, |(_, key)| key as usize);
        self.places[key] = ABSENT;
        if place < self.heap.len() {
            self.sink(place);
            self.rise(place);
        }
        key
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent].0 <= self.heap[place].0 {
                return;
            }
            self.swap(place, parent);
            place = parent;
        }
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            let mut least = place;
            for child in [left, right] {
                if child < self.heap.len() && self.heap[child].0 < self.heap[least].0 {
                    least = child;
                }
            }
            if least == place {
                return;
            }
            self.swap(place, least);
            place = least;
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.places[self.heap[one].1 as usize] = one as u32;
        self.places[self.heap[other].1 as usize] = other as u32;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    #[test]
    fn agrees_with_a_sorted_map_over_random_changes() {
        for seed in 1..200_u64 {
            let mut random = seed;
            let mut next = |below: u64| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (random >> 33) % below
            };
            let start = Instant::now();
            let mut timers = Timers::default();
            let mut model: BTreeMap<usize, u64> = BTreeMap::new();
            for _ in 0..400 {
                let key = next(40) as usize;
                match next(4) {
                    0 => {
                        timers.remove(key);
                        model.remove(&key);
                    }
                    1 => {
                        let now = next(1000);
                        let due = model.values().filter(|at| **at <= now).min().copied();
                        let found = timers.pop_due(start + Duration::from_micros(now));
                        assert_eq!(found.and_then(|key| model.remove(&key)), due, "seed {seed}");
                    }
                    _ => {
                        let at = next(1000);
                        timers.at_latest(key, start + Duration::from_micros(at));
                        model.entry(key).and_modify(|known| *known = at.min(*known)).or_insert(at);
                    }
                }
                let first = model.values().min().map(|at| start + Duration::from_micros(*at));
                assert_eq!(timers.next(), first, "seed {seed}");
            }
        }
    }
}
