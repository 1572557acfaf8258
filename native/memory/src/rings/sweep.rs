//! The sweep: what the engine does now and then, off the hot path, about producers that left or died.

use crate::rings::bridge::BridgeEnd;
use crate::rings::layout::PRODUCERS_MAX;
use crate::rings::process::ProcessIdentity;
use crate::rings::producers::{EntryState, Stage};

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Producers that live.
    pub live: u32,
    /// Those of them that write into the ring.
    pub live_in_ring: u32,
    /// Producers found dead that had not said that they leave.
    pub died: u32,
    /// Claims of dead producers turned into padding.
    pub repaired: u32,
    /// How often producers found no room, since the start.
    pub full: u64,
    /// Whether the ring was given up just now, since its tail makes no sense.
    pub broken: bool,
}

impl BridgeEnd {
    /// Closes the ring where it is broken, and looks at every entry: repairs the ring where a dead producer holds it up, and frees what left. `busy` says of an
    /// entry that a call of it is still worked on; such an entry is kept.
    pub fn sweep(&mut self, busy: impl Fn(usize) -> bool) -> Sweep {
        let broken = self.ring.close_if_broken();
        let mut sweep = Sweep { full: self.full_before, broken, ..Sweep::default() };
        for entry in 0..self.bridge.producers.len().min(PRODUCERS_MAX) {
            let state = self.bridge.producers.state(entry);
            if state.stage == Stage::Free {
                continue;
            }
            // Wrapping: what a producer says that it counted may be anything.
            sweep.full = sweep.full.wrapping_add(self.bridge.producers.full(entry));
            if state.stage != Stage::Leaving && self.is_dead(entry, state) {
                sweep.died += u32::from(self.bridge.producers.leave(entry, state.epoch));
            }
            match self.bridge.producers.state(entry).stage {
                Stage::Leaving => self.let_go(entry, state.epoch, busy(entry)),
                _ => {
                    sweep.live += 1;
                    sweep.live_in_ring += u32::from(self.bridge.producers.lane(entry).is_none());
                }
            }
        }
        self.free_orphaned_lanes();
        sweep.repaired = u32::from(self.repair());
        sweep
    }

    /// Turns the claim at the head of the ring into padding if its owner is dead.
    fn repair(&mut self) -> bool {
        if !self.ring.is_waiting() {
            return false;
        }
        let (producers, own) = (self.bridge.producers, self.own);
        let dead = |entry: usize| {
            let state = producers.state(entry);
            // Who leaves has ended its claim, or can reach the ring no more: a process that let go of its mapping.
            matches!(state.stage, Stage::Free | Stage::Leaving)
                || own.is_some_and(|own| is_dead(&producers.process(entry), state, &own))
        };
        self.ring.repair(dead).is_some()
    }

    fn is_dead(&self, entry: usize, state: EntryState) -> bool {
        // Where the system does not tell about processes, nobody is ever known to be dead.
        self.own.is_some_and(|own| is_dead(&self.bridge.producers.process(entry), state, &own))
    }

    /// Frees the entry once everything that its producer committed is taken.
    fn let_go(&mut self, entry: usize, epoch: u32, busy: bool) {
        let (tail, head) = (self.ring.tail(), self.ring.head());
        // Nothing of this producer comes behind what is the tail now.
        let until = *self.leaving[entry].get_or_insert(tail);
        let in_ring = until.wrapping_sub(head).cast_signed() > 0 && !self.ring.is_closed();
        let lane = self.bridge.producers.lane(entry).filter(|lane| *lane < self.lanes.len());
        let in_lane = lane.is_some_and(|lane| {
            let lane = &self.lanes[lane];
            lane.owner() == owner_word(entry, epoch) && lane.has_some()
        });
        if busy || in_ring || in_lane {
            return;
        }
        if let Some(lane) = lane.map(|lane| &mut self.lanes[lane])
            && lane.owner() == owner_word(entry, epoch)
        {
            lane.free();
        }
        self.full_before = self.full_before.wrapping_add(self.bridge.producers.full(entry));
        self.leaving[entry] = None;
        self.bridge.replies.clear(entry);
        self.bridge.producers.free(entry);
    }

    /// A lane that was taken by a registration which then ended otherwise.
    fn free_orphaned_lanes(&mut self) {
        for lane in &mut self.lanes {
            let owner = lane.owner();
            let Some(entry) = (owner as u32).checked_sub(1).map(|entry| entry as usize) else { continue };
            let held = entry < self.bridge.producers.len() && {
                let state = self.bridge.producers.state(entry);
                state.stage != Stage::Free && owner_word(entry, state.epoch) == owner
            };
            if !held {
                lane.free();
            }
        }
    }
}

/// The owner word of a lane.
pub(crate) fn owner_word(entry: usize, epoch: u32) -> u64 {
    (entry as u64 + 1) | u64::from(epoch) << 32
}

fn is_dead(process: &ProcessIdentity, state: EntryState, own: &ProcessIdentity) -> bool {
    if state.pid == 0 {
        // In another namespace, where whoever has that number here is somebody else.
        return false;
    }
    if process.start_ticks != 0 && process.namespace != 0 {
        return process.is_dead(own.namespace);
    }
    // Not filled in yet: all that is known is the number, and that some process of this number is there or not.
    ProcessIdentity { pid: state.pid, start_ticks: 0, namespace: own.namespace }.is_gone()
}

#[cfg(test)]
mod tests {
    use super::super::layout::{PRODUCER_NAMESPACE, PRODUCER_START};
    use super::super::tests::{OWN_TICKS, bridge, registration};
    use super::super::{BridgeEnd, ProcessIdentity, Registration};
    use crate::sync::Ordering;

    #[test]
    fn nobody_of_another_namespace_is_taken_for_dead_at_any_step_of_a_registration() {
        let own = ProcessIdentity::own().unwrap();
        // A number that no process has here.
        let process = ProcessIdentity { pid: u32::MAX, start_ticks: OWN_TICKS, namespace: own.namespace };
        let foreign = ProcessIdentity { namespace: own.namespace + 1, ..process };
        for (process, dies) in [(process, true), (foreign, false)] {
            // Steps: the entry is taken, the start is told, the namespace is told, it lives.
            for step in 0..4 {
                let bridge = bridge(1, 4, 16);
                let mut end = BridgeEnd::new(bridge);
                let registration = Registration { process, ..registration(false) };
                let (entry, state) = bridge.producers.take(&registration).unwrap();
                let words: [u64; 2] = [process.start_ticks, process.namespace];
                for (index, offset) in [PRODUCER_START, PRODUCER_NAMESPACE].into_iter().enumerate() {
                    let told = if index < step { words[index] } else { 0 };
                    bridge.producers.word(entry, offset).store(told, Ordering::Relaxed);
                }
                if step == 3 {
                    assert!(bridge.producers.welcome(entry, state, None, 0));
                }
                let died = end.sweep(|_| false).died;
                assert_eq!(died, u32::from(dies), "step {step}");
                let welcome = step < 3 && bridge.producers.welcome(entry, state, None, 0);
                assert_eq!(welcome, step < 3 && !dies, "step {step}");
            }
        }
    }
}
