//! Bulk loads: a graph file, or arcs handed over, become edges in many small revisions while moves go on.
//!
//! A part of 1,024 arcs is with the engine and another waits there while the next is read, so reading and setting overlap.
//! What a load has set when it ends early, by an error or because it is dropped, stays.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use lodestone_core::pathfinder::NODES_MAX;
use lodestone_core::{EdgeChange, PUT_ARCS_MAX, PutError};
use lodestone_memory::CounterId;

use crate::clock::now_unix_ms;
use crate::config::GRAPH_EDGES_MAX;
use crate::control::{Control, PutAnswer};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::load_source::Source;

/// Parts that are with the engine at once: one that it sets, one that it finds when it comes back.
const PARTS_UNDER_WAY_MAX: usize = 2;

/// What a bulk load brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Revision after the last arc.
    pub revision: u64,
    /// Nodes of the file; 0 where the source does not tell them.
    pub nodes: u64,
    /// Arcs set; of a road graph those that are edges: no loops, of parallel arcs the shortest.
    pub arcs: u64,
    /// Edges in the graph after it.
    pub edges: u64,
    /// Nanoseconds it took.
    pub nanoseconds: u64,
    /// Millimetres of one unit of weight; 0 where the source does not tell it.
    pub unit_mm: u32,
}

/// How far a load is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadProgress {
    /// Arcs set.
    pub done: u64,
    /// Arcs in all; `None` where nobody said.
    pub total: Option<u64>,
    /// Whether that was all of a file.
    pub finished: bool,
}

/// A load under way. It belongs to one engine and is used by one thread at a time; its memory is three parts of arcs and,
/// for a road graph, the whole of that.
pub struct BulkLoad {
    source: Source,
    total: Option<u64>,
    started: Instant,
    /// Arcs taken over so far, and of those the ones set.
    given: u64,
    report: LoadReport,
    filling: Vec<EdgeChange>,
    spare: Vec<Vec<EdgeChange>>,
    under_way: VecDeque<Receiver<PutAnswer>>,
    failed: Arc<AtomicBool>,
    /// What the load ended with; every later call says it again.
    ended: Option<EngineError>,
}

impl Engine {
    /// Loads a graph file into the live graph, on top of what is there; see [`Engine::begin_file_load`].
    ///
    /// # Errors
    /// Those of [`Engine::begin_file_load`] and [`BulkLoad::step`].
    pub fn load_map(&self, path: &Path) -> Result<LoadReport, EngineError> {
        let mut load = self.begin_file_load(path)?;
        while !load.step(self, Duration::MAX)?.finished {}
        load.finish(self)
    }

    /// Sets edges given as source, target, mask, one after the other.
    ///
    /// # Errors
    /// Those of [`Engine::begin_load`] and [`BulkLoad::add`].
    pub fn put_arcs(&self, numbers: &[u32]) -> Result<LoadReport, EngineError> {
        let mut load = self.begin_load(Some((numbers.len() / 3) as u64))?;
        load.add(self, numbers)?;
        load.finish(self)
    }

    /// Opens a graph file: a plain list of arcs (`.arcs`, 12 bytes an arc), which is read as it is needed, or else a road
    /// graph (`.lsg`), which is read and checked as a whole here.
    ///
    /// # Errors
    /// The file cannot be read ([`EngineError::Io`]), is damaged, or has more nodes than `graph.nodes_max`
    /// ([`EngineError::MapFile`]), or more arcs than `graph.edges_max` ([`EngineError::GraphFull`], which says what would
    /// do; an arc that stands twice in a list counts twice here). Nothing is changed.
    pub fn begin_file_load(&self, path: &Path) -> Result<BulkLoad, EngineError> {
        let begun = Source::open(path, self.description().nodes_max).and_then(|source| {
            let total = source.total();
            self.begin(source, total)
        });
        begun.inspect_err(|error| self.tell_failed_load(0, error))
    }

    /// Begins a load of arcs that [`BulkLoad::add`] will hand over, `arcs_total` of them where that is known.
    ///
    /// # Errors
    /// [`EngineError::GraphFull`]: more than `graph.edges_max` in all.
    pub fn begin_load(&self, arcs_total: Option<u64>) -> Result<BulkLoad, EngineError> {
        self.begin(Source::Given, arcs_total).inspect_err(|error| self.tell_failed_load(0, error))
    }

    /// An engine that is closed or has failed has said so itself.
    fn tell_failed_load(&self, arcs_set: u64, error: &EngineError) {
        if self.check_open().is_err() || matches!(error, EngineError::Closed | EngineError::Poisoned(_)) {
            return;
        }
        if let Some(held_back) = self.failed_loads().pass(now_unix_ms()) {
            self.logs().within(|| tracing::warn!(arcs_set, held_back, "a load failed: {error}"));
        }
    }

