//! Routes in batches, waited for in slices, so that the caller can give them up.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lodestone_runtime::{Engine, PendingRoutes, ROUTES_MAX, RouteBatch};

use crate::edge::{Failure, guard, inputs, output, outputs};
use crate::handles::{self, Table};
use crate::types::{LodestoneError, LodestoneRouteAnswer, LodestoneStatus};

/// Questions that were asked and neither answered nor given up, in this process.
static QUESTIONS: Table<Question> = Table::new("question", 4_096);

struct Question {
    pending: Mutex<PendingRoutes>,
    count: usize,
    nodes_listed_max: usize,
}

/// Gives up what was asked on an engine that closes.
pub(crate) fn forget(engine: u64) {
    QUESTIONS.forget(engine);
}

/// Asks for the shortest paths from `sources[i]` to `targets[i]`, `count` of them, 1 to 128, all answered at one revision,
/// and waits up to `wait_ms`. Writes one answer for each; the first `nodes_listed_max` nodes of path i go to
/// `nodes[i * nodes_listed_max]` and on. A pair that is refused says so in its answer and is no error of the call.
///
/// `TIMEOUT`: not found yet; the number of the question, never 0, is written to `question`, for `lodestone_routes_await`
/// or `lodestone_routes_cancel`. After any other status the question is over.
///
/// # Safety
/// `sources` and `targets` point to `count` numbers, `nodes` to room for `count` × `nodes_listed_max`, `answers` to room
/// for `count`, `question` to a number; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_routes_find(
    engine: u64,
    sources: *const u32,
    targets: *const u32,
    count: u64,
    nodes_listed_max: u64,
    wait_ms: u64,
    answers: *mut LodestoneRouteAnswer,
    nodes: *mut u32,
    question: *mut u64,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        let room = checked_room(count, nodes_listed_max)?;
        // SAFETY: the caller promises `count` numbers that stay as they are during the call.
        let sources = unsafe { inputs(sources, count, "sources") }?;
        // SAFETY: the caller promises `count` numbers that stay as they are during the call.
        let targets = unsafe { inputs(targets, count, "targets") }?;
        // SAFETY: the caller promises room for `count` answers of its own.
        let answers = unsafe { outputs(answers, count, "answers") }?;
        // SAFETY: the caller promises room for as many numbers of its own.
        let nodes = unsafe { outputs(nodes, room, "nodes") }?;
        // SAFETY: the caller promises a number of its own.
        let question = unsafe { output(question, "question") }?;
        let pairs: Vec<(u32, u32)> = sources.iter().copied().zip(targets.iter().copied()).collect();
        let found = handles::get(engine)?;
        let pending = found.ask_routes(&pairs, nodes_listed_max as usize)?;
        if let Some(batch) = found.await_routes(&pending, Duration::from_millis(wait_ms))? {
            write(&batch, nodes_listed_max as usize, answers, nodes);
            return Ok(());
        }
        let asked =
            Question { pending: Mutex::new(pending), count: pairs.len(), nodes_listed_max: nodes_listed_max as usize };
        *question = QUESTIONS.insert(engine, asked)?;
        Err(not_yet(wait_ms))
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Waits up to `wait_ms` for the answers of a question and writes them as `lodestone_routes_find` does. `TIMEOUT`: not
/// found yet, wait again or give it up. After any other status the question is over.
///
/// # Safety
/// `answers` points to room for `answers_capacity`, `nodes` for `nodes_capacity` numbers, which are at least those of the
/// question; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_routes_await(
    engine: u64,
    question: u64,
    wait_ms: u64,
    answers: *mut LodestoneRouteAnswer,
    answers_capacity: u64,
    nodes: *mut u32,
    nodes_capacity: u64,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises room for as many answers of its own.
        let answers = unsafe { outputs(answers, answers_capacity, "answers") }?;
        // SAFETY: the caller promises room for as many numbers of its own.
        let nodes = unsafe { outputs(nodes, nodes_capacity, "nodes") }?;
        let found = handles::get(engine)?;
        let asked = QUESTIONS.get(engine, question)?;
        if answers.len() < asked.count || nodes.len() < asked.count * asked.nodes_listed_max {
            return Err(Failure::new(LodestoneStatus::InvalidArgument, "less room than the question's answers need"));
        }
        match wait(&found, &asked, wait_ms) {
            Ok(None) => Err(not_yet(wait_ms)),
            Ok(Some(batch)) => {
                QUESTIONS.remove(engine, question);
                write(&batch, asked.nodes_listed_max, answers, nodes);
                Ok(())
            }
            Err(failure) => {
                QUESTIONS.remove(engine, question);
                Err(failure)
            }
        }
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Gives a question up: its search ends within 4,096 vertices and counts as cancelled. A question that is over, or never
/// was, is allowed and does nothing.
///
/// # Safety
/// `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_routes_cancel(engine: u64, question: u64, error: *mut LodestoneError) -> i32 {
    let body = || {
        QUESTIONS.remove(engine, question);
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

fn checked_room(count: u64, nodes_listed_max: u64) -> Result<u64, Failure> {
    let text = format_args!("{count} routes of {nodes_listed_max} nodes; 1 to {ROUTES_MAX} routes are allowed");
    let wrong = || Failure::new(LodestoneStatus::InvalidArgument, text);
    let allowed = (1..=ROUTES_MAX as u64).contains(&count);
    count.checked_mul(nodes_listed_max).filter(|_| allowed).ok_or_else(wrong)
}

fn wait(engine: &Engine, asked: &Question, wait_ms: u64) -> Result<Option<RouteBatch>, Failure> {
    let pending = asked.pending.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(engine.await_routes(&pending, Duration::from_millis(wait_ms))?)
}

fn not_yet(wait_ms: u64) -> Failure {
    Failure::new(LodestoneStatus::Timeout, format_args!("no answer to the route within {wait_ms} ms; wait again"))
}

fn write(batch: &RouteBatch, nodes_listed_max: usize, answers: &mut [LodestoneRouteAnswer], nodes: &mut [u32]) {
    let mut nodes = nodes;
    for (route, answer) in batch.routes.iter().zip(answers) {
        let (mine, rest) = nodes.split_at_mut(nodes_listed_max);
        nodes = rest;
        *answer = LodestoneRouteAnswer { revision: batch.revision, distance: u64::MAX, ..Default::default() };
        match route {
            Ok(route) => {
                let listed = route.nodes.len().min(mine.len());
                mine[..listed].copy_from_slice(&route.nodes[..listed]);
                answer.distance = route.distance;
                answer.nodes_total = u64::from(route.nodes_total);
                answer.nodes_listed = listed as u64;
                answer.settled = route.settled;
            }
            Err(status) => answer.status = u32::from(status.code()),
        }
    }
}
