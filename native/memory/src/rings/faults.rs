//! Producers in processes of their own that are killed and stopped at any instruction: nothing committed is lost,
//! nothing is torn, nothing stands still, and nobody alive is repaired.
//!
//! `LODESTONE_FAULT_ROUNDS` sets how many are killed (50 unless set), `LODESTONE_SEED` repeats a run.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::claims::STAGE_IDLE;
use super::layout::{CELL_BYTES, PRODUCERS_MAX};
use super::tests::{bridge_in, bytes_of};
use super::*;
use crate::mapping::Mapping;
use crate::sync::{AtomicU64, Ordering};

const SIZES: BridgeSizes = BridgeSizes { lanes: 1, lane_bytes: 64 * CELL_BYTES, ring_bytes: 64 * CELL_BYTES };
const FILE: &str = "LODESTONE_FAULT_FILE";
const ROLE: &str = "LODESTONE_FAULT_ROLE";
/// The word that lets stopped producers go on; no test has this many.
const GO_ON: usize = PRODUCERS_MAX - 1;
/// No step of these tests takes this long unless something stands still.
const STALL: Duration = Duration::from_secs(180);

fn map(file: &File) -> (Bridge, &'static [AtomicU64]) {
    let bytes = bytes_of(&SIZES);
    let mapping = Mapping::shared(file, bytes + PRODUCERS_MAX * 8, false).unwrap();
    (bridge_in(mapping, &SIZES), mapping.words(bytes, PRODUCERS_MAX))
}

