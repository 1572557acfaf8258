//! Who waits for what on one connection.

use std::collections::BTreeMap;
use std::task::{Context, Waker};

use quinn_proto::{StreamId, VarInt};

/// What a task can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wait {
    Established,
    StreamOpened,
    /// The client grants one more unidirectional stream.
    StreamGranted,
    DatagramReceived,
    /// The datagrams that wait to leave are few.
    DatagramRoom,
    /// The end. Any number of tasks wait for it, each under a number of its own.
    Closed(u64),
    Readable(StreamId),
    Writable(StreamId),
    /// The client has everything of a finished stream, or wants no more.
    Stopped(StreamId),
}

/// Tasks by what they wait for: a handful, and up to three for each stream, of which a client may open thousands, so an
/// event finds its task in a tree. A place stays when its task was woken, because the task is back soon: whoever goes for
/// good takes it back with [`Waiting::forget`].
#[derive(Debug, Default)]
pub(super) struct Waiting {
    tasks: BTreeMap<Wait, Option<Waker>>,
    /// The number of the last wait for the end.
    closed_last: u64,
}

impl Waiting {
    /// Wakes the task when it happens. One task waits for each thing.
    pub(super) fn wait(&mut self, what: Wait, context: &Context<'_>) {
        let waker = context.waker();
        match self.tasks.entry(what).or_default() {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Nobody waits for this any more.
    pub(super) fn forget(&mut self, what: Wait) {
        self.tasks.remove(&what);
    }

    /// It has happened.
    pub(super) fn fire(&mut self, what: Wait, wakers: &mut Vec<Waker>) {
        wakers.extend(self.tasks.get_mut(&what).and_then(Option::take));
    }

    /// All streams may be read.
    pub(super) fn fire_readable(&mut self, wakers: &mut Vec<Waker>) {
        let least = StreamId::from(VarInt::from_u32(0));
        let readable = self.tasks.range_mut(Wait::Readable(least)..Wait::Writable(least));
        wakers.extend(readable.filter_map(|(_, task)| task.take()));
    }

    /// Everything has happened: the connection is over.
    pub(super) fn fire_all(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(std::mem::take(&mut self.tasks).into_values().flatten());
    }

    /// What the next wait for the end stands under.
    pub(super) fn next_closed(&mut self) -> Wait {
        self.closed_last += 1;
        Wait::Closed(self.closed_last)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Task(AtomicU64);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn stream(index: u64) -> StreamId {
        StreamId::from(VarInt::from_u64(index * 4).unwrap())
    }

    #[test]
    fn agrees_with_a_list_of_all_waits_over_random_changes() {
        for seed in 1..100_u64 {
            let mut random = seed;
            let mut next = |below: u64| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (random >> 33) % below
            };
            let (mut waiting, mut model) = (Waiting::default(), Vec::<(Wait, Arc<Task>)>::new());
            for _ in 0..400 {
                let id = stream(next(6));
                let what = [Wait::DatagramReceived, Wait::Readable(id), Wait::Writable(id), Wait::Stopped(id)]
                    [next(4) as usize];
                let mut wakers = Vec::new();
                let happened: Box<dyn Fn(&Wait) -> bool> = match next(20) {
                    0..8 => {
                        let task = Arc::<Task>::default();
                        waiting.wait(what, &Context::from_waker(&Arc::clone(&task).into()));
                        model.retain(|(wait, _)| *wait != what);
                        model.push((what, task));
                        continue;
                    }
                    8..12 => {
                        waiting.forget(what);
                        model.retain(|(wait, _)| *wait != what);
                        continue;
                    }
                    12..18 => {
                        waiting.fire(what, &mut wakers);
                        Box::new(move |wait| *wait == what)
                    }
                    18 => {
                        waiting.fire_readable(&mut wakers);
                        Box::new(|wait| matches!(wait, Wait::Readable(_)))
                    }
                    _ => {
                        waiting.fire_all(&mut wakers);
                        Box::new(|_| true)
                    }
                };
                wakers.into_iter().for_each(Waker::wake);
                for (wait, task) in &model {
                    assert_eq!(task.0.load(Ordering::Relaxed), u64::from(happened(wait)), "seed {seed}: {wait:?}");
                }
                model.retain(|(wait, _)| !happened(wait));
            }
        }
    }
}
