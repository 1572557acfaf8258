//! Engines opened and closed many times leave nothing behind. In a process of its own, since it looks at all of it.
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use lodestone_runtime::Engine;

const CONFIG: &str = "transport.listen=127.0.0.1:0\narena.capacity=20000\ngraph.nodes_max=100000\n\
                      graph.edges_max=200000\nrollback.window_mib=8\narena.bump_mib=8";

/// What one engine of this size takes is above 60 MiB: one of thirty that stayed would be seen.
const GROWTH_BYTES_MAX: u64 = 32 << 20;

/// No thread takes this long to end.
const STALL: Duration = Duration::from_secs(180);

fn status_bytes(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    let number: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    if line.ends_with("kB") { number * 1024 } else { number }
}

fn open_and_close(times: usize) {
    for _ in 0..times {
        let engine = Engine::open(CONFIG, 1).unwrap();
        engine.put_arcs(&[1, 2, 3]).unwrap();
        engine.close();
    }
}

#[test]
fn closed_engines_keep_no_memory_no_thread_and_no_file() {
    open_and_close(5);
    let (memory_bytes, threads) = (status_bytes("VmRSS"), status_bytes("Threads"));
    let files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let open_files = files();
    open_and_close(30);
    let grown = status_bytes("VmRSS").saturating_sub(memory_bytes);
    assert!(grown < GROWTH_BYTES_MAX, "{grown} bytes more after thirty engines");
    // The system counts a thread for a moment longer than whoever joined it knows of it.
    let begun = Instant::now();
    while (status_bytes("Threads"), files()) != (threads, open_files) {
        let left = (status_bytes("Threads"), files());
        assert!(begun.elapsed() < STALL, "threads and files: {left:?}, {:?} before", (threads, open_files));
        std::thread::sleep(Duration::from_millis(1));
    }
}
