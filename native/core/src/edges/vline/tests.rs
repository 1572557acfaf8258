//! What only the inside can tell: that blocks and owners agree, and how it stands targets chosen with a known salt.

use std::collections::BTreeMap;

use super::head::{CLASS_CELLS, CLASSES, MERGE_EDGES, NODE_BLOCK_CLASS};
use super::*;

fn store(nodes_max: u32, edges_max: u32, salt: u64) -> VLine {
    VLine::new(EdgeSizes { nodes_max, edges_max }, salt).unwrap()
}

fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *random >> 16
}

/// Whether every block is pointed at by its owner and by nobody else, counts are right, edges lie where they are
/// looked for, and nothing takes more than the bound on which the room stands.
fn check(store: &VLine, why: &str) {
    let mut blocks = [0; CLASSES];
    let mut edges = 0;
    for source in 0..store.nodes_max {
        edges += check_head(store, LeafPlace { head: source as usize, depth: 0, hash: 0 }, &mut blocks, why);
    }
    assert_eq!(edges, store.count, "{why}");
    let found: [u32; CLASSES] = std::array::from_fn(|class| store.blocks.blocks_used(class));
    assert_eq!(found[1..], blocks[1..], "{why}: blocks in use by class");
    let words: u64 = (1..CLASSES).map(|class| u64::from(blocks[class] * CLASS_CELLS[class])).sum();
    assert!(words * 4 <= u64::from(edges) * 15, "{why}: {words} words for {edges} edges");
}

/// `place.hash` holds the bits of the hash that led here, from the top.
fn check_head(store: &VLine, place: LeafPlace, blocks: &mut [u32; CLASSES], why: &str) -> u32 {
    let head = Head(store.words[place.head]);
    if head == Head::NONE {
        return 0;
    }
    blocks[head.block_class()] += 1;
    let owner = store.blocks.owner(&store.words, head.block_class(), head.block() as u32);
    assert_eq!(owner as usize, place.head, "{why}: owner of a block of class {}", head.block_class());
    if head.is_node() {
        assert!(head.edges() > MERGE_EDGES && place.depth < 4, "{why}: {head:?} at depth {}", place.depth);
        let children = head.children().enumerate().map(|(child, at)| {
            let hash = place.hash | (child as u32) << (26 - 6 * place.depth);
            check_head(store, LeafPlace { head: at, depth: place.depth + 1, hash }, blocks, why)
        });
        assert_eq!(children.sum::<u32>(), head.edges(), "{why}");
        return head.edges();
    }
    let cells = &store.words[head.cells()];
    assert!(head.edges() > 0 && cells.len() as u32 <= 3 * head.edges(), "{why}: {head:?}");
    for (index, cell) in cells.iter().enumerate().filter(|(_, cell)| **cell != 0) {
        let hash = store.salt.hash(leaf::target_of(*cell));
        let taken = place.depth * 6;
        assert_eq!(u64::from(hash) >> (32 - taken), u64::from(place.hash) >> (32 - taken), "{why}: wrong leaf");
        assert_eq!(leaf::find(cells, leaf::target_of(*cell), hash << taken), Place::Found(index), "{why}");
    }
    assert_eq!(cells.iter().filter(|cell| **cell != 0).count() as u32, head.edges(), "{why}");
    head.edges()
}

#[test]
fn blocks_and_owners_agree_after_any_changes() {
    for seed in 1..60_u64 {
        let mut random = seed;
        let (nodes, edges_max) = (2 + seed as u32 % 7, 200 + 700 * (seed as u32 % 13));
        let mut store = store(nodes, edges_max, seed);
        let targets = 1 + 50 * (seed as u32 % 97);
        for round in 0..12 {
            // Filling and emptying by turns, so that leaves part and come together again and again.
            let removals = [10, 50, 95][next(&mut random) as usize % 3];
            for _ in 0..next(&mut random) % 9_000 {
                let source = (next(&mut random) as u32 % nodes).min(next(&mut random) as u32 % nodes);
                let target = (1 << 20) + next(&mut random) as u32 % targets;
                let mask = if next(&mut random) % 100 < removals { 0 } else { next(&mut random) as u32 | 1 };
                if mask == 0 || store.has_room() {
                    store.set(source, target, mask);
                }
            }
            check(&store, &format!("seed {seed}, round {round}"));
        }
        let all: Vec<_> = store.edges().collect();
        all.iter().for_each(|edge| assert_eq!(store.set(edge.source, edge.target, 0), edge.mask, "seed {seed}"));
        check(&store, &format!("seed {seed}, emptied"));
        assert_eq!(store.blocks.words_used(), 0, "seed {seed}: pages left in use");
    }
}

/// Targets whose hashes have the same `bits` highest bits: what nobody can choose who does not know the salt.
fn sharing(store: &VLine, bits: u32, count: usize) -> Vec<u32> {
    let wanted = store.salt.hash(77) >> (32 - bits);
    (0..u32::MAX).filter(|target| store.salt.hash(*target) >> (32 - bits) == wanted).take(count).collect()
}

