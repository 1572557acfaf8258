//! Sessions and tokens.

use crate::edge::{Failure, copy_text, guard, inputs, output, outputs};
use crate::handles;
use crate::types::{LodestoneError, LodestoneSession, LodestoneStatus};

/// Writes the first `capacity` live sessions and, to `total`, how many there are.
///
/// # Safety
/// `out` points to room for `capacity` sessions, `total` to a number; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_sessions_list(
    engine: u64,
    out: *mut LodestoneSession,
    capacity: u64,
    total: *mut u64,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises room for `capacity` sessions of its own.
        let out = unsafe { outputs(out, capacity, "out") }?;
        // SAFETY: the caller promises a number of its own.
        let total = unsafe { output(total, "total") }?;
        let sessions = handles::get(engine)?.sessions();
        *total = sessions.len() as u64;
        for (cell, session) in out.iter_mut().zip(&sessions) {
            let mut address = [0; 64];
            let address_length = copy_text(&session.address.to_string(), &mut address) as u32;
            *cell = LodestoneSession {
                session: session.session,
                tenant: session.tenant,
                node_first: session.node_first,
                node_last: session.node_last,
                connected_unix_ms: session.connected_unix_ms,
                frames: session.frames,
                address_length,
                reserved: 0,
                address,
            };
        }
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Closes a session with status `OK`. Frames that it sent before and that were read are applied. No such session:
/// `INVALID_ARGUMENT`.
///
/// # Safety
/// `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_session_close(engine: u64, session: u32, error: *mut LodestoneError) -> i32 {
    let body = || Ok(handles::get(engine)?.close_session(session)?);
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Refuses the token with this nonce from now on and closes the sessions that were opened with it.
///
/// # Safety
/// `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_token_revoke(engine: u64, nonce: u64, error: *mut LodestoneError) -> i32 {
    let body = || Ok(handles::get(engine)?.revoke_token(nonce)?);
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Revokes the token of this session, as `lodestone_token_revoke` does; a session without a token is closed alone. No such
/// session: `INVALID_ARGUMENT`.
///
/// # Safety
/// `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_session_revoke(engine: u64, session: u32, error: *mut LodestoneError) -> i32 {
    let body = || Ok(handles::get(engine)?.revoke_session(session)?);
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Takes up the certificate, the authorities of clients and the token keys of a configuration, UTF-8 lines `key=value` as
/// for `lodestone_engine_open`, all or nothing. The files that it names are read anew; its other keys are checked and
/// change nothing. Sessions that are open stay so.
///
/// # Safety
/// `config` points to `config_bytes` bytes; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_identity_reload(
    engine: u64,
    config: *const u8,
    config_bytes: u64,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises `config_bytes` bytes that stay as they are during the call.
        let config = unsafe { inputs(config, config_bytes, "config") }?;
        let text = std::str::from_utf8(config).map_err(|error| {
            Failure::new(LodestoneStatus::Config, format_args!("the configuration is not UTF-8: {error}"))
        })?;
        Ok(handles::get(engine)?.reload_identity(text)?)
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}
