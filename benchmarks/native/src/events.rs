//! The writing end of the event ring, alone: publishes for the Java benchmark of events, in a process of its own.
//!
//! It prints `region PATH`, then serves a line of standard input each: `events ENTRY COUNT`, where ENTRY is that of a
//! producer that tells, where it would count how often it had no room, up to which position it has read. It says `ready`
//! and publishes so many events, whose three words count on from 0. The ring itself waits for nobody; so that every event
//! arrives, this writer stays less than a lap ahead of what the reader told. Left out: an engine, and its counter of events.

use std::io::BufRead;

use lodestone_memory::Region;
use lodestone_memory::events::{Event, EventRing};
use lodestone_memory::header::EngineState;
use lodestone_memory::layout::EVENTS_MAX;

use crate::rings::{options, pin, say};

/// How far ahead of the reader the writer may be: a lap, less what it publishes between two looks.
const AHEAD_MAX: u64 = EVENTS_MAX as u64 - 2 * LOOK_EVENTS;
/// Events between two looks at how far the reader is.
const LOOK_EVENTS: u64 = 512;
/// Looks at a reader that does not come on before this writer asks whether it is still there: some seconds.
const LOOKS_ALONE: u64 = 1 << 28;

/// Serves trials until standard input ends; pinned to `core`.
pub(crate) fn serve(folder: &str, core: usize) {
    pin(core);
    let mut region = Region::create(&options(folder)).unwrap_or_else(|error| panic!("{error}"));
    region.header().set_state(EngineState::Running);
    let mut events = region.take_engine_ends().events;
    say(&format!(
        "region {}",
        region.path().expect("the region is a file").display()
    ));
    let mut position = 0;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input can be read");
        let (entry, count) = parse(&line).unwrap_or_else(|| panic!("no trial: {line}"));
        say("ready");
        publish(&region, &mut events, entry, position, count);
        position += count;
    }
}

fn parse(line: &str) -> Option<(usize, u64)> {
    let (entry, count) = line.strip_prefix("events ")?.split_once(' ')?;
    Some((entry.parse().ok()?, count.parse().ok()?))
}

fn publish(region: &Region, events: &mut EventRing, entry: usize, first: u64, count: u64) {
    let parent = std::os::unix::process::parent_id();
    let producers = region.bridge().producers();
    let mut looks = 0_u64;
    for begun in (0..count).step_by(LOOK_EVENTS as usize) {
        while first + begun > producers.full(entry) + AHEAD_MAX {
            std::hint::spin_loop();
            looks += 1;
            assert!(
                !looks.is_multiple_of(LOOKS_ALONE) || std::os::unix::process::parent_id() == parent,
                "the benchmark that started this is gone"
            );
        }
        for number in begun..count.min(begun + LOOK_EVENTS) {
            events.publish(Event::RolledBack {
                revision: number,
                branch: number + 1,
                revisions: number + 2,
            });
        }
    }
}
