//! Commands and calls through shared memory, decided by a real engine.

mod support;

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use lodestone_memory::CounterId;
use lodestone_memory::rings::layout::REPLY_WATCHES_FULL;
use lodestone_memory::rings::{ProcessIdentity, Producer, Registration, RejectionReader, Reply, SendError};
use lodestone_runtime::{Engine, Status};
use support::{counter, open, submit};

const MOVE: u8 = 0x10;
const RELEASE: u8 = 0x18;
const ROUTE: u8 = 0x20;
const ROLLBACK: u8 = 0x40;
const HASH: u8 = 0x41;
const REVISION_BEFORE: u8 = 0x42;
const WATCH: u8 = 0x43;
const UNWATCH: u8 = 0x44;
const STALL: Duration = Duration::from_secs(180);

fn register(engine: &Engine, lane: bool) -> Producer {
    let process = ProcessIdentity::own().unwrap();
    engine.bridge().register(&Registration { process, tenant: 0, lane, unix_ms: 1 }).unwrap()
}

fn packet(source: u32, target: u32, mask: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = [source.to_le_bytes(), target.to_le_bytes(), mask.to_le_bytes()].concat();
    packet.extend([0, 0, payload.len() as u8, 0]);
    packet.extend([0; 8]);
    packet.extend(payload);
    packet
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < STALL, "stands still: {what}");
        std::thread::yield_now();
    }
}

fn decided(engine: &Engine, producer: &Producer) -> lodestone_memory::rings::Acknowledged {
    let answers = engine.bridge().producers().answers(producer.entry());
    until("the decision", || answers.decided() == producer.counter());
    answers.acknowledged()
}

fn send(producer: &mut Producer, kind: u8, body: &[u8]) -> u64 {
    let mut sent = None;
    until("room", || {
        sent = producer.send(kind, body).ok();
        sent.is_some()
    });
    sent.unwrap()
}

fn call(engine: &Engine, producer: &mut Producer, kind: u8, argument: u64) -> Reply {
    let counter = send(producer, kind, &argument.to_le_bytes());
    let (replies, entry) = (engine.bridge().replies(), producer.entry());
    let mut reply = None;
    until("the reply", || {
        reply = replies.read(entry, counter);
        reply.is_some()
    });
    reply.unwrap()
}

#[test]
fn moves_from_lane_and_ring_do_what_submitted_ones_do() {
    for idle in ["park", "yield", "busy_spin"] {
        let other = open(200, 1_000, "");
        let engine = open(200, 1_000, &format!("runtime.idle_strategy={idle}\nbridge.lanes=1\n"));
        let mut producers = [register(&engine, true), register(&engine, true)];
        assert_eq!((producers[0].lane(), producers[1].lane()), (Some(0), None));
        for step in 0..300_u32 {
            let producer = &mut producers[step as usize % 2];
            let (source, target) = (step % 100, 100 + step % 7);
            send(producer, MOVE, &packet(source, target, step + 1, &[]));
            decided(&engine, producer);
            submit(&other, &[(source, target, step + 1)]);
        }
        assert_eq!(engine.hash(None).unwrap().hash, other.hash(None).unwrap().hash);
        assert_eq!(engine.verify_hash().unwrap(), engine.hash(None).unwrap());
        assert_eq!(counter(&engine, CounterId::Commands), 300);
        for producer in &producers {
            let line = decided(&engine, producer);
            assert_eq!((line.decided, line.accepted, line.rejected), (150, 150, 0));
        }
    }
}

