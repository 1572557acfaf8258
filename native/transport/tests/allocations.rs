//! What a move takes from the heap on the server's side, QUIC included: counted by the test's own allocator, on the
//! threads of the server alone.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use common::*;

struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static OF_THE_SERVER: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    if OF_THE_SERVER.try_with(Cell::get).unwrap_or(false) {
        CALLS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is handed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about the layout is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above with this layout, hence from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count();
        // SAFETY: the pointer came from `alloc` above with this layout, hence from the system's allocator.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Takes of memory for each move, where a client sends `at_once` of them and waits for their ACK, again and again.
async fn takes_per_move(client: &mut Client, counter: &mut u64, at_once: u64, rounds: u64) -> f64 {
    let mut before = 0;
    for round in 0..2 * rounds {
        // The first half fills what is kept for later.
        if round == rounds {
            before = CALLS.load(Ordering::Relaxed);
        }
        let session = client.session;
        let frames: Vec<u8> =
            (*counter..*counter + at_once).flat_map(|counter| move_frame(0, session, counter, 5, &[1; 24])).collect();
        *counter += at_once;
        client.send.write_all(&frames).await.unwrap();
        until_acked(&mut client.receive, *counter - 1).await;
    }
    (CALLS.load(Ordering::Relaxed) - before) as f64 / (rounds * at_once) as f64
}

#[test]
fn a_move_takes_no_memory_beyond_its_packets() {
    let server = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .on_thread_start(|| OF_THE_SERVER.with(|own| own.set(true)))
        .build()
        .unwrap();
    let bench = server.block_on(async { Bench::start() });
    let clients = tokio::runtime::Runtime::new().unwrap();
    clients.block_on(async {
        let mut client = bench.session().await;
        let mut counter = 1;
        let alone = takes_per_move(&mut client, &mut counter, 1, 1000).await;
        let together = takes_per_move(&mut client, &mut counter, 100, 100).await;
        println!("memory is taken {alone:.2} times for a move on its own, {together:.3} times for one of a hundred");
        // A packet in, its acknowledgement with the answer out, and the client's acknowledgement of that.
        assert!(alone < 4.0, "{alone} for each move on its own");
        assert!(together < 0.5, "{together} for each move of a hundred");
    });
}
