//! The books against a server that decides by the protocol's rules, over connections that break at any moment.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use super::books::{Books, Flight, Outlet};
use super::request::{Outcome, Reply, Request};
use crate::answer::{Ack, Reject, Slot, State};
use crate::error::ClientError;
use crate::status::Status;
use crate::wire::SLOT_BYTES;

/// A seeded sequence (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A stream that holds a few frames before it is full.
#[derive(Default)]
struct Wire {
    next: u64,
    frames: VecDeque<(u64, Request, bool)>,
}

impl Outlet for Wire {
    fn queue(&mut self, request: &Request, verify: bool) -> Result<Option<u64>, ClientError> {
        if self.frames.len() >= 5 {
            return Ok(None);
        }
        self.frames.push_back((self.next, request.clone(), verify));
        self.next += 1;
        Ok(Some(self.next - 1))
    }

    fn send_datagram(&mut self, request: &Request, _answered: bool) -> Result<u64, ClientError> {
        self.queue(request, false)?.ok_or(ClientError::Datagram { reason: "full".into() })
    }
}

enum Answer {
    Ack(Ack),
    Reject(Reject),
    State(u64, u64, Box<[u8; SLOT_BYTES]>),
}

/// Slots by node, and how often each payload was applied.
#[derive(Default)]
struct Server {
    revision: u64,
    slots: BTreeMap<u32, [u8; SLOT_BYTES]>,
    applied: BTreeMap<u64, u32>,
}

impl Server {
    fn version(&self, node: u32) -> u64 {
        self.slots.get(&node).map_or(0, |slot| Slot::new(slot).version())
    }

    fn decide(&mut self, counter: u64, request: &Request, verify: bool) -> Vec<Answer> {
        let Request::Move { source, target, edge_mask, version, payload } = request else { panic!("moves alone") };
        if verify {
            let slot = self.slots.get(source).copied().unwrap_or([0; SLOT_BYTES]);
            return vec![Answer::State(counter, self.revision, Box::new(slot))];
        }
        let ack = |revision| Answer::Ack(Ack { counter, revision });
        if *version != 0 && *version != self.version(*source) {
            let reject = Reject { counter, status: Status::CONFLICT, node: *source };
            return vec![Answer::Reject(reject), ack(self.revision)];
        }
        let mut slot = [0; SLOT_BYTES];
        slot[0..4].copy_from_slice(&source.to_le_bytes());
        slot[4..8].copy_from_slice(&target.to_le_bytes());
        slot[8..12].copy_from_slice(&edge_mask.to_le_bytes());
        slot[13] = 1;
        slot[14] = payload.len() as u8;
        slot[16..24].copy_from_slice(&(self.version(*source) + 1).to_le_bytes());
        slot[24..24 + payload.len()].copy_from_slice(payload);
        self.slots.insert(*source, slot);
        *self.applied.entry(u64::from_le_bytes(payload[..8].try_into().unwrap())).or_default() += 1;
        self.revision += 1;
        vec![ack(self.revision)]
    }
}

fn deliver(books: &mut Books, answer: &Answer) {
    match answer {
        Answer::Ack(ack) => books.ack(ack),
        Answer::Reject(reject) => books.reject(reject).unwrap(),
        Answer::State(counter, revision, slot) => {
            books.state(&State { counter: *counter, revision: *revision, slot: Slot::new(slot) }).unwrap();
        }
    }
}

type Outcomes = Arc<Mutex<BTreeMap<u64, Outcome>>>;

/// A run: the world, and the client's own idea of the versions of its nodes.
struct World {
    random: Random,
    books: Books,
    server: Server,
    wire: Wire,
    answers: VecDeque<Answer>,
    versions: BTreeMap<u32, u64>,
    conditional: BTreeMap<u64, bool>,
    outcomes: Outcomes,
}

impl World {
    /// Four nodes have moved once.
    fn new(seed: u64, sole_writer: bool) -> World {
        let mut server = Server::default();
        for node in 0..4_u32 {
            let first = u64::from(u32::MAX) + u64::from(node);
            let payload = first.to_le_bytes().to_vec();
            server.decide(0, &Request::Move { source: node, target: 9, edge_mask: 1, version: 0, payload }, false);
        }
        World {
            random: Random(seed),
            books: Books::new(sole_writer, 1_000),
            server,
            wire: Wire::default(),
            answers: VecDeque::new(),
            versions: BTreeMap::new(),
            conditional: BTreeMap::new(),
            outcomes: Outcomes::default(),
        }
    }

    /// A move of one of four nodes with the version that its node will have by then, or of the fifth with none.
    fn ask(&mut self) {
        let id = self.conditional.len() as u64;
        let source = self.random.below(5) as u32;
        let known = self.versions.entry(source).or_insert(1);
        let version = if source == 4 { 0 } else { *known };
        *known += 1;
        self.conditional.insert(id, version != 0);
        let request =
            Request::Move { source, target: 9, edge_mask: id as u32, version, payload: id.to_le_bytes().to_vec() };
        let outcomes = Arc::clone(&self.outcomes);
        let completion = Box::new(move |result: Result<Reply, ClientError>| {
            let Ok(Reply::Decided(outcome)) = result else { panic!("move {id}: {result:?}") };
            assert_eq!(outcomes.lock().unwrap().insert(id, outcome), None, "move {id} is answered twice");
        });
        self.books.add(Flight::new(request, completion, None));
    }