    fn begin(&self, source: Source, total: Option<u64>) -> Result<BulkLoad, EngineError> {
        let edges_max = self.edges_max();
        if let Some(total) = total.filter(|total| *total > u64::from(edges_max)) {
            let advice = larger("graph.edges_max", total, GRAPH_EDGES_MAX, edges_max);
            return Err(EngineError::GraphFull(format!("the graph has no room for {total} arcs; {advice}")));
        }
        self.counters().set(CounterId::LoadTotal, total.unwrap_or(0));
        self.counters().set(CounterId::LoadDone, 0);
        let (nodes, unit_mm) = source.nodes_and_unit_mm();
        Ok(BulkLoad {
            source,
            total,
            started: Instant::now(),
            given: 0,
            report: LoadReport { revision: self.revision(), nodes, unit_mm, ..LoadReport::default() },
            filling: Vec::with_capacity(PUT_ARCS_MAX),
            spare: (0..PARTS_UNDER_WAY_MAX).map(|_| Vec::with_capacity(PUT_ARCS_MAX)).collect(),
            under_way: VecDeque::with_capacity(PARTS_UNDER_WAY_MAX),
            failed: Arc::default(),
            ended: None,
        })
    }
}

impl BulkLoad {
    /// Loads from its file for about this long, at least one part; at the end of the file waits until all is set.
    ///
    /// # Errors
    /// As [`BulkLoad::add`]; also [`EngineError::Io`] when the file cannot be read any further. Arcs before are set.
    pub fn step(&mut self, engine: &Engine, time: Duration) -> Result<LoadProgress, EngineError> {
        let begun = Instant::now();
        self.guarded(engine, |load| {
            loop {
                let before = load.filling.len();
                load.source.read(&mut load.filling, PUT_ARCS_MAX)?;
                load.check(engine, before)?;
                if load.filling.len() < PUT_ARCS_MAX {
                    load.settle(engine)?;
                    return Ok(load.progress(true));
                }
                load.send(engine)?;
                if begun.elapsed() >= time {
                    return Ok(load.progress(false));
                }
            }
        })
    }

    /// Takes arcs over, three numbers each: source, target, mask. Returns as soon as all of them are with the engine or in
    /// the part being filled.
    ///
    /// # Errors
    /// [`EngineError::InvalidArgument`], of a file [`EngineError::MapFile`]: an arc is out of bounds; the text says which
    /// one and what would do, and the arcs before it are set. [`EngineError::GraphFull`]: `graph.edges_max` does not
    /// suffice; the text says how many arcs are set and what would do. The load is over then.
    pub fn add(&mut self, engine: &Engine, numbers: &[u32]) -> Result<LoadProgress, EngineError> {
        if !numbers.len().is_multiple_of(3) {
            return Err(EngineError::InvalidArgument("arcs are three numbers each: source, target, mask".to_owned()));
        }
        self.guarded(engine, |load| {
            let mut rest = numbers;
            while !rest.is_empty() {
                let before = load.filling.len();
                let (part, later) = rest.split_at(rest.len().min((PUT_ARCS_MAX - before) * 3));
                let arcs = part.chunks_exact(3);
                load.filling.extend(arcs.map(|arc| EdgeChange { source: arc[0], target: arc[1], mask: arc[2] }));
                load.check(engine, before)?;
                if load.filling.len() == PUT_ARCS_MAX {
                    load.send(engine)?;
                }
                rest = later;
            }
            Ok(load.progress(false))
        })
    }

