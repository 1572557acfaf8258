use lodestone_memory::{Counters, PagePool};
use tokio::sync::mpsc;

use super::*;
use crate::frame::{u16_at, u64_at};
use crate::pages::Pages;
use crate::quic::Hub;

const BUFFER_BYTES: usize = 64 * 1024;

fn answers_with(buffer_bytes: usize, routes: usize) -> Arc<StreamAnswers> {
    let counters = Counters::detached();
    let pages = Arc::new(Pages::new(PagePool::new(1, false).unwrap(), counters, Arc::default()));
    let dock = Arc::new(Dock::new(Hub::default(), mpsc::channel(1).0, pages, counters));
    let routes = Arc::new(Semaphore::new(routes));
    StreamAnswers::new(5, AnswerLimits { buffer_bytes, routes, rollbacks: Arc::default(), dock }, Vec::new())
}

fn decision(counter: u64, status: Status, ack_each: bool) -> Decision {
    Decision { counter, node: 9, status, ack_each }
}

/// What the writer would send, as (type, counter, revision or status).
fn drain(answers: &StreamAnswers) -> Vec<(u8, u64, u64)> {
    let mut frames = Vec::new();
    loop {
        let mut buffer = Vec::new();
        let Work::Send { frames: count } = answers.take(&mut buffer) else { return frames };
        let mut at = 0;
        while at < buffer.len() {
            let detail = if buffer[at] == 0x12 { u16_at(&buffer, at + 16).into() } else { u64_at(&buffer, at + 16) };
            frames.push((buffer[at], u64_at(&buffer, at + 8), detail));
            at += 16 + usize::from(u16_at(&buffer, at + 2));
        }
        assert!(count as usize <= frames.len());
        answers.sent(buffer.len());
    }
}

#[test]
fn acks_of_several_batches_become_one() {
    let answers = answers_with(BUFFER_BYTES, 1);
    for counter in 1..=6 {
        assert!(answers.try_admit(FrameKind::Move, counter));
    }
    answers.decided(&[decision(1, Status::Ok, false), decision(2, Status::Ok, false)], 10);
    answers.decided(&[decision(3, Status::Conflict, false), decision(4, Status::Ok, false)], 11);
    answers.decided(&[decision(5, Status::Ok, false), decision(6, Status::Forbidden, false)], 12);
    assert_eq!(drain(&answers), [(0x12, 3, 5), (0x12, 6, 4), (0x11, 6, 12)]);
    assert_eq!(answers.owed().used_bytes(), 0);
}

#[test]
fn ack_each_gets_its_own_ack_after_its_reject() {
    let answers = answers_with(BUFFER_BYTES, 1);
    for counter in 0..4 {
        assert!(answers.try_admit(FrameKind::Move, counter));
    }
    let decisions = [
        decision(0, Status::Ok, false),
        decision(1, Status::Ok, true),
        decision(2, Status::Conflict, true),
        decision(3, Status::Ok, false),
    ];
    answers.decided(&decisions, 7);
    assert_eq!(drain(&answers), [(0x11, 1, 7), (0x12, 2, 5), (0x11, 2, 7), (0x11, 3, 7)]);
}

#[test]
fn a_state_does_not_overtake_an_older_ack() {
    let answers = answers_with(BUFFER_BYTES, 1);
    assert!(answers.try_admit(FrameKind::Move, 0));
    assert!(answers.try_admit(FrameKind::Read, 1));
    answers.decided(&[decision(0, Status::Ok, false)], 7);
    answers.state(1, 8, &[0; 256]);
    assert_eq!(drain(&answers), [(0x11, 0, 7), (0x29, 1, 8)]);
}

#[test]
fn every_reservation_is_given_back() {
    let answers = answers_with(BUFFER_BYTES, 4);
    assert!(answers.try_admit(FrameKind::Route, 0) && answers.try_admit_route(0));
    assert!(answers.try_admit(FrameKind::Read, 1));
    assert!(answers.try_admit(FrameKind::Release, 2));
    assert!(!answers.try_admit(FrameKind::Route, 3), "a second route may need 32 KiB more");
    answers.refused(1, Status::OutOfBounds, 9);
    answers.decided(&[decision(2, Status::Ok, false)], 1);
    let path = PathAnswer { revision: 1, rollbacks: 0, distance: 2, nodes_total: 2, nodes: &[3, 4] };
    assert!(answers.path(0, &path));
    assert_eq!(drain(&answers), [(0x12, 1, 3), (0x11, 2, 1), (0x21, 0, 1)]);
    assert_eq!(answers.owed().used_bytes(), 0);
    assert_eq!(answers.owed().frames_in_flight, 0);
    assert_eq!(answers.limits.routes.available_permits(), 4);
}

#[test]
fn routes_never_answered_give_their_permits_back() {
    let answers = answers_with(1 << 20, 4);
    let routes = Arc::clone(&answers.limits.routes);
    for counter in 0..3 {
        assert!(answers.try_admit(FrameKind::Route, counter) && answers.try_admit_route(counter));
    }
    assert_eq!(routes.available_permits(), 1);
    drop(answers);
    assert_eq!(routes.available_permits(), 4);
}

