//! The limit of sides that sleep: two bare threads on two cores that wake each other, for the Java benchmark of rings.
//!
//! It serves a line of standard input each, and answers each with the nanoseconds of all round trips in a line:
//! `futex trips COUNT`, `eventfd trips COUNT`: both threads sleep before each; `futex paced COUNT`: one thread sends on a
//! schedule of 80,000 a second and looks for answers, the other one sleeps whenever nothing is there. Paced times count from
//! the instant a message was due. What these take is the system's and the host's: a processor that has nothing to do is halted.

use std::io::BufRead;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use lodestone_memory::rings::{sleep_on_word, wake_word};
use rustix::event::{EventfdFlags, eventfd};

use crate::rings::{pin, say};

/// The core of the thread that sends.
const SENDER: usize = 0;
/// Nanoseconds from one message to the next of a schedule.
const INTERVAL_NS: u64 = 12_500;
/// Longest sleep on a word: a trial is over by then, or hangs.
const SLEEP_NS: u64 = 1_000_000_000;

/// A word with two lines for itself.
#[derive(Default)]
#[repr(align(128))]
struct Word(AtomicU32);

/// What both threads see.
#[derive(Default)]
struct Shared {
    sent: Word,
    answered: Word,
    asleep: Word,
    ready: Word,
}

/// Serves trials until standard input ends; the thread that answers is pinned to `core`.
pub(crate) fn serve(core: usize) {
    pin(SENDER);
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input can be read");
        let times = trial(&line, core).unwrap_or_else(|| panic!("no trial: {line}"));
        let times: Vec<String> = times.iter().map(u64::to_string).collect();
        say(&times.join(" "));
    }
}

fn trial(line: &str, core: usize) -> Option<Vec<u64>> {
    let (what, count) = line.rsplit_once(' ')?;
    let count = count.parse().ok()?;
    match what {
        "futex trips" => Some(run(core, count, futex_echo, futex_trips)),
        "futex paced" => Some(run(core, count, paced_echo, paced)),
        "eventfd trips" => {
            let (there, back) = (Arc::new(event()), Arc::new(event()));
            let (echo_there, echo_back) = (Arc::clone(&there), Arc::clone(&back));
            let echo =
                move |_: &Shared, count| (0..count).for_each(|_| pass(&echo_there, &echo_back));
            Some(run(core, count, echo, move |_, count| {
                trips(count, |_| {
                    ring(&there);
                    wait(&back);
                })
            }))
        }
        _ => None,
    }
}

/// Runs both sides; the clock begins once the other one runs.
fn run(
    core: usize,
    count: u32,
    echo: impl FnOnce(&Shared, u32) + Send,
    send: impl FnOnce(&Shared, u32) -> Vec<u64>,
) -> Vec<u64> {
    let shared = Shared::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(core);
            shared.ready.0.store(1, Ordering::Release);
            wake_word(&shared.ready.0);
            echo(&shared, count);
        });
        sleep_while(&shared.ready, 0);
        send(&shared, count)
    })
}

fn sleep_while(word: &Word, value: u32) {
    while word.0.load(Ordering::Acquire) == value {
        // Another value, a signal, or the time: looked at again.
        let _ = sleep_on_word(&word.0, value, SLEEP_NS);
    }
}

fn trips(count: u32, mut trip: impl FnMut(u32)) -> Vec<u64> {
    let mut times = Vec::with_capacity(count as usize);
    for number in 1..=count {
        let begun = Instant::now();
        trip(number);
        times.push(begun.elapsed().as_nanos() as u64);
    }
    times
}

fn futex_trips(shared: &Shared, count: u32) -> Vec<u64> {
    trips(count, |number| {
        shared.sent.0.store(number, Ordering::Release);
        wake_word(&shared.sent.0);
        sleep_while(&shared.answered, number - 1);
    })
}

fn futex_echo(shared: &Shared, count: u32) {
    for number in 1..=count {
        sleep_while(&shared.sent, number - 1);
        shared.answered.0.store(number, Ordering::Release);
        wake_word(&shared.answered.0);
    }
}

fn event() -> OwnedFd {
    eventfd(0, EventfdFlags::empty()).expect("the system has eventfd")
}

fn ring(event: &OwnedFd) {
    rustix::io::write(event, &1_u64.to_le_bytes()).expect("an eventfd can be written");
}

fn wait(event: &OwnedFd) {
    rustix::io::read(event, &mut [0_u8; 8]).expect("an eventfd can be read");
}

fn pass(from: &OwnedFd, to: &OwnedFd) {
    wait(from);
    ring(to);
}

fn paced(shared: &Shared, count: u32) -> Vec<u64> {
    let mut times = Vec::with_capacity(count as usize);
    let (begun, mut sent) = (Instant::now(), 0);
    while times.len() < count as usize {
        if sent < count && begun.elapsed().as_nanos() as u64 >= u64::from(sent) * INTERVAL_NS {
            sent += 1;
            shared.sent.0.store(sent, Ordering::SeqCst);
            if shared.asleep.0.load(Ordering::SeqCst) == 1
                && shared.asleep.0.swap(0, Ordering::SeqCst) == 1
            {
                wake_word(&shared.asleep.0);
            }
        }
        let answered = shared.answered.0.load(Ordering::Acquire) as usize;
        while times.len() < answered {
            let due_ns = times.len() as u64 * INTERVAL_NS;
            times.push((begun.elapsed().as_nanos() as u64).saturating_sub(due_ns));
        }
    }
    times
}

fn paced_echo(shared: &Shared, count: u32) {
    let mut seen = 0;
    while seen < count {
        let sent = shared.sent.0.load(Ordering::Acquire);
        if sent != seen {
            seen = sent;
            shared.answered.0.store(seen, Ordering::Release);
            continue;
        }
        shared.asleep.0.store(1, Ordering::SeqCst);
        if shared.sent.0.load(Ordering::SeqCst) == seen {
            // Woken, rung just now, or the time: looked at again.
            let _ = sleep_on_word(&shared.asleep.0, 1, SLEEP_NS);
        }
        shared.asleep.0.store(0, Ordering::SeqCst);
    }
}
