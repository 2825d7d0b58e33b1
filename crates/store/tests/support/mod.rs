//! A shard of small pages for tests of large values.

use larder_store::{
    Hint, KeyHasher, Moment, Pin, Shard, ShardConfig, StoreRequest, StoreVerb, Stored, Uniques,
    Value,
};

pub(crate) const PAGE: usize = 64 << 10;

struct Zero;

impl Uniques for Zero {
    fn next(&self) -> u64 {
        0
    }
}

/// A shard, in which it is the first second.
pub(crate) struct Store {
    pub(crate) shard: Shard,
    pub(crate) hasher: KeyHasher,
}

impl Store {
    pub(crate) fn new(pages: usize) -> Self {
        let config = ShardConfig {
            page_bytes: PAGE,
            item_size_max: 1 << 30,
            ..ShardConfig::default()
        };
        let hasher = KeyHasher::with_seed(1);
        let mut shard = Shard::new(config, hasher.clone());
        shard.grant(pages);
        Self { shard, hasher }
    }

    pub(crate) fn store(&mut self, key: &[u8], value: Value<'_>) -> Stored {
        let request = StoreRequest {
            verb: StoreVerb::Set,
            key,
            flags: 0,
            exptime: 0,
        };
        let at = Moment {
            now: 1,
            uniques: &Zero,
        };
        let hash = self.hasher.hash(key);
        self.shard.store(hash, Hint::NONE, &request, value, at)
    }

    /// Begins to read a large value that is there.
    pub(crate) fn pin(&mut self, key: &[u8]) -> Pin {
        let hash = self.hasher.hash(key);
        match self.shard.get::<0>(hash, Hint::NONE, key, 1) {
            Some(Err(place)) => self.shard.pin(place, 1),
            _ => panic!("a large value is there"),
        }
    }
}
