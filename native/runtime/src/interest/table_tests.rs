use std::collections::BTreeSet;

use lodestone_transport::{NodeState, StateSource};

use super::*;

const SUBSCRIPTIONS: u32 = 64;
const NODES: u32 = 40;
const SESSIONS: u32 = 3;

struct Nothing;

impl StateSource for Nothing {
    fn look(&self, _node: u32) -> Option<NodeState> {
        None
    }
}

fn table(salt: u64) -> Table {
    let fanout = Fanout::new(SUBSCRIPTIONS, SESSIONS, Arc::new(Nothing)).unwrap();
    let sizes = TableSizes { nodes_max: NODES, sessions_max: SESSIONS, subscriptions_max: SUBSCRIPTIONS };
    Table::new(sizes, fanout, salt).unwrap()
}

/// A small generator with a printed seed.
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 31)) % u64::from(bound)) as u32
    }
}

/// What a sender does: takes all news.
fn take_news(table: &Table, outbox: &Outbox) -> Vec<u32> {
    let subscriptions = table.fanout().subscriptions();
    let ways = [Way::Stream, Way::Datagram].into_iter();
    ways.flat_map(|way| std::iter::from_fn(move || subscriptions.news(outbox.list(way)).map(|news| news.node())))
        .collect()
}

#[test]
fn the_tables_agree_with_a_set_of_pairs() {
    for seed in 0..200 {
        let mut noise = Noise(seed);
        let mut table = table(seed * 77);
        let outboxes: Vec<_> = (0..SESSIONS).map(|session| table.fanout().outbox(session + 1, true)).collect();
        let mut pairs: BTreeSet<(u32, u32)> = BTreeSet::new();
        for _ in 0..400 {
            let (number, node) = (noise.below(SESSIONS), noise.below(NODES));
            let seat = table.seat(Arc::clone(&outboxes[number as usize])).unwrap();
            match (noise.below(8), table.find(seat, node)) {
                (0, _) => {
                    table.end_where(seat, |other| other % 7 == node % 7);
                    pairs.retain(|(session, other)| *session != seat || other % 7 != node % 7);
                }
                (1, _) => _ = take_news(&table, &outboxes[number as usize]),
                (2, _) => _ = table.tidy(),
                (3..6, None) if table.free() > 0 => {
                    table.begin(seat, node, if noise.below(2) == 0 { Way::Stream } else { Way::Datagram });
                    pairs.insert((seat, node));
                }
                (_, Some(entry)) => {
                    table.end(entry);
                    pairs.remove(&(seat, node));
                }
                _ => {}
            }
            for seat in 0..table.seats.len() as u32 {
                for node in 0..NODES {
                    let expected = pairs.contains(&(seat, node));
                    assert_eq!(table.find(seat, node).is_some(), expected, "seed {seed}: {seat} {node}");
                }
                let count = pairs.iter().filter(|pair| pair.0 == seat).count();
                assert_eq!(table.count(seat) as usize, count, "seed {seed}: seat {seat}");
            }
            assert_eq!(table.live() as usize, pairs.len(), "seed {seed}");
        }
        outboxes.iter().for_each(|outbox| drop(take_news(&table, outbox)));
        table.tidy();
        assert_eq!(table.free(), SUBSCRIPTIONS - table.live(), "seed {seed}: every entry is somewhere");
        for node in 0..NODES {
            table.mark_node(node);
        }
        for outbox in &outboxes {
            let seat = outbox.seat().wrapping_sub(1);
            let told: BTreeSet<u32> = take_news(&table, outbox).into_iter().collect();
            let expected = pairs.iter().filter(|pair| pair.0 == seat).map(|pair| pair.1).collect();
            assert_eq!(told, expected, "seed {seed}: whom a change is told");
        }
    }
}

