//! A client described by lines of text, for callers of other languages.

use std::collections::BTreeMap;
use std::net::ToSocketAddrs;
use std::ops::RangeInclusive;

use super::{EngineAddress, EngineClient, EngineClientOptions, IN_FLIGHT_LIMIT};
use crate::command_line::bytes_of_hex;
use crate::error::ClientError;
use crate::identity::ClientIdentity;
use crate::trust::TrustAnchor;

/// Longest times that are taken, milliseconds: a day.
const TIME_MAX_MS: u64 = 86_400_000;
/// Most nodes whose news may wait: some 350 MiB.
const UPDATES_LIMIT: u64 = 1 << 20;

fn wrong(key: &str, text: impl Into<String>) -> ClientError {
    ClientError::Setting { key: key.to_owned(), reason: text.into() }
}

struct Lines<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Lines<'a> {
    fn parse(text: &'a str) -> Result<Lines<'a>, ClientError> {
        let mut lines = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let (key, value) = line.split_once('=').ok_or_else(|| wrong("settings", "a line is not key=value"))?;
            if lines.insert(key, value).is_some() {
                return Err(wrong(key, "stands twice"));
            }
        }
        Ok(Lines(lines))
    }

    fn bytes(&mut self, key: &str) -> Result<Option<Vec<u8>>, ClientError> {
        // What is wrong stays out of the message: it may be a secret.
        let hex = self.0.remove(key);
        hex.map(|hex| bytes_of_hex(hex).ok_or_else(|| wrong(key, "is not pairs of hexadecimal digits"))).transpose()
    }

    fn number(&mut self, key: &str, standard: u64, allowed: RangeInclusive<u64>) -> Result<u64, ClientError> {
        let Some(found) = self.0.remove(key) else { return Ok(standard) };
        let number = found.parse().ok().filter(|number| allowed.contains(number));
        let (low, high) = allowed.into_inner();
        number.ok_or_else(|| wrong(key, format!("found {found:?}; allowed is a number from {low} to {high}")))
    }

    fn flag(&mut self, key: &str, standard: bool) -> Result<bool, ClientError> {
        match self.0.remove(key) {
            None => Ok(standard),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(found) => Err(wrong(key, format!("found {found:?}; allowed: true, false"))),
        }
    }

    fn trust(&mut self) -> Result<TrustAnchor, ClientError> {
        let trust = match (self.bytes("trust_pem_hex")?, self.0.remove("fingerprint")) {
            (Some(pem), None) => TrustAnchor::pem(&pem)?,
            (None, Some(fingerprint)) => TrustAnchor::fingerprint_hex(fingerprint)?,
            _ => return Err(wrong("trust_pem_hex", "either this or fingerprint is needed, to know the server by")),
        };
        Ok(match self.0.remove("server_name") {
            Some(name) => trust.with_server_name(name),
            None => trust,
        })
    }

    fn identity(&mut self) -> Result<Option<ClientIdentity>, ClientError> {
        match (self.bytes("identity_pem_hex")?, self.bytes("identity_key_pem_hex")?) {
            (Some(chain), Some(key)) => ClientIdentity::pem(&chain, &key).map(Some),
            (None, None) => Ok(None),
            _ => Err(wrong("identity_pem_hex", "certificate and key go together")),
        }
    }

    fn options(&mut self) -> Result<EngineClientOptions, ClientError> {
        let mut options = EngineClientOptions::default();
        let network = &mut options.network;
        network.connect_timeout_ms = self.number("connect_timeout_ms", network.connect_timeout_ms, 1..=TIME_MAX_MS)?;
        network.idle_timeout_ms =
            self.number("idle_timeout_ms", network.idle_timeout_ms.into(), 100..=TIME_MAX_MS)? as u32;
        network.keep_alive_ms = self.number("keep_alive_ms", network.keep_alive_ms, 10..=TIME_MAX_MS)?;
        network.resumption = self.flag("resumption", network.resumption)?;
        let reconnect_timeout_ms = options.reconnect_timeout_ms;
        options.reconnect_timeout_ms = self.number("reconnect_timeout_ms", reconnect_timeout_ms, 0..=TIME_MAX_MS)?;
        let in_flight_max = options.in_flight_max as u64;
        options.in_flight_max = self.number("in_flight_max", in_flight_max, 1..=IN_FLIGHT_LIMIT as u64)? as usize;
        options.updates_max = self.number("updates_max", 0, 0..=UPDATES_LIMIT)? as usize;
        let datagram_timeout_ms = options.datagram_timeout_ms;
        options.datagram_timeout_ms = self.number("datagram_timeout_ms", datagram_timeout_ms, 1..=TIME_MAX_MS)?;
        options.sole_writer = self.flag("sole_writer", options.sole_writer)?;
        Ok(options)
    }
}

