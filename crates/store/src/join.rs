//! append and prepend: what is there, and more.
//!
//! Client flags and exptime stay; the CAS unique is new. A short value is written anew. To a chunked one pieces are added
//! at either end: what came in one command first fills the piece that is there, and a new one has room for an eighth of
//! the value, at most a page, so that a value that grows byte by byte takes little more memory than one that came at once.

use crate::chain::NoMemory;
use crate::chunk::ChunkId;
use crate::class::ClassId;
use crate::hash::KeyHash;
use crate::item::{Item, ItemMut};
use crate::limits::CHUNK_MAX;
use crate::pending::Lost;
use crate::shard::{Moment, Shard};
use crate::write::{StoreRequest, StoreVerb, Stored, Value};

impl Shard {
    /// Adds to the value that is there.
    pub(crate) fn join(
        &mut self,
        hash: KeyHash,
        id: ChunkId,
        value: Value<'_>,
        in_front: bool,
        at: Moment<'_>,
    ) -> Stored {
        let item = Item::new(self.slab.pages.chunk(id));
        let added = match &value {
            Value::Bytes(bytes) => bytes.len(),
            Value::Arrived(pending) => pending.total as usize,
        };
        let total = item.value_len() as usize + added;
        if total > u32::MAX as usize
            || !self
                .config
                .fits(item.key().len(), item.flags(), total as u32)
        {
            if let Value::Arrived(pending) = value {
                self.abandon(pending);
            }
            return Stored::NotStored;
        }
        match value {
            Value::Bytes(bytes) if !item.chunked() && item.front_len() + total <= CHUNK_MAX => {
                self.join_in_chunk(hash, id, bytes, in_front, at)
            }
            value => {
                self.guard = id;
                let stored = self.join_chain(hash, id, value, in_front, at);
                self.guard = ChunkId::NONE;
                stored
            }
        }
    }

    /// Joins where the result is an item in one chunk.
    fn join_in_chunk(
        &mut self,
        hash: KeyHash,
        id: ChunkId,
        bytes: &[u8],
        in_front: bool,
        at: Moment<'_>,
    ) -> Stored {
        let item = Item::new(self.slab.pages.chunk(id));
        let old_len = item.value_len() as usize;
        let total = old_len + bytes.len();
        let class = ClassId::for_size(item.front_len() + total);
        if class != self.slab.class_of(id) {
            let old = item.value().to_vec();
            return match self.rewrite(hash, id, total, at) {
                Some((new, cas)) => {
                    let room = ItemMut(self.slab.pages.chunk_mut(new)).0;
                    let start = Item::new(room).front_len();
                    let (front, back) = if in_front {
                        (bytes, &old[..])
                    } else {
                        (&old[..], bytes)
                    };
                    room[start..start + front.len()].copy_from_slice(front);
                    room[start + front.len()..start + total].copy_from_slice(back);
                    Stored::Stored(cas)
                }
                None => Stored::NoMemory,
            };
        }
        self.count_out(id);
        let cas = self.unique(at);
        let mut item = ItemMut(self.slab.pages.chunk_mut(id));
        item.set_value_len(total as u32);
        item.set_cas(cas);
        item.set_accessed(at.now);
        item.renew();
        let room = item.value_room();
        if in_front {
            room.copy_within(..old_len, bytes.len());
            room[..bytes.len()].copy_from_slice(bytes);
        } else {
            room[old_len..total].copy_from_slice(bytes);
        }
        self.slab.stats_of(id).cmd_set += 1;
        self.count_in(id);
        Stored::Stored(cas)
    }

    /// Joins where the result is a chunked item, which eviction is to leave alone meanwhile.
    fn join_chain(
        &mut self,
        hash: KeyHash,
        id: ChunkId,
        value: Value<'_>,
        in_front: bool,
        at: Moment<'_>,
    ) -> Stored {
        let item = Item::new(self.slab.pages.chunk(id));
        let own = item.chunked().then(|| item.chain());
        let old_len = item.value_len() as usize;
        // Of these, what there is room for goes into the piece that is there.
        let mut filling: &[u8] = &[];
        let (added, added_len) = match value {
            Value::Arrived(pending) => {
                let len = pending.total as usize;
                match self.finish(pending) {
                    Ok(chain) => (chain, len),
                    Err(Lost::Flushed) => return Stored::NotStored,
                    Err(Lost::Revoked) => return Stored::NoMemory,
                }
            }
            Value::Bytes(bytes) => {
                let room = own.map_or(0, |chain| self.room_at(chain, in_front));
                let room = room.min(bytes.len());
                let rest = match in_front {
                    true => bytes.split_at(bytes.len() - room).0,
                    false => bytes.split_at(room).1,
                };
                filling = bytes;
                match self.build_chain(rest, old_len + bytes.len(), in_front, at.now) {
                    Ok(chain) => (chain, bytes.len()),
                    Err(NoMemory) => return Stored::NoMemory,
                }
            }
        };
        if let Some(chain) = own {
            self.fill(chain, filling, in_front);
            self.splice(chain, added, in_front);
            return self.restamp(id, added_len, at);
        }
        self.convert(hash, id, added, added_len, in_front, at)
    }

