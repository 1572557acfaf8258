//! The keys of what a server must know again after a restart, and another server must not: stateless resets, connection ids
//! and Retry tokens.

use std::net::SocketAddr;
use std::sync::Arc;

use quinn_proto::crypto::{HandshakeTokenKey, HmacKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::hmac;

use crate::config::Certificate;

/// Bytes of each key.
const KEY_BYTES: usize = 32;
/// Parts other keys from these, should their derivation ever change.
const SALT: &[u8] = b"lodestone server keys 1";

/// Keys that outlive the process. They are derived by HKDF from the private key of the certificate and from what the server
/// is called, so that nobody has to keep another secret, and servers that share a certificate share none of these. A server
/// that knew another's connection ids could be made to end that one's connections, by whoever sends it a packet for one.
pub(crate) struct ServerKeys {
    /// Signs stateless resets: whoever has it proves that it was the one who forgot a connection.
    pub(crate) reset: Arc<dyn HmacKey>,
    /// What connection ids are recognised by.
    pub(crate) connection_ids: hmac::Key,
    /// Seals Retry tokens, by which a client proves its address.
    pub(crate) retry: Arc<dyn HandshakeTokenKey>,
}

impl ServerKeys {
    /// The keys that go with certificate files; `None` for a certificate made at start, which ends with the process.
    pub(crate) fn of(certificate: &Certificate, server_id: &ServerId) -> Option<ServerKeys> {
        let Certificate::Pem { key_file, .. } = certificate else { return None };
        // The certificate was loaded from it just now, so it can be read; if not, the keys are ones by chance.
        let private = std::fs::read(key_file).ok()?;
        ServerKeys::derive(&private, server_id)
    }

    fn derive(private: &[u8], server_id: &ServerId) -> Option<ServerKeys> {
        let root = Salt::new(HKDF_SHA256, SALT).extract(private);
        let key = |purpose: &str| expand(&root, &[purpose.as_bytes(), &[0], server_id.0.as_bytes()]);
        Some(ServerKeys {
            reset: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &key("stateless reset")?)),
            connection_ids: hmac::Key::new(hmac::HMAC_SHA256, &key("connection ids")?),
            retry: Arc::new(Prk::new_less_safe(HKDF_SHA256, &key("retry")?)),
        })
    }
}

/// `None` never comes: HKDF fails for keys of thousands of bytes alone.
fn expand(root: &Prk, info: &[&[u8]]) -> Option<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    debug_assert_eq!(KeyType::len(&HKDF_SHA256), KEY_BYTES);
    root.expand(info, HKDF_SHA256).and_then(|expanded| expanded.fill(&mut key)).ok()?;
    Some(key)
}

/// What no other server with the same certificate is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerId(String);

impl ServerId {
    /// As configured; where nothing is, the name of the machine and the address that is listened on.
    pub(crate) fn new(configured: &str, address: SocketAddr) -> ServerId {
        if configured.is_empty() {
            // Absent where there is no such file: then two machines that listen on all of their addresses need names.
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            ServerId(format!("host {} address {address}", host.trim_end()))
        } else {
            ServerId(format!("name {configured}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(private: &[u8], configured: &str, address: &str) -> ServerKeys {
        ServerKeys::derive(private, &ServerId::new(configured, address.parse().unwrap())).unwrap()
    }

    /// Something that each key makes of the same.
    fn marks(keys: &ServerKeys) -> ([u8; KEY_BYTES], Vec<u8>, Vec<u8>) {
        let (mut signature, mut sealed) = ([0; KEY_BYTES], b"a token".to_vec());
        keys.reset.sign(b"a connection id", &mut signature);
        keys.retry.aead_from_hkdf(b"a nonce").seal(&mut sealed, b"").unwrap();
        let id = hmac::sign(&keys.connection_ids, b"a connection id").as_ref().to_vec();
        assert_ne!(id, signature, "one key for two ends");
        (signature, id, sealed)
    }

    #[test]
    fn the_same_file_and_name_give_the_same_keys_and_anything_else_gives_others() {
        let all = [
            keys(b"one", "", "127.0.0.1:1"),
            keys(b"one", "", "127.0.0.1:2"),
            keys(b"one", "a", "127.0.0.1:1"),
            keys(b"one", "b", "127.0.0.1:1"),
            keys(b"other", "", "127.0.0.1:1"),
            keys(b"other", "a", "127.0.0.1:1"),
        ];
        for (index, one) in all.iter().map(marks).enumerate() {
            for (other_index, other) in all.iter().map(marks).enumerate() {
                let same = index == other_index;
                let found = (one.0 == other.0, one.1 == other.1, one.2 == other.2);
                assert_eq!(found, (same, same, same), "{index} and {other_index}");
            }
        }
        // A name counts alone: a server may move.
        let moved = keys(b"one", "a", "127.0.0.1:9");
        assert_eq!(marks(&moved), marks(&keys(b"one", "a", "[::1]:1")));
    }
}