#[test]
fn refusals_name_counter_status_and_node() {
    let engine = open(100, 100, "bridge.lanes=1\n");
    for lane in [true, false] {
        let mut producer = register(&engine, lane);
        let bodies = [
            (MOVE, packet(1, 2, 1, b"abc"), None),
            (MOVE, packet(7, 7, 1, &[]), Some((Status::OutOfBounds, 7))),
            (MOVE, packet(1, 100, 1, &[]), Some((Status::OutOfBounds, 1))),
            (MOVE, vec![9, 0, 0, 0], Some((Status::OutOfBounds, 9))),
            (RELEASE, 55_u64.to_le_bytes().to_vec(), Some((Status::NoSlot, 55))),
            (RELEASE, vec![1, 0, 0], Some((Status::Malformed, 1))),
            (0x77, vec![], Some((Status::Malformed, 0))),
            (RELEASE, 1_u64.to_le_bytes().to_vec(), None),
        ];
        bodies.iter().for_each(|(kind, body, _)| _ = send(&mut producer, *kind, body));
        let line = decided(&engine, &producer);
        assert_eq!((line.decided, line.accepted, line.rejected), (8, 2, 6));
        let answers = engine.bridge().producers().answers(producer.entry());
        let mut reader = RejectionReader::default();
        for (index, (_, _, expected)) in bodies.iter().enumerate() {
            if let Some((status, node)) = expected {
                let found = answers.next_rejection(&mut reader).unwrap();
                assert_eq!((found.counter, found.status, found.node), (index as u64 + 1, status.code(), *node));
            }
        }
        assert_eq!(answers.next_rejection(&mut reader), None);
    }
}

#[test]
fn calls_answer_as_those_of_this_process_do() {
    for place in support::PLACES {
        let engine = open(100, 100, &format!("{place}graph.watches_max=1\n"));
        let mut producer = register(&engine, false);
        for node in 0..50 {
            send(&mut producer, MOVE, &packet(node, node + 1, 0x1_0003, &[]));
        }
        let hash = call(&engine, &mut producer, HASH, u64::MAX);
        let expected = engine.hash(None).unwrap();
        let expected = [expected.revision, expected.hash.low, expected.hash.high];
        assert_eq!((hash.status, &hash.words[..3]), (0, &expected[..]), "a call sees what was sent before it");
        let route = call(&engine, &mut producer, ROUTE, 30 << 32 | 10);
        assert_eq!((route.status, route.words[1], route.words[2]), (0, 60, 21));
        assert_eq!(route.words[3], engine.route(10, 30).unwrap().settled);
        assert_eq!(route.list, (10..=30).collect::<Vec<u32>>());
        let far = call(&engine, &mut producer, ROUTE, 100 << 32 | 10);
        assert_eq!((far.status, far.words[0]), (Status::OutOfBounds.code(), 100));
        assert_eq!(call(&engine, &mut producer, ROUTE, 10 << 32 | 30).words[1], u64::MAX);
        let watch = call(&engine, &mut producer, WATCH, 0);
        assert_eq!(watch.status, 0);
        assert_eq!(call(&engine, &mut producer, WATCH, 1).status, REPLY_WATCHES_FULL);
        assert_eq!(call(&engine, &mut producer, WATCH, 1 << 33).status, Status::OutOfBounds.code());
        assert_eq!(call(&engine, &mut producer, UNWATCH, watch.words[0]).words[0], 1);
        assert_eq!(call(&engine, &mut producer, UNWATCH, watch.words[0]).words[0], 0);
        let before = call(&engine, &mut producer, REVISION_BEFORE, u64::MAX);
        assert_eq!((before.status, before.words[0]), (0, 0));
        let back = call(&engine, &mut producer, ROLLBACK, 0);
        assert_eq!((back.status, back.words[0], back.words[1], back.words[6]), (0, expected[0], 0, 1));
        assert_eq!(call(&engine, &mut producer, ROLLBACK, 99).status, Status::OutOfWindow.code());
        assert_eq!(call(&engine, &mut producer, HASH, 99).status, Status::OutOfWindow.code());
        let counter = send(&mut producer, HASH, &[1]);
        let replies = engine.bridge().replies();
        until("the refusal", || replies.read(producer.entry(), counter).is_some());
        assert_eq!(replies.read(producer.entry(), counter).unwrap().status, Status::Malformed.code());
    }
}

#[test]
fn an_engine_that_closes_leaves_the_endless_stream_of_a_producer() {
    let engine = open(100, 100, "bridge.ring_kib=4\nbridge.lane_kib=4\n");
    let bridge = engine.bridge();
    let threads: Vec<_> = [true, false]
        .map(|lane| {
            let mut producer = register(&engine, lane);
            std::thread::spawn(move || {
                let packet = packet(1, 2, 3, &[]);
                let mut sent = 0_u64;
                // After the close the region reads zero: an entry without a stage.
                while bridge.producers().state(producer.entry()).pid != 0 {
                    match producer.send(MOVE, &packet) {
                        Ok(_) => sent += 1,
                        Err(SendError::Full) => std::thread::yield_now(),
                        Err(SendError::Closed) => break,
                    }
                }
                sent
            })
        })
        .into_iter()
        .collect();
    until("some moves of both", || (0..2).all(|entry| bridge.producers().answers(entry).decided() > 1_000));
    engine.close();
    threads.into_iter().for_each(|thread| assert!(thread.join().unwrap() > 1_000));
}

