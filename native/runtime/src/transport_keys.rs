//! The keys under `transport.` that bound what clients may do.

use lodestone_transport::{StreamCredit, TransportConfig};

use crate::config::Lines;
use crate::error::EngineError;

/// Reads them into a configuration whose other fields have their defaults.
pub(crate) fn transport_limits(lines: &mut Lines) -> Result<TransportConfig, EngineError> {
    let flags = [("true", true), ("false", false)];
    let credits = [("on_use", StreamCredit::OnUse), ("at_welcome", StreamCredit::AtWelcome)];
    Ok(TransportConfig {
        idle_timeout_ms: lines.number("transport.idle_timeout_ms", 30_000, 1_000..=600_000)?,
        handshake_timeout_ms: lines.number("transport.handshake_timeout_ms", 10_000, 100..=600_000)?,
        retry_handshakes: lines.number("transport.retry_handshakes", 256, 0..=1_000_000)?,
        handshakes_max: lines.number("transport.handshakes_max", 4_096, 1..=1_000_000)?,
        address_connections_max: lines.number("transport.address_connections_max", 1_000, 0..=1_000_000)?,
        address_handshakes_per_second: lines.number("transport.address_handshakes_per_second", 100, 0..=1_000_000)?,
        limit_loopback: lines.choice("transport.limit_loopback", "false", &flags)?,
        session_moves_per_second: lines.number("transport.session_moves_per_second", 0, 0..=100_000_000)?,
        session_bytes_per_second: lines.number("transport.session_kib_per_second", 0_u64, 0..=100_000_000)? << 10,
        stream_credit: lines.choice("transport.stream_credit", "at_welcome", &credits)?,
        migration: lines.choice("transport.migration", "true", &flags)?,
        receive_buffer_bytes: lines.number("transport.receive_buffer_kib", 4_096_usize, 64..=65_536)? << 10,
        ..TransportConfig::default()
    })
}

#[cfg(test)]
mod tests {
    use lodestone_transport::StreamCredit;

    use crate::config::Config;

    #[test]
    fn every_limit_is_read() {
        let text = "transport.idle_timeout_ms=5000\ntransport.handshake_timeout_ms=700\ntransport.retry_handshakes=0\n\
             transport.handshakes_max=9\ntransport.address_connections_max=8\n\
             transport.address_handshakes_per_second=7\ntransport.limit_loopback=true\n\
             transport.session_moves_per_second=6\ntransport.session_kib_per_second=5\n\
             transport.stream_credit=on_use\ntransport.migration=false\ntransport.receive_buffer_kib=64";
        let limits = Config::parse(text).unwrap().transport;
        assert_eq!((limits.idle_timeout_ms, limits.handshake_timeout_ms), (5000, 700));
        assert_eq!((limits.retry_handshakes, limits.handshakes_max), (0, 9));
        assert_eq!((limits.address_connections_max, limits.address_handshakes_per_second), (8, 7));
        assert_eq!((limits.session_moves_per_second, limits.session_bytes_per_second), (6, 5120));
        assert_eq!((limits.limit_loopback, limits.migration), (true, false));
        assert_eq!((limits.stream_credit, limits.receive_buffer_bytes), (StreamCredit::OnUse, 65_536));
    }
}
