//! What the server is told when it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::error::TransportError;
use crate::fanout::Fanout;
use crate::frame::PATH_FRAME_BYTES_MAX;

/// Fewest streams that the wire contract promises a client.
const STREAMS_MIN: u32 = 128;
/// Most streams one connection may have open; each costs QUIC some memory in advance.
const STREAMS_LIMIT: u32 = 4096;
/// Longest name of a server.
const SERVER_ID_BYTES_MAX: u64 = 64;
/// Shortest secret that HMAC-SHA-256 is given.
const SECRET_BYTES_MIN: usize = 32;
/// Most keys: a client names its key, so more would only be forgotten ones.
const KEYS_MAX: usize = 16;

/// Where the server's certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Made at start, for `localhost`, both loopback addresses and the listen address; a new one each time.
    SelfSigned,
    /// PEM files: the certificate with its chain, leaf first, and its private key.
    Pem {
        /// The chain.
        certificate_file: PathBuf,
        /// The private key (PKCS#8, PKCS#1 or SEC1).
        key_file: PathBuf,
    },
}

/// Whether clients show a certificate of their own in the handshake. It proves who connects; what a session may do is
/// still the token's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked for one.
    Off,
    /// Who shows one is refused unless an authority of the file has signed it; who shows none is let in.
    Optional {
        /// The authorities, PEM.
        ca_file: PathBuf,
    },
    /// Only who shows one that an authority of the file has signed is let in.
    Required {
        /// The authorities, PEM.
        ca_file: PathBuf,
    },
}

/// One key that tokens are checked with.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey {
    /// The number tokens name it by.
    pub id: u32,
    /// At least 32 bytes; never shown by `Debug`.
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TokenKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Who may open a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Everyone; tokens are ignored, every session has tenant 0 and all nodes.
    None,
    /// Holders of a token made with one of these keys (1 to 16, ids unique).
    Tokens(Vec<TokenKey>),
}

/// When a client is granted all the streams it was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamCredit {
    /// Fourteen from WELCOME on, the rest when a second stream brings its first byte: an idle session takes 10 KiB less.
    OnUse,
    /// All from WELCOME on.
    AtWelcome,
}

/// Settings of a [`crate::Server`]. All bounds are per server unless they say otherwise.
#[derive(Clone, Debug)]
pub struct TransportConfig {
    /// UDP address to listen on; port 0 takes any free one.
    pub listen: SocketAddr,
    /// What no other server with the same certificate is called, at most 64 bytes; empty: the machine's name and the address.
    /// With certificate files, a server that is started again under the same name knows its stateless resets and Retry tokens.
    pub server_id: String,
    /// The server's certificate.
    pub certificate: Certificate,
    /// Whether clients show a certificate.
    pub client_certificates: ClientCertificates,
    /// Who may open a session.
    pub auth: Auth,
    /// Where revoked tokens outlive the server: a file that it makes, and that no other server uses meanwhile. They stay
    /// in it for a day after they expired, in case the clock was ahead. `None`: they are forgotten when it ends.
    pub revocations_file: Option<PathBuf>,
    /// Streams one connection may have open at once, 128 to 4,096.
    pub streams_max: u32,
    /// A connection that is silent for this long ends.
    pub idle_timeout_ms: u64,
    /// How long a client may leave a full answer buffer untouched before it is closed.
    pub slow_consumer_ms: u64,
    /// How long a session that ends with the server may take until everything accepted is answered and delivered.
    pub drain_ms: u64,
    /// Answers that one stream may owe its client, at least 40 KiB; a stream whose buffer is full is not read.
    pub answer_buffer_bytes: usize,
    /// ROUTE frames of all sessions that may be at the engine at once.
    pub routes_in_flight_max: usize,
    /// Connections at once; further ones are refused in the handshake.
    pub connections_max: u32,
    /// Told to clients in WELCOME.
    pub nodes_max: u32,
    /// Handshakes that take longer are counted.
    pub handshake_target_ms: u64,
    /// A connection that is not welcomed by then, counted from its first packet and again from the end of the TLS
    /// handshake, is closed.
    pub handshake_timeout_ms: u64,
    /// Handshakes under way from which on a client must prove its address first (QUIC Retry); 0: always.
    pub retry_handshakes: u32,
    /// Handshakes under way from which on attempts to connect get no answer.
    pub handshakes_max: u32,
    /// Connections of one IPv4 address, or one IPv6 /64, at once, those in the handshake included; 0: no limit.
    pub address_connections_max: u32,
    /// Handshakes that one address may begin in a second; 0: no limit.
    pub address_handshakes_per_second: u64,
    /// The limits of addresses hold for this machine's own too.
    pub limit_loopback: bool,
    /// MOVEs and RELEASEs that one session may send in a second; its streams wait beyond, its datagrams are dropped.
    /// 0: no limit.
    pub session_moves_per_second: u64,
    /// The same for bytes of frames.
    pub session_bytes_per_second: u64,
    /// Streams that one session may begin in a second, and `streams_max` at once; further ones are neither taken nor
    /// given new credit until their turn comes. 0: no limit.
    pub session_streams_per_second: u64,
    /// When all of `streams_max` are granted.
    pub stream_credit: StreamCredit,
    /// A client may go on from another address.
    pub migration: bool,
    /// Asked of the system for packets that the server has not read yet, 64 KiB to 64 MiB; it may grant less. Beyond, packets are
    /// lost before anybody looks at them: under overload this is what the oldest of them has waited.
    pub receive_buffer_bytes: usize,
    /// What sessions are told changes from; `None`: clients of protocol version 2 are refused.
    pub fanout: Option<Fanout>,
}

