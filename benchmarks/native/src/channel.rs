//! The channel: pages of moves, beside one item for each move.
//!
//! One task sends, another receives, on a tokio runtime of two threads, through a bounded channel of 1,024 places (the
//! default of `transport.channel_batches`). Three contenders: items of one move; pages that stand for 128 moves, handed
//! over empty, which is the channel alone; and pages that are filled by the sender and read by the receiver, which is
//! all that happens to a move between ingress and engine.

use std::hint::black_box;
use std::time::Instant;

use lodestone_memory::page::PAGE_BYTES;
use lodestone_memory::{PAGE_RECORDS_MAX, Page, PagePool, RecordHead};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::channel;
use tokio::task::yield_now;

use crate::Scale;
use crate::figures::Figures;
use crate::world::{PACKET_BYTES, head};

const PLACES: usize = 1_024;
const PAGE_MOVES: u64 = PAGE_RECORDS_MAX as u64;
/// Pages move so much faster that a round of as many moves as the items would be over before both threads run.
const PAGES_LONGER: u64 = 10;

struct Item {
    head: RecordHead,
    packet: [u8; PACKET_BYTES],
}

pub(crate) fn measure(scale: &Scale, figures: &mut Figures) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a tokio runtime");
    let pool = PagePool::new(2 * PLACES * PAGE_BYTES, true).expect("memory for the pages");
    for round in 0..scale.rounds {
        eprintln!("  channel: round {} of {}", round + 1, scale.rounds);
        figures.add("channel.items", "ns", items(&runtime, scale.moves));
        figures.add(
            "channel.pages",
            "ns",
            pages(&runtime, &pool, PAGES_LONGER * scale.moves, false),
        );
        figures.add(
            "channel.pages_filled",
            "ns",
            pages(&runtime, &pool, PAGES_LONGER * scale.moves, true),
        );
    }
}

/// Nanoseconds a move.
fn items(runtime: &Runtime, moves: u64) -> f64 {
    let (sender, mut receiver) = channel(PLACES);
    let start = Instant::now();
    runtime.spawn(async move {
        for counter in 0..moves {
            let item = Item {
                head: head(counter),
                packet: black_box([7; PACKET_BYTES]),
            };
            if sender.send(item).await.is_err() {
                return;
            }
        }
    });
    let receiving = runtime.spawn(async move {
        let mut sum = 0;
        while let Some(item) = receiver.recv().await {
            sum += item.head.counter + u64::from(item.packet[0]);
        }
        sum
    });
    black_box(
        runtime
            .block_on(receiving)
            .expect("the receiver does not panic"),
    );
    start.elapsed().as_nanos() as f64 / moves as f64
}

/// Nanoseconds a move, `PAGE_MOVES` to a page.
fn pages(runtime: &Runtime, pool: &PagePool, moves: u64, fill: bool) -> f64 {
    let (sender, mut receiver) = channel::<(Page, Instant)>(PLACES);
    let pool = pool.clone();
    let start = Instant::now();
    runtime.spawn(async move {
        for first in (0..moves).step_by(PAGE_RECORDS_MAX) {
            let mut page = loop {
                match pool.try_take() {
                    Some(page) => break page,
                    None => yield_now().await,
                }
            };
            for counter in first..first + if fill { PAGE_MOVES } else { 0 } {
                let packet = black_box([7; PACKET_BYTES]);
                page.push(head(counter), &packet)
                    .expect("128 packets of 64 bytes fit a page");
            }
            if sender.send((page, start)).await.is_err() {
                return;
            }
        }
    });
    let receiving = runtime.spawn(async move {
        let mut sum = 0;
        while let Some((page, _)) = receiver.recv().await {
            for index in 0..page.len() {
                let record = page.record(index);
                sum += record.head.counter + u64::from(record.packet[0]);
            }
        }
        sum
    });
    black_box(
        runtime
            .block_on(receiving)
            .expect("the receiver does not panic"),
    );
    start.elapsed().as_nanos() as f64 / moves as f64
}
