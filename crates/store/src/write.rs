//! The six store commands: set, add, replace, append, prepend, cas.

use crate::chain::{NoMemory, head_class};
use crate::chunk::ChunkId;
use crate::class::ClassId;
use crate::hash::KeyHash;
use crate::hint::Hint;
use crate::item::{Head, Item, ItemMut, RelTime, front_len};
use crate::limits::CHUNK_MAX;
use crate::pending::{Lost, Pending};
use crate::shard::{Moment, Shard};

/// Which of the store commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreVerb {
    /// Store, whatever is there.
    Set,
    /// Store only if nothing is there.
    Add,
    /// Store only if something is there.
    Replace,
    /// Put the value behind the one that is there, if that has this CAS unique; 0 is any.
    Append(u64),
    /// Put the value before the one that is there, if that has this CAS unique; 0 is any.
    Prepend(u64),
    /// Store only if the item there has this CAS unique.
    Cas(u64),
}

/// What is to be stored, but for its value.
#[derive(Clone, Copy, Debug)]
pub struct StoreRequest<'a> {
    /// Which command.
    pub verb: StoreVerb,
    /// The key, 1 to [`crate::KEY_MAX`] bytes.
    pub key: &'a [u8],
    /// Client flags. Ignored by append and prepend.
    pub flags: u32,
    /// When the item's time is over; 0 is never. Ignored by append and prepend.
    pub exptime: RelTime,
}

/// The value to be stored.
#[derive(Debug)]
pub enum Value<'a> {
    /// All of it, at most [`crate::BORROW_COPY_MAX`] bytes.
    Bytes(&'a [u8]),
    /// It has come in slices, and none is missing.
    Arrived(Pending),
}

/// What came of a store command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Stored, with this CAS unique (0 when they are switched off).
    Stored(u64),
    /// The verb's condition did not hold, or the joined value would be too large.
    NotStored,
    /// The item's CAS unique is another.
    Exists,
    /// cas: no such item.
    NotFound,
    /// No memory, with nothing left to evict.
    NoMemory,
}

impl Shard {
    /// Carries out a store command. The item must fit, see [`crate::ShardConfig::fits`]; a value that did not find memory takes the
    /// old one of a `set` with it, if that was there when the new one began.
    #[inline(always)]
    pub fn store(
        &mut self,
        hash: KeyHash,
        hint: Hint,
        request: &StoreRequest<'_>,
        value: Value<'_>,
        at: Moment<'_>,
    ) -> Stored {
        let existing = self.lookup_hinted(hash, hint, request.key, at.now);
        let arrived = matches!(value, Value::Arrived(_));
        if let Err(refusal) = self.admit(request.verb, existing, at.now) {
            if let Value::Arrived(pending) = value {
                self.abandon(pending);
            }
            return refusal;
        }
        let stored = match (request.verb, existing) {
            (StoreVerb::Append(_), Some(id)) => self.join(hash, id, value, false, at),
            (StoreVerb::Prepend(_), Some(id)) => self.join(hash, id, value, true, at),
            _ => self.write(hash, request, existing, value, at),
        };
        match stored {
            Stored::NoMemory => {
                if request.verb == StoreVerb::Set {
                    self.forget_old(hash, request.key, arrived, at.now);
                }
                self.slab
                    .class_mut(ClassId::for_size(CHUNK_MAX))
                    .stats
                    .outofmemory += 1;
            }
            Stored::Stored(_) => self.tallies.total_items += 1,
            _ => {}
        }
        stored
    }

    /// A set found no memory: removes what is under its key, of a value that has `arrived` in slices what was there when it
    /// began.
    pub(crate) fn forget_old(&mut self, hash: KeyHash, key: &[u8], arrived: bool, now: RelTime) {
        match arrived {
            true => self.forget_outdated(hash, key),
            false => self.forget(hash, key, now),
        }
    }

