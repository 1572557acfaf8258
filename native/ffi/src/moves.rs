//! Moves from Java, through the same channel and engine as everyone's.

use lodestone_runtime::{LocalKind, LocalMove};

use crate::edge::{Failure, guard, output, outputs};
use crate::handles;
use crate::types::{LodestoneError, LodestoneMove, LodestoneStatus, LodestoneSubmission};

/// Most moves in one call.
const MOVES_MAX: u32 = 128;
const KIND_MOVE: u8 = 0x10;
const KIND_RELEASE: u8 = 0x18;
const PACKET_HEAD_BYTES: usize = 24;

/// Submits `count` (1 to 128) moves in their order for the tenant and waits until all are decided; each gets its status
/// and revision written back. Blocks while the channel is full.
///
/// # Safety
/// `moves` points to `count` moves and `out` to a `LodestoneSubmission` that nobody else uses during the call; `error`
/// is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_moves_submit(
    engine: u64,
    moves: *mut LodestoneMove,
    count: u32,
    tenant: u32,
    out: *mut LodestoneSubmission,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        if count == 0 || count > MOVES_MAX {
            let text = format_args!("count is {count}; 1 to {MOVES_MAX} moves go in one call");
            return Err(Failure::new(LodestoneStatus::InvalidArgument, text));
        }
        // SAFETY: the caller promises `count` moves of its own.
        let moves = unsafe { outputs(moves, u64::from(count), "moves") }?;
        // SAFETY: the caller promises a LodestoneSubmission of its own.
        let out = unsafe { output(out, "out") }?;
        *out = LodestoneSubmission::default();
        let engine = handles::get(engine)?;
        let local = moves.iter().map(local_move).collect::<Result<Vec<_>, _>>()?;
        let decisions = engine.submit(&local, tenant)?;
        drop(local);
        for (cell, decision) in moves.iter_mut().zip(&decisions) {
            cell.status = decision.status.code();
            cell.revision = decision.revision;
            let accepted = u32::from(cell.status == 0);
            out.accepted += accepted;
            out.rejected += 1 - accepted;
            out.revision = decision.revision;
        }
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

fn local_move(cell: &LodestoneMove) -> Result<LocalMove<'_>, Failure> {
    match cell.kind {
        KIND_MOVE => {
            let payload_bytes = usize::from(u16::from_le_bytes([cell.packet[14], cell.packet[15]]));
            // A length beyond the slot stays as it is and is refused by the engine as OUT_OF_BOUNDS.
            let packet = &cell.packet[..(PACKET_HEAD_BYTES + payload_bytes).min(cell.packet.len())];
            Ok(LocalMove { kind: LocalKind::Move, packet })
        }
        KIND_RELEASE => Ok(LocalMove { kind: LocalKind::Release, packet: &cell.packet[..4] }),
        other => {
            let text = format_args!("kind {other:#04x} of a move is unknown; 0x10 is MOVE, 0x18 is RELEASE");
            Err(Failure::new(LodestoneStatus::InvalidArgument, text))
        }
    }
}
