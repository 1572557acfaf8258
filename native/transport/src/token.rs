//! Tokens: who may move which nodes, until when, proven by HMAC-SHA-256.

use std::sync::{Arc, PoisonError, RwLock};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config::{Auth, TokenKey};
use crate::error::TransportError;
use crate::frame::{u32_at, u64_at};

/// Bytes of a token.
const TOKEN_BYTES: usize = 64;
/// Bytes of it that are signed.
const CLAIM_BYTES: usize = 32;

/// What a session may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) tenant: u32,
    /// Inclusive range of nodes that MOVE and RELEASE are limited to.
    pub(crate) node_first: u32,
    pub(crate) node_last: u32,
    /// Names the token for revocation; `None` without tokens.
    pub(crate) nonce: Option<u64>,
    /// When the token opens no more sessions; those that are open stay.
    pub(crate) expires_unix_ms: u64,
}

impl Rights {
    /// What everyone may do where tokens are not asked for.
    pub(crate) const ALL: Rights =
        Rights { tenant: 0, node_first: 0, node_last: u32::MAX, nonce: None, expires_unix_ms: u64::MAX };
}

/// Why a token was refused; the text that the client is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenFault(pub(crate) &'static str);

/// The token of a session that is closed or refused because of a revocation.
pub(crate) const TOKEN_REVOKED: TokenFault = TokenFault("the token was revoked");

/// Lets in who may come in, by today's keys.
pub(crate) struct Gate {
    /// `None`: tokens are not asked for.
    verifier: RwLock<Option<Arc<Verifier>>>,
}

impl Gate {
    /// A gate with these keys.
    ///
    /// # Errors
    /// As [`Verifier::of`].
    pub(crate) fn new(auth: &Auth) -> Result<Gate, TransportError> {
        Ok(Gate { verifier: RwLock::new(Verifier::of(auth)?.map(Arc::new)) })
    }

    /// From here on these keys count. Sessions that are open stay so.
    pub(crate) fn adopt(&self, verifier: Option<Verifier>) {
        *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = verifier.map(Arc::new);
    }

    /// The rights that the token brings.
    pub(crate) fn check(&self, token: &[u8], now_unix_ms: u64) -> Result<Rights, TokenFault> {
        let verifier = self.verifier.read().unwrap_or_else(PoisonError::into_inner).clone();
        verifier.map_or(Ok(Rights::ALL), |verifier| verifier.check(token, now_unix_ms))
    }
}

/// Checks tokens against the configured keys.
pub(crate) struct Verifier {
    keys: Vec<(u32, Hmac<Sha256>)>,
}

impl Verifier {
    /// Takes up the keys, if there are to be any.
    ///
    /// # Errors
    /// Keys that are too many, too short or named twice, or a secret that HMAC cannot be keyed with.
    pub(crate) fn of(auth: &Auth) -> Result<Option<Verifier>, TransportError> {
        auth.check()?;
        match auth {
            Auth::None => Ok(None),
            Auth::Tokens(keys) => Verifier::new(keys).map(Some),
        }
    }

    /// Takes up the keys.
    ///
    /// # Errors
    /// A secret that HMAC cannot be keyed with.
    pub(crate) fn new(keys: &[TokenKey]) -> Result<Verifier, TransportError> {
        let keys = keys
            .iter()
            .map(|key| match Hmac::<Sha256>::new_from_slice(&key.secret) {
                Ok(keyed) => Ok((key.id, keyed)),
                Err(error) => Err(TransportError::Auth { reason: format!("key {}: {error}", key.id) }),
            })
            .collect::<Result<_, _>>()?;
        Ok(Verifier { keys })
    }

    /// The rights of a token that was signed with one of the keys and has not expired. The signature is checked first
    /// and in constant time, so that only the holder of a genuine token learns more than that it is not valid.
    pub(crate) fn check(&self, token: &[u8], now_unix_ms: u64) -> Result<Rights, TokenFault> {
        if token.is_empty() {
            return Err(TokenFault("a token is needed"));
        }
        let not_valid = TokenFault("the token is not valid");
        if token.len() != TOKEN_BYTES {
            return Err(not_valid);
        }
        let (claim, signature) = token.split_at(CLAIM_BYTES);
        let key_id = u32_at(claim, 0);
        let (_, keyed) = self.keys.iter().find(|(id, _)| *id == key_id).ok_or(not_valid)?;
        keyed.clone().chain_update(claim).verify_slice(signature).map_err(|_| not_valid)?;
        let expires_unix_ms = u64_at(claim, 8);
        if now_unix_ms >= expires_unix_ms {
            return Err(TokenFault("the token has expired"));
        }
        let (node_first, node_last) = (u32_at(claim, 16), u32_at(claim, 20));
        let (tenant, nonce) = (u32_at(claim, 4), Some(u64_at(claim, 24)));
        Ok(Rights { tenant, node_first, node_last, nonce, expires_unix_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Vec<TokenKey> {
        vec![TokenKey { id: 1, secret: vec![1; 32] }, TokenKey { id: 9, secret: vec![9; 40] }]
    }

    fn token(key: &TokenKey, expires_unix_ms: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&key.id.to_le_bytes());
        bytes.extend_from_slice(&77_u32.to_le_bytes());
        bytes.extend_from_slice(&expires_unix_ms.to_le_bytes());
        bytes.extend_from_slice(&10_u32.to_le_bytes());
        bytes.extend_from_slice(&20_u32.to_le_bytes());
        bytes.extend_from_slice(&0xabcd_u64.to_le_bytes());
        let signature = Hmac::<Sha256>::new_from_slice(&key.secret).unwrap().chain_update(&bytes).finalize();
        bytes.extend_from_slice(&signature.into_bytes());
        bytes
    }

    #[test]
    fn a_good_token_brings_its_rights_under_each_key() {
        let verifier = Verifier::new(&keys()).unwrap();
        for key in keys() {
            let rights = verifier.check(&token(&key, 1000), 999).unwrap();
            let nonce = Some(0xabcd);
            let wanted = Rights { tenant: 77, node_first: 10, node_last: 20, nonce, expires_unix_ms: 1000 };
            assert_eq!(rights, wanted);
        }
    }

    #[test]
    fn a_token_expires_at_its_very_millisecond() {
        let verifier = Verifier::new(&keys()).unwrap();
        let bytes = token(&keys()[0], 1000);
        assert!(verifier.check(&bytes, 999).is_ok());
        assert_eq!(verifier.check(&bytes, 1000), Err(TokenFault("the token has expired")));
    }

    #[test]
    fn every_changed_bit_and_every_other_length_is_refused() {
        let verifier = Verifier::new(&keys()).unwrap();
        let good = token(&keys()[0], 1000);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verifier.check(&bad, 1), Err(TokenFault("the token is not valid")), "bit {bit}");
        }
        for length in 0..=good.len() * 2 {
            let mut bad = good.clone();
            bad.resize(length, 0);
            assert_eq!(verifier.check(&bad, 1).is_ok(), length == good.len(), "length {length}");
        }
    }

    #[test]
    fn a_token_of_an_unknown_key_is_refused() {
        let verifier = Verifier::new(&keys()).unwrap();
        let stranger = TokenKey { id: 2, secret: vec![1; 32] };
        assert!(verifier.check(&token(&stranger, 1000), 1).is_err());
    }
}