    /// Sends what is left and waits until all is set.
    ///
    /// # Errors
    /// As [`BulkLoad::add`].
    pub fn finish(mut self, engine: &Engine) -> Result<LoadReport, EngineError> {
        self.guarded(engine, |load| {
            load.settle(engine)?;
            if load.report.arcs == 0 {
                // Nothing was sent; an empty part asks for the edges there are.
                load.send(engine)?;
                load.settle(engine)?;
            }
            engine.counters().set(CounterId::LoadTotal, load.report.arcs);
            load.report.nanoseconds = u64::try_from(load.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
            engine.logs().within(|| {
                tracing::info!(arcs = load.report.arcs, ms = load.report.nanoseconds / 1_000_000, "loaded");
            });
            Ok(load.report)
        })
    }

    fn progress(&self, finished: bool) -> LoadProgress {
        LoadProgress { done: self.report.arcs, total: self.total, finished }
    }

    /// Runs a call unless the load is over, and ends it with the call's error.
    fn guarded<T>(
        &mut self,
        engine: &Engine,
        call: impl FnOnce(&mut Self) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        call(self).inspect_err(|error| {
            engine.tell_failed_load(self.report.arcs, error);
            self.ended = Some(error.clone());
        })
    }

    /// Looks at the arcs put into `filling` behind the first `before`. At a bad one those before it are set first.
    fn check(&mut self, engine: &Engine, before: usize) -> Result<(), EngineError> {
        let nodes_max = engine.description().nodes_max;
        let bad = self.filling[before..].iter().position(|arc| fault(arc, nodes_max).is_some());
        let Some((index, arc)) = bad.map(|index| (before + index, self.filling[before + index])) else {
            self.given += (self.filling.len() - before) as u64;
            return Ok(());
        };
        self.given += (index - before) as u64;
        self.filling.truncate(index);
        self.settle(engine)?;
        let set = self.report.arcs;
        let (what, advice) = fault(&arc, nodes_max).unwrap_or_default();
        Err(match self.source.file() {
            Some(file) => EngineError::MapFile(format!(
                "{}: arc {set} (of those from 0 on) {what}, and the {set} arcs before it are set; {advice}",
                file.display()
            )),
            None => EngineError::InvalidArgument(format!(
                "arc {set} (of those from 0 on) {what}, and the {set} arcs before it are set; {advice}"
            )),
        })
    }

    /// Hands the part over. While too many are under way it waits for the oldest.
    fn send(&mut self, engine: &Engine) -> Result<(), EngineError> {
        if self.under_way.len() == PARTS_UNDER_WAY_MAX {
            self.take_answer(engine)?;
        }
        let (reply, answer) = sync_channel(1);
        let next = self.spare.pop().unwrap_or_default();
        let arcs = std::mem::replace(&mut self.filling, next);
        engine.send(Control::Put { arcs, failed: Arc::clone(&self.failed), reply })?;
        self.under_way.push_back(answer);
        Ok(())
    }

    /// Sends what is left of a part and waits for all of them.
    fn settle(&mut self, engine: &Engine) -> Result<(), EngineError> {
        if !self.filling.is_empty() {
            self.send(engine)?;
        }
        while !self.under_way.is_empty() {
            self.take_answer(engine)?;
        }
        Ok(())
    }

    fn take_answer(&mut self, engine: &Engine) -> Result<(), EngineError> {
        let Some(answer) = self.under_way.pop_front() else { return Ok(()) };
        let mut answer = engine.receive(&answer)?;
        self.report.edges = answer.edges;
        self.report.revision = answer.result.map_err(|error| self.refusal(error, engine.edges_max()))?;
        self.report.arcs += answer.arcs.len() as u64;
        engine.counters().set(CounterId::LoadDone, self.report.arcs);
        answer.arcs.clear();
        self.spare.push(answer.arcs);
        Ok(())
    }

    fn refusal(&self, error: PutError, edges_max: u32) -> EngineError {
        let (set, edges) = (self.report.arcs, self.report.edges);
        match error {
            PutError::GraphFull => EngineError::GraphFull(match self.total {
                Some(total) => format!(
                    "the graph has no room for the next arcs: it has {edges} edges, with {set} of {total} arcs set; {}",
                    larger("graph.edges_max", edges + (total.max(self.given) - set), GRAPH_EDGES_MAX, edges_max)
                ),
                None => format!(
                    "the graph has no room for the next arcs: it has {edges} edges, with {set} arcs set and more to come; set graph.edges_max to more \
                     than {} (now {edges_max}), which is what the arcs seen so far may need",
                    edges + (self.given - set)
                ),
            }),
            PutError::OutOfBounds { index } => EngineError::InvalidArgument(format!(
                "arc {} was refused by the engine, and the {set} arcs before it are set",
                set + index as u64
            )),
        }
    }
}

/// What to do where a size does not suffice: set it to what would, unless no value that is allowed does.
fn larger(key: &str, wanted: u64, most: u32, now: u32) -> String {
    if wanted <= u64::from(most) {
        format!("set {key} to {wanted} or more (now {now})")
    } else {
        format!("leave out what is beyond the most that {key} may be, {most} (now {now})")
    }
}

/// What is wrong with an arc, and what would do.
fn fault(arc: &EdgeChange, nodes_max: u32) -> Option<(String, String)> {
    let EdgeChange { source, target, mask } = *arc;
    let highest = source.max(target);
    if highest >= nodes_max {
        let what = format!("has node {highest}, which is not below graph.nodes_max, {nodes_max}");
        return Some((what, larger("graph.nodes_max", u64::from(highest) + 1, NODES_MAX, nodes_max)));
    }
    if source == target {
        return Some((format!("leads from node {source} to itself"), "leave such arcs out".to_owned()));
    }
    let removal = || (format!("from {source} to {target} has the mask 0"), "remove edges by moves".to_owned());
    (mask == 0).then(removal)
}
