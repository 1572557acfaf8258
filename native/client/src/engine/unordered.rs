//! Requests that went as datagrams and are not answered yet: they may be lost, so each has its time.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::books::Flight;
use super::request::{Outcome, Request};
use crate::answer::Answer;
use crate::error::ClientError;

/// The flights, by counter, rising; so are their deadlines.
pub(crate) struct Unordered {
    timeout_ms: u64,
    under_way: VecDeque<(u64, Instant, Flight)>,
}

impl Unordered {
    pub(crate) fn new(timeout_ms: u64) -> Unordered {
        Unordered { timeout_ms, under_way: VecDeque::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// The datagram has left, or was refused on this side. Whoever wants no answer is done.
    pub(crate) fn sent(&mut self, sent: Result<u64, ClientError>, flight: Flight, now: Instant) {
        match sent {
            Err(error) => flight.fail(error),
            Ok(_) if !matches!(flight.request, Request::ByDatagram { answered: true, .. }) => {
                flight.decide(Outcome::InDoubt);
            }
            Ok(counter) => {
                let deadline = now + std::time::Duration::from_millis(self.timeout_ms);
                self.under_way.push_back((counter, deadline, flight));
            }
        }
    }

    /// Takes in an answer; one that nobody waits for any more is none.
    pub(crate) fn answered(&mut self, answer: &Answer<'_>) {
        match answer {
            Answer::Ack(ack) => {
                if let Some(flight) = self.remove(ack.counter) {
                    flight.decide(Outcome::Accepted { revision: ack.revision });
                }
            }
            Answer::Reject(reject) => {
                if let Some(flight) = self.remove(reject.counter) {
                    flight.refuse(reject);
                }
            }
            Answer::State(state) => {
                if let Some(flight) = self.remove(state.counter) {
                    flight.show(state);
                }
            }
            _ => {}
        }
    }

    fn remove(&mut self, counter: u64) -> Option<Flight> {
        let place = self.under_way.binary_search_by_key(&counter, |(counter, ..)| *counter).ok()?;
        self.under_way.remove(place).map(|(.., flight)| flight)
    }

    /// When the next one is over; `None`: none is under way.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.under_way.front().map(|(_, deadline, _)| *deadline)
    }

    /// Gives up those whose time is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((.., flight)) = self.under_way.pop_front_if(|(_, deadline, _)| *deadline <= now) {
            flight.give_up(self.timeout_ms);
        }
    }

    /// The connection is gone, and what was on its way with it.
    pub(crate) fn lost(&mut self) {
        let timeout_ms = self.timeout_ms;
        self.under_way.drain(..).for_each(|(.., flight)| flight.give_up(timeout_ms));
    }

    pub(crate) fn fail_all(&mut self, error: &ClientError) {
        self.under_way.drain(..).for_each(|(.., flight)| flight.fail(error.clone()));
    }
}
