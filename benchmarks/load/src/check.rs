//! Whether the server does the work that is measured: the digest is verified, the slot written, the ACK true.

use std::time::Instant;

use lodestone_client::Status;

use crate::drive::Run;
use crate::session::Answer;
use crate::transport::Transport;

/// Connections whose slots are read at the end.
const READ_BACK_MAX: usize = 16;

/// A good move, one whose digest is wrong, and the slot between and behind them. Slots may be those of an earlier run.
pub(crate) fn before<T: Transport>(run: &mut Run<'_, T>) -> Result<(), String> {
    let now = Instant::now();
    for number in 0..run.sessions.len().min(READ_BACK_MAX) {
        run.sessions[number].version = slot(run, number)?.0;
    }
    let version = run.sessions[0].version;
    run.sessions[0].step(run.transport.out(0), now)?;
    run.until("ACK", |run| run.sessions[0].outstanding() == 0)?;
    if run.sessions[0].version != version + 1 || run.revision() == 0 {
        return Err(format!(
            "the first move was not accepted, revision {}",
            run.revision()
        ));
    }
    expect_slot(run, 0)?;

    let out = run.transport.out(0);
    let at = out.len();
    run.sessions[0].step(out, now)?;
    // One bit of the digest, which lies behind the header.
    out[at + 16] ^= 1;
    run.until("REJECT", |run| !run.answers.is_empty())?;
    match run.answers.pop() {
        Some((
            0,
            Answer::Refused {
                status: Status::BAD_DIGEST,
                ..
            },
        )) => {}
        other => return Err(format!("a move with a wrong digest was answered {other:?}")),
    }
    let revision = run.revision();
    run.sessions[0].step(run.transport.out(0), now)?;
    run.until("ACK", |run| run.sessions[0].outstanding() == 0)?;
    if run.sessions[0].version != version + 2 || run.revision() <= revision {
        return Err("a good move after a bad one was not accepted under a higher revision".into());
    }
    expect_slot(run, 0)
}

/// Each slot carries the payload of its last move, and its version says that every move was applied once.
pub(crate) fn after<T: Transport>(run: &mut Run<'_, T>) -> Result<(), String> {
    for number in 0..run.sessions.len().min(READ_BACK_MAX) {
        if run.sessions[number].has_moved() {
            expect_slot(run, number)?;
        }
    }
    Ok(())
}

fn expect_slot<T: Transport>(run: &mut Run<'_, T>, number: usize) -> Result<(), String> {
    let (version, payload) = slot(run, number)?;
    let session = &run.sessions[number];
    let is_last = !session.knows_payload() || payload == session.last_payload();
    if !session.may_have(version) || !is_last {
        return Err(format!(
            "the slot of connection {number} has version {version} and {payload:02x?}, not {} and {:02x?}",
            session.version,
            session.last_payload()
        ));
    }
    Ok(())
}

/// Version and payload of the connection's slot, as the server tells them.
fn slot<T: Transport>(run: &mut Run<'_, T>, number: usize) -> Result<(u64, Vec<u8>), String> {
    run.answers.clear();
    run.sessions[number].read(run.transport.out(number));
    run.until("STATE", |run| !run.answers.is_empty())?;
    match run.answers.pop() {
        Some((_, Answer::Slot { version, payload })) => Ok((version, payload)),
        other => Err(format!("READ was answered {other:?}")),
    }
}