    fn serve_one(&mut self) {
        if let Some((counter, request, verify)) = self.wire.frames.pop_front() {
            self.answers.extend(self.server.decide(counter, &request, verify));
        }
    }

    /// The connection breaks: some of what is under way still arrives, in its order, and no answer does.
    fn break_off(&mut self) {
        for _ in 0..self.random.below(6) {
            self.serve_one();
        }
        self.answers.clear();
        self.wire = Wire::default();
        self.books.lost();
    }

    fn step(&mut self) {
        match self.random.below(10) {
            0..=2 => self.ask(),
            3..=4 => self.books.send(&mut self.wire).unwrap(),
            5..=6 => self.serve_one(),
            7..=8 => {
                if let Some(answer) = self.answers.pop_front() {
                    deliver(&mut self.books, &answer);
                }
            }
            _ => self.break_off(),
        }
    }

    fn finish(&mut self) {
        while !self.books.is_empty() {
            self.books.send(&mut self.wire).unwrap();
            self.serve_one();
            while let Some(answer) = self.answers.pop_front() {
                deliver(&mut self.books, &answer);
            }
        }
    }
}

#[test]
fn no_move_is_applied_twice_and_every_outcome_is_true() {
    for seed in 0..400 {
        for sole_writer in [true, false] {
            let mut world = World::new(seed, sole_writer);
            for _ in 0..400 {
                world.step();
            }
            world.finish();
            let place = format!("seed {seed}, sole writer {sole_writer}");
            let outcomes = world.outcomes.lock().unwrap();
            assert_eq!(outcomes.len(), world.conditional.len(), "{place}: each has its outcome");
            for (id, outcome) in outcomes.iter() {
                let applied = world.server.applied.get(id).copied().unwrap_or(0);
                let conditional = world.conditional[id];
                match outcome {
                    Outcome::Accepted { .. } => assert_eq!(applied, 1, "{place}: move {id}"),
                    Outcome::Refused { .. } => assert_eq!(applied, 0, "{place}: move {id}"),
                    Outcome::InDoubt => assert!(applied <= 1 && !(conditional && sole_writer), "{place}: move {id}"),
                }
            }
        }
    }
}

/// The token of the new session no longer covers the node: whether the first move was applied is what its version tells. One
/// that rose further may be another's, who has the node now, whatever the client says of who writes it.
#[test]
fn a_move_that_is_forbidden_when_sent_again_may_have_been_applied() {
    let refused = "Refused { status: Status(4), node: 7 }";
    for (sole_writer, status, version, wanted) in [
        (false, Status::FORBIDDEN, 5, "Accepted { revision: 3 }"),
        (false, Status::FORBIDDEN, 4, refused),
        (true, Status::FORBIDDEN, 4, refused),
        (true, Status::FORBIDDEN, 6, "InDoubt"),
        (false, Status::CONFLICT, 6, "InDoubt"),
        (true, Status::CONFLICT, 6, "Accepted { revision: 3 }"),
    ] {
        let (mut books, mut wire) = (Books::new(sole_writer, 1_000), Wire::default());
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let results = Arc::clone(&told);
        let completion = Box::new(move |result| results.lock().unwrap().push(format!("{result:?}")));
        let request = Request::Move { source: 7, target: 9, edge_mask: 5, version: 4, payload: vec![1] };
        books.add(Flight::new(request, completion, None));
        books.send(&mut wire).unwrap();
        books.lost();
        books.send(&mut wire).unwrap();
        books.reject(&Reject { counter: 1, status, node: 7 }).unwrap();
        books.ack(&Ack { counter: 1, revision: 2 });
        books.send(&mut wire).unwrap();
        let mut slot = [0; SLOT_BYTES];
        (slot[4], slot[8], slot[13], slot[14], slot[24]) = (9, 5, 1, 1, 1);
        slot[16] = version;
        books.state(&State { counter: 2, revision: 3, slot: Slot::new(&slot) }).unwrap();
        assert!(books.is_empty() && told.lock().unwrap()[0].contains(wanted), "{:?}", told.lock().unwrap());
    }
}

#[test]
fn reads_and_refusals_find_their_request_and_strange_answers_are_named() {
    let mut books = Books::new(false, 1_000);
    let mut wire = Wire { next: 1, ..Wire::default() };
    let results: Arc<Mutex<Vec<String>>> = Arc::default();
    for request in [Request::Read { node: 7 }, Request::Route { source: 1, target: 2 }, Request::Release { node: 3 }] {
        let results = Arc::clone(&results);
        let completion = Box::new(move |result| results.lock().unwrap().push(format!("{result:?}")));
        books.add(Flight::new(request, completion, None));
    }
    books.send(&mut wire).unwrap();
    let refused = |counter, status| Reject { counter, status, node: 5 };
    books.reject(&refused(3, Status::NO_SLOT)).unwrap();
    books.ack(&Ack { counter: 3, revision: 8 });
    books.reject(&refused(2, Status::BUDGET)).unwrap();
    let slot = [0; SLOT_BYTES];
    books.state(&State { counter: 1, revision: 8, slot: Slot::new(&slot) }).unwrap();
    assert!(books.is_empty());
    let told = results.lock().unwrap().join("\n");
    for part in ["Refused { status: Status(14), node: 5 }", "Rejected { status: Status(17)", "State(NodeState"] {
        assert!(told.contains(part), "{told}");
    }
    let error = books.reject(&refused(9, Status::BUDGET)).unwrap_err().to_string();
    assert!(error.contains("frame 9"), "{error}");
}
