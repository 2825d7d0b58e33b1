//! What the meta commands do that the classic ones do not: marks on items, and numbers of the client's choosing.
//!
//! Three marks lie in an item's header. *Won*: a client was told that it is the one to make the item anew. *Stale*: the
//! value is out of date, and served until somebody has. *Binary key*: whoever stored it wrote the key as base64, and it is
//! shown so. A value that is stored anew has neither of the first two, nor has one that was joined to or, as a number,
//! became longer; everything else leaves them as they are.

use crate::arith::{Arith, ArithRequest};
use crate::found::Found;
use crate::hash::KeyHash;
use crate::hint::Hint;
use crate::item::{BINARY_KEY, Item, ItemMut, RelTime, STALE, WON};
use crate::shard::{Moment, Shard};
use crate::walk::ItemInfo;
use crate::write::{StoreRequest, StoreVerb, Stored, Value};

/// What an `mg` asks for beside the item.
#[derive(Clone, Copy, Debug, Default)]
pub struct MetaGet {
    /// The exptime that the item is to have from now on.
    pub touch: Option<RelTime>,
    /// An item whose exptime is before this second may be won, if it has one.
    pub recache: Option<RelTime>,
    /// Whether that is said of its exptime before the touch.
    pub recache_first: bool,
    /// Whether it is to count as no use of the item.
    pub unseen: bool,
}

/// Who is to make an item anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contest {
    /// Who asks now.
    pub won: bool,
    /// Somebody who asked before.
    pub lost: bool,
    /// The value is stale.
    pub stale: bool,
}

/// What an `mg` found.
#[derive(Clone, Copy)]
pub struct MetaFound<'a> {
    /// The item as it is now.
    pub found: Found<'a>,
    /// Its exptime before.
    pub old_exptime: RelTime,
    /// When it was used last before.
    pub accessed: RelTime,
    /// Whether it was fetched before.
    pub fetched: bool,
    /// Who is to make it anew.
    pub contest: Contest,
}

/// What an `mg` found that asks for nothing beside the item.
pub enum PlainFound<'a> {
    /// No such item.
    Nothing,
    /// An item that is no other.
    Item {
        /// The item.
        found: Found<'a>,
        /// The whole of its value.
        value: &'a [u8],
        /// When it was used last before.
        accessed: RelTime,
        /// Whether it was fetched before.
        fetched: bool,
    },
    /// An item in several pieces or with marks. Nothing was done; [`Shard::get_meta`] is for all.
    Other,
}

/// What an `ms` asks for beside a [`StoreRequest`].
#[derive(Clone, Copy, Debug, Default)]
pub struct MetaStore {
    /// To store even if the CAS unique to compare with is lower than the item's, but as stale, with the exptime that it
    /// had and with the mark of being won if it had that.
    pub invalidate: bool,
    /// The CAS unique that the item is to have.
    pub unique: Option<u64>,
    /// The exptime of an item that append or prepend makes if there is none.
    pub vivify: Option<RelTime>,
    /// Whether the key came as base64.
    pub binary_key: bool,
}

/// What an `md` is to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct MetaDelete {
    /// The CAS unique that the item must have.
    pub compare: Option<u64>,
    /// To mark the item as stale, to be won once more, rather than to remove it.
    pub invalidate: bool,
    /// To take only its value; client flags and exptime of what stays.
    pub empty: Option<(u32, RelTime)>,
    /// The exptime of a stale item from now on.
    pub touch: Option<RelTime>,
    /// The CAS unique that the item is to have.
    pub unique: Option<u64>,
}

/// What came of an `md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaDeleted {
    /// It was done.
    Done,
    /// No such item.
    NotFound,
    /// Its CAS unique is another.
    Exists,
    /// No memory for what was to stay, which is now gone too.
    NoMemory,
}

/// What an `ma` asks for beside an [`ArithRequest`].
#[derive(Clone, Copy, Debug, Default)]
pub struct MetaArith {
    /// The exptime that the item is to have from now on, unless it is made.
    pub touch: Option<RelTime>,
    /// The CAS unique that the item is to have.
    pub unique: Option<u64>,
    /// Whether the key came as base64.
    pub binary_key: bool,
}

/// A counted item's exptimes, before a touch and after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exptimes {
    /// Before.
    pub old: RelTime,
    /// After.
    pub new: RelTime,
}