fn open(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

/// The words of a body tell which record it is, all of them.
fn body(entry: usize, counter: u64) -> Vec<u8> {
    let words = 1 + counter as usize * 7 % 32;
    (0..words as u64).flat_map(|index| (counter << 16 | (entry as u64) << 8 | index).to_le_bytes()).collect()
}

fn body_bytes(counter: u64) -> usize {
    body(0, counter).len()
}

/// Runs in a process of its own: writes records until it is killed.
#[test]
#[ignore = "the other processes of the tests below run it"]
fn child() {
    let (Ok(path), Ok(role)) = (std::env::var(FILE), std::env::var(ROLE)) else { return };
    // A parent that fails leaves nobody behind.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    let (bridge, committed) = map(&open(Path::new(&path)));
    let process = ProcessIdentity::own().unwrap();
    let registration = Registration { process, tenant: 0, lane: role == "lane", unix_ms: 0 };
    // Killed ones are swept by the parent, so an entry comes free.
    let mut producer = loop {
        match bridge.register(&registration) {
            Ok(producer) => break producer,
            Err(NoEntry) => std::thread::yield_now(),
        }
    };
    let entry = producer.entry();
    committed[entry].store(u64::from(process.pid) << 32, Ordering::Release);
    if role == "hold" {
        let next = producer.counter() + 1;
        let mut batch = producer.batch(body_bytes(next), 1).unwrap();
        kill_process(Pid::from_raw(process.pid.cast_signed()).unwrap(), Signal::STOP).unwrap();
        // The signal may take its time; this thread stays in its claim until it is let go on.
        while committed[GO_ON].load(Ordering::Acquire) == 0 {
            std::thread::yield_now();
        }
        batch.put(1, &body(entry, next));
        batch.commit();
    }
    loop {
        let first = producer.counter() + 1;
        let count = 1 + first % 3;
        let longest = (first..first + count).map(body_bytes).max().unwrap();
        let Ok(mut batch) = producer.batch(longest, count as usize) else {
            std::thread::yield_now();
            continue;
        };
        for counter in first..first + count {
            batch.put(1, &body(entry, counter));
            // Most of its life it is in the middle of a claim.
            (0..first * 37 % 200).for_each(|_| std::hint::spin_loop());
        }
        batch.commit();
        committed[entry].store(u64::from(process.pid) << 32 | (first + count - 1), Ordering::Release);
    }
}

fn start(path: &Path, role: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["rings::faults::child", "--exact", "--ignored", "--nocapture"])
        .envs([(FILE, path.to_str().unwrap()), (ROLE, role)])
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

struct World {
    folder: tempfile::TempDir,
    end: BridgeEnd,
    committed: &'static [AtomicU64],
    /// The last record of each entry's present producer.
    last: [(u32, u64); PRODUCERS_MAX],
    taken: u64,
    repaired: u64,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let file = File::create(folder.path().join("bridge")).unwrap();
        file.set_len((bytes_of(&SIZES) + PRODUCERS_MAX * 8) as u64).unwrap();
        let (bridge, committed) = map(&open(&folder.path().join("bridge")));
        let end = BridgeEnd::new(bridge);
        World { folder, end, committed, last: [(0, 0); PRODUCERS_MAX], taken: 0, repaired: 0 }
    }

    fn start(&self, role: &str) -> Child {
        start(&self.folder.path().join("bridge"), role)
    }

    /// Takes what is there, checks each record, and looks for the dead.
    fn turn(&mut self) {
        let (bridge, last, taken) = (self.end.bridge(), &mut self.last, &mut self.taken);
        let mut check = |entry: usize, record: &RingRecord| {
            let state = bridge.producers().state(entry);
            if last[entry].0 != state.epoch {
                last[entry] = (state.epoch, 0);
            }
            assert_eq!(record.counter, last[entry].1 + 1, "entry {entry} lost a record");
            last[entry].1 = record.counter;
            let words = (0..record.body_bytes / 8).flat_map(|index| record.word(index).to_le_bytes());
            assert!(words.eq(body(entry, record.counter)), "record {} of entry {entry} is torn", record.counter);
            *taken += 1;
            Take::Next
        };
        let mut garbage = self.end.drain_lane(0, 100, &mut check).garbage;
        garbage += self.end.drain_ring(100, &mut check).garbage;
        assert_eq!(garbage, 0);
    }

    fn sweep(&mut self) -> Sweep {
        let sweep = self.end.sweep(|_| false);
        self.repaired += u64::from(sweep.repaired);
        sweep
    }

    /// Turns until `done`, or fails as standing still.
    fn until(&mut self, what: &str, mut done: impl FnMut(&mut World) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            assert!(begun.elapsed() < STALL, "stands still: {what}");
            self.turn();
        }
    }

    /// Whether a process says that it claims cells of the ring.
    fn is_claiming(&self, pid: u32) -> bool {
        let producers = self.end.bridge().producers();
        let claims = producers.claims();
        (0..PRODUCERS_MAX).any(|entry| producers.state(entry).pid == pid && claims.at(entry).stage() != STAGE_IDLE)
    }

    /// Everything that a dead process had committed was taken.
    fn check_nothing_lost(&self, pid: u32) {
        for (entry, word) in self.committed.iter().enumerate() {
            let (by, counter) = ((word.load(Ordering::Acquire) >> 32) as u32, word.load(Ordering::Acquire) as u32);
            if by == pid {
                assert!(self.last[entry].1 >= u64::from(counter), "entry {entry}: {counter} was committed");
            }
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn producers_killed_at_any_instruction_lose_tear_and_stop_nothing() {
    let seed = number("LODESTONE_SEED", u64::from(std::process::id()));
    let rounds = number("LODESTONE_FAULT_ROUNDS", 50);
    println!("LODESTONE_SEED={seed} repeats the moments of the kills");
    let mut random = seed;
    let mut world = World::new();
    let mut children: Vec<Child> = ["ring", "ring", "lane"].iter().map(|role| world.start(role)).collect();
    for round in 0..rounds {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let victim = (random >> 33) as usize % children.len();
        let more = (random >> 40) % 2_000;
        let target = world.taken + more;
        world.until("records of live producers", |world| {
            world.sweep();
            world.taken >= target
        });
        if (random >> 60) & 1 == 0 && victim < 2 {
            let pid = children[victim].id();
            world.until("a claim of the victim", |world| world.is_claiming(pid));
        }
        children[victim].kill().unwrap();
        children[victim].wait().unwrap();
        let dead = children[victim].id();
        children[victim] = world.start(["ring", "ring", "lane"][victim]);
        let bridge = world.end.bridge();
        world.until("what a dead producer left", |world| {
            world.sweep();
            (0..PRODUCERS_MAX).all(|entry| bridge.producers().state(entry).pid != dead)
        });
        world.check_nothing_lost(dead);
        assert!(world.taken >= target, "round {round}");
    }
    println!("{rounds} kills, {} records, {} claims repaired", world.taken, world.repaired);
    for mut child in children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn a_stopped_producer_is_waited_for_and_a_killed_one_is_not() {
    let mut world = World::new();
    for end_by_kill in [true, false] {
        let mut held = world.start("hold");
        let stat = format!("/proc/{}/stat", held.id());
        world.until("the claim of the stopped producer", |world| {
            world.end.is_waiting() && std::fs::read_to_string(&stat).unwrap().contains(") T ")
        });
        let mut other = world.start("ring");
        let before = world.taken;
        world.until("claims behind the stopped one", |world| {
            assert_eq!(world.sweep().repaired, 0, "a producer that lives was repaired");
            world.end.ring.tail() - world.end.ring.head() > 1_000
        });
        for _ in 0..1_000 {
            assert_eq!(world.sweep().repaired, 0, "a producer that lives was repaired");
            world.turn();
        }
        assert_eq!(world.taken, before);
        if end_by_kill {
            held.kill().unwrap();
            held.wait().unwrap();
            let repaired = world.repaired;
            world.until("the repair", |world| world.sweep().repaired == 1 || world.repaired > repaired);
        } else {
            world.committed[GO_ON].store(1, Ordering::Release);
            kill_process(Pid::from_raw(held.id().cast_signed()).unwrap(), Signal::CONT).unwrap();
        }
        let goal = before + 2_000;
        world.until("records after the hold", |world| world.taken > goal);
        for child in [&mut held, &mut other] {
            // The killed one is gone already.
            let _ = child.kill();
            child.wait().unwrap();
        }
        world.until("the end of both", |world| {
            world.sweep();
            (0..PRODUCERS_MAX).all(|entry| world.end.bridge().producers().state(entry).stage == Stage::Free)
        });
    }
}
