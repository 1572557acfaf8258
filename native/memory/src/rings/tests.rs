//! The bridge in one process: every length at every place, full, batches, garbage, dead producers, many threads.

use super::bridge::BridgeWords;
use super::claims::{ClaimWord, STAGE_ATTEMPT, STAGE_OWNED};
use super::layout::{CELL_BYTES, PRODUCER_BYTES, PRODUCERS_MAX, REPLY_BYTES, RING_CELLS};
use super::*;
use crate::mapping::Mapping;
use crate::sync::Ordering;

pub(super) const OWN_TICKS: u64 = 77;

pub(super) fn bytes_of(sizes: &BridgeSizes) -> usize {
    let tables = PRODUCERS_MAX * (PRODUCER_BYTES + REPLY_BYTES);
    tables + sizes.lanes * sizes.lane_item_bytes() + sizes.ring_item_bytes() + CELL_BYTES
}

pub(super) fn bridge_in(mapping: Mapping, sizes: &BridgeSizes) -> Bridge {
    let lanes_at = PRODUCERS_MAX * PRODUCER_BYTES;
    let ring_at = lanes_at + sizes.lanes * sizes.lane_item_bytes();
    let replies_at = ring_at + sizes.ring_item_bytes();
    let bell_at = replies_at + PRODUCERS_MAX * REPLY_BYTES;
    Bridge::new(&BridgeWords {
        producers: mapping.words(0, lanes_at / 8),
        producer_halves: mapping.halves(0, lanes_at / 4),
        lanes: mapping.words(lanes_at, (ring_at - lanes_at) / 8),
        lane_item_bytes: sizes.lane_item_bytes(),
        ring: mapping.words(ring_at, sizes.ring_item_bytes() / 8),
        replies: mapping.words(replies_at, PRODUCERS_MAX * REPLY_BYTES / 8),
        bell: &mapping.halves(bell_at, 2)[0],
        order: &mapping.halves(bell_at, 2)[1],
        namespace: ProcessIdentity::own().unwrap().namespace,
    })
}

pub(super) fn bridge(lanes: usize, lane_cells: usize, ring_cells: usize) -> Bridge {
    let sizes = BridgeSizes { lanes, lane_bytes: lane_cells * CELL_BYTES, ring_bytes: ring_cells * CELL_BYTES };
    bridge_in(Mapping::anonymous(bytes_of(&sizes), false).unwrap(), &sizes)
}

pub(super) fn registration(lane: bool) -> Registration {
    Registration { process: ProcessIdentity::own().unwrap(), tenant: 5, lane, unix_ms: 1 }
}

/// A registration of a process that is not there.
fn dead_registration() -> Registration {
    let process = ProcessIdentity { start_ticks: OWN_TICKS, ..ProcessIdentity::own().unwrap() };
    Registration { process, tenant: 0, lane: false, unix_ms: 1 }
}

fn body(bytes: usize, salt: u64) -> Vec<u8> {
    (0..bytes).map(|index| (index as u64 * 31 + salt * 7 + 1) as u8).collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    entry: usize,
    kind: u8,
    counter: u64,
    body: Vec<u8>,
}

fn seen(entry: usize, record: &RingRecord) -> Seen {
    let words: Vec<u8> =
        (0..record.body_bytes.div_ceil(8)).flat_map(|index| record.word(index).to_le_bytes()).collect();
    Seen { entry, kind: record.kind, counter: record.counter, body: words[..record.body_bytes].to_vec() }
}

fn drain(end: &mut BridgeEnd, limit: u32) -> (Vec<Seen>, u32) {
    let (mut all, mut garbage) = (Vec::new(), 0);
    for lane in 0..end.lanes() {
        garbage += end
            .drain_lane(lane, limit, |entry, record| {
                all.push(seen(entry, record));
                Take::Next
            })
            .garbage;
    }
    garbage += end
        .drain_ring(limit, |entry, record| {
            all.push(seen(entry, record));
            Take::Next
        })
        .garbage;
    end.settle();
    (all, garbage)
}

/// A generator of numbers that a seed repeats.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn begin_at(bridge: &Bridge, position: u64) {
    for words in [bridge.ring_words(), bridge.lane_words(0)] {
        words.tail.store(position, Ordering::Relaxed);
        words.head.store(position, Ordering::Relaxed);
    }
}

