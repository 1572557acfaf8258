//! The keys under `transport.` that bound what clients may do.

use std::path::PathBuf;

use lodestone_transport::{StreamCredit, TransportConfig};

use crate::config::{Lines, wrong};
use crate::error::EngineError;

/// Longest name of a server.
const SERVER_ID_BYTES_MAX: usize = 64;

/// Reads them into a configuration whose other fields have their defaults.
pub(crate) fn transport_limits(lines: &mut Lines) -> Result<TransportConfig, EngineError> {
    let flags = [("true", true), ("false", false)];
    let credits = [("on_use", StreamCredit::OnUse), ("at_welcome", StreamCredit::AtWelcome)];
    Ok(TransportConfig {
        server_id: server_id(lines)?,
        revocations_file: revocations_file(lines),
        idle_timeout_ms: lines.number("transport.idle_timeout_ms", 30_000, 1_000..=600_000)?,
        handshake_timeout_ms: lines.number("transport.handshake_timeout_ms", 10_000, 100..=600_000)?,
        retry_handshakes: lines.number("transport.retry_handshakes", 256, 0..=1_000_000)?,
        handshakes_max: lines.number("transport.handshakes_max", 4_096, 1..=1_000_000)?,
        address_connections_max: lines.number("transport.address_connections_max", 1_000, 0..=1_000_000)?,
        address_handshakes_per_second: lines.number("transport.address_handshakes_per_second", 100, 0..=1_000_000)?,
        limit_loopback: lines.choice("transport.limit_loopback", "false", &flags)?,
        session_moves_per_second: lines.number("transport.session_moves_per_second", 0, 0..=100_000_000)?,
        session_bytes_per_second: lines.number("transport.session_kib_per_second", 0_u64, 0..=100_000_000)? << 10,
        session_streams_per_second: lines.number("transport.session_streams_per_second", 1_000, 0..=1_000_000)?,
        stream_credit: lines.choice("transport.stream_credit", "at_welcome", &credits)?,
        migration: lines.choice("transport.migration", "true", &flags)?,
        receive_buffer_bytes: lines.number("transport.receive_buffer_kib", 4_096_usize, 64..=65_536)? << 10,
        ..TransportConfig::default()
    })
}

/// What this server alone is called; empty: it is derived.
fn server_id(lines: &mut Lines) -> Result<String, EngineError> {
    let found = lines.text("transport.server_id", "");
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    if found.len() <= SERVER_ID_BYTES_MAX && found.bytes().all(allowed) {
        return Ok(found);
    }
    let text = format_args!(
        "found {found:?}; allowed: nothing, or 1 to {SERVER_ID_BYTES_MAX} of a-z, A-Z, 0-9, -, ., _ and :"
    )
    .to_string();
    Err(wrong("transport.server_id", text))
}

/// Where revoked tokens outlive the engine; empty: nowhere.
fn revocations_file(lines: &mut Lines) -> Option<PathBuf> {
    let found = lines.text("transport.revocations_file", "");
    (!found.is_empty()).then(|| found.into())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use lodestone_transport::StreamCredit;

    use crate::config::Config;

    #[test]
    fn every_limit_is_read() {
        let text = "transport.idle_timeout_ms=5000\ntransport.handshake_timeout_ms=700\ntransport.retry_handshakes=0\n\
             transport.handshakes_max=9\ntransport.address_connections_max=8\n\
             transport.address_handshakes_per_second=7\ntransport.limit_loopback=true\n\
             transport.session_moves_per_second=6\ntransport.session_kib_per_second=5\n\
             transport.session_streams_per_second=4\ntransport.stream_credit=on_use\ntransport.migration=false\n\
             transport.server_id=eu-1.example:4433\n\
             transport.revocations_file=/a/revoked\n\
             transport.receive_buffer_kib=64";
        let limits = Config::parse(text).unwrap().transport;
        assert_eq!((limits.idle_timeout_ms, limits.handshake_timeout_ms), (5000, 700));
        assert_eq!((limits.retry_handshakes, limits.handshakes_max), (0, 9));
        assert_eq!((limits.address_connections_max, limits.address_handshakes_per_second), (8, 7));
        assert_eq!((limits.session_moves_per_second, limits.session_bytes_per_second), (6, 5120));
        assert_eq!((limits.session_streams_per_second, limits.server_id.as_str()), (4, "eu-1.example:4433"));
        assert_eq!(limits.revocations_file.as_deref(), Some(Path::new("/a/revoked")));
        assert_eq!((limits.limit_loopback, limits.migration), (true, false));
        assert_eq!((limits.stream_credit, limits.receive_buffer_bytes), (StreamCredit::OnUse, 65_536));
    }

    #[test]
    fn a_name_of_a_server_is_short_and_plain() {
        assert_eq!(Config::parse("").unwrap().transport.server_id, "");
        for name in ["two words", "\u{e9}", "a/b", &"x".repeat(65)] {
            let error = Config::parse(&format!("transport.server_id={name}")).unwrap_err().to_string();
            assert!(error.contains("transport.server_id"), "{error}");
        }
    }
}