impl EngineClient {
    /// Opens a session as lines `key=value` describe it, on a thread of its own ([`EngineClient::open_on_thread`]).
    ///
    /// `address` is host:port; `trust_pem_hex` or `fingerprint`, and `server_name`, tell whom to take for the server;
    /// `identity_pem_hex` and `identity_key_pem_hex` are the client's own certificate; `token_hex` its token; then
    /// `in_flight_max`, `sole_writer`, `updates_max`, `datagram_timeout_ms`, `reconnect_timeout_ms`, `connect_timeout_ms`, `idle_timeout_ms`, `keep_alive_ms`,
    /// `resumption`, as in [`EngineClientOptions`]. PEM text and tokens are written in hexadecimal digits.
    ///
    /// # Errors
    /// [`ClientError::Setting`] names the key that is wrong or unknown; else those of
    /// [`open_on_thread`](EngineClient::open_on_thread).
    pub fn open_described(text: &str) -> Result<(EngineClient, EngineClientOptions), ClientError> {
        let mut lines = Lines::parse(text)?;
        let target = lines.0.remove("address").unwrap_or_default();
        let address = target.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
        let address = address.ok_or_else(|| wrong("address", format!("found {target:?}; allowed is host:port")))?;
        let (trust, identity, token) = (lines.trust()?, lines.identity()?, lines.bytes("token_hex")?);
        let options = lines.options()?;
        if let Some(unknown) = lines.0.keys().next() {
            return Err(wrong(unknown, "unknown key"));
        }
        let engine = EngineAddress { address, trust: &trust, identity: identity.as_ref(), token: token.as_deref() };
        Ok((EngineClient::open_on_thread(&engine, &options)?, options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_line_is_refused_with_its_key_before_anything_is_sent() {
        let good = format!("address=127.0.0.1:9\nfingerprint={}", "00".repeat(32));
        for (more, part) in [
            ("nonsense", "settings"),
            ("address=1.2.3.4:5", "address: stands twice"),
            ("trust_pem_hex=00", "trust_pem_hex: either this or fingerprint"),
            ("token_hex=0x", "token_hex: is not pairs"),
            ("identity_pem_hex=00", "go together"),
            ("identity_pem_hex=00\nidentity_key_pem_hex=00", "certificate"),
            ("in_flight_max=0", "in_flight_max: found \"0\"; allowed is a number from 1 to 65536"),
            ("reconnect_timeout_ms=-1", "reconnect_timeout_ms"),
            ("sole_writer=yes", "sole_writer"),
            ("colour=blue", "colour: unknown key"),
        ] {
            let error = EngineClient::open_described(&format!("{good}\n{more}")).unwrap_err().to_string();
            assert!(error.contains(part), "{more}: {error}");
        }
        for text in ["", "address=nowhere", "fingerprint=00"] {
            let error = EngineClient::open_described(text).unwrap_err().to_string();
            assert!(error.contains("address: found"), "{text}: {error}");
        }
    }
}
