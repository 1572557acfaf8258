//! Tokens: only what a key signed and time has not overtaken gives rights.

use hmac::{Hmac, KeyInit, Mac};
use lodestone_transport::TokenKey;
use lodestone_transport::wire::Tokens;
use sha2::Sha256;

use crate::script::Script;

const CLAIM_BYTES: usize = 32;
const TOKEN_BYTES: usize = 64;

/// The keys of the server that is asked.
pub(crate) fn keys() -> [TokenKey; 2] {
    [TokenKey { id: 1, secret: vec![1; 32] }, TokenKey { id: 0xffff_0009, secret: vec![9; 65] }]
}

/// The token that a key makes of a claim.
pub(crate) fn signed(key: &TokenKey, claim: &[u8]) -> Vec<u8> {
    let keyed = Hmac::<Sha256>::new_from_slice(&key.secret).unwrap_or_else(|_| panic!("HMAC takes keys of any length"));
    [claim, &keyed.chain_update(claim).finalize().into_bytes()].concat()
}

/// The first byte says whether the claim is signed here before it is asked about; else all is the stranger's.
pub(crate) fn run(input: &[u8]) {
    let keys = keys();
    let tokens = Tokens::new(&keys).unwrap_or_else(|error| panic!("{error}"));
    let mut script = Script(input);
    let (sign, now_unix_ms) = (script.u8(), script.u64());
    if sign == 0 {
        let token = script.take(usize::MAX);
        if tokens.check(token, now_unix_ms).is_ok() {
            assert_eq!(token.len(), TOKEN_BYTES);
            let genuine = keys.iter().any(|key| signed(key, &token[..CLAIM_BYTES]) == token);
            assert!(genuine, "a token that no key signed was accepted");
        }
        return;
    }
    let key = &keys[usize::from(sign) % keys.len()];
    let (bit, mut claim) = (usize::from(script.u16()) % (TOKEN_BYTES * 8), [0; CLAIM_BYTES]);
    claim[..4].copy_from_slice(&key.id.to_le_bytes());
    let rest = script.take(CLAIM_BYTES - 4);
    claim[4..4 + rest.len()].copy_from_slice(rest);
    let mut token = signed(key, &claim);
    let mut fields = Script(&claim[4..]);
    let mut half = || u32::from(fields.u16()) | u32::from(fields.u16()) << 16;
    let (tenant, expires_low, expires_high, first, last) = (half(), half(), half(), half(), half());
    let expires = u64::from(expires_high) << 32 | u64::from(expires_low);
    let rights = (tenant, first, last, Some(fields.u64()));
    assert_eq!(tokens.check(&token, now_unix_ms).ok(), (now_unix_ms < expires).then_some(rights));
    token[bit / 8] ^= 1 << (bit % 8);
    assert!(tokens.check(&token, now_unix_ms).is_err(), "a token with a changed bit was accepted");
}