#[test]
fn every_length_passes_at_every_place_and_around_every_round_number() {
    for base in [0_u64, 1 << 31, 1 << 32, 1 << 50, 1 << 56, 1 << 63, u64::MAX - 1023] {
        for place in 0..16_u64 {
            let bridge = bridge(1, 16, 16);
            begin_at(&bridge, base.wrapping_sub(8 * 64).wrapping_add(place * 64));
            let mut end = BridgeEnd::new(bridge);
            let mut producers =
                [bridge.register(&registration(true)).unwrap(), bridge.register(&registration(false)).unwrap()];
            assert_eq!((producers[0].lane(), producers[1].lane()), (Some(0), None));
            for bytes in 0..=256 {
                let sent = body(bytes, place);
                for producer in &mut producers {
                    let counter = producer.send(0x10, &sent).unwrap();
                    let expected = Seen { entry: producer.entry(), kind: 0x10, counter, body: sent.clone() };
                    let (found, garbage) = drain(&mut end, 100);
                    assert_eq!((found, garbage), (vec![expected], 0), "{bytes} bytes, place {place}, base {base}");
                }
            }
            assert!(!end.has_some() && !end.is_waiting());
        }
    }
}

#[test]
fn full_is_a_value_and_goes_away() {
    for lane in [true, false] {
        let bridge = bridge(1, 8, 8);
        let mut end = BridgeEnd::new(bridge);
        let mut producer = bridge.register(&registration(lane)).unwrap();
        assert_eq!((0..8).map(|_| producer.send(1, &[]).unwrap()).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
        assert_eq!(producer.send(1, &[]), Err(SendError::Full));
        assert_eq!(producer.send(1, &[]), Err(SendError::Full));
        assert_eq!(drain(&mut end, 3).0.len(), 3);
        assert_eq!(producer.send(1, &[0; 150]), Ok(9), "three cells are free");
        assert_eq!(producer.send(1, &[]), Err(SendError::Full));
        assert_eq!(drain(&mut end, 100).0.len(), 6);
        assert_eq!(
            end.sweep(|_| false),
            Sweep { live: 1, live_in_ring: u32::from(!lane), full: 3, ..Sweep::default() }
        );
        assert!(matches!(producer.batch(0, 5), Err(SendError::Full)), "more than half is never given");
    }
}

/// Headers of a turn are cleared at its end, and the last record's cell is kept: neither is ever found a second time.
#[test]
fn a_turn_that_goes_all_around_takes_every_record_once() {
    for lane in [true, false] {
        let bridge = bridge(1, 8, 8);
        let mut end = BridgeEnd::new(bridge);
        let mut producer = bridge.register(&registration(lane)).unwrap();
        let (mut sent, mut taken) = (0, 0);
        for turn in 0..20 {
            while producer.send(1, &[]).is_ok() {
                sent += 1;
            }
            assert_eq!(sent - taken, if turn == 0 { 8 } else { 7 }, "all cells but the one kept");
            let take = |_: usize, record: &RingRecord| {
                taken += 1;
                assert_eq!(record.counter, taken);
                Take::Next
            };
            let drained = if lane { end.drain_lane(0, 100, take) } else { end.drain_ring(100, take) };
            assert_eq!((taken, drained.garbage), (sent, 0));
        }
    }
}

#[test]
fn a_batch_appears_whole_or_not_at_all() {
    for lane in [true, false] {
        for place in 0..32_u64 {
            let bridge = bridge(1, 32, 32);
            begin_at(&bridge, place * 64);
            let mut end = BridgeEnd::new(bridge);
            let mut producer = bridge.register(&registration(lane)).unwrap();
            let mut batch = producer.batch(100, 5).unwrap();
            assert_eq!(batch.put(1, &body(100, 1)), 1);
            assert_eq!(batch.put(2, &body(3, 2)), 2);
            assert!(drain(&mut end, 100).0.is_empty());
            batch.commit();
            let found = drain(&mut end, 100);
            assert_eq!(found.0.iter().map(|seen| (seen.kind, seen.counter)).collect::<Vec<_>>(), [(1, 1), (2, 2)]);
            assert_eq!((&found.0[0].body, &found.0[1].body, found.1), (&body(100, 1), &body(3, 2), 0));
            let mut given_up = producer.batch(200, 3).unwrap();
            given_up.put(3, &body(200, 3));
            drop(given_up);
            drop(producer.batch(0, 1).unwrap());
            assert!(drain(&mut end, 100).0.is_empty());
            assert_eq!(producer.send(4, &[]), Ok(3), "what was given up has no counter");
            assert_eq!(drain(&mut end, 100).0.len(), 1);
            assert!(!end.is_waiting() && !end.has_some());
        }
    }
}

#[test]
fn claims_are_taken_in_their_order_whatever_the_order_of_commits() {
    for seed in 0..200_u64 {
        let mut random = Random(seed);
        let bridge = bridge(0, 4, 32);
        begin_ring(&bridge, random.below(64) * 64);
        let mut end = BridgeEnd::new(bridge);
        let mut producers: Vec<Producer> = (0..4).map(|_| bridge.register(&registration(false)).unwrap()).collect();
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        for _ in 0..200 {
            let mut open = Vec::new();
            for producer in &mut producers {
                let (bytes, kind) = (random.below(257) as usize, random.below(3) as u8);
                let (entry, sent) = (producer.entry(), body(bytes, seed));
                if let Ok(mut batch) = producer.batch(bytes, 1) {
                    let counter = batch.put(kind, &sent);
                    if kind > 0 {
                        expected.push(Seen { entry, kind, counter, body: sent });
                    }
                    open.push((kind, batch));
                }
            }
            while !open.is_empty() {
                let (kind, batch) = open.swap_remove(random.below(open.len() as u64) as usize);
                if kind > 0 {
                    batch.commit()
                } else {
                    drop(batch)
                }
                if random.below(2) == 0 {
                    found.extend(drain(&mut end, random.below(4) as u32).0);
                }
            }
        }
        found.extend(drain(&mut end, u32::MAX).0);
        found.extend(drain(&mut end, u32::MAX).0);
        assert_eq!(found, expected, "seed {seed}");
    }
}

fn begin_ring(bridge: &Bridge, position: u64) {
    bridge.ring_words().tail.store(position, Ordering::Relaxed);
    bridge.ring_words().head.store(position, Ordering::Relaxed);
}

#[test]
fn garbage_in_any_word_is_counted_and_never_more() {
    for seed in 0..3_000_u64 {
        let mut random = Random(seed);
        let bridge = bridge(1, 16, 16);
        let mut end = BridgeEnd::new(bridge);
        let mut lane = bridge.register(&registration(true)).unwrap();
        let mut ring = bridge.register(&registration(false)).unwrap();
        for _ in 0..4 {
            lane.send(1, &body(random.below(257) as usize, 0)).unwrap_or(0);
            ring.send(1, &body(random.below(257) as usize, 0)).unwrap_or(0);
        }
        let words = if random.below(2) == 0 { bridge.lanes } else { bridge.ring };
        for _ in 0..=random.below(6) {
            // Owner and head are the engine's own to write and are not read back.
            let place =
                [16, RING_CELLS as u64 / 8 + random.below(16) * 8, 64 + random.below(128)][random.below(3) as usize];
            let wild =
                [random.below(1 << 31), random.below(600), 1 << 32 | random.below(600), 2 << 32 | random.below(1_200)];
            words[place as usize].store(wild[random.below(4) as usize] << (random.below(3) * 16), Ordering::Relaxed);
        }
        for _ in 0..4 {
            for seen in drain(&mut end, 100).0 {
                assert!(seen.body.len() <= 256, "seed {seed}");
            }
            end.sweep(|_| false);
        }
    }
}

#[test]
fn garbage_as_long_as_the_ring_is_judged_once() {
    for place in 0..8 {
        let bridge = bridge(1, 8, 8);
        begin_ring(&bridge, place * 64);
        let mut end = BridgeEnd::new(bridge);
        let mut ring = bridge.register(&registration(false)).unwrap();
        bridge.ring_words().tail.store(place * 64 + 8 * 64, Ordering::Relaxed);
        bridge.ring_words().cells.header(place * 64).store(7, Ordering::Relaxed);
        let garbage: Vec<u32> = (0..3).map(|_| end.drain_ring(9, |_, _| Take::Next).garbage).collect();
        assert_eq!(garbage, [1, 0, 0], "place {place}");
        ring.send(3, &[1, 2]).unwrap();
        assert_eq!(drain(&mut end, 9).0.len(), 1, "place {place}");
    }
}

#[test]
fn a_closed_lane_tells_its_producer_and_is_sound_for_the_next() {
    let bridge = bridge(1, 8, 8);
    let mut end = BridgeEnd::new(bridge);
    let mut first = bridge.register(&registration(true)).unwrap();
    first.send(1, &[]).unwrap();
    first.send(1, &[]).unwrap();
    bridge.lane_words(0).cells.header(64).store(7, Ordering::Relaxed);
    assert_eq!((drain(&mut end, 10).0.len(), drain(&mut end, 10).1), (1, 0));
    assert_eq!(first.send(1, &[]), Err(SendError::Closed));
    drop(first);
    end.sweep(|_| false);
    let mut next = bridge.register(&registration(true)).unwrap();
    assert_eq!(next.lane(), Some(0));
    next.send(2, &[9; 9]).unwrap();
    assert_eq!(drain(&mut end, 10).0, [Seen { entry: 0, kind: 2, counter: 1, body: vec![9; 9] }]);
}

#[test]
fn what_a_dead_producer_left_in_its_lane_is_never_the_next_ones() {
    for place in 0..16_u64 {
        let bridge = bridge(1, 16, 8);
        begin_at(&bridge, place * 64);
        let mut end = BridgeEnd::new(bridge);
        let mut first = bridge.register(&registration(true)).unwrap();
        // It dies in the middle of a batch: headers, and words of bodies, stand where the next one's records will.
        let mut batch = first.batch(100, 4).unwrap();
        (0..4).for_each(|_| {
            batch.put(1, &[0x18, 0, 0, 0, 1, 0, 0, 0].repeat(12));
        });
        std::mem::forget(batch);
        let (entry, epoch) = (0, bridge.producers.state(0).epoch);
        assert!(bridge.producers.leave(entry, epoch));
        // Padding before the end of the lane is committed by itself.
        assert_eq!(drain(&mut end, 10), (vec![], 0));
        assert_eq!(end.sweep(|_| false), Sweep::default());
        let mut next = bridge.register(&registration(true)).unwrap();
        assert_eq!(next.lane(), Some(0));
        for counter in 1..=40 {
            assert_eq!(next.send(2, &[9; 9]), Ok(counter), "place {place}");
            let expected = Seen { entry, kind: 2, counter, body: vec![9; 9] };
            assert_eq!(drain(&mut end, 10), (vec![expected], 0), "place {place}");
        }
    }
}

#[test]
fn a_ring_with_a_record_that_nobody_claimed_is_given_up() {
    let bridge = bridge(0, 4, 8);
    let mut end = BridgeEnd::new(bridge);
    let mut producer = bridge.register(&registration(false)).unwrap();
    producer.send(1, &[]).unwrap();
    let cells = bridge.ring_words().cells;
    cells.header(64).store(cells.header(0).load(Ordering::Relaxed), Ordering::Relaxed);
    drain(&mut end, 10);
    assert!(end.sweep(|_| false).broken);
    assert!(!end.sweep(|_| false).broken, "it is told once");
    assert_eq!(producer.send(1, &[]), Err(SendError::Closed));
}

#[test]
fn entries_and_lanes_are_given_back_once_all_is_taken() {
    let bridge = bridge(1, 8, 16);
    let mut end = BridgeEnd::new(bridge);
    let mut all: Vec<Producer> = (0..PRODUCERS_MAX).map(|_| bridge.register(&registration(true)).unwrap()).collect();
    assert!(bridge.register(&registration(true)).is_err());
    all[0].send(1, &[]).unwrap();
    all[5].send(2, &[]).unwrap();
    all.truncate(0);
    end.sweep(|_| false);
    assert_eq!(bridge.producers.state(0).stage, Stage::Leaving, "its command is not taken yet");
    assert_eq!(bridge.producers.state(5).stage, Stage::Leaving);
    assert_eq!(drain(&mut end, 10).0.len(), 2);
    end.sweep(|entry| entry == 7);
    assert_eq!(bridge.producers.state(7).stage, Stage::Leaving, "a call of it is worked on");
    assert_eq!(end.sweep(|_| false), Sweep::default());
    let again = bridge.register(&registration(true)).unwrap();
    assert_eq!((again.entry(), again.lane(), bridge.producers.state(0).epoch), (0, Some(0), 2));
    assert_eq!((bridge.producers.tenant(0), again.counter()), (5, 0));
}

/// Claims like a producer that dies there: what it did up to `stage` and no further.
fn die(bridge: &Bridge, bytes: u64, stage: u64) -> u64 {
    let producer = bridge.register(&dead_registration()).unwrap();
    let words = bridge.ring_words();
    let tail = words.tail.load(Ordering::Relaxed);
    let padding = super::claims::padding_before(words.cells, tail, bytes);
    let needed = if padding > 0 { padding } else { bytes };
    bridge.producers.claims().word(producer.entry()).store(ClaimWord::new(tail, needed, stage).0, Ordering::Relaxed);
    std::mem::forget(producer);
    needed
}

#[test]
fn a_dead_claim_is_repaired_at_every_stage_and_place() {
    for place in 0..16_u64 {
        for cells in 1..=5_u64 {
            for stage in 0..4 {
                let bridge = bridge(0, 4, 16);
                begin_ring(&bridge, place * 64);
                let mut end = BridgeEnd::new(bridge);
                let mut alive = bridge.register(&registration(false)).unwrap();
                let words = bridge.ring_words();
                alive.send(1, &[]).unwrap();
                let claim = if stage < 2 { STAGE_ATTEMPT } else { STAGE_OWNED };
                let needed = die(&bridge, cells * 64, claim);
                if stage > 0 {
                    words.tail.fetch_add(needed, Ordering::Relaxed);
                }
                if stage == 3 {
                    // Half-written: words that look like headers in all cells but the first.
                    let start = words.tail.load(Ordering::Relaxed) - needed;
                    (64..needed).step_by(64).for_each(|at| {
                        words.cells.header(start + at).store(1 << 32 | 30, Ordering::Relaxed);
                    });
                }
                alive.send(2, &[]).unwrap();
                let mut found = drain(&mut end, 100).0;
                let sweep = end.sweep(|_| false);
                assert_eq!((sweep.died, sweep.repaired), (1, u32::from(stage > 0)), "stage {stage}");
                found.extend(drain(&mut end, 100).0);
                assert_eq!(
                    found.iter().map(|seen| seen.kind).collect::<Vec<_>>(),
                    [1, 2],
                    "place {place}, stage {stage}"
                );
                end.sweep(|_| false);
                assert_eq!(bridge.producers.state(1).stage, Stage::Free);
            }
        }
    }
}

#[test]
fn a_claim_of_one_who_left_in_it_is_repaired_and_its_entry_freed() {
    let bridge = bridge(0, 4, 16);
    let mut end = BridgeEnd::new(bridge);
    // A process that lives and let go of its mapping: only its entry says so.
    let mut left = bridge.register(&registration(false)).unwrap();
    let (entry, epoch) = (left.entry(), bridge.producers.state(0).epoch);
    let mut other = bridge.register(&registration(false)).unwrap();
    std::mem::forget(left.batch(8, 2).unwrap());
    std::mem::forget(left);
    other.send(2, &[]).unwrap();
    assert_eq!(end.sweep(|_| false).repaired, 0, "nobody has left yet");
    assert!(drain(&mut end, 100).0.is_empty());
    assert!(bridge.producers.leave(entry, epoch));
    assert_eq!(end.sweep(|_| false).repaired, 1);
    assert_eq!(drain(&mut end, 100).0.iter().map(|seen| seen.kind).collect::<Vec<_>>(), [2]);
    end.sweep(|_| false);
    assert_eq!(bridge.producers.state(entry).stage, Stage::Free);
}

#[test]
fn of_several_dead_claims_at_one_place_the_owners_length_is_found() {
    for owner in 0..3_usize {
        let bridge = bridge(0, 4, 16);
        let mut end = BridgeEnd::new(bridge);
        let lengths = [64, 192, 320];
        lengths.iter().for_each(|bytes| assert_eq!(die(&bridge, *bytes, STAGE_ATTEMPT), *bytes));
        let words = bridge.ring_words();
        words.tail.fetch_add(lengths[owner], Ordering::Relaxed);
        let mut alive = bridge.register(&registration(false)).unwrap();
        // Records behind it, one of which begins where a longer claim of another would end.
        (0..4).for_each(|_| assert!(alive.send(3, &[]).is_ok()));
        assert!(drain(&mut end, 100).0.is_empty());
        assert_eq!(end.sweep(|_| false).repaired, 1);
        assert_eq!(
            drain(&mut end, 100),
            ((1..=4).map(|counter| Seen { entry: 3, kind: 3, counter, body: vec![] }).collect(), 0)
        );
    }
}

#[test]
fn a_live_claim_is_never_repaired_even_beside_a_dead_one() {
    let bridge = bridge(0, 4, 16);
    let mut end = BridgeEnd::new(bridge);
    die(&bridge, 64, STAGE_ATTEMPT);
    let mut slow = bridge.register(&registration(false)).unwrap();
    let mut batch = slow.batch(0, 1).unwrap();
    let mut other = bridge.register(&registration(false)).unwrap();
    other.send(2, &[]).unwrap();
    for _ in 0..100 {
        assert_eq!(end.sweep(|_| false).repaired, 0);
        assert!(drain(&mut end, 100).0.is_empty() && end.is_waiting());
    }
    batch.put(1, &[]);
    batch.commit();
    assert_eq!(drain(&mut end, 100).0.iter().map(|seen| seen.kind).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn many_threads_send_while_one_takes() {
    for sleeps in [true, false] {
        many_threads(sleeps);
    }
}

fn many_threads(sleeps: bool) {
    let bridge = bridge(2, 64, 64);
    let mut end = BridgeEnd::new(bridge);
    let orders = end.announce_order(sleeps);
    let each = 20_000_u64;
    let threads: Vec<_> = (0..5_u64)
        .map(|thread| {
            std::thread::spawn(move || {
                let mut producer = bridge.register(&registration(true)).unwrap();
                let mut random = Random(thread);
                while producer.counter() < each {
                    let count = 1 + random.below(4).min(each - producer.counter() - 1) as usize;
                    match producer.batch(64, count) {
                        Ok(mut batch) => {
                            for _ in 0..count {
                                let bytes = random.below(65) as usize;
                                batch.put(bytes as u8, &vec![thread as u8; bytes]);
                            }
                            if random.below(16) > 0 {
                                batch.commit()
                            }
                        }
                        Err(_) => std::thread::yield_now(),
                    }
                }
            })
        })
        .collect();
    let (mut last, mut taken) = ([0_u64; PRODUCERS_MAX], 0);
    while taken < 5 * each {
        for seen in drain(&mut end, 50).0 {
            assert_eq!(seen.counter, last[seen.entry] + 1);
            last[seen.entry] = seen.counter;
            assert_eq!(seen.body.len(), usize::from(seen.kind));
            assert!(seen.body.windows(2).all(|pair| pair[0] == pair[1]), "a torn record");
            taken += 1;
        }
        if sleeps && !end.has_some() {
            bridge.bell().announce();
            assert!(!orders || barrier_everywhere());
            if !end.has_some() {
                bridge.bell().sleep(50);
            }
            bridge.bell().awake();
        }
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(drain(&mut end, 50), (vec![], 0));
}

#[test]
fn answers_are_whole_and_late_readers_know_what_they_missed() {
    let bridge = bridge(0, 4, 4);
    let answers = bridge.producers.answers(3);
    let writer = std::thread::spawn(move || {
        for number in 1..200_000_u64 {
            if number.is_multiple_of(3) {
                answers.reject(&Rejection { counter: number, node: number as u32, status: number as u16 });
            }
            let (accepted, rejected) = (number - number / 3, number / 3);
            answers.acknowledge(&Acknowledged { decided: number, revision: number * 2, accepted, rejected });
        }
    });
    let (mut reader, mut last, mut read) = (RejectionReader::default(), 0, 0_u64);
    while !writer.is_finished() || answers.acknowledged().rejected > read + reader.missed {
        let line = answers.acknowledged();
        assert_eq!((line.revision, line.accepted + line.rejected), (line.decided * 2, line.decided));
        while let Some(rejection) = answers.next_rejection(&mut reader) {
            assert_eq!((rejection.node, rejection.status), (rejection.counter as u32, rejection.counter as u16));
            read += 1;
            assert_eq!(rejection.counter, (read + reader.missed) * 3);
            assert!(rejection.counter > last);
            last = rejection.counter;
        }
    }
    writer.join().unwrap();
    assert_eq!(read + reader.missed, 66_666);
    assert!(answers.next_rejection(&mut reader).is_none());
}

#[test]
fn a_reply_is_read_by_whoever_waits_for_its_counter() {
    let replies = bridge(0, 4, 4).replies();
    assert_eq!(replies.read(63, 1), None);
    let list: Vec<u32> = (0..10_000).collect();
    replies.write(63, 1, 17, &[1, 2, 3], &list);
    assert_eq!((replies.read(63, 2), replies.read(62, 1)), (None, None));
    let reply = replies.read(63, 1).unwrap();
    assert_eq!((reply.status, &reply.words[..4], &reply.list[..]), (17, &[1, 2, 3, 0][..], &list[..8_192]));
    replies.write(63, 2, 0, &[], &[5, 6, 7]);
    assert_eq!(replies.read(63, 2).unwrap().list, [5, 6, 7]);
}
