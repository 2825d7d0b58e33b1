//! Hashes of C programs that no well-kept crate has to the byte.

use super::little_endian;

/// A byte as C's `char` on x86: from 0x80 it is negative, and all the upper bits are set.
fn signed(byte: u8) -> u32 {
    i32::from(byte.cast_signed()).cast_unsigned()
}

/// Bob Jenkins's one-at-a-time.
pub(super) fn one_at_a_time(bytes: &[u8]) -> u32 {
    let mixed = bytes.iter().fold(0u32, |hash, byte| {
        let hash = hash.wrapping_add(signed(*byte));
        let hash = hash.wrapping_add(hash << 10);
        hash ^ hash >> 6
    });
    let hash = mixed.wrapping_add(mixed << 3);
    let hash = hash ^ hash >> 11;
    hash.wrapping_add(hash << 15)
}

const FNV_32_START: u32 = 0x811c_9dc5;
const FNV_32_PRIME: u32 = 0x0100_0193;
const FNV_64_START: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_64_PRIME: u64 = 0x0100_0000_01b3;

/// FNV-1, 32 bits.
pub(super) fn fnv1_32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(FNV_32_START, |hash, byte| {
        hash.wrapping_mul(FNV_32_PRIME) ^ signed(*byte)
    })
}

/// FNV-1a, 32 bits.
pub(super) fn fnv1a_32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(FNV_32_START, |hash, byte| {
        (hash ^ signed(*byte)).wrapping_mul(FNV_32_PRIME)
    })
}

/// The lower half of a 64-bit FNV-1. The sign of a byte reaches the upper half too, which this half never sees.
pub(super) fn fnv1_64(bytes: &[u8]) -> u32 {
    let hash = bytes.iter().fold(FNV_64_START, |hash, byte| {
        hash.wrapping_mul(FNV_64_PRIME) ^ u64::from(signed(*byte))
    });
    hash as u32
}

/// The lower half of a 64-bit FNV-1a.
pub(super) fn fnv1a_64(bytes: &[u8]) -> u32 {
    let hash = bytes.iter().fold(FNV_64_START, |hash, byte| {
        (hash ^ u64::from(signed(*byte))).wrapping_mul(FNV_64_PRIME)
    });
    hash as u32
}

/// twemproxy's CRC-16 of polynomial 0x1021, whose upper half is never cut off: it holds what was shifted out.
pub(super) fn crc16(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0u32, |crc, byte| {
        let index = (crc >> 8 ^ u32::from(*byte)) & 0xff;
        let entry = (0..8).fold(index << 8, |entry, _| {
            let next = entry << 1;
            if entry & 0x8000 == 0 {
                next
            } else {
                next ^ 0x1021
            }
        });
        crc << 8 ^ entry & 0xffff
    })
}

/// Austin Appleby's MurmurHash2, 32 bits.
pub(super) fn murmur2(bytes: &[u8], seed: u32) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let words = bytes.chunks_exact(4);
    let tail = words.remainder();
    let start = seed ^ bytes.len() as u32;
    let mut hash = words.fold(start, |hash, word| {
        let k = little_endian(word).wrapping_mul(M);
        hash.wrapping_mul(M) ^ (k ^ k >> 24).wrapping_mul(M)
    });
    if !tail.is_empty() {
        hash = (hash ^ little_endian(tail)).wrapping_mul(M);
    }
    hash = (hash ^ hash >> 13).wrapping_mul(M);
    hash ^ hash >> 15
}

/// Paul Hsieh's SuperFastHash as twemproxy has it: the third byte of a tail has a sign, a lone one has none.
pub(super) fn hsieh(bytes: &[u8]) -> u32 {
    let half = |two: &[u8]| little_endian(&two[..2]);
    let words = bytes.chunks_exact(4);
    let tail = words.remainder();
    let mut hash = words.fold(0u32, |hash, word| {
        let hash = hash.wrapping_add(half(word));
        let hash = hash << 16 ^ half(&word[2..]) << 11 ^ hash;
        hash.wrapping_add(hash >> 11)
    });
    match tail {
        [byte] => {
            hash = hash.wrapping_add(u32::from(*byte));
            hash ^= hash << 10;
            hash = hash.wrapping_add(hash >> 1);
        }
        [_, _] => {
            hash = hash.wrapping_add(half(tail));
            hash ^= hash << 11;
            hash = hash.wrapping_add(hash >> 17);
        }
        [_, _, third] => {
            hash = hash.wrapping_add(half(tail));
            hash ^= hash << 16;
            hash ^= signed(*third) << 18;
            hash = hash.wrapping_add(hash >> 11);
        }
        _ => {}
    }
    for (left, right) in [(3, 5), (4, 17), (25, 6)] {
        hash ^= hash << left;
        hash = hash.wrapping_add(hash >> right);
    }
    hash
}

/// Bob Jenkins's lookup3 (`hashlittle`) with the start value of libmemcached and twemproxy.
pub(super) fn jenkins(bytes: &[u8]) -> u32 {
    const START: u32 = 13;
    let start = 0xdead_beef_u32
        .wrapping_add(bytes.len() as u32)
        .wrapping_add(START);
    let (mut a, mut b, mut c) = (start, start, start);
    let mut rest = bytes;
    while rest.len() > 12 {
        (a, b, c) = add(rest, a, b, c);
        // Each line of the original's mixing is the one before with the three words' parts passed on.
        for left in [4, 6, 8, 16, 19, 4] {
            a = a.wrapping_sub(c) ^ c.rotate_left(left);
            c = c.wrapping_add(b);
            (a, b, c) = (b, c, a);
        }
        rest = &rest[12..];
    }
    if rest.is_empty() {
        return c;
    }
    (a, b, c) = add(rest, a, b, c);
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

/// Adds up to twelve bytes, as if zeros followed, to three words.
fn add(bytes: &[u8], a: u32, b: u32, c: u32) -> (u32, u32, u32) {
    let word = |at: usize| little_endian(bytes.get(at..).unwrap_or_default());
    (
        a.wrapping_add(word(0)),
        b.wrapping_add(word(4)),
        c.wrapping_add(word(8)),
    )
}
