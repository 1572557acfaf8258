//! Producers in processes of their own that are killed and stopped at any instruction: nothing committed is lost,
//! nothing is torn, nothing stands still, and nobody alive is repaired.
//!
//! `LODESTONE_FAULT_ROUNDS` sets how many are killed (50 unless set), `LODESTONE_SEED` repeats a run. What was found is
//! counted before it is judged: printed, and added to the file `LODESTONE_KILLS`, if that is set, as a line of JSON a kind.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::claims::STAGE_IDLE;
use super::layout::{CELL_BYTES, PRODUCERS_MAX};
use super::tests::{Random, bridge_in, bytes_of};
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
            // Whoever takes needs the processor more.
            std::thread::sleep(FULL);
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

/// How records come; each producer has one way, by its role.
const KINDS: [&str; 2] = ["process in the ring", "process in a lane"];
const RING: usize = 0;
const LANE: usize = 1;
/// Records of one batch: as many may be committed and not yet told of.
const BATCH_MAX: u64 = 3;
/// How long a producer that found no room leaves the processor to others.
const FULL: Duration = Duration::from_micros(20);
const TURNS_A_SWEEP: u32 = 16;

/// What became of the records of one kind, found by comparing what came with what its producers said that they committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    kills: u64,
    records: u64,
    repaired: u64,
    /// Committed, and never came.
    lost: u64,
    /// Came, but not as written.
    torn: u64,
    /// Came a second time, or was never committed.
    doubled: u64,
    /// How often nothing went on.
    stalls: u64,
}

impl Counts {
    /// A record came, behind that of counter `before`.
    fn record(&mut self, before: u64, counter: u64, whole: bool) {
        self.records += 1;
        self.lost += counter.saturating_sub(before + 1);
        self.doubled += u64::from(counter <= before);
        self.torn += u64::from(!whole);
    }

    fn is_sound(&self) -> bool {
        self.lost + self.torn + self.doubled + self.stalls == 0
    }

    fn json(&self, kind: &str) -> String {
        let Counts { kills, records, repaired, lost, torn, doubled, stalls } = self;
        format!(
            "{{\"kind\": \"{kind}\", \"kills\": {kills}, \"records\": {records}, \"repaired\": {repaired}, \
             \"lost\": {lost}, \"torn\": {torn}, \"doubled\": {doubled}, \"stalls\": {stalls}}}\n"
        )
    }
}

/// A dead producer: which it was, and the last record that it said it had committed.
struct Dead {
    entry: usize,
    epoch: u32,
    told: u64,
}

