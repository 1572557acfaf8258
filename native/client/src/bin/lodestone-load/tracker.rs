//! Which moves of one stream are answered, and how.

use std::collections::VecDeque;

/// Keeps the books of one stream from its cumulative ACKs and its REJECTs. Bounded by the answers the server may owe: a
/// counter is remembered only from its REJECT to the ACK that covers it.
#[derive(Debug)]
pub(crate) struct Tracker {
    undecided: u64,
    rejected: VecDeque<u64>,
}

impl Tracker {
    /// Begins with the first counter that a move of this stream has.
    pub(crate) fn new(first: u64) -> Tracker {
        Tracker { undecided: first, rejected: VecDeque::new() }
    }

    /// Takes in a REJECT; `sent` is the counter of the next frame to send.
    pub(crate) fn reject(&mut self, counter: u64, sent: u64) -> Result<(), String> {
        let lowest = self.rejected.back().map_or(self.undecided, |last| last + 1);
        if counter < lowest || counter >= sent {
            return Err(format!("REJECT for frame {counter}, but only {lowest} to {sent} (exclusive) await one"));
        }
        self.rejected.push_back(counter);
        Ok(())
    }

    /// Takes in an ACK and names each counter that it accepts.
    pub(crate) fn ack(&mut self, counter: u64, sent: u64, mut accepted: impl FnMut(u64)) -> Result<(), String> {
        if counter >= sent || counter + 1 < self.undecided {
            let undecided = self.undecided;
            return Err(format!("ACK for frame {counter}, but {undecided} to {sent} (exclusive) await one"));
        }
        for decided in self.undecided..=counter {
            if self.rejected.front() == Some(&decided) {
                self.rejected.pop_front();
            } else {
                accepted(decided);
            }
        }
        self.undecided = counter + 1;
        Ok(())
    }

    /// Frames sent that no answer has decided yet.
    pub(crate) fn unanswered(&self, sent: u64) -> u64 {
        sent - self.undecided - self.rejected.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// A server that decides in order, rejects at random, and acknowledges whenever it likes.
    #[test]
    fn books_balance_under_any_mix_of_answers() {
        for seed in 0..500 {
            let mut random = Random::new(seed, 0);
            let (mut tracker, mut sent, mut decided) = (Tracker::new(1), 1, 1);
            let (mut accepted, mut model_accepted, mut model_rejected) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..300 {
                match random.below(4) {
                    0 => sent += u64::from(random.below(5)),
                    1 | 2 if decided < sent => {
                        if random.below(3) == 0 {
                            tracker.reject(decided, sent).unwrap();
                            model_rejected.push(decided);
                        } else {
                            model_accepted.push(decided);
                        }
                        decided += 1;
                    }
                    _ => tracker.ack(decided - 1, sent, |counter| accepted.push(counter)).unwrap(),
                }
            }
            let open = sent - 1 - accepted.len() as u64 - model_rejected.len() as u64;
            assert_eq!(tracker.unanswered(sent), open, "seed {seed}");
            tracker.ack(decided - 1, sent, |counter| accepted.push(counter)).unwrap();
            assert_eq!(accepted, model_accepted, "seed {seed}");
            assert_eq!(tracker.unanswered(sent), sent - decided, "seed {seed}");
        }
    }

    #[test]
    fn impossible_answers_are_named() {
        let mut tracker = Tracker::new(1);
        tracker.ack(0, 4, |counter| panic!("{counter} was never sent")).unwrap();
        assert!(tracker.ack(4, 4, |_| {}).unwrap_err().contains("ACK for frame 4"));
        tracker.reject(2, 4).unwrap();
        for counter in [0, 1, 2, 4, u64::MAX] {
            assert!(tracker.reject(counter, 4).is_err(), "REJECT {counter}");
        }
        let mut accepted = Vec::new();
        tracker.ack(3, 4, |counter| accepted.push(counter)).unwrap();
        assert_eq!(accepted, [1, 3]);
        assert!(tracker.ack(2, 4, |_| {}).is_err(), "an ACK must not fall");
        tracker.ack(3, 4, |_| panic!("nothing is left")).unwrap();
        assert!(tracker.ack(u64::MAX, 4, |_| {}).is_err());
    }
}