#[test]
fn marks_are_counted_where_they_find_one_and_seats_end() {
    let mut table = table(5);
    let outboxes: Vec<_> = (0..SESSIONS).map(|session| table.fanout().outbox(session, true)).collect();
    let seats: Vec<_> = outboxes.iter().map(|outbox| table.seat(Arc::clone(outbox)).unwrap()).collect();
    assert_eq!(table.seat(table.fanout().outbox(9, true)), None, "as many seats as sessions");
    seats.iter().for_each(|seat| table.begin(*seat, 7, Way::Stream));
    assert_eq!(table.wake(), 0);
    table.mark_node(7);
    table.mark_node(8);
    assert_eq!(table.wake(), u64::from(SESSIONS));
    assert!(outboxes.iter().all(|outbox| take_news(&table, outbox) == [7]));
    table.mark_unlike(|_| 4);
    assert!(outboxes.iter().all(|outbox| take_news(&table, outbox) == [7]), "none has seen sequence 4");
}

#[test]
fn without_subscriptions_there_is_room_for_nobody() {
    let fanout = Fanout::new(0, SESSIONS, Arc::new(Nothing)).unwrap();
    let sizes = TableSizes { nodes_max: NODES, sessions_max: SESSIONS, subscriptions_max: 0 };
    let mut table = Table::new(sizes, fanout.clone(), 1).unwrap();
    assert_eq!((table.free(), table.live(), table.seat(fanout.outbox(1, true))), (0, 0, None));
}

#[test]
fn a_session_whose_sender_takes_nothing_cannot_use_up_the_entries_of_others() {
    const SESSION_MAX: u32 = 8;
    let mut table = table(9);
    let outboxes: Vec<_> = (0..2).map(|session| table.fanout().outbox(session + 1, true)).collect();
    let seats: Vec<_> = outboxes.iter().map(|outbox| table.seat(Arc::clone(outbox)).unwrap()).collect();
    let mut begun = 0;
    while begun < SUBSCRIPTIONS && table.has_room(seats[0], 1, SESSION_MAX) {
        table.begin(seats[0], 3, Way::Datagram);
        let entry = table.find(seats[0], 3).unwrap();
        table.end(entry);
        table.tidy();
        begun += 1;
    }
    assert_eq!(begun, 2 * SESSION_MAX, "refused at twice its bound");
    assert_eq!(table.free(), SUBSCRIPTIONS - 2 * SESSION_MAX);
    assert!(table.has_room(seats[1], SESSION_MAX, SESSION_MAX), "others still subscribe");
    assert!(take_news(&table, &outboxes[0]).is_empty());
    table.tidy();
    assert_eq!(table.free(), SUBSCRIPTIONS);
    assert!(table.has_room(seats[0], SESSION_MAX, SESSION_MAX), "its sender came");
    assert!(!table.has_room(seats[0], SESSION_MAX + 1, SESSION_MAX));
}

#[test]
fn more_sessions_that_left_than_the_list_takes_are_vacated_all_the_same() {
    let mut table = table(5);
    let outboxes: Vec<_> = (0..SESSIONS).map(|session| table.fanout().outbox(session + 1, true)).collect();
    for outbox in &outboxes {
        let seat = table.seat(Arc::clone(outbox)).unwrap();
        table.begin(seat, 7, Way::Stream);
    }
    // Sessions that never had a seat fill the list while the engine does not come.
    for session in 0..SESSIONS {
        let other = table.fanout().outbox(100 + session, true);
        table.fanout().leave(&other);
    }
    for outbox in &outboxes[1..] {
        table.fanout().leave(outbox);
    }
    assert!(table.tidy());
    let seats: Vec<u32> = outboxes.iter().map(|outbox| outbox.seat()).collect();
    assert_eq!(seats, [1, NONE, NONE], "whoever has not left keeps its seat");
    assert_eq!(table.live(), 1);
    assert_eq!(table.free(), SUBSCRIPTIONS - 1);
    assert!(!table.tidy(), "told once");
}