struct World {
    folder: tempfile::TempDir,
    end: BridgeEnd,
    committed: &'static [AtomicU64],
    /// The epoch of each entry's present producer, and its last record.
    last: [(u32, u64); PRODUCERS_MAX],
    /// The same of the producer before it.
    former: [(u32, u64); PRODUCERS_MAX],
    counts: [Counts; KINDS.len()],
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let file = File::create(folder.path().join("bridge")).unwrap();
        file.set_len((bytes_of(&SIZES) + PRODUCERS_MAX * 8) as u64).unwrap();
        let (bridge, committed) = map(&open(&folder.path().join("bridge")));
        let end = BridgeEnd::new(bridge);
        let nobody = [(0, 0); PRODUCERS_MAX];
        World { folder, end, committed, last: nobody, former: nobody, counts: [Counts::default(); KINDS.len()] }
    }

    fn start(&self, role: &str) -> Child {
        start(&self.folder.path().join("bridge"), role)
    }

    fn taken(&self) -> u64 {
        self.counts.iter().map(|counts| counts.records).sum()
    }

    fn repaired(&self) -> u64 {
        self.counts[RING].repaired
    }

    /// Takes what is there, compares each record with what its producer has to send next, and looks for the dead.
    fn turn(&mut self) {
        let (bridge, last, former) = (self.end.bridge(), &mut self.last, &mut self.former);
        let mut check = |counts: &mut Counts, entry: usize, record: &RingRecord| {
            let state = bridge.producers().state(entry);
            if last[entry].0 != state.epoch {
                former[entry] = std::mem::replace(&mut last[entry], (state.epoch, 0));
            }
            let words = (0..record.body_bytes / 8).flat_map(|index| record.word(index).to_le_bytes());
            counts.record(last[entry].1, record.counter, words.eq(body(entry, record.counter)));
            last[entry].1 = record.counter;
            Take::Next
        };
        let [ring, lane] = &mut self.counts;
        let garbage = self.end.drain_lane(0, 100, |entry, record| check(lane, entry, record)).garbage;
        lane.torn += u64::from(garbage);
        let garbage = self.end.drain_ring(100, |entry, record| check(ring, entry, record)).garbage;
        ring.torn += u64::from(garbage);
    }

    fn sweep(&mut self) -> Sweep {
        let sweep = self.end.sweep(|_| false);
        self.counts[RING].repaired += u64::from(sweep.repaired);
        sweep
    }

    /// Turns until `done`; `false`: it stands still.
    fn goes_on(&mut self, mut done: impl FnMut(&mut World) -> bool) -> bool {
        let begun = Instant::now();
        while !done(self) {
            if begun.elapsed() > STALL {
                return false;
            }
            self.turn();
        }
        true
    }

    /// Turns until `done`, or fails as standing still.
    fn until(&mut self, what: &str, done: impl FnMut(&mut World) -> bool) {
        assert!(self.goes_on(done), "stands still: {what}; {:?}", self.counts);
    }

    /// Whether a process says that it claims cells of the ring.
    fn is_claiming(&self, pid: u32) -> bool {
        let producers = self.end.bridge().producers();
        let claims = producers.claims();
        (0..PRODUCERS_MAX).any(|entry| producers.state(entry).pid == pid && claims.at(entry).stage() != STAGE_IDLE)
    }

    /// Entry and last record that a process told of.
    fn told_by(&self, pid: u32) -> Option<(usize, u64)> {
        self.committed.iter().enumerate().find_map(|(entry, word)| {
            let word = word.load(Ordering::Acquire);
            ((word >> 32) as u32 == pid).then_some((entry, u64::from(word as u32)))
        })
    }

    /// What a process that was just killed had come to; `None` when it had not registered.
    fn dead(&self, pid: u32) -> Option<Dead> {
        let (entry, told) = self.told_by(pid)?;
        Some(Dead { entry, epoch: self.end.bridge().producers().state(entry).epoch, told })
    }

    /// Everything that a dead producer had committed came, and nothing else.
    fn compare(&mut self, kind: usize, dead: &Dead) {
        let of = |(epoch, counter): (u32, u64)| (epoch == dead.epoch).then_some(counter);
        let came = of(self.last[dead.entry]).or(of(self.former[dead.entry])).unwrap_or(0);
        let counts = &mut self.counts[kind];
        counts.lost += dead.told.saturating_sub(came);
        counts.doubled += came.saturating_sub(dead.told + BATCH_MAX);
    }

    /// Kills a producer of this kind at some moment and starts another one in its place; `false`: something stands still.
    fn kill(&mut self, kind: usize, child: &mut Child, random: &mut Random) -> bool {
        let pid = child.id();
        let (more, registers, claims) = (random.below(2_000), random.below(8) == 0, random.below(2) == 0);
        let (target, mut looks) = (self.taken() + more, 0_u32);
        let at_work = self.goes_on(|world| {
            looks += 1;
            // A sweep reads of every process in /proc: one a turn would leave time for little else.
            if looks.is_multiple_of(TURNS_A_SWEEP) {
                world.sweep();
            }
            // Some die in the middle of registering.
            world.taken() >= target && (registers || world.told_by(pid).is_some_and(|(_, told)| told > 0))
        });
        let claiming = kind != RING || registers || !claims || self.goes_on(|world| world.is_claiming(pid));
        child.kill().unwrap();
        child.wait().unwrap();
        self.counts[kind].kills += 1;
        let dead = self.dead(pid);
        if kind == RING {
            // Registers beside the dead one; a lane has to come free first.
            *child = self.start("ring");
        }
        let bridge = self.end.bridge();
        let freed = self.goes_on(|world| {
            world.sweep();
            (0..PRODUCERS_MAX).all(|entry| bridge.producers().state(entry).pid != pid)
        });
        if let Some(dead) = dead {
            self.compare(kind, &dead);
        }
        if kind == LANE {
            *child = self.start("lane");
        }
        let goes_on = at_work && claiming && freed;
        self.counts[kind].stalls += u64::from(!goes_on);
        goes_on
    }

    /// Prints the counts, and adds them to the file that collects them.
    fn tell(&self) {
        let lines: String = KINDS.iter().zip(&self.counts).map(|(kind, counts)| counts.json(kind)).collect();
        print!("{lines}");
        if let Some(path) = std::env::var_os("LODESTONE_KILLS") {
            OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(lines.as_bytes()).unwrap();
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
    let mut random = Random(seed);
    let mut world = World::new();
    let mut children = [(RING, world.start("ring")), (RING, world.start("ring")), (LANE, world.start("lane"))];
    let mut goes_on = true;
    for _ in 0..rounds {
        let (kind, child) = &mut children[random.below(3) as usize];
        goes_on = goes_on && world.kill(*kind, child, &mut random);
    }
    for (_, mut child) in children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    world.tell();
    assert!(world.counts.iter().all(Counts::is_sound), "LODESTONE_SEED={seed}: {:?}", world.counts);
    assert_eq!(world.counts.iter().map(|counts| counts.kills).sum::<u64>(), rounds);
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
        let before = world.taken();
        world.until("claims behind the stopped one", |world| {
            assert_eq!(world.sweep().repaired, 0, "a producer that lives was repaired");
            world.end.ring.tail() - world.end.ring.head() > 1_000
        });
        for _ in 0..1_000 {
            assert_eq!(world.sweep().repaired, 0, "a producer that lives was repaired");
            world.turn();
        }
        assert_eq!(world.taken(), before);
        if end_by_kill {
            held.kill().unwrap();
            held.wait().unwrap();
            let repaired = world.repaired();
            world.until("the repair", |world| world.sweep().repaired == 1 || world.repaired() > repaired);
        } else {
            world.committed[GO_ON].store(1, Ordering::Release);
            kill_process(Pid::from_raw(held.id().cast_signed()).unwrap(), Signal::CONT).unwrap();
        }
        let goal = before + 2_000;
        world.until("records after the hold", |world| world.taken() > goal);
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
    assert!(world.counts.iter().all(Counts::is_sound), "{:?}", world.counts);
}