    /// Whether the verb may go on, with what is there.
    #[inline(always)]
    fn admit(
        &mut self,
        verb: StoreVerb,
        existing: Option<ChunkId>,
        now: RelTime,
    ) -> Result<(), Stored> {
        match (verb, existing) {
            (StoreVerb::Add, Some(id)) => {
                // memcached: an add that finds the item counts as a use of it.
                ItemMut(self.slab.pages.chunk_mut(id)).set_accessed(now);
                Err(Stored::NotStored)
            }
            (StoreVerb::Replace | StoreVerb::Append(_) | StoreVerb::Prepend(_), None) => {
                Err(Stored::NotStored)
            }
            (StoreVerb::Cas(_), None) => Err(Stored::NotFound),
            (StoreVerb::Cas(unique), Some(id)) => {
                let same = unique != 0 && Item::new(self.slab.pages.chunk(id)).cas() == unique;
                let stats = self.slab.stats_of(id);
                if same {
                    stats.cas_hits += 1;
                    return Ok(());
                }
                stats.cas_badval += 1;
                Err(Stored::Exists)
            }
            (StoreVerb::Append(unique) | StoreVerb::Prepend(unique), Some(id))
                if !Item::new(self.slab.pages.chunk(id)).has_cas(unique) =>
            {
                Err(Stored::Exists)
            }
            _ => Ok(()),
        }
    }

    /// A CAS unique for an item that is stored now.
    #[inline]
    pub(crate) fn unique(&self, at: Moment<'_>) -> u64 {
        if self.config.cas {
            at.uniques.next()
        } else {
            0
        }
    }

    /// Writes an item anew, in the place of `existing` if there is one.
    fn write(
        &mut self,
        hash: KeyHash,
        request: &StoreRequest<'_>,
        existing: Option<ChunkId>,
        value: Value<'_>,
        at: Moment<'_>,
    ) -> Stored {
        let front = front_len(request.key.len(), request.flags);
        match value {
            Value::Bytes(bytes) if front + bytes.len() <= CHUNK_MAX => {
                let class = ClassId::for_size(front + bytes.len());
                if let Some(id) = existing
                    && self.slab.class_of(id) == class
                    && !Item::new(self.slab.pages.chunk(id)).chunked()
                {
                    return self.overwrite(id, request, bytes, at);
                }
                let Some(id) = self.alloc_beside(class, existing, at.now) else {
                    return Stored::NoMemory;
                };
                let head = self.head(request, bytes.len(), at);
                let chunk = self.slab.pages.chunk_mut(id);
                let start = ItemMut(chunk).write_front(&head, false);
                chunk[start..start + bytes.len()].copy_from_slice(bytes);
                self.put_in_place(hash, id, existing, head.exptime);
                Stored::Stored(head.cas)
            }
            Value::Bytes(bytes) => match self.build_chain(bytes, bytes.len(), false, at.now) {
                Ok(chain) => self.write_chunked(hash, request, existing, chain, bytes.len(), at),
                Err(NoMemory) => Stored::NoMemory,
            },
            Value::Arrived(pending) => {
                let len = pending.total as usize;
                match self.finish(pending) {
                    Ok(chain) => self.write_chunked(hash, request, existing, chain, len, at),
                    Err(Lost::Flushed) => Stored::Stored(self.unique(at)),
                    Err(Lost::Revoked) => Stored::NoMemory,
                }
            }
        }
    }

    fn head<'a>(&self, request: &StoreRequest<'a>, value_len: usize, at: Moment<'_>) -> Head<'a> {
        Head {
            key: request.key,
            flags: request.flags,
            exptime: request.exptime,
            cas: self.unique(at),
            value_len: value_len as u32,
            now: at.now,
        }
    }

    /// Writes over an item whose chunk has the right size. It stays as warm as it was.
    fn overwrite(
        &mut self,
        id: ChunkId,
        request: &StoreRequest<'_>,
        bytes: &[u8],
        at: Moment<'_>,
    ) -> Stored {
        let head = self.head(request, bytes.len(), at);
        let (chunk, stats) = self.slab.chunk_and_stats(id);
        let old = Item::new(chunk);
        let (old_size, heat) = (old.size(), old.heat());
        let mut item = ItemMut(chunk);
        let start = item.write_front(&head, false);
        item.set_heat(heat, false);
        chunk[start..start + bytes.len()].copy_from_slice(bytes);
        stats.cmd_set += 1;
        stats.mem_requested = stats.mem_requested - old_size as u64 + (start + bytes.len()) as u64;
        self.count_resized(old_size, start + bytes.len());
        self.slab
            .pages
            .page_mut(id.page())
            .expect_expiry(head.exptime);
        Stored::Stored(head.cas)
    }