#[test]
fn targets_chosen_to_share_a_path_part_within_the_bound() {
    for (bits, count) in [(6, 5_000), (12, 3_000), (17, 2_000), (18, 2_000)] {
        let mut store = store(3, 12_000, 21);
        let targets = sharing(&store, bits, count);
        let mut most = 0;
        let mut set = |store: &mut VLine, source, target, mask| {
            let before = store.words_moved;
            store.set(source, target, mask);
            most = most.max((store.words_moved - before).div_ceil(8));
        };
        for target in &targets {
            set(&mut store, 0, *target, 9);
            set(&mut store, 2, *target, 9);
        }
        check(&store, &format!("{bits} bits, filled"));
        for target in &targets {
            assert_eq!(store.mask(0, *target), 9, "{bits} bits");
            set(&mut store, 0, *target, 0);
        }
        check(&store, &format!("{bits} bits, half emptied"));
        targets.iter().rev().for_each(|target| set(&mut store, 2, *target, 0));
        assert_eq!((store.count, store.blocks.words_used()), (0, 0), "{bits} bits");
        assert!((240..=VLine::LINES_MOVED_MAX).contains(&most), "{bits} bits: a change moved {most} lines");
    }
}

#[test]
fn targets_that_share_a_line_are_found_and_leave_nothing_behind() {
    let mut random = 5_u64;
    let mut store = store(2, 900, 11);
    // More than the largest leaf has in a line, in a leaf of any size: its first line.
    let targets: Vec<u32> = (0..u32::MAX).filter(|target| store.salt.hash(*target) < 1 << 22).take(800).collect();
    let mut model = BTreeMap::new();
    for round in 0..40_000_u32 {
        let target = targets[next(&mut random) as usize % targets.len()];
        // Long runs of more puts than removals, then of fewer.
        let mask =
            if next(&mut random) as u32 % 4096 < [900, 3_200][round as usize / 5_000 % 2] { 0 } else { round | 1 };
        let before = if mask == 0 { model.remove(&target) } else { model.insert(target, mask) };
        assert_eq!(store.set(1, target, mask), before.unwrap_or(0), "round {round}");
    }
    check(&store, "colliding");
    targets.iter().for_each(|target| {
        assert_eq!(store.mask(1, *target), model.get(target).copied().unwrap_or(0));
        store.set(1, *target, 0);
    });
    assert_eq!((store.count, store.blocks.words_used()), (0, 0));
}

#[test]
fn churn_leaves_searches_as_short_as_in_a_fresh_store() {
    let lines_read = |store: &VLine| {
        let mut read = 0;
        for edge in store.edges() {
            let place = store.leaf_of(edge.source, store.salt.hash(edge.target));
            let cells = &store.words[Head(store.words[place.head]).cells()];
            let Place::Found(cell) = leaf::find(cells, edge.target, place.hash) else { unreachable!() };
            let lines = (cells.len() / 8).max(1);
            read += (cell / 8 + lines - leaf::home_line(place.hash, cells.len())) % lines + 1;
        }
        read as f64 / f64::from(store.count)
    };
    let (nodes, edges) = (500, 100_000);
    let ends = |number: u32| (number % nodes, number.wrapping_mul(0x9e37_79b9) | 1 << 31);
    let mut store = store(nodes, edges, 3);
    (0..edges).for_each(|number| _ = store.set(ends(number).0, ends(number).1, 1));
    let fresh = lines_read(&store);
    for number in 0..10 * edges {
        store.set(ends(number).0, ends(number).1, 0);
        store.set(ends(number + edges).0, ends(number + edges).1, 1);
    }
    let churned = lines_read(&store);
    assert!(fresh < 1.5 && churned < 1.5, "{fresh} lines fresh, {churned} after ten times the edges");
}

#[test]
fn the_worst_mix_of_blocks_fits_the_pages() {
    // Every node is filled to the brim of a class, then emptied until its block is about to shrink, and the next ones
    // are filled with the edges that came free: three cells an edge, in blocks of every size at once.
    for (nodes, edges_max) in [(40, 3_000), (400, 30_000), (3, 5_000)] {
        let mut store = store(nodes, edges_max, 9);
        for (source, class) in (0..nodes).zip((1..CLASSES).rev().cycle()) {
            let cells = CLASS_CELLS[class];
            for target in 0..cells * 7 / 8 {
                if store.has_room() {
                    store.set(source, target + (1 << 16), 1);
                }
            }
            (cells / 3 + 1..cells).for_each(|target| _ = store.set(source, target + (1 << 16), 0));
            check(&store, &format!("{nodes} nodes, {source} filled"));
        }
        for number in 0..edges_max {
            if store.has_room() {
                store.set(nodes - 1, number + nodes, 1);
            }
        }
        assert_eq!(store.count, edges_max);
        check(&store, &format!("{nodes} nodes"));
        assert!(store.blocks.blocks_used(NODE_BLOCK_CLASS) > 0);
    }
}

#[test]
fn sizes_beyond_the_places_are_refused() {
    for (nodes_max, edges_max) in [(NODES_MAX + 1, 1), (u32::MAX, 1), (1, u32::MAX), (1, 800_000_000)] {
        assert!(VLine::with_memory(EdgeSizes { nodes_max, edges_max }, 0, false).is_none());
    }
    let most = EdgeSizes { nodes_max: NODES_MAX, edges_max: crate::pathfinder::EDGES_MAX };
    assert!(Room::new(most).words() <= u64::from(u32::MAX), "what a pathfinder takes in has a place");
    // A few edges at the far ends of a store so large; the rest of its addresses is never touched.
    let Some(mut store) = VLine::with_memory(EdgeSizes { edges_max: 200_000_000, ..most }, 7, false) else { return };
    let ends = [(0, 1), (NODES_MAX - 1, 0), (NODES_MAX - 1, NODES_MAX - 2), (77, NODES_MAX - 1)];
    ends.iter().for_each(|(source, target)| assert_eq!(store.set(*source, *target, u32::MAX), 0));
    ends.iter().for_each(|(source, target)| assert_eq!(store.set(*source, *target, 0), u32::MAX));
    assert_eq!((store.count(), store.blocks.words_used()), (0, 0));
}
