//! Loading a graph, changing its edges, and a hub that grows.

use std::time::{Duration, Instant};

use lodestone_core::EdgeChange;
use lodestone_core::edges::{EdgeSizes, EdgeStore};

use super::Contender;
use crate::figures::{Figures, nanoseconds, record};
use crate::graphs::Graph;
use crate::host::{lost_in, resident_bytes};
use crate::world::{BATCH, Room, World};
use crate::{Scale, world};

/// Changes that the store alone takes ahead of, as the engine does.
const AHEAD: u64 = 1_024;
/// History kept while edges change: enough for a hub to go away again.
const WINDOW_BYTES: usize = 64 << 20;

/// A store alone, without undo and hash: what loading it costs, and the memory that an edge takes.
pub(super) fn store<E: EdgeStore>(store: &str, graph: &Graph, figures: &mut Figures) {
    let name = format!("{}.{store}", graph.name);
    eprintln!("  {name}: alone");
    let (resident_before, sizes) = (
        resident_bytes(),
        EdgeSizes {
            nodes_max: graph.nodes,
            edges_max: graph.arcs as u32,
        },
    );
    let mut edges = E::new(sizes, 7).expect("memory for the edges");
    let (mut arcs, mut places) = (
        Vec::with_capacity(AHEAD as usize),
        Vec::with_capacity(AHEAD as usize),
    );
    let mut spent = Duration::ZERO;
    for first in (0..graph.arcs).step_by(AHEAD as usize) {
        arcs.clear();
        arcs.extend((first..graph.arcs.min(first + AHEAD)).map(|place| graph.scattered(place)));
        let start = Instant::now();
        places.clear();
        places.extend(arcs.iter().map(|arc| edges.place(arc.source, arc.target)));
        places.iter().for_each(|place| edges.prefetch(*place));
        places
            .iter()
            .for_each(|place| edges.prefetch_behind(*place));
        for (place, arc) in places.iter().zip(&arcs) {
            edges.set_at(*place, arc.mask);
        }
        spent += start.elapsed();
    }
    let count = f64::from(edges.count());
    figures.add(&format!("{name}.load_alone"), "s", spent.as_secs_f64());
    figures.add(
        &format!("{name}.bytes"),
        "B/edge",
        edges.bytes_used() as f64 / count,
    );
    let resident = resident_bytes().saturating_sub(resident_before) as f64;
    figures.add(&format!("{name}.resident"), "B/edge", resident / count);
}

/// The whole engine over a store: undo and hash are on.
pub(super) struct Engine<'a, E: EdgeStore> {
    name: String,
    world: World<'a, E>,
    hub: u32,
    changes: u64,
}

impl<'a, E: EdgeStore> Engine<'a, E> {
    pub(super) fn loaded(
        store: &str,
        graph: &'a Graph,
        scale: &Scale,
        figures: &mut Figures,
    ) -> Engine<'a, E> {
        let name = format!("{}.{store}", graph.name);
        eprintln!("  {name}: loading");
        let room = Room {
            slots: 1,
            nodes_more: 1,
            edges_more: scale.hub_edges,
            window_bytes: WINDOW_BYTES,
        };
        let mut world = World::new(graph, room);
        let spent = world.load().as_secs_f64();
        figures.add(&format!("{name}.load"), "s", spent);
        figures.add(
            &format!("{name}.load_rate"),
            "M edges/s",
            graph.arcs as f64 / 1e6 / spent,
        );
        figures.add(
            &format!("{name}.edges"),
            "edges",
            world.state.to_commit().edges as f64,
        );
        Engine {
            name,
            world,
            hub: graph.nodes,
            changes: scale.changes,
        }
    }
}

impl<E: EdgeStore> Contender for Engine<'_, E> {
    fn round(&mut self, figures: &mut Figures) {
        let name = &self.name;
        figures.add(
            &format!("{name}.change"),
            "ns",
            self.world.change_ns(self.changes, world::BATCH),
        );
        figures.add(
            &format!("{name}.change_single"),
            "ns",
            self.world.change_ns(self.changes, 1),
        );
    }

    /// Lets a node without edges get one to each of `hub_edges` others, and goes back; several times. The slowest batch
    /// of each growth counts, and of those the least one in the end: a batch that the structure itself makes slow is slow
    /// in every growth, one that the host made slow is not. Beside it, the longest gap of a loop that only reads the
    /// clock for as long.
    fn hub(&mut self, scale: &Scale, figures: &mut Figures) {
        let (name, mark) = (&self.name, self.world.mark());
        eprintln!("  {name}: a hub grows");
        let mut histogram = nanoseconds();
        let mut batch = Vec::with_capacity(BATCH as usize);
        for _ in 0..scale.hub_growths {
            histogram.reset();
            let start = Instant::now();
            for first in (0..scale.hub_edges).step_by(BATCH as usize) {
                batch.clear();
                let targets = first..scale.hub_edges.min(first + BATCH as u32);
                // A prime above every id: multiples of it are different nodes, scattered over the graph.
                let far = |number| (u64::from(number) * 2_654_435_761 % u64::from(self.hub)) as u32;
                batch.extend(targets.map(|number| EdgeChange {
                    source: self.hub,
                    target: far(number),
                    mask: 0x1_0001,
                }));
                let start = Instant::now();
                self.world.put(&batch);
                record(&mut histogram, start.elapsed().as_nanos() as u64);
            }
            let lost = lost_in(start.elapsed());
            figures.add_percentiles(&format!("{name}.hub"), &histogram);
            figures.add(&format!("{name}.hub.control"), "ns", lost.longest_ns as f64);
            let (_, records, equal) = self.world.back_to(&mark, false);
            assert!(equal, "{name}: not what it was before the hub grew");
            assert_eq!(
                records,
                u64::from(scale.hub_edges),
                "{name}: every edge was new"
            );
        }
    }
}
