//! The hashes that C clients and proxies let their users choose from.
//!
//! What follows libmemcached's and twemproxy's names is what those programs compute on x86-64, oddities included:
//! `crc` has only 15 bits, `crc16` more than 16, the `fnv*_64` are cut to 32 bits, and `one_at_a_time` and `fnv*` take
//! bytes from 0x80 for negative numbers. Where C's `char` has no sign (ARM), those five differ for such keys.

mod c;
pub(super) mod java;

use std::fmt;
use std::str::FromStr;

use md5::{Digest, Md5};
use thiserror::Error;

/// A hash under the name that libmemcached and twemproxy give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are what there is to say")]
pub enum KeyHash {
    OneAtATime,
    Md5,
    /// 15 bits of a CRC-32; twemproxy calls it `crc32`. On any ring all keys then live on one node.
    Crc,
    /// The whole CRC-32.
    Crc32a,
    Crc16,
    Fnv64,
    Fnv64a,
    Fnv32,
    Fnv32a,
    Hsieh,
    Murmur,
    Murmur3,
    Jenkins,
}

/// A name that is no hash's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no hash: expected one of {names}", names = names())]
pub struct HashError(pub(super) String);

use KeyHash::{
    Crc, Crc16, Crc32a, Fnv32, Fnv32a, Fnv64, Fnv64a, Hsieh, Jenkins, Md5 as Md5Word, Murmur,
    Murmur3, OneAtATime,
};

/// Every hash with its name.
const NAMES: &[(&str, KeyHash)] = &[
    ("one_at_a_time", OneAtATime),
    ("md5", Md5Word),
    ("crc", Crc),
    ("crc32a", Crc32a),
    ("crc16", Crc16),
    ("fnv1_64", Fnv64),
    ("fnv1a_64", Fnv64a),
    ("fnv1_32", Fnv32),
    ("fnv1a_32", Fnv32a),
    ("hsieh", Hsieh),
    ("murmur", Murmur),
    ("murmur3", Murmur3),
    ("jenkins", Jenkins),
];

/// Those of libmemcached. Its `hsieh` is left out of Debian's library, where every key then hashes to 1.
pub(super) const LIBMEMCACHED: &[KeyHash] = &[
    OneAtATime, Md5Word, Crc, Fnv64, Fnv64a, Fnv32, Fnv32a, Murmur, Murmur3, Jenkins,
];

/// Those of twemproxy.
pub(super) const TWEMPROXY: &[KeyHash] = &[
    OneAtATime, Md5Word, Crc16, Crc, Crc32a, Fnv64, Fnv64a, Fnv32, Fnv32a, Hsieh, Murmur, Jenkins,
];

/// Those of spymemcached, which takes the `fnv*` of UTF-16 units and not of bytes.
pub(super) const SPYMEMCACHED: &[KeyHash] = &[Md5Word, Crc, Fnv64, Fnv64a, Fnv32, Fnv32a];

impl KeyHash {
    /// The hash of some bytes as the C programs compute it.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> u32 {
        // Both murmurs are seeded with the length, which C multiplies without regard to overflow.
        let seed = || 0xdead_beef_u32.wrapping_mul(bytes.len() as u32);
        match self {
            OneAtATime => c::one_at_a_time(bytes),
            Md5Word => md5_word(bytes),
            Crc => crc32fast::hash(bytes) >> 16 & 0x7fff,
            Crc32a => crc32fast::hash(bytes),
            Crc16 => c::crc16(bytes),
            Fnv64 => c::fnv1_64(bytes),
            Fnv64a => c::fnv1a_64(bytes),
            Fnv32 => c::fnv1_32(bytes),
            Fnv32a => c::fnv1a_32(bytes),
            Hsieh => c::hsieh(bytes),
            Murmur => c::murmur2(bytes, seed()),
            Murmur3 => mur3::murmurhash3_x86_32(bytes, seed()),
            Jenkins => c::jenkins(bytes),
        }
    }
}

impl FromStr for KeyHash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        // twemproxy's word for it.
        let name = if text == "crc32" { "crc" } else { text };
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, hash)| *hash)
            .ok_or_else(|| HashError(text.to_owned()))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = NAMES.iter().find(|(_, hash)| hash == self);
        f.write_str(found.map_or("", |(name, _)| name))
    }
}

fn names() -> String {
    let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// The first four bytes of an MD5 digest, least significant first.
pub(super) fn md5_word(bytes: &[u8]) -> u32 {
    little_endian(&Md5::digest(bytes))
}

/// The first four bytes, least significant first.
pub(super) fn little_endian(bytes: &[u8]) -> u32 {
    let word = bytes.iter().take(4).rev();
    word.fold(0, |value, byte| value << 8 | u32::from(*byte))
}
