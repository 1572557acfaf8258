//! Opening, describing and closing engines.

use lodestone_runtime::Engine;

use crate::abi::ABI_FINGERPRINT;
use crate::edge::{Failure, copy_text, guard, inputs, output};
use crate::types::{LodestoneDescription, LodestoneError, LodestoneStatus};
use crate::{handles, load, routes};

/// Opens an engine with a configuration of UTF-8 lines `key=value` and writes its number, never 0, to `engine`.
/// Returns once moves are taken.
///
/// # Safety
/// `config` points to `config_bytes` bytes, `engine` to a number; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_engine_open(
    config: *const u8,
    config_bytes: u64,
    engine: *mut u64,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises `config_bytes` bytes that stay as they are during the call.
        let config = unsafe { inputs(config, config_bytes, "config") }?;
        // SAFETY: the caller promises a number of its own.
        let engine = unsafe { output(engine, "engine") }?;
        let text = std::str::from_utf8(config).map_err(|error| {
            Failure::new(LodestoneStatus::Config, format_args!("the configuration is not UTF-8: {error}"))
        })?;
        *engine = handles::insert(Engine::open(text, ABI_FINGERPRINT)?);
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Closes the engine: no new connections, sessions told, everything accepted is committed, memory given back. Readers
/// of the shared region find its generation at 0 from then on, and never a fault. The number 0 is allowed and does
/// nothing; a number closed before is `CLOSED`.
///
/// # Safety
/// `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_engine_close(engine: u64, error: *mut LodestoneError) -> i32 {
    let body = || {
        if engine != 0 {
            let closing = handles::remove(engine)?;
            routes::forget(engine);
            load::forget(engine);
            closing.close();
        }
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Writes what the engine is: its region, address and certificate.
///
/// # Safety
/// `out` points to a `LodestoneDescription`; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_engine_describe(
    engine: u64,
    out: *mut LodestoneDescription,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises a LodestoneDescription of its own.
        let out = unsafe { output(out, "out") }?;
        let engine = handles::get(engine)?;
        let description = engine.description();
        out.region_address = description.region_address;
        out.region_bytes = description.region_bytes;
        out.generation = description.generation;
        out.nodes_max = description.nodes_max;
        out.slots_max = description.slots_max;
        out.quic_port = description.address.port();
        let (certificate_pem, fingerprint) = engine.certificate();
        out.fingerprint = fingerprint;
        out.address_length = copy_text(&description.address.to_string(), &mut out.address) as u16;
        let path = description.region_path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        out.region_path_length = copy_text(&path, &mut out.region_path) as u16;
        out.certificate_length = copy_text(&certificate_pem, &mut out.certificate) as u16;
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}
