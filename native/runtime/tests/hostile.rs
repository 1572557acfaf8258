//! A process that may write into the region of a running engine writes whatever it likes into it.
//!
//! `LODESTONE_HOSTILE_WRITES` sets how many words it writes in each test (200,000 unless set), `LODESTONE_SEED` repeats a run.

mod support;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::thread;

use lodestone_memory::CounterId;
use lodestone_memory::rings::{ProcessIdentity, Registration};
use lodestone_runtime::{Engine, EngineError, Status};
use support::{counter, submit};

/// Kinds of the sections of the bridge; all others are the engine's own state.
const BRIDGE: std::ops::RangeInclusive<u64> = 7..=10;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 ^ self.0 >> 33
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

fn number(name: &str, unless_set: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(unless_set)
}

fn seed() -> u64 {
    let seed = number("LODESTONE_SEED", u64::from(std::process::id()));
    println!("LODESTONE_SEED={seed}");
    seed
}

/// A file region and the ranges of its sections, read from its header as any other process would.
struct Region {
    file: File,
    sections: Vec<(u64, u64)>,
}

/// An engine with room for every node and every edge, since whoever writes may make any move.
fn open_in(folder: &tempfile::TempDir, more: &str) -> Engine {
    let folder = folder.path().display();
    let config = format!(
        "transport.listen=127.0.0.1:0\nruntime.shared_region=file\nruntime.shared_region_directory={folder}\n\
         arena.capacity=200\ngraph.nodes_max=200\ngraph.edges_max=40000\nrollback.window_mib=1\narena.bump_mib=1\n\
         arena.preallocate=false\nbridge.lanes=2\nbridge.lane_kib=4\nbridge.ring_kib=4\n{more}"
    );
    Engine::open(&config, 1).unwrap()
}

impl Region {
    fn of(engine: &Engine, wanted: impl Fn(u64) -> bool) -> Region {
        let path = engine.description().region_path.clone().unwrap();
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let mut header = [0; 4_096];
        file.read_exact_at(&mut header, 0).unwrap();
        let word = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().unwrap());
        let entries = (0..word(56) as usize).map(|index| 64 + index * 32);
        let sections = entries
            .filter(|entry| wanted(word(*entry) & 0xffff_ffff))
            .map(|entry| (word(entry + 8), (word(entry) >> 32) * word(entry + 16)))
            .filter(|(_, bytes)| *bytes > 0)
            .collect();
        Region { file, sections }
    }

    /// Writes a word, near the beginning of an item more often than elsewhere.
    fn write(&self, random: &mut Random) {
        let (offset, bytes) = self.sections[random.below(self.sections.len() as u64) as usize];
        let within = match random.below(3) {
            0 => random.below(bytes),
            1 => random.below(bytes.min(1_024)),
            _ => random.below(bytes.div_ceil(64)) * 64,
        };
        let at = offset + within / 8 * 8;
        let mut now = [0; 8];
        self.file.read_exact_at(&mut now, at).unwrap();
        let value = match random.below(8) {
            0 => random.next(),
            1 => u64::MAX - random.below(64),
            2 => random.below(80) * 64,
            3 => random.below(300) | (1 + random.below(2)) << 32,
            4 => u64::from_le_bytes(now) ^ 1 << random.below(64),
            5 => u64::from_le_bytes(now).wrapping_add(random.below(256)),
            6 => random.below(4) | 1 << 8 | u64::from(std::process::id()) << 32,
            _ => 0,
        };
        self.file.write_all_at(&value.to_le_bytes(), at).unwrap();
    }
}

/// Commands of a producer that keeps to the rules, as long as it is let.
fn send_good_ones(engine: &Engine, random: &mut Random) {
    let process = ProcessIdentity::own().unwrap();
    let lane = random.below(2) == 0;
    let Ok(mut producer) = engine.bridge().register(&Registration { process, tenant: 0, lane, unix_ms: 1 }) else {
        return;
    };
    for _ in 0..20 {
        let kind = [0x10, 0x10, 0x18, 0x20, 0x40, 0x41, 0x42, 0x43, 0x44][random.below(9) as usize];
        let mut body = vec![0; if kind == 0x10 { 24 + random.below(8) as usize } else { 8 }];
        body[0] = random.below(200) as u8;
        body[4] = random.below(200) as u8;
        let _ = producer.send(kind, &body);
    }
}

#[test]
fn whatever_is_written_into_the_bridge_the_engine_goes_on() {
    let seed = seed();
    let writes = number("LODESTONE_HOSTILE_WRITES", 200_000);
    for (turn, more) in ["", "runtime.idle_strategy=busy_spin\ngraph.pathfinder=inline\n"].into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let engine = open_in(&folder, more);
        let region = Region::of(&engine, |kind| BRIDGE.contains(&kind));
        let mut random = Random(seed + turn as u64);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut random = Random(!seed);
                for _ in 0..writes / 1_000 {
                    send_good_ones(&engine, &mut random);
                }
            });
            for step in 0..writes {
                region.write(&mut random);
                if step % 5_000 == 0 {
                    let mv = (step as u32 / 5_000 % 100, 150, 0x1_0001);
                    assert_eq!(submit(&engine, &[mv])[0].status, Status::Ok, "LODESTONE_SEED={seed}, write {step}");
                }
            }
        });
        assert_eq!(engine.poison_text(), None, "LODESTONE_SEED={seed}");
        assert_eq!(engine.verify_hash().unwrap().hash, engine.hash(None).unwrap().hash, "LODESTONE_SEED={seed}");
        assert!(counter(&engine, CounterId::CommandsGarbage) > 0, "nothing hostile was met: LODESTONE_SEED={seed}");
        engine.close();
    }
}

/// The engine's own state lies there too, and nobody else is to write it. Who does so may make the engine fail, but it
/// fails as it does at any fault of ours: poisoned, with the process alive and the next engine as good as ever.
#[test]
fn whatever_is_written_anywhere_the_process_lives_and_the_engine_ends() {
    let seed = seed();
    let writes = number("LODESTONE_HOSTILE_WRITES", 200_000) / 10;
    for turn in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let engine = open_in(&folder, "");
        let region = Region::of(&engine, |_| true);
        let mut random = Random(seed ^ turn);
        engine.put_arcs(&[1, 2, 0x1_0001, 2, 3, 0x1_0001]).unwrap();
        for step in 0..writes {
            region.write(&mut random);
            if step % 100 == 0 {
                let packet = [&(step as u32 % 200).to_le_bytes()[..], &[199, 0, 0, 0], &[1; 4], &[0; 12]].concat();
                let mv = lodestone_runtime::LocalMove { kind: lodestone_runtime::LocalKind::Move, packet: &packet };
                match engine.submit(&[mv], 0) {
                    Ok(_) => {}
                    Err(EngineError::Timeout(text)) => panic!("stands still: {text}, LODESTONE_SEED={seed}"),
                    // Poisoned: from here on nothing is decided, and whatever else is written changes nothing.
                    Err(_) => assert!(engine.poison_text().is_some(), "LODESTONE_SEED={seed}"),
                }
            }
        }
        engine.close();
    }
}
