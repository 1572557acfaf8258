//! Every order of steps that the memory model allows, for rings of a few cells and two or three threads.

use loom::thread;

use super::answers::{Acknowledged, Answers, Rejection, RejectionReader};
use super::cells::{Cells, Command, RingRecord};
use super::claims::{Claims, Full};
use super::doorbell::Doorbell;
use super::drain::RingConsumer;
use super::front::Take;
use super::lane::{LaneConsumer, LaneProducer, RingWords};
use super::layout::PRODUCER_BYTES;
use super::ring::RingProducer;
use crate::nodes::{Node, NodeReader, NodeTable, SLOT_NONE};
use crate::slots::{SLOT_WORDS, SlotWords};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Words that live as long as the model's run, which is all that a model needs of `'static`.
fn words(count: usize) -> &'static [AtomicU64] {
    Box::leak((0..count).map(|_| AtomicU64::new(0)).collect())
}

fn ring_words(cells: usize) -> RingWords {
    let words = words(4 + cells * 8);
    RingWords { owner: &words[0], tail: &words[1], head: &words[2], closed: &words[3], cells: Cells::new(&words[4..]) }
}

fn command(producer: u32, counter: u64, body: &[u8]) -> Command<'_> {
    Command { kind: 1, producer, counter, body }
}

/// Two cells: nothing in the body. Three cells would be a body of 120 bytes; two are one of 48.
const TWO_CELLS: [u8; 48] = [7; 48];

fn check(record: &RingRecord, body_bytes: usize) {
    assert_eq!(record.body_bytes, body_bytes);
    (0..body_bytes / 8).for_each(|index| assert_eq!(record.word(index), u64::from_le_bytes([7; 8])));
}

fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    // More switches than this find nothing new in models this small, and take hours.
    builder.preemption_bound = Some(3);
    builder.check(body);
}

#[test]
fn a_lane_hands_over_whole_records_around_its_end() {
    model(|| {
        let words = ring_words(2);
        let mut producer = LaneProducer::new(words);
        let mut consumer = LaneConsumer::new(words);
        let sender = thread::spawn(move || {
            let mut sent = 0;
            for _ in 0..4 {
                if let Ok(mut claim) = producer.claim(64) {
                    producer.put(&mut claim, &command(0, sent + 1, &[7; 8]));
                    producer.commit(claim);
                    sent += 1;
                }
            }
            sent
        });
        let mut last = 0;
        for _ in 0..3 {
            consumer.drain(2, |record| {
                check(record, 8);
                assert_eq!(record.counter, last + 1);
                last += 1;
                Take::Next
            });
        }
        let sent = sender.join().unwrap();
        while consumer
            .drain(2, |_| {
                last += 1;
                Take::Next
            })
            .records
            > 0
        {}
        assert_eq!(last, sent);
    });
}

#[test]
fn what_was_given_up_in_a_lane_is_never_seen() {
    model(|| {
        let words = ring_words(4);
        let mut producer = LaneProducer::new(words);
        let mut consumer = LaneConsumer::new(words);
        let sender = thread::spawn(move || {
            let mut claim = producer.claim(128).unwrap();
            producer.put(&mut claim, &command(0, 1, &[]));
            producer.put(&mut claim, &command(0, 2, &[]));
            producer.abort(claim);
            let mut claim = producer.claim(64).unwrap();
            producer.put(&mut claim, &command(0, 3, &[7; 8]));
            producer.commit(claim);
        });
        let mut seen = 0;
        let mut take = |record: &RingRecord| {
            check(record, 8);
            assert_eq!(record.counter, 3);
            seen += 1;
            Take::Next
        };
        assert_eq!(consumer.drain(9, &mut take).garbage, 0);
        sender.join().unwrap();
        assert_eq!(consumer.drain(9, &mut take).garbage, 0);
        assert_eq!(seen, 1);
    });
}

struct Shared {
    words: RingWords,
    claims: Claims,
}

fn shared(cells: usize, start: u64) -> Shared {
    let ring = ring_words(cells);
    ring.tail.store(start, Ordering::Relaxed);
    ring.head.store(start, Ordering::Relaxed);
    Shared { words: ring, claims: Claims::new(words(2), 1) }
}

impl Shared {
    fn producer(&self, entry: usize) -> RingProducer {
        RingProducer::new(self.words, self.claims.word(entry))
    }

    fn consumer(&self) -> RingConsumer {
        RingConsumer::new(self.words, self.claims)
    }
}

#[test]
fn two_producers_share_the_ring_and_every_record_arrives_once() {
    model(|| {
        let shared = shared(2, 0);
        let mut consumer = shared.consumer();
        let senders: Vec<_> = (0..2)
            .map(|entry| {
                let mut producer = shared.producer(entry as usize);
                thread::spawn(move || match producer.claim(64) {
                    Ok(mut claim) => {
                        producer.put(&mut claim, &command(entry, 1, &[7; 8]));
                        producer.commit(claim);
                        1
                    }
                    Err(Full) => 0,
                })
            })
            .collect();
        let mut seen = [0_u32; 2];
        let mut take = |record: &RingRecord| {
            check(record, 8);
            seen[record.producer as usize] += 1;
            Take::Next
        };
        consumer.drain(2, &mut take);
        let sent: Vec<u32> = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
        consumer.drain(2, &mut take);
        assert_eq!(seen.to_vec(), sent);
        assert!(!consumer.is_waiting());
    });
}

#[test]
fn a_claim_around_the_end_is_seen_whole_and_an_aborted_one_not_at_all() {
    model(|| {
        let shared = shared(4, 3 * 64);
        let mut consumer = shared.consumer();
        let mut producer = shared.producer(0);
        let sender = thread::spawn(move || {
            let mut claim = producer.claim(128).unwrap();
            producer.put(&mut claim, &command(0, 1, &TWO_CELLS));
            producer.commit(claim);
            if let Ok(mut claim) = producer.claim(64) {
                producer.put(&mut claim, &command(0, 2, &[]));
                producer.abort(claim);
            }
        });
        let mut seen = 0;
        let mut take = |record: &RingRecord| {
            check(record, 48);
            seen += 1;
            Take::Next
        };
        consumer.drain(9, &mut take);
        sender.join().unwrap();
        consumer.drain(9, &mut take);
        assert_eq!(seen, 1);
        assert!(!consumer.is_waiting());
    });
}

#[test]
fn a_batch_is_seen_whole_while_another_claims() {
    model(|| {
        let shared = shared(4, 0);
        let mut consumer = shared.consumer();
        let (mut first, mut second) = (shared.producer(0), shared.producer(1));
        let batch = thread::spawn(move || {
            let mut claim = first.claim(128).unwrap();
            first.put(&mut claim, &command(0, 1, &[]));
            first.put(&mut claim, &command(0, 2, &[]));
            first.commit(claim);
        });
        let single = thread::spawn(move || {
            let mut claim = second.claim(64).unwrap();
            second.put(&mut claim, &command(1, 1, &[]));
            second.commit(claim);
        });
        let mut last = [0_u64; 2];
        let mut take = |record: &RingRecord| {
            let last = &mut last[record.producer as usize];
            assert_eq!(record.counter, *last + 1);
            *last += 1;
            Take::Next
        };
        let drained = consumer.drain(9, &mut take);
        assert_eq!(drained.garbage, 0);
        batch.join().unwrap();
        single.join().unwrap();
        consumer.drain(9, &mut take);
        assert_eq!(last, [2, 1]);
    });
}

#[test]
fn cells_are_used_again_only_when_they_were_cleared() {
    model(|| {
        let shared = shared(2, 0);
        let mut consumer = shared.consumer();
        let mut producer = shared.producer(0);
        let sender = thread::spawn(move || {
            let mut sent = 0;
            for counter in 1..=3 {
                if let Ok(mut claim) = producer.claim(64) {
                    producer.put(&mut claim, &command(0, counter, &[]));
                    producer.commit(claim);
                    sent += 1;
                }
            }
            sent
        });
        let (mut seen, mut last) = (0, 0);
        let mut take = |record: &RingRecord| {
            assert!(record.counter > last, "a record was seen twice");
            last = record.counter;
            seen += 1;
            Take::Next
        };
        for _ in 0..2 {
            assert_eq!(consumer.drain(1, &mut take).garbage, 0);
        }
        let sent = sender.join().unwrap();
        (0..3).for_each(|_| assert_eq!(consumer.drain(9, &mut take).garbage, 0));
        assert_eq!(seen, sent);
    });
}

#[test]
fn a_commit_that_comes_while_the_engine_looks_for_the_dead_is_not_padded_over() {
    model(|| {
        let shared = shared(2, 0);
        let mut consumer = shared.consumer();
        let mut producer = shared.producer(0);
        let died = loom::sync::Arc::new(AtomicU64::new(0));
        let dies = loom::sync::Arc::clone(&died);
        let sender = thread::spawn(move || {
            let mut claim = producer.claim(64).unwrap();
            producer.put(&mut claim, &command(0, 1, &[7; 8]));
            producer.commit(claim);
            // From here on it is known to be dead.
            dies.store(1, Ordering::Release);
        });
        assert_eq!(consumer.repair(|_| died.load(Ordering::Acquire) == 1), None);
        sender.join().unwrap();
        let mut seen = 0;
        consumer.drain(9, |record| {
            check(record, 8);
            seen += 1;
            Take::Next
        });
        assert_eq!(seen, 1);
    });
}

#[test]
fn nobody_sleeps_through_what_was_published_before() {
    model(|| {
        let bell = Doorbell::new(&Box::leak(Box::new([AtomicU32::new(0)]))[0]);
        let work: &'static AtomicU64 = &words(1)[0];
        let ringer = thread::spawn(move || {
            work.store(1, Ordering::Release);
            bell.is_needed()
        });
        bell.announce();
        let sleeps = work.load(Ordering::Acquire) == 0;
        let woken = ringer.join().unwrap();
        assert!(!sleeps || woken, "the engine sleeps and nobody wakes it");
    });
}

#[test]
fn what_is_decided_is_never_ahead_of_its_line() {
    model(|| {
        let answers = Answers::new(words(PRODUCER_BYTES / 8));
        let writer = thread::spawn(move || {
            for number in 1..=2 {
                answers.acknowledge(&Acknowledged { decided: number, revision: number, accepted: number, rejected: 0 });
            }
        });
        // Without a look at the sequence: the writer may stand still in the middle of the line.
        let decided = answers.decided();
        let line = answers.mine();
        assert!(line.revision >= decided && line.accepted >= decided, "{decided} is decided: {line:?}");
        writer.join().unwrap();
    });
}

#[test]
fn an_acknowledgement_is_read_whole() {
    model(|| {
        let answers = Answers::new(words(PRODUCER_BYTES / 8));
        let writer = thread::spawn(move || {
            for number in 1..=2 {
                answers.reject(&Rejection { counter: number, node: number as u32, status: number as u16 });
                answers.acknowledge(&Acknowledged { decided: number, revision: number, accepted: 0, rejected: number });
            }
        });
        let line = answers.acknowledged();
        assert_eq!((line.revision, line.rejected), (line.decided, line.decided));
        let mut reader = RejectionReader::default();
        let mut read = 0;
        while let Some(rejection) = answers.next_rejection(&mut reader) {
            read += 1;
            assert_eq!((rejection.counter, u64::from(rejection.node)), (read, read));
        }
        assert!(read >= line.decided, "decided before its refusal was told");
        writer.join().unwrap();
    });
}

#[test]
fn a_node_and_its_slot_are_read_whole() {
    model(|| {
        let (nodes, slots) = (words(2), SlotWords::new(words(SLOT_WORDS)));
        let mut table = NodeTable::new(nodes);
        let reader = NodeReader::new(nodes, slots);
        let writer = thread::spawn(move || {
            for version in 1..=2 {
                table.update(0, Node { slot: 0, version }, || slots.store(0, &[version; SLOT_WORDS], 2));
            }
        });
        if let Ok((node, image)) = reader.read(0) {
            let expected = if node.slot == SLOT_NONE { 0 } else { node.version };
            assert_eq!((image[0], image[1]), (expected, expected));
        }
        writer.join().unwrap();
    });
}
