//! The key of stateless resets: how a server proves that it was the one who forgot a connection.

use hmac::{Hmac, KeyInit, Mac};
use quinn_proto::crypto::{CryptoError, HmacKey};
use sha2::{Digest, Sha256};

use crate::config::Certificate;
use crate::frame::u64_at;

/// Bytes of HMAC-SHA-256.
const SIGNATURE_BYTES: usize = 32;

/// HMAC-SHA-256 under a secret that outlives the process: it is derived from the private key of the certificate, so
/// nobody has to keep another one.
pub(crate) struct ResetKey {
    secret: [u8; SIGNATURE_BYTES],
    keyed: Option<Hmac<Sha256>>,
}

impl ResetKey {
    /// The key that goes with certificate files; `None` for a certificate made at start, which ends with the process.
    pub(crate) fn of(certificate: &Certificate) -> Option<ResetKey> {
        let Certificate::Pem { key_file, .. } = certificate else { return None };
        // The certificate was loaded from it just now, so it can be read; if not, the key is one by chance.
        let private = std::fs::read(key_file).ok()?;
        Some(ResetKey::new(&private))
    }

    fn new(private: &[u8]) -> ResetKey {
        let secret = Sha256::new().chain_update(b"lodestone stateless reset").chain_update(private).finalize().into();
        // HMAC takes keys of any length; the type cannot say so.
        ResetKey { secret, keyed: Hmac::new_from_slice(&secret).ok() }
    }

    /// The key that connection ids are recognised by.
    pub(crate) fn connection_ids(&self) -> u64 {
        let digest = Sha256::new().chain_update(b"lodestone connection ids").chain_update(self.secret).finalize();
        u64_at(&digest, 0)
    }

    fn signature(&self, data: &[u8]) -> [u8; SIGNATURE_BYTES] {
        match &self.keyed {
            Some(keyed) => keyed.clone().chain_update(data).finalize().into_bytes().into(),
            None => [0; SIGNATURE_BYTES],
        }
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        let bytes = signature_out.len().min(SIGNATURE_BYTES);
        signature_out[..bytes].copy_from_slice(&self.signature(data)[..bytes]);
    }

    fn signature_len(&self) -> usize {
        SIGNATURE_BYTES
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        match &self.keyed {
            Some(keyed) => keyed.clone().chain_update(data).verify_slice(signature).map_err(|_| CryptoError),
            None => Err(CryptoError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_file_gives_the_same_signatures_and_another_gives_others() {
        let sign = |key: &ResetKey| {
            let mut signature = [0; SIGNATURE_BYTES];
            key.sign(b"a connection id", &mut signature);
            signature
        };
        let (one, again, other) = (ResetKey::new(b"one"), ResetKey::new(b"one"), ResetKey::new(b"other"));
        assert_eq!((sign(&one), one.connection_ids()), (sign(&again), again.connection_ids()));
        assert_ne!(sign(&one), sign(&other));
        assert_ne!(one.connection_ids(), other.connection_ids());
        assert!(again.verify(b"a connection id", &sign(&one)).is_ok());
        assert!(other.verify(b"a connection id", &sign(&one)).is_err());
    }
}