    /// Writes the head of a chunked item whose pieces are there.
    pub(crate) fn write_chunked(
        &mut self,
        hash: KeyHash,
        request: &StoreRequest<'_>,
        existing: Option<ChunkId>,
        chain: usize,
        value_len: usize,
        at: Moment<'_>,
    ) -> Stored {
        // Making room for the pieces may have taken the old item with it.
        let existing = existing.and_then(|_| self.lookup(hash, request.key, at.now));
        let class = head_class(front_len(request.key.len(), request.flags), value_len);
        let Some(id) = self.alloc_beside(class, existing, at.now) else {
            self.doom(chain);
            return Stored::NoMemory;
        };
        let head = self.head(request, value_len, at);
        let mut item = ItemMut(self.slab.pages.chunk_mut(id));
        item.write_front(&head, true);
        item.set_chain(chain);
        self.chains[chain].head = id;
        self.put_in_place(hash, id, existing, head.exptime);
        Stored::Stored(head.cas)
    }

    /// Makes a wholly written item findable, in the place of the one it replaces.
    fn put_in_place(
        &mut self,
        hash: KeyHash,
        id: ChunkId,
        replaced: Option<ChunkId>,
        exptime: RelTime,
    ) {
        self.slab.pages.page_mut(id.page()).expect_expiry(exptime);
        self.slab.stats_of(id).cmd_set += 1;
        match replaced {
            Some(old) => {
                let replaced = self.index.replace(hash, old, id);
                debug_assert!(replaced, "the item to replace is not in the index");
                self.count_in(id);
                self.count_out(old);
                self.discard(old);
            }
            None => self.link(hash, id),
        }
    }

    /// A chunk, without evicting `keep` for it.
    pub(crate) fn alloc_beside(
        &mut self,
        class: ClassId,
        keep: Option<ChunkId>,
        now: RelTime,
    ) -> Option<ChunkId> {
        self.guard = keep.unwrap_or(ChunkId::NONE);
        let id = self.alloc(class, now);
        self.guard = ChunkId::NONE;
        id
    }

    /// Gives an item in one chunk a new chunk for `value_len` bytes, with a new CAS unique and everything else as it
    /// was but the value, which is the caller's to write.
    pub(crate) fn rewrite(
        &mut self,
        hash: KeyHash,
        old: ChunkId,
        value_len: usize,
        at: Moment<'_>,
    ) -> Option<(ChunkId, u64)> {
        let class =
            ClassId::for_size(Item::new(self.slab.pages.chunk(old)).front_len() + value_len);
        let id = self.alloc_beside(class, Some(old), at.now)?;
        let cas = self.unique(at);
        let (key, key_len) = self.copy_key(old);
        let item = Item::new(self.slab.pages.chunk(old));
        let head = Head {
            key: &key[..key_len],
            flags: item.flags(),
            exptime: item.exptime(),
            cas,
            value_len: value_len as u32,
            now: at.now,
        };
        let (heat, marks) = (item.heat(), item.marks());
        let mut item = ItemMut(self.slab.pages.chunk_mut(id));
        item.write_front(&head, false);
        item.set_heat(heat, false);
        item.set_marks(marks);
        item.renew();
        self.put_in_place(hash, id, Some(old), head.exptime);
        Some((id, cas))
    }

    /// An item's key, copied to the stack so that the pages can be written.
    pub(crate) fn copy_key(&self, id: ChunkId) -> ([u8; crate::KEY_MAX], usize) {
        let key = Item::new(self.slab.pages.chunk(id)).key();
        let mut copy = [0; crate::KEY_MAX];
        copy[..key.len()].copy_from_slice(key);
        (copy, key.len())
    }
}
