//! Hashes of languages whose strings are UTF-16. For keys of ASCII the `fnv*` are those of C.

use super::{KeyHash, md5_word};

/// The key as such a language sees it. Bytes that are no UTF-8 could not have come from there.
fn units(key: &[u8]) -> impl Iterator<Item = u16> {
    let text = String::from_utf8_lossy(key);
    text.encode_utf16().collect::<Vec<_>>().into_iter()
}

/// Java's `String.hashCode`, as an unsigned number.
pub(crate) fn string_hash(key: &[u8]) -> u32 {
    units(key).fold(0, |hash: u32, unit| {
        hash.wrapping_mul(31).wrapping_add(u32::from(unit))
    })
}

/// What spymemcached's hashes of these names are; they are all cut to 32 bits.
pub(crate) fn spymemcached(hash: KeyHash, key: &[u8]) -> u32 {
    const START_64: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME_64: u64 = 0x0100_0000_01b3;
    const START_32: u64 = 0x811c_9dc5;
    const PRIME_32: u64 = 0x0100_0193;
    let fnv1 = |start: u64, prime: u64| {
        units(key).fold(start, |hash, unit| {
            hash.wrapping_mul(prime) ^ u64::from(unit)
        }) as u32
    };
    let fnv1a = |start: u64, prime: u64| {
        units(key).fold(start, |hash, unit| {
            (hash ^ u64::from(unit)).wrapping_mul(prime)
        }) as u32
    };
    match hash {
        KeyHash::Md5 => md5_word(key),
        KeyHash::Fnv64 => fnv1(START_64, PRIME_64),
        KeyHash::Fnv64a => fnv1a(START_64, PRIME_64),
        KeyHash::Fnv32 => fnv1(START_32, PRIME_32),
        KeyHash::Fnv32a => fnv1a(START_32, PRIME_32),
        other => other.of(key),
    }
}