#[test]
fn a_rollback_notice_follows_the_pending_ack_and_counts_reads_as_decided() {
    let answers = answers_with(BUFFER_BYTES, 1);
    assert!(answers.try_admit(FrameKind::Move, 1));
    answers.decided(&[decision(1, Status::Ok, false)], 105);
    assert!(answers.try_admit(FrameKind::Read, 2));
    answers.limits.rollbacks.fetch_add(1, Ordering::AcqRel);
    assert!(answers.rolled_back(100));
    assert_eq!(drain(&answers), [(0x11, 1, 105), (0x12, u64::MAX, 12), (0x11, 2, 100)]);
}

#[test]
fn a_rollback_notice_does_not_cover_what_is_at_the_engine() {
    let answers = answers_with(BUFFER_BYTES, 1);
    assert!(answers.try_admit(FrameKind::Move, 1));
    assert!(answers.try_admit(FrameKind::Move, 2));
    answers.decided(&[decision(1, Status::Ok, false)], 105);
    assert_eq!(drain(&answers).len(), 1);
    assert!(answers.rolled_back(100));
    answers.decided(&[decision(2, Status::Ok, false)], 101);
    assert_eq!(drain(&answers), [(0x12, u64::MAX, 12), (0x11, 1, 100), (0x11, 2, 101)]);
}

#[test]
fn acks_from_both_sides_of_a_rollback_are_never_merged() {
    let answers = answers_with(BUFFER_BYTES, 1);
    for counter in 0..2 {
        assert!(answers.try_admit(FrameKind::Move, counter));
    }
    answers.decided(&[decision(0, Status::Ok, false)], 105);
    answers.limits.rollbacks.fetch_add(1, Ordering::AcqRel);
    answers.decided(&[decision(1, Status::Ok, false)], 101);
    assert_eq!(drain(&answers), [(0x11, 0, 105), (0x11, 1, 101)]);
}

#[test]
fn a_path_found_before_a_rollback_is_not_answered_after_it() {
    let answers = answers_with(BUFFER_BYTES, 1);
    assert!(answers.try_admit(FrameKind::Route, 1) && answers.try_admit_route(1));
    answers.limits.rollbacks.fetch_add(1, Ordering::AcqRel);
    let stale = PathAnswer { revision: 105, rollbacks: 0, distance: 2, nodes_total: 0, nodes: &[] };
    assert!(!answers.path(1, &stale));
    assert!(answers.route_pending() && drain(&answers).is_empty());
    assert!(answers.path(1, &PathAnswer { revision: 100, rollbacks: 1, ..stale }));
    assert!(!answers.route_pending());
    assert_eq!(drain(&answers), [(0x21, 1, 100)]);
}

#[test]
fn notices_that_nobody_takes_are_bounded() {
    let answers = answers_with(BUFFER_BYTES, 1);
    let notices = (0..10_000).take_while(|_| answers.rolled_back(1)).count();
    assert!(notices > 64 && notices * DECISION_BYTES <= BUFFER_BYTES + NOTICE_BYTES_MAX, "{notices}");
}

#[test]
fn a_muted_stream_admits_all_and_keeps_nothing() {
    let answers = answers_with(BUFFER_BYTES, 1);
    assert!(!answers.is_gone());
    answers.mute();
    assert!(answers.is_gone());
    for counter in 0..10_000 {
        assert!(answers.try_admit(FrameKind::Move, counter));
    }
    answers.decided(&(0..10_000).map(|counter| decision(counter, Status::Conflict, true)).collect::<Vec<_>>(), 1);
    assert_eq!(answers.owed().used_bytes(), 0);
    assert!(!answers.close(vec![1], false));
    assert_eq!(answers.take(&mut Vec::new()), Work::Stop);
}

#[test]
fn fin_comes_after_the_last_answer_only() {
    let answers = answers_with(BUFFER_BYTES, 1);
    assert!(answers.try_admit(FrameKind::Move, 0));
    assert!(answers.try_admit(FrameKind::Read, 1));
    answers.reading_done();
    assert_eq!(answers.take(&mut Vec::new()), Work::Wait);
    answers.state(1, 1, &[0; 256]);
    answers.decided(&[decision(0, Status::Ok, false)], 1);
    assert_eq!(drain(&answers).len(), 2);
    assert_eq!(answers.take(&mut Vec::new()), Work::Finish);
}

#[tokio::test(start_paused = true)]
async fn only_a_client_that_takes_nothing_is_slow() {
    let limit = Duration::from_secs(5);
    let answers = Arc::new(answers_with(PATH_FRAME_BYTES_MAX, 1));
    let mut counter = 0;
    while answers.try_admit(FrameKind::Move, counter) {
        counter += 1;
    }
    // All of it is at the engine: waiting is no fault of the client, however long.
    let waiting = {
        let answers = Arc::clone(&answers);
        tokio::spawn(async move { answers.admit(FrameKind::Move, counter, limit).await })
    };
    tokio::time::sleep(limit * 10).await;
    assert!(!waiting.is_finished());
    let decisions: Vec<_> = (0..counter).map(|counter| decision(counter, Status::Conflict, true)).collect();
    answers.decided(&decisions, 1);
    // Now all of it is the client's to take.
    assert_eq!(waiting.await.unwrap(), Err(SlowConsumer));
    assert_eq!(drain(&answers).len(), 2 * decisions.len());
    assert_eq!(answers.admit(FrameKind::Move, counter, limit).await, Ok(()));
}
