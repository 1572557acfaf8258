//! When each move is due. Fixed before the first one leaves, and never moved afterwards: a move that leaves late, for
//! whatever reason, is measured from the moment it should have left (no coordinated omission).

/// Moves leave in bursts on this grid. Half a millisecond spreads 20,000 moves a second over bursts of ten, and costs
/// the generator 2,000 wake-ups a second.
pub(crate) const TICK_NS: u64 = 500_000;
const SECOND_NS: u128 = 1_000_000_000;

/// The moves of all hunters in turn, evenly spread over the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    rate: u64,
    seconds: u64,
    hunters: u64,
}

impl Schedule {
    /// `rate` moves a second for `seconds`, by hunter 0, 1, 2, … in turn.
    pub(crate) fn new(rate: u64, seconds: u64, hunters: u32) -> Schedule {
        Schedule { rate, seconds, hunters: u64::from(hunters.max(1)) }
    }

    /// Moves of the whole run.
    pub(crate) fn moves_total(&self) -> u64 {
        self.rate * self.seconds
    }

    /// Whole seconds of the run.
    pub(crate) fn seconds(&self) -> u64 {
        self.seconds
    }

    /// How many moves are due at this time after the start.
    pub(crate) fn due_moves(&self, elapsed_ns: u64) -> u64 {
        let ticks = u128::from(elapsed_ns / TICK_NS) + 1;
        let due = u128::from(self.rate) * ticks * u128::from(TICK_NS) / SECOND_NS;
        u64::try_from(due).unwrap_or(u64::MAX).min(self.moves_total())
    }

    /// When the move is due, after the start: the first tick at which [`due_moves`](Schedule::due_moves) counts it.
    pub(crate) fn scheduled_ns(&self, move_index: u64) -> u64 {
        let until = (u128::from(move_index) + 1) * SECOND_NS;
        let tick = until.div_ceil(u128::from(self.rate) * u128::from(TICK_NS)) - 1;
        u64::try_from(tick * u128::from(TICK_NS)).unwrap_or(u64::MAX)
    }

    /// The hunter whose turn the move is.
    pub(crate) fn hunter(&self, move_index: u64) -> usize {
        (move_index % self.hunters) as usize
    }

    /// The move that is this hunter's step number `step`, counted from 0.
    pub(crate) fn move_index(&self, hunter: u32, step: u64) -> u64 {
        step * self.hunters + u64::from(hunter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn every_move_is_due_at_its_own_tick() {
        let mut random = Random::new(11, 0);
        for round in 0..200 {
            let schedule = Schedule::new(u64::from(random.below(100_000)) + 1, u64::from(random.below(20)) + 1, 7);
            let index = random.next() % schedule.moves_total();
            let at = schedule.scheduled_ns(index);
            assert_eq!(at % TICK_NS, 0, "round {round}: {schedule:?} move {index}");
            assert!(schedule.due_moves(at) > index, "round {round}: {schedule:?} move {index} not due at {at}");
            assert!(at == 0 || schedule.due_moves(at - 1) <= index, "round {round}: {schedule:?} move {index} early");
        }
    }

    #[test]
    fn the_run_is_evenly_full_and_ends_in_time() {
        let schedule = Schedule::new(20_000, 15, 1_000);
        assert_eq!(schedule.moves_total(), 300_000);
        assert_eq!(schedule.due_moves(0), 10);
        assert_eq!(schedule.due_moves(TICK_NS - 1), 10);
        assert_eq!(schedule.due_moves(999_999_999), 20_000);
        assert_eq!(schedule.due_moves(u64::MAX), 300_000);
        assert_eq!(schedule.scheduled_ns(299_999), 15_000_000_000 - TICK_NS);
        let slow = Schedule::new(3, 2, 1_000);
        assert_eq!(
            (0..6).map(|index| slow.scheduled_ns(index) / 1_000_000).collect::<Vec<_>>(),
            [333, 666, 999, 1333, 1666, 1999]
        );
    }

    #[test]
    fn hunters_take_turns() {
        let schedule = Schedule::new(1_000, 1, 300);
        for index in 0..1_000 {
            let hunter = schedule.hunter(index);
            assert_eq!(schedule.move_index(hunter as u32, index / 300), index);
        }
    }
}
