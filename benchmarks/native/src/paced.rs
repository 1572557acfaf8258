//! Moves at a fixed schedule: how long one takes from the instant it was due to the publication of its revision, alone and
//! while routes are searched all the time.
//!
//! As in the product, every committed change goes through a ring to a second thread with a copy of the graph of its own,
//! which applies it; routes are searched on that thread. Slices with and without routes alternate. Left out: the network,
//! and the channel before the engine; filling the page, which ingress does, is in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use lodestone_core::EdgeChange;
use lodestone_core::pathfinder::{Pathfinder, Route};
use rtrb::{Consumer, Producer, RingBuffer};

use crate::Scale;
use crate::figures::{Figures, nanoseconds, record};
use crate::graph;
use crate::graph::paths::{loaded, random_pair};
use crate::graphs::Graph;
use crate::host::{Lost, waited_for_processor_ns};
use crate::world::{BATCH, EngineStore, Room, World};

/// Moves a second: the published rate, and the rate that the goals add.
const RATES: [(&str, u64); 2] = [("paced_80k", 80_000), ("paced_1m", 1_000_000)];
/// Changes that the ring holds, and the longest time in which nobody looks at it, as in the product.
const RING_CHANGES: usize = 1 << 18;
const LOOK: Duration = Duration::from_millis(20);
/// Changes that the pathfinder applies together.
const APPLIED_AT_ONCE: usize = 1_024;
const WINDOW_BYTES: usize = 256 << 20;

pub(crate) fn measure(scale: &Scale, figures: &mut Figures) {
    let graph = graph::uniform(scale);
    let room = Room {
        slots: graph.nodes,
        nodes_more: 0,
        edges_more: 0,
        window_bytes: WINDOW_BYTES,
    };
    eprintln!("  paced: loading {} arcs twice", graph.arcs);
    let mut world: World<'_, EngineStore> = World::new(&graph, room);
    world.load();
    let pathfinder = loaded(&graph, figures);
    let (changes, taken) = RingBuffer::new(RING_CHANGES);
    let (routing, stopping) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    thread::scope(|scope| {
        let finder = Finder {
            pathfinder,
            changes: taken,
            routing: Arc::clone(&routing),
            stopping: Arc::clone(&stopping),
        };
        let finding = scope.spawn(|| finder.run(&graph));
        let mut engine = Paced {
            world,
            changes,
            finder: finding.thread().clone(),
            waits: 0,
        };
        // Gives every node its slot.
        engine.run("", 1_000_000, scale.warm_seconds, figures);
        for (name, rate) in RATES {
            for slice in 0..scale.paced_slices {
                eprintln!(
                    "  {name}: slice {} of {}, alone, then with routes",
                    slice + 1,
                    scale.paced_slices
                );
                engine.run(name, rate, scale.slice_seconds, figures);
                routing.store(true, Ordering::Relaxed);
                engine.run(
                    &format!("{name}_routes"),
                    rate,
                    scale.slice_seconds,
                    figures,
                );
                routing.store(false, Ordering::Relaxed);
            }
        }
        stopping.store(true, Ordering::Relaxed);
        let times = finding
            .join()
            .expect("the pathfinder's thread does not panic");
        figures.add("paced_routes.routes", "routes", times.len() as f64);
        figures.add_percentiles("paced_routes.route", &times);
    });
}

/// The engine's side.
struct Paced<'a> {
    world: World<'a, EngineStore>,
    changes: Producer<EdgeChange>,
    finder: Thread,
    waits: u64,
}

impl Paced<'_> {
    /// Takes moves in batches of what is due, second by second; nothing is kept without a name. A second has a schedule
    /// of its own, which begins when the moves of the one before are done: a stall counts for every move of its second
    /// that it delays, and for none of the next. Beside the percentiles, the time that the second lost to others: what a
    /// loop that waits for work and only reads the clock saw go by, or what the system counted as waiting for a
    /// processor, whichever is more.
    fn run(&mut self, name: &str, rate: u64, seconds: u64, figures: &mut Figures) {
        let mut histogram = nanoseconds();
        for _ in 0..seconds {
            histogram.reset();
            let (waits, waited_ns) = (self.waits, waited_for_processor_ns());
            let mut lost = self.second(rate, &mut histogram);
            lost.total_ns = lost.total_ns.max(waited_for_processor_ns() - waited_ns);
            if !name.is_empty() {
                figures.add_percentiles(name, &histogram);
                figures.add(&format!("{name}.lost"), "ns", lost.total_ns as f64);
                figures.add(
                    &format!("{name}.lost_longest"),
                    "ns",
                    lost.longest_ns as f64,
                );
                figures.add(
                    &format!("{name}.waits"),
                    "waits",
                    (self.waits - waits) as f64,
                );
            }
        }
    }

    fn second(&mut self, rate: u64, histogram: &mut Histogram<u64>) -> Lost {
        let (mut lost, mut idle_since) = (Lost::default(), None);
        let (mut done, start, gap_ns) = (0, Instant::now(), 1e9 / rate as f64);
        while done < rate {
            let now_ns = start.elapsed().as_nanos() as u64;
            if let Some(before) = idle_since.replace(now_ns) {
                lost.gap(now_ns - before);
            }
            let due = ((now_ns as f64 / gap_ns) as u64 + 1).min(rate);
            let count = due.saturating_sub(done).min(BATCH);
            if count == 0 {
                std::hint::spin_loop();
                continue;
            }
            self.batch(count);
            idle_since = None;
            let end_ns = start.elapsed().as_nanos() as f64;
            let late = |number| (end_ns - number as f64 * gap_ns) as u64;
            (done..done + count).for_each(|number| record(histogram, late(number)));
            done += count;
        }
        lost
    }

    fn batch(&mut self, count: u64) {
        let page = self.world.fill(count);
        self.world.step(&page);
        for change in self.world.state.changes() {
            let mut waited = false;
            while self.changes.push(*change).is_err() {
                assert!(
                    !self.changes.is_abandoned(),
                    "the pathfinder's thread is gone"
                );
                self.waits += u64::from(!waited);
                waited = true;
                self.finder.unpark();
                thread::yield_now();
            }
        }
        if self.changes.slots() < RING_CHANGES / 4 * 3 {
            self.finder.unpark();
        }
    }
}

/// The pathfinder's side.
struct Finder {
    pathfinder: Pathfinder,
    changes: Consumer<EdgeChange>,
    routing: Arc<AtomicBool>,
    stopping: Arc<AtomicBool>,
}

impl Finder {
    /// Applies changes, and finds one route after the other while that is wanted; the times of all routes.
    fn run(mut self, graph: &Graph) -> Histogram<u64> {
        let mut route = Route::with_capacity(1_024).expect("memory for a route");
        let (mut times, mut number) = (nanoseconds(), 0);
        let mut some = Vec::with_capacity(APPLIED_AT_ONCE);
        while !self.stopping.load(Ordering::Relaxed) {
            let waiting = self.changes.slots();
            for _ in 0..waiting.div_ceil(APPLIED_AT_ONCE) {
                some.clear();
                some.extend(std::iter::from_fn(|| self.changes.pop().ok()).take(APPLIED_AT_ONCE));
                self.pathfinder.apply_batch(&some);
            }
            if self.routing.load(Ordering::Relaxed) {
                let (source, target) = random_pair(graph, number);
                number += 1;
                let start = Instant::now();
                self.pathfinder.route(source, target, &mut route);
                record(&mut times, start.elapsed().as_nanos() as u64);
            } else if waiting == 0 {
                thread::park_timeout(LOOK);
            }
        }
        times
    }
}
