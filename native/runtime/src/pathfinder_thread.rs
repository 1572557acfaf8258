//! The pathfinder's thread: applies committed changes to its copy of the graph and answers routes in their order.

use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use lodestone_core::EdgeChange;
use rtrb::Consumer;

use crate::feed::PATHFINDER_LOOK_MS;
use crate::finder::Finder;
use crate::routes::RouteRequest;

/// Changes taken from the ring at once: the room for them goes back to the engine with each such slice.
const SLICE_CHANGES_MAX: usize = 1_024;

/// The thread's state.
pub(crate) struct PathfinderThread {
    pub(crate) finder: Finder,
    pub(crate) intake: Intake,
    pub(crate) routes: Receiver<RouteRequest>,
}

/// The receiving end of the ring of changes.
pub(crate) struct Intake {
    pub(crate) changes: Consumer<EdgeChange>,
    pub(crate) applied: u64,
}

impl PathfinderThread {
    /// Works until the engine's end is gone.
    pub(crate) fn run(&mut self) {
        let PathfinderThread { finder, intake, routes } = self;
        loop {
            // Looked at before the questions: a question that came before one of these changes is seen below, so with none
            // there the changes belong to no later state than any question still to come.
            let sent = intake.sent();
            match routes.try_recv() {
                // The engine sent the changes before the request, so all of them are in the ring already.
                Ok(request) => {
                    finder.serve(&request, |finder, standing| _ = intake.apply_some(finder, standing.changes_before));
                    finder.repair_watched();
                }
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {
                    // No more than a slice at once: a route that comes meanwhile is not to wait for all repairs.
                    let applied = intake.apply_some(finder, sent.min(intake.applied + SLICE_CHANGES_MAX as u64));
                    let filling = finder.watch_some();
                    if !applied && !filling {
                        thread::park_timeout(Duration::from_millis(PATHFINDER_LOOK_MS));
                    }
                }
            }
        }
    }
}

impl Intake {
    /// Changes since the start that are here or were.
    fn sent(&self) -> u64 {
        self.applied + self.changes.slots() as u64
    }

    /// Applies what is there, up to this many changes since the start; whether there was any.
    fn apply_some(&mut self, finder: &mut Finder, up_to: u64) -> bool {
        let before = self.applied;
        while self.applied < up_to {
            let wanted = (up_to - self.applied).min(SLICE_CHANGES_MAX as u64) as usize;
            let count = wanted.min(self.changes.slots());
            let Ok(chunk) = self.changes.read_chunk(count) else { break };
            if chunk.is_empty() {
                break;
            }
            let (first, second) = chunk.as_slices();
            finder.apply(first);
            finder.apply(second);
            chunk.commit_all();
            self.applied += count as u64;
        }
        self.applied > before
    }
}
