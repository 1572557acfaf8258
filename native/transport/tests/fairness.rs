//! Hostile clients: what becomes of them is stated, and nobody else loses or waits for anything.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use common::half_open::HalfOpen;
use common::*;
use lodestone_memory::CounterId;
use tokio::task::JoinHandle;

const NEIGHBOURS: usize = 4;
const MOVES_EACH: u64 = 150;

/// Well-behaved sessions: one move in flight each, every one acknowledged.
async fn neighbours_are_served(bench: &Bench) {
    let mut tasks = Vec::new();
    for index in 0..NEIGHBOURS {
        let mut client = bench.session().await;
        tasks.push(tokio::spawn(async move {
            for counter in 1..=MOVES_EACH {
                let node = 500 + index as u32;
                client.send.write_all(&move_frame(0, client.session, counter, node, &[])).await.unwrap();
                let answers = until_acked(&mut client.receive, counter).await;
                assert!(answers.iter().all(|answer| answer.kind == ACK), "{answers:?}");
            }
        }));
    }
    for task in tasks {
        watched("a neighbour", task).await.unwrap();
    }
}

/// The hostile client is still at it.
fn assert_goes_on<T>(hostile: &JoinHandle<T>) {
    assert!(!hostile.is_finished(), "the hostile client was to go on meanwhile");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_reads_is_read_no_further_and_closed() {
    let mut setup = Setup::default();
    setup.config.slow_consumer_ms = 3000;
    let bench = setup.start();
    let connection = bench.connect_with(|transport| {
        transport.stream_receive_window(1000_u32.into());
    });
    let mut hostile = Client::welcomed(connection.await, &[]).await;
    let connection = hostile.connection.clone();
    let asking = tokio::spawn(async move {
        for counter in 1.. {
            if hostile.send.write_all(&pair_frame(READ, 0, hostile.session, counter, 1, 0)).await.is_err() {
                break;
            }
        }
        hostile.receive
    });
    // Where the machine stands still for long it is closed before that.
    until("its buffer is full", || bench.engine.seen().len() >= 230 || connection.close_reason().is_some()).await;
    neighbours_are_served(&bench).await;
    assert_eq!(closed(&connection).await.0, 15);
    let of_the_hostile = bench.engine.seen().iter().filter(|seen| seen.node == 1).count();
    assert!(of_the_hostile < 300, "{of_the_hostile}");
    assert_eq!(bench.counters.get(CounterId::SlowConsumersClosed), 1);
    drop(asking.await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_floods_is_held_to_its_rate() {
    let mut setup = Setup::default();
    setup.config.session_moves_per_second = 1000;
    let bench = setup.start();
    let mut hostile = bench.session().await;
    let flooding: JoinHandle<()> = tokio::spawn(async move {
        let burst: Vec<Vec<u8>> =
            (1..1_000_000).map(|counter| move_frame(0, hostile.session, counter, 1, &[])).collect();
        for frame in burst {
            hostile.send.write_all(&frame).await.unwrap();
        }
    });
    until("it is held", || bench.counters.get(CounterId::SessionsThrottled) > 0).await;
    neighbours_are_served(&bench).await;
    assert_goes_on(&flooding);
    flooding.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_floods_without_a_limit_is_held_by_flow_control() {
    let bench = Setup { channel_batches: 4, ..Setup::default() }.start();
    let hostile = bench.session().await;
    let mut floods: Vec<JoinHandle<()>> = Vec::new();
    for _ in 0..8 {
        let (mut send, receive) = hostile.stream().await;
        let session = hostile.session;
        floods.push(tokio::spawn(async move {
            for counter in 0.. {
                send.write_all(&move_frame(0, session, counter, 1, &[7; 200])).await.unwrap();
            }
            drop(receive);
        }));
        // The first byte of a second stream brings the credit for the others.
        tokio::task::yield_now().await;
    }
    until("the flood is here", || bench.engine.seen().len() > 1000).await;
    neighbours_are_served(&bench).await;
    for flood in &floods {
        assert_goes_on(flood);
        flood.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_opens_all_streams_and_stalls_holds_only_its_own() {
    let bench = Bench::start();
    let hostile = bench.session().await;
    let mut stalled = Vec::new();
    for _ in 0..127 {
        let (mut send, receive) = hostile.stream().await;
        // The start of a frame, and then nothing more.
        send.write_all(&move_frame(0, hostile.session, 0, 1, &[1; 200])[..100]).await.unwrap();
        stalled.push((send, receive));
    }
    neighbours_are_served(&bench).await;
    // It broke no rule: whoever goes on is served, stream by stream.
    until("the neighbours are gone", || bench.server.sessions().len() == 1).await;
    assert_eq!(bench.server.sessions()[0].session, hostile.session);
    for (send, receive) in &mut stalled {
        send.write_all(&move_frame(0, hostile.session, 0, 1, &[1; 200])[100..]).await.unwrap();
        until_acked(receive, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_begins_streams_and_gives_them_up_is_held_to_its_rate_and_goes_on() {
    const RATE: u64 = 50;
    let mut setup = Setup::default();
    setup.config.session_streams_per_second = RATE;
    let bench = setup.start();
    let started = Instant::now();
    let mut hostile = bench.session().await;
    let begun = Arc::new(AtomicU64::new(0));
    let (connection, count) = (hostile.connection.clone(), Arc::clone(&begun));
    let resetting: JoinHandle<()> = tokio::spawn(async move {
        loop {
            let (mut send, mut receive) = connection.open_bi().await.unwrap();
            send.reset(0_u32.into()).unwrap();
            receive.stop(0_u32.into()).unwrap();
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    until("it is held", || bench.counters.get(CounterId::StreamsThrottled) > 0).await;
    neighbours_are_served(&bench).await;
    assert_goes_on(&resetting);
    for counter in 1..=20 {
        hostile.send.write_all(&move_frame(0, hostile.session, counter, 3, &[])).await.unwrap();
        until_acked(&mut hostile.receive, counter).await;
    }
    let (begun, seconds) = (begun.load(Ordering::Relaxed), started.elapsed().as_secs() + 1);
    // 128 at once, what the rate gave since, and those that have credit and wait.
    assert!(begun <= 128 + RATE * seconds + 148, "{begun} streams in {seconds} s");
    until("new streams are still taken", || bench.counters.get(CounterId::StreamsThrottled) > 10).await;
    resetting.abort();
}

/// How a server on one worker, which is blocked until a burst of this many frames is there, shares that worker.
struct OneWorker {
    bench: Arc<Bench>,
    block: mpsc::Sender<()>,
    blocked: Arc<AtomicBool>,
    release: mpsc::Sender<()>,
    /// Gives the longest run of frames that were taken with nobody else having the worker in between.
    longest: std::thread::JoinHandle<u64>,
}

impl OneWorker {
    async fn start(setup: Setup, frames: u64) -> OneWorker {
        let ((block, block_asked), (release, released)) = (mpsc::channel(), mpsc::channel());
        let (sender, started) = tokio::sync::oneshot::channel();
        let blocked = Arc::<AtomicBool>::default();
        let is_blocked = Arc::clone(&blocked);
        let longest = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let bench = Arc::new(setup.start());
                assert!(sender.send(Arc::clone(&bench)).is_ok());
                while block_asked.try_recv().is_err() {
                    tokio::task::yield_now().await;
                }
                is_blocked.store(true, Ordering::Release);
                released.recv().unwrap();
                longest_turn(&bench, frames).await
            })
        });
        let bench = started.await.unwrap();
        OneWorker { bench, block, blocked, release, longest }
    }
}

async fn longest_turn(bench: &Bench, frames: u64) -> u64 {
    let (mut before, mut longest) = (0, 0);
    while before < frames {
        tokio::task::yield_now().await;
        let now = bench.server.sessions().first().map_or(before, |session| session.frames);
        longest = longest.max(now - before);
        before = now;
    }
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_floods_shares_the_worker_with_everybody_on_it() {
    // Nearly what the window of a stream holds.
    const FRAMES: u64 = 2_500;
    let mut setup = Setup { channel_batches: 1024, ..Setup::default() };
    setup.config.answer_buffer_bytes = 1 << 20;
    let one = OneWorker::start(setup, FRAMES).await;
    let connection = one.bench.connect_with(|transport| {
        let mut congestion = quinn::congestion::CubicConfig::default();
        congestion.initial_window(1 << 20);
        transport.congestion_controller_factory(Arc::new(congestion));
    });
    let mut hostile = Client::welcomed(connection.await, &[]).await;
    one.block.send(()).unwrap();
    until("the worker is blocked", || one.blocked.load(Ordering::Acquire)).await;
    let burst: Vec<Vec<u8>> =
        (1..=FRAMES).map(|counter| pair_frame(RELEASE, 0, hostile.session, counter, 5, 0)).collect();
    let sent_before = hostile.connection.stats().udp_tx.bytes;
    hostile.send.write_all(&burst.concat()).await.unwrap();
    let bytes = burst.len() as u64 * burst[0].len() as u64;
    until("the burst is sent", || hostile.connection.stats().udp_tx.bytes > sent_before + bytes).await;
    one.release.send(()).unwrap();
    let longest = tokio::task::spawn_blocking(|| one.longest.join().unwrap());
    let longest = watched("all frames are taken", longest).await.unwrap();
    // A turn, and the rest of a packet that was begun in it: one packet holds 60 of them.
    assert!((1..=256 + 64).contains(&longest), "{longest} frames in one turn");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_never_end_are_bounded_and_time_out() {
    let mut setup = Setup::default();
    setup.config.handshakes_max = 50;
    setup.config.handshake_timeout_ms = 5000;
    let bench = setup.start();
    let _half_open = HalfOpen::begin(&bench, 45).await;
    neighbours_are_served(&bench).await;
    until("they time out", || bench.counters.get(CounterId::HandshakesLive) == 0).await;
    assert_eq!(bench.counters.get(CounterId::HandshakesFailed), 45);
    watched("a session", bench.session()).await;
}
