//! Which bits of a key's hash belong to whom.
//!
//! ```text
//!  63    57 56           40 39              16 15       8 7         0
//! | tag    | shard         | index segment    | weight    | bucket  |
//! ```
//!
//! hashbrown takes a bucket from the lowest bits and a 7-bit tag from the highest. If the shard or the segment were
//! chosen by bits that the table uses too, all keys of a table would share them and cluster; so each has its own.
//! The weight evens out how full the segments are ([`LIGHT`]).

use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;

const WEIGHT_SHIFT: u32 = 8;
const SEGMENT_SHIFT: u32 = 16;
const SHARD_SHIFT: u32 = 40;
const SHARD_BITS: u32 = 17;
const SEGMENT_BITS: u32 = SHARD_SHIFT - SEGMENT_SHIFT + 1;

/// Keys whose weight is below this, of 256, go to segments with even numbers: two for every three that go to odd ones.
///
/// So segments are unequal on purpose. Were they equal, all their tables would pass from 112 items, where they are
/// full, to 113, where they are half empty, at once, and an item's share of the index would go up and down by the
/// factor of two as the shard grows. Four weights, drawn by a table, are hardly better (72 to 76 bytes per item of
/// 16 + 16, at `-m` 40 to 112, where this had 72 to 77 then) and cost 14 instructions more per key.
const LIGHT: u8 = 100;

/// Behind the last place of a walk.
pub(crate) const WALK_END: u32 = 1 << SEGMENT_BITS;

/// The place of the segments that begin with these bits, lowest first; and back again.
pub(crate) fn walk_place(segment_bits: usize) -> u32 {
    (segment_bits as u32).reverse_bits() >> (u32::BITS - SEGMENT_BITS)
}

/// The hash of a key, good for this process only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHash(u64);

impl KeyHash {
    /// The shard, of `shards`, that the key lives in. At most 2^17 shards.
    #[inline]
    pub fn shard(self, shards: usize) -> usize {
        let bits = (self.0 >> SHARD_SHIFT) & ((1 << SHARD_BITS) - 1);
        ((bits * shards as u64) >> SHARD_BITS) as usize
    }

    /// Bits that choose the index segment, the lowest one [`LIGHT`] or not. [`SEGMENT_BITS`] of them are meaningful.
    #[inline]
    pub(crate) fn segment_bits(self) -> usize {
        let equal = (self.0 >> SEGMENT_SHIFT) as usize;
        let heavy = (self.0 >> WEIGHT_SHIFT) as u8 >= LIGHT;
        equal << 1 | usize::from(heavy)
    }

    /// The key's place in a walk along the index, below [`WALK_END`].
    pub(crate) fn walk_place(self) -> u32 {
        walk_place(self.segment_bits())
    }

    /// What hashbrown sees.
    #[inline]
    pub(crate) fn table_bits(self) -> u64 {
        self.0
    }
}

/// Hashes keys with a seed drawn anew in each process, so that nobody outside can choose keys that collide.
#[derive(Clone, Debug)]
pub struct KeyHasher(RandomState);

impl KeyHasher {
    /// A hasher with a random seed. One is made for the process and cloned for every shard.
    pub fn new() -> Self {
        Self(RandomState::new())
    }

    /// A hasher whose seed is given, for tests that must run the same way twice.
    pub fn with_seed(seed: u64) -> Self {
        Self(RandomState::with_seeds(seed, 1, 2, 3))
    }

    /// The hash of `key`.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> KeyHash {
        let mut hasher = self.0.build_hasher();
        hasher.write(key);
        KeyHash(hasher.finish())
    }
}

impl Default for KeyHasher {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_gets_its_share() {
        let hasher = KeyHasher::with_seed(7);
        for shards in [1, 2, 3, 4, 7, 64] {
            let mut counts = vec![0usize; shards];
            for n in 0..10_000 * shards {
                counts[hasher.hash(format!("key:{n}").as_bytes()).shard(shards)] += 1;
            }
            for count in counts {
                assert!((9_000..11_000).contains(&count), "{shards} shards: {count}");
            }
        }
    }
}