    /// A chunked item has grown.
    fn restamp(&mut self, id: ChunkId, added_len: usize, at: Moment<'_>) -> Stored {
        self.count_out(id);
        let cas = self.unique(at);
        let total = Item::new(self.slab.pages.chunk(id)).value_len() + added_len as u32;
        let mut item = ItemMut(self.slab.pages.chunk_mut(id));
        item.set_value_len(total);
        item.set_cas(cas);
        item.set_accessed(at.now);
        item.renew();
        self.slab.stats_of(id).cmd_set += 1;
        self.count_in(id);
        Stored::Stored(cas)
    }

    /// An item in one chunk becomes a chunked one: its value and the added pieces.
    fn convert(
        &mut self,
        hash: KeyHash,
        id: ChunkId,
        added: usize,
        added_len: usize,
        in_front: bool,
        at: Moment<'_>,
    ) -> Stored {
        let item = Item::new(self.slab.pages.chunk(id));
        let (flags, exptime, old) = (item.flags(), item.exptime(), item.value().to_vec());
        let marks = item.marks();
        let (key, key_len) = self.copy_key(id);
        let Ok(chain) = self.build_chain(&old, old.len() + added_len, false, at.now) else {
            self.doom(added);
            return Stored::NoMemory;
        };
        self.splice(chain, added, in_front);
        let request = StoreRequest {
            verb: StoreVerb::Set,
            key: &key[..key_len],
            flags,
            exptime,
        };
        let stored = self.write_chunked(hash, &request, Some(id), chain, old.len() + added_len, at);
        if matches!(stored, Stored::Stored(_)) {
            self.keep_key_binary(hash, request.key, marks);
        }
        stored
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BORROW_COPY_MAX, Hint, KeyHasher, ShardConfig, StoreStats, Uniques};

    struct NoUniques;

    impl Uniques for NoUniques {
        fn next(&self) -> u64 {
            1
        }
    }

    const APPEND: StoreVerb = StoreVerb::Append(0);
    const PREPEND: StoreVerb = StoreVerb::Prepend(0);

    #[test]
    fn a_value_that_grows_byte_by_byte_takes_little_more_than_at_once() {
        for len in [5_000, 8_000, 12_000, 16_000, 40_000, 60_000] {
            let at_once = used_after(|store| store(StoreVerb::Set, &vec![b'x'; len]));
            for verbs in [[APPEND, APPEND], [PREPEND, PREPEND], [APPEND, PREPEND]] {
                let grown = used_after(|store| {
                    store(StoreVerb::Set, b"x");
                    (1..len).for_each(|at| store(verbs[at % 2], b"x"));
                });
                let allowed = at_once + at_once / 4 + 2 * 4096;
                assert!(
                    grown <= allowed,
                    "{len} by {verbs:?}: {grown} bytes, {at_once} at once"
                );
            }
        }
    }

    /// Large enough that new pieces are whole pages.
    #[test]
    fn a_large_value_that_grows_at_its_front_stays_within_its_memory() {
        let grown = used_after(|store| {
            store(StoreVerb::Set, &[b'x'; BORROW_COPY_MAX]);
            (0..3).for_each(|_| store(APPEND, &[b'x'; BORROW_COPY_MAX]));
            (0..10_000).for_each(|_| store(PREPEND, b"x"));
        });
        assert!(grown <= 5 * BORROW_COPY_MAX as u64, "{grown} bytes");
    }

    /// Bytes of the chunks that are in use after some commands on one key.
    fn used_after(commands: impl FnOnce(&mut dyn FnMut(StoreVerb, &[u8]))) -> u64 {
        let hasher = KeyHasher::with_seed(1);
        let mut shard = Shard::new(ShardConfig::default(), hasher.clone());
        shard.grant(64);
        commands(&mut |verb, bytes| {
            let request = StoreRequest {
                verb,
                key: b"key",
                flags: 0,
                exptime: 0,
            };
            let at = Moment {
                now: 1,
                uniques: &NoUniques,
            };
            let hash = hasher.hash(request.key);
            let stored = shard.store(hash, Hint::NONE, &request, Value::Bytes(bytes), at);
            assert_eq!(stored, Stored::Stored(1));
        });
        let mut sum = StoreStats::default();
        shard.add_stats(&mut sum, 1);
        let used = |class: &crate::ClassStats| class.used_chunks * u64::from(class.chunk_size);
        sum.classes.iter().map(used).sum()
    }
}