#[test]
fn a_full_ring_is_counted_and_producers_too() {
    let engine = open(100, 100, "bridge.ring_kib=4\n");
    let mut producer = register(&engine, false);
    let packet = packet(1, 2, 3, &[7; 232]);
    // Without a pause in between: on one processor the engine would take each of them at once.
    until("a full ring", || (0..1_000).any(|_| producer.send(MOVE, &packet) == Err(SendError::Full)));
    decided(&engine, &producer);
    until("the counters", || {
        counter(&engine, CounterId::CommandsFull) > 0 && counter(&engine, CounterId::ProducersLive) == 1
    });
    drop(producer);
    until("the end of the producer", || counter(&engine, CounterId::ProducersLive) == 0);
    assert!(counter(&engine, CounterId::CommandsFull) > 0);
    assert_eq!(counter(&engine, CounterId::CommandsGarbage), 0);
}

/// A process that does nothing, and a producer that says it is that process's.
fn producer_of_another(engine: &Engine) -> (Child, Producer) {
    let child = Command::new("sleep").arg("600").spawn().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let start_ticks = stat[stat.rfind(')').unwrap() + 2..].split(' ').nth(19).unwrap().parse().unwrap();
    let process = ProcessIdentity { pid: child.id(), start_ticks, ..ProcessIdentity::own().unwrap() };
    let producer = engine.bridge().register(&Registration { process, tenant: 0, lane: false, unix_ms: 1 }).unwrap();
    (child, producer)
}

#[test]
fn watches_end_with_their_producer() {
    for place in support::PLACES {
        let engine = open(100, 100, &format!("{place}graph.watches_max=2\n"));
        let (mut child, mut producer) = producer_of_another(&engine);
        let (mut first, mut second) = (register(&engine, false), register(&engine, false));
        assert_eq!(call(&engine, &mut producer, WATCH, 1).status, 0);
        let kept = call(&engine, &mut second, WATCH, 2).words[0];
        assert_eq!(call(&engine, &mut first, WATCH, 3).status, REPLY_WATCHES_FULL);
        child.kill().unwrap();
        child.wait().unwrap();
        until("the end of the dead one's watch", || call(&engine, &mut first, WATCH, 4).status == 0);
        drop(first);
        until("the end of the watch of one that left", || engine.watch(5).is_ok());
        until("the sweep", || counter(&engine, CounterId::ProducersLive) == 1);
        assert_eq!(call(&engine, &mut second, WATCH, 6).status, REPLY_WATCHES_FULL);
        assert_eq!(call(&engine, &mut second, UNWATCH, kept).words[0], 1, "who stays keeps what it began");
        assert_eq!(call(&engine, &mut second, WATCH, 6).status, 0);
        // Its process is gone: there is nothing to leave any more.
        std::mem::forget(producer);
    }
}

#[test]
fn a_route_is_given_up_when_its_producer_leaves() {
    const NODES: u32 = 400_000;
    const CALLERS: u64 = 50;
    for place in support::PLACES {
        let engine = open(NODES, NODES, place);
        support::two_chains(&engine, NODES);
        let mut callers: Vec<_> = (0..CALLERS).map(|_| register(&engine, false)).collect();
        for caller in &mut callers {
            send(caller, ROUTE, &(u64::from(NODES - 1) << 32).to_le_bytes());
        }
        drop(callers);
        let done = || (counter(&engine, CounterId::Routes), counter(&engine, CounterId::RoutesCancelled));
        until("all of them", || done().0 + done().1 == CALLERS);
        assert!(done().1 > 0, "none was given up: {place}");
        until("their entries", || counter(&engine, CounterId::ProducersLive) == 0);
        let mut producer = register(&engine, false);
        assert_eq!(
            call(&engine, &mut producer, ROUTE, 4 << 32).words[..3],
            [engine.hash(None).unwrap().revision, 2, 3]
        );
    }
}