impl Default for TransportConfig {
    fn default() -> TransportConfig {
        TransportConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4433)),
            server_id: String::new(),
            certificate: Certificate::SelfSigned,
            client_certificates: ClientCertificates::Off,
            auth: Auth::None,
            revocations_file: None,
            streams_max: STREAMS_MIN,
            idle_timeout_ms: 30_000,
            slow_consumer_ms: 30_000,
            drain_ms: 1_000,
            answer_buffer_bytes: 64 * 1024,
            routes_in_flight_max: 1024,
            connections_max: 60_000,
            nodes_max: 1_000_000,
            handshake_target_ms: 3,
            handshake_timeout_ms: 10_000,
            retry_handshakes: 256,
            handshakes_max: 4_096,
            address_connections_max: 1_000,
            address_handshakes_per_second: 100,
            limit_loopback: false,
            session_moves_per_second: 0,
            session_bytes_per_second: 0,
            session_streams_per_second: 1_000,
            stream_credit: StreamCredit::AtWelcome,
            migration: true,
            receive_buffer_bytes: 4 << 20,
            fanout: None,
        }
    }
}

impl TransportConfig {
    /// Refuses settings that would break a promise of the wire contract.
    pub(crate) fn check(&self) -> Result<(), TransportError> {
        in_range("streams_max", self.streams_max.into(), STREAMS_MIN.into(), STREAMS_LIMIT.into())?;
        in_range("idle_timeout_ms", self.idle_timeout_ms, 1, 86_400_000)?;
        in_range("slow_consumer_ms", self.slow_consumer_ms, 1, 86_400_000)?;
        in_range("drain_ms", self.drain_ms, 1, 86_400_000)?;
        in_range("answer_buffer_bytes", self.answer_buffer_bytes as u64, PATH_FRAME_BYTES_MAX as u64, 1 << 30)?;
        in_range("routes_in_flight_max", self.routes_in_flight_max as u64, 1, 1 << 20)?;
        in_range("connections_max", self.connections_max.into(), 1, 1_000_000)?;
        in_range("handshake_timeout_ms", self.handshake_timeout_ms, 1, 600_000)?;
        in_range("handshakes_max", self.handshakes_max.into(), 1, 1_000_000)?;
        in_range("receive_buffer_bytes", self.receive_buffer_bytes as u64, 64 << 10, 64 << 20)?;
        in_range("server_id", self.server_id.len() as u64, 0, SERVER_ID_BYTES_MAX)?;
        in_range("nodes_max", self.nodes_max.into(), 1, u32::MAX.into())?;
        self.auth.check()
    }
}

/// Refuses a number out of its range.
pub(crate) fn in_range(name: &'static str, found: u64, least: u64, most: u64) -> Result<(), TransportError> {
    if (least..=most).contains(&found) { Ok(()) } else { Err(TransportError::Setting { name, found, least, most }) }
}

impl Auth {
    /// Refuses keys that are too many, too short or named twice.
    pub(crate) fn check(&self) -> Result<(), TransportError> {
        match self {
            Auth::None => Ok(()),
            Auth::Tokens(keys) => check_keys(keys),
        }
    }
}

fn check_keys(keys: &[TokenKey]) -> Result<(), TransportError> {
    let fault = |reason: String| Err(TransportError::Auth { reason });
    if !(1..=KEYS_MAX).contains(&keys.len()) {
        return fault(format!("{} keys given, 1 to {KEYS_MAX} are allowed", keys.len()));
    }
    for (index, key) in keys.iter().enumerate() {
        if key.secret.len() < SECRET_BYTES_MIN {
            return fault(format!(
                "the secret of key {} has {} bytes, at least {SECRET_BYTES_MIN} are needed",
                key.id,
                key.secret.len()
            ));
        }
        if keys.iter().take(index).any(|other| other.id == key.id) {
            return fault(format!("key id {} is given twice", key.id));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u32, bytes: usize) -> TokenKey {
        TokenKey { id, secret: vec![7; bytes] }
    }

    #[test]
    fn defaults_are_allowed_and_each_bound_is_checked() {
        assert!(TransportConfig::default().check().is_ok());
        let broken = [
            TransportConfig { streams_max: 127, ..TransportConfig::default() },
            TransportConfig { streams_max: 4097, ..TransportConfig::default() },
            TransportConfig { idle_timeout_ms: 0, ..TransportConfig::default() },
            TransportConfig { slow_consumer_ms: 0, ..TransportConfig::default() },
            TransportConfig { answer_buffer_bytes: 1024, ..TransportConfig::default() },
            TransportConfig { routes_in_flight_max: 0, ..TransportConfig::default() },
            TransportConfig { connections_max: 0, ..TransportConfig::default() },
            TransportConfig { nodes_max: 0, ..TransportConfig::default() },
            TransportConfig { receive_buffer_bytes: 1024, ..TransportConfig::default() },
            TransportConfig { server_id: "x".repeat(65), ..TransportConfig::default() },
        ];
        for config in broken {
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains("allowed"), "{error}");
        }
    }

    #[test]
    fn keys_are_checked_and_never_shown() {
        assert!(check_keys(&[key(1, 32), key(2, 64)]).is_ok());
        for (keys, part) in [
            (vec![], "0 keys"),
            (vec![key(1, 31)], "31 bytes"),
            (vec![key(5, 32), key(5, 33)], "key id 5"),
            ((0..17).map(|id| key(id, 32)).collect(), "17 keys"),
        ] {
            let error = check_keys(&keys).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(!format!("{:?}", key(3, 32)).contains('7'));
    }
}