impl Shard {
    /// Fetches an item for an `mg` that asks for nothing beside it, if it is one as most are. `SITE` is as for
    /// [`Self::get`].
    #[inline(always)]
    pub fn get_plain<const SITE: u8>(
        &mut self,
        hash: KeyHash,
        key: &[u8],
        now: RelTime,
    ) -> PlainFound<'_> {
        let Some(id) = self.find_live::<SITE>(hash, Hint::NONE, key, now) else {
            return PlainFound::Nothing;
        };
        let (chunk, stats) = self.slab.chunk_and_stats(id);
        let item = Item::new(chunk);
        if item.chunked() || item.marks() != 0 {
            return PlainFound::Other;
        }
        let (accessed, fetched) = (item.accessed(), item.fetched());
        stats.get_hits += 1;
        ItemMut(chunk).fetch(now);
        let item = Item::new(chunk);
        PlainFound::Item {
            found: Found::in_chunk(item),
            value: item.value(),
            accessed,
            fetched,
        }
    }

    /// Fetches an item for an `mg`.
    pub fn get_meta(
        &mut self,
        hash: KeyHash,
        key: &[u8],
        ask: &MetaGet,
        now: RelTime,
    ) -> Option<MetaFound<'_>> {
        let id = self.lookup(hash, key, now)?;
        let (chunk, stats) = self.slab.chunk_and_stats(id);
        let item = Item::new(chunk);
        let (old_exptime, accessed) = (item.exptime(), item.accessed());
        let (fetched, chunked, marks) = (item.fetched(), item.chunked(), item.marks());
        match ask.touch {
            None => stats.get_hits += 1,
            Some(_) => stats.touch_hits += 1,
        }
        let mut item = ItemMut(chunk);
        if !ask.unseen {
            item.fetch(now);
        }
        let mut contest = Contest::default();
        if marks & (WON | STALE) != 0 || ask.recache.is_some() {
            contest = contend(&mut item, ask);
        }
        if let Some(exptime) = ask.touch {
            item.set_exptime(exptime);
            self.slab.pages.page_mut(id.page()).expect_expiry(exptime);
        }
        Some(MetaFound {
            found: self.found(id, chunked),
            old_exptime,
            accessed,
            fetched,
            contest,
        })
    }

    /// Makes an empty item where there is none, won by who asked. That counts as a fetch, as in memcached, unless it is
    /// to be `unseen`. Its CAS unique; `None` if there is no memory.
    pub fn vivify(
        &mut self,
        hash: KeyHash,
        (key, exptime): (&[u8], RelTime),
        unseen: bool,
        with: &MetaStore,
        at: Moment<'_>,
    ) -> Option<u64> {
        let request = StoreRequest {
            verb: StoreVerb::Set,
            key,
            flags: 0,
            exptime,
        };
        match self.store(hash, Hint::NONE, &request, Value::Bytes(b""), at) {
            Stored::Stored(unique) => {
                let marks = WON | binary_mark(with.binary_key);
                let unique = self.stamp(hash, key, marks, with.unique).unwrap_or(unique);
                if !unseen && let Some(id) = self.seek(hash, key) {
                    ItemMut(self.slab.pages.chunk_mut(id)).fetch(at.now);
                }
                Some(unique)
            }
            _ => None,
        }
    }

    /// [`Self::store`] for an `ms`; and the length of the whole value, be it stored or not. One that found no memory
    /// takes the old one with it.
    pub fn store_meta(
        &mut self,
        hash: KeyHash,
        request: &StoreRequest<'_>,
        value: Value<'_>,
        with: &MetaStore,
        at: Moment<'_>,
    ) -> (Stored, u32) {
        let (key, mut request) = (request.key, *request);
        let mut marks = binary_mark(with.binary_key);
        let existing = self.lookup(hash, key, at.now);
        match (request.verb, existing) {
            (StoreVerb::Append(_) | StoreVerb::Prepend(_), None) => {
                if let Some(exptime) = with.vivify {
                    (request.verb, request.exptime) = (StoreVerb::Set, exptime);
                }
            }
            (StoreVerb::Append(_) | StoreVerb::Prepend(_), Some(id)) => {
                marks |= Item::new(self.slab.pages.chunk(id)).marks() & BINARY_KEY;
            }
            (StoreVerb::Cas(unique), Some(id)) if with.invalidate && unique != 0 => {
                let item = Item::new(self.slab.pages.chunk(id));
                if unique < item.cas() {
                    (request.verb, request.exptime) = (StoreVerb::Set, item.exptime());
                    marks |= STALE | item.marks() & WON;
                }
            }
            _ => {}
        }
        let mut len = match &value {
            Value::Bytes(bytes) => bytes.len() as u32,
            Value::Arrived(pending) => pending.total,
        };
        let joins = matches!(request.verb, StoreVerb::Append(_) | StoreVerb::Prepend(_));
        let arrived = matches!(value, Value::Arrived(_));
        let flushed = matches!(&value, Value::Arrived(pending) if self.has_flushed(pending));
        let mut stored = self.store(hash, Hint::NONE, &request, value, at);
        match &mut stored {
            // It counts as stored before the flush; an item under its key is another's.
            Stored::Stored(_) if flushed => {}
            Stored::Stored(unique) => {
                if marks != 0 || with.unique.is_some() {
                    *unique = self.stamp(hash, key, marks, with.unique).unwrap_or(*unique);
                }
                if joins && let Some(id) = self.seek(hash, key) {
                    len = Item::new(self.slab.pages.chunk(id)).value_len();
                }
            }
            Stored::NoMemory => self.forget_old(hash, key, arrived, at.now),
            _ => {}
        }
        (stored, len)
    }

    /// Removes an item, or makes less of it.
    pub fn delete_meta(
        &mut self,
        hash: KeyHash,
        key: &[u8],
        delete: &MetaDelete,
        at: Moment<'_>,
    ) -> MetaDeleted {
        let Some(id) = self.lookup(hash, key, at.now) else {
            return MetaDeleted::NotFound;
        };
        let item = Item::new(self.slab.pages.chunk(id));
        let (old, marks) = (item.cas(), item.marks());
        if delete.compare.is_some_and(|unique| unique != old) {
            return MetaDeleted::Exists;
        }
        if !delete.invalidate {
            self.slab.stats_of(id).delete_hits += 1;
        }
        if delete.empty.is_none() && !delete.invalidate {
            self.unlink(hash, id);
            return MetaDeleted::Done;
        }
        let mut kept = marks & BINARY_KEY;
        if let Some((flags, exptime)) = delete.empty {
            let verb = StoreVerb::Set;
            let request = StoreRequest {
                verb,
                key,
                flags,
                exptime,
            };
            let stored = self.store(hash, Hint::NONE, &request, Value::Bytes(b""), at);
            if stored == Stored::NoMemory {
                return MetaDeleted::NoMemory;
            }
        }
        if delete.invalidate {
            kept |= STALE;
        }
        let unique = match (delete.unique, delete.invalidate) {
            (Some(unique), _) => unique,
            (None, true) => self.unique(at),
            (None, false) => old,
        };
        self.stamp(hash, key, kept, Some(unique));
        if delete.invalidate
            && let Some(exptime) = delete.touch
        {
            self.give_exptime(hash, key, exptime);
        }
        MetaDeleted::Done
    }

    /// [`Self::arith`] for an `ma`.
    pub fn arith_meta(
        &mut self,
        hash: KeyHash,
        request: &ArithRequest<'_>,
        with: &MetaArith,
        at: Moment<'_>,
    ) -> (Arith, Exptimes) {
        let key = request.key;
        let mut result = self.arith(hash, request, at);
        let mut exptimes = Exptimes::default();
        let made = matches!(result, Arith::Created(_));
        let (Arith::Value(_, unique) | Arith::Created(unique)) = &mut result else {
            return (result, exptimes);
        };
        let given = *unique;
        if let Some(id) = self.seek(hash, key) {
            let item = Item::new(self.slab.pages.chunk(id));
            // Only of an item that it made, not of one that was there.
            let binary = with.binary_key && made;
            let marks = item.marks() | binary_mark(binary);
            let old = item.exptime();
            exptimes = Exptimes { old, new: old };
            *unique = self.stamp(hash, key, marks, with.unique).unwrap_or(given);
        }
        if let Some(exptime) = with.touch
            && matches!(result, Arith::Value(..))
        {
            self.give_exptime(hash, key, exptime);
            exptimes.new = exptime;
        }
        (result, exptimes)
    }

    /// Everything about an item, without a use of it.
    pub fn inspect(&self, hash: KeyHash, key: &[u8], now: RelTime) -> Option<ItemInfo<'_>> {
        let id = self.seek(hash, key)?;
        let expired = Item::new(self.slab.pages.chunk(id)).expired(now);
        (!expired).then(|| self.info(id))
    }

    /// Gives an item marks, and a CAS unique if one was chosen and there are such. Returns that.
    fn stamp(&mut self, hash: KeyHash, key: &[u8], marks: u8, unique: Option<u64>) -> Option<u64> {
        // Its time may be over already, which is no reason to look away.
        let id = self.seek(hash, key)?;
        let unique = unique.filter(|_| self.config.cas);
        let mut item = ItemMut(self.slab.pages.chunk_mut(id));
        item.set_marks(marks);
        if let Some(unique) = unique {
            item.set_cas(unique);
        }
        unique
    }

    /// Of an item that was written anew in another's place: its key is shown as that one's was.
    pub(crate) fn keep_key_binary(&mut self, hash: KeyHash, key: &[u8], old_marks: u8) {
        if old_marks & BINARY_KEY != 0 {
            self.stamp(hash, key, BINARY_KEY, None);
        }
    }

    fn give_exptime(&mut self, hash: KeyHash, key: &[u8], exptime: RelTime) {
        if let Some(id) = self.seek(hash, key) {
            ItemMut(self.slab.pages.chunk_mut(id)).set_exptime(exptime);
            self.slab.pages.page_mut(id.page()).expect_expiry(exptime);
        }
    }
}

/// Who is to make an item anew that is stale or won, or may be won for its age.
fn contend(item: &mut ItemMut<'_>, ask: &MetaGet) -> Contest {
    let now = Item::new(item.0);
    let (marks, old_exptime) = (now.marks(), now.exptime());
    let exptime = match ask.touch {
        Some(exptime) if !ask.recache_first => exptime,
        _ => old_exptime,
    };
    let late = ask
        .recache
        .is_some_and(|second| exptime != 0 && exptime < second);
    let (lost, stale) = (marks & WON != 0, marks & STALE != 0);
    let won = !lost && (stale || late);
    if won {
        item.set_marks(marks | WON);
    }
    Contest { won, lost, stale }
}

fn binary_mark(binary_key: bool) -> u8 {
    if binary_key { BINARY_KEY } else { 0 }
}
