//! The fingerprint that keeps a library and bindings of different versions apart.

/// FNV-1a, 64 bits, over the bytes of the header.
const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        index += 1;
    }
    hash
}

/// Fingerprint of the header that this library was built with.
pub(crate) const ABI_FINGERPRINT: u64 = fnv1a(include_bytes!("../include/lodestone.h"));

/// FNV-1a (64 bits) of the bytes of the C header that this library was built with. Bindings made from another header
/// must not go on.
#[unsafe(no_mangle)]
pub extern "C" fn lodestone_abi_fingerprint() -> u64 {
    ABI_FINGERPRINT
}

#[cfg(test)]
mod tests {
    use super::fnv1a;

    #[test]
    fn the_hash_is_fnv_1a_as_published() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
