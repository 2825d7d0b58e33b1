//! What happens inside a shard that no command asked for, told to whoever listens; and what a command would find.
//!
//! While nobody listens nothing is noted, and what is noted is bounded: what does not fit is counted.

use crate::chain::head_class;
use crate::chunk::ChunkId;
use crate::class::ClassId;
use crate::hash::KeyHash;
use crate::item::{Item, RelTime, front_len};
use crate::limits::{CHUNK_MAX, EVENT_BYTES_MAX};
use crate::shard::Shard;

/// Something that a shard did for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An item that was alive had to make room.
    Evicted {
        /// Its key.
        key: Box<[u8]>,
        /// Whether it was ever fetched.
        fetched: bool,
        /// When its time would have been over; 0 is never.
        exptime: RelTime,
        /// Seconds since it was last used.
        idle_s: u32,
        /// Its slab class.
        class: u8,
        /// Bytes of its value.
        value_len: u32,
    },
    /// A page of one slab class was emptied for another.
    PageMoved {
        /// The class that had it.
        from: u8,
        /// The class that needed it.
        to: u8,
    },
}

impl Event {
    /// About the bytes that it takes.
    fn bytes(&self) -> usize {
        let key = match self {
            Self::Evicted { key, .. } => key.len(),
            Self::PageMoved { .. } => 0,
        };
        size_of::<Self>() + key
    }
}

/// Events since they were last taken.
#[derive(Debug, Default)]
pub struct Events {
    /// In the order in which they came about.
    pub noted: Vec<Event>,
    /// Evictions for which there was no room any more.
    pub evictions_left_out: u64,
    bytes: usize,
}

/// What [`Shard::look`] sees under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing.
    Nothing,
    /// An item whose time is over.
    Expired,
    /// An item.
    Item(ItemSeen),
}

/// What is told of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemSeen {
    /// Its slab class; of a chunked item, its head's.
    pub class: u8,
    /// Bytes of its value.
    pub value_len: u32,
    /// When its time is over; 0 is never.
    pub exptime: RelTime,
}

impl Shard {
    /// Begins or ends to note events, if that is a change. Those not taken yet are forgotten.
    pub fn listen(&mut self, on: bool) {
        if on != self.events.is_some() {
            self.events = on.then(Box::default);
        }
    }

    /// The events since they were last taken, if there are any.
    pub fn take_events(&mut self) -> Option<Events> {
        let events = self.events.as_deref_mut()?;
        let none = events.noted.is_empty() && events.evictions_left_out == 0;
        (!none).then(|| std::mem::take(events))
    }

    /// What a command would find under the key; counts nothing and changes nothing.
    pub fn look(&self, hash: KeyHash, key: &[u8], now: RelTime) -> Seen {
        let Some(id) = self.seek(hash, key) else {
            return Seen::Nothing;
        };
        let item = Item::new(self.slab.pages.chunk(id));
        if item.expired(now) {
            return Seen::Expired;
        }
        Seen::Item(ItemSeen {
            class: self.slab.class_of(id).id(),
            value_len: item.value_len(),
            exptime: item.exptime(),
        })
    }

    /// The slab class that an item of these sizes would get.
    pub fn class_for(key_len: usize, flags: u32, value_len: u32) -> u8 {
        let front = front_len(key_len, flags);
        let value_len = value_len as usize;
        let class = if front + value_len <= CHUNK_MAX {
            ClassId::for_size(front + value_len)
        } else {
            head_class(front, value_len)
        };
        class.id()
    }

    /// Notes that an item had to make room.
    #[inline]
    pub(crate) fn note_evicted(&mut self, id: ChunkId, now: RelTime) {
        if self.events.is_none() {
            return;
        }
        let item = Item::new(self.slab.pages.chunk(id));
        let event = Event::Evicted {
            key: item.key().into(),
            fetched: item.fetched(),
            exptime: item.exptime(),
            idle_s: now.saturating_sub(item.accessed()),
            class: self.slab.class_of(id).id(),
            value_len: item.value_len(),
        };
        self.note(event);
    }

    /// Notes that a page of one class was emptied for another, or for none.
    #[inline]
    pub(crate) fn note_page_moved(&mut self, from: u8, to: u8) {
        if self.events.is_some() {
            self.note(Event::PageMoved { from, to });
        }
    }

    #[cold]
    fn note(&mut self, event: Event) {
        let Some(events) = self.events.as_deref_mut() else {
            return;
        };
        let bytes = events.bytes + event.bytes();
        if bytes <= EVENT_BYTES_MAX {
            events.bytes = bytes;
            events.noted.push(event);
        } else if matches!(event, Event::Evicted { .. }) {
            events.evictions_left_out += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;
    use crate::{KeyHasher, Moment, ShardConfig, StoreRequest, StoreVerb, Stored, Uniques, Value};

    struct NoUniques;

    impl Uniques for NoUniques {
        fn next(&self) -> u64 {
            1
        }
    }

    fn set(shard: &mut Shard, hasher: &KeyHasher, key: &str, exptime: RelTime, now: RelTime) {
        let request = StoreRequest {
            verb: StoreVerb::Set,
            key: key.as_bytes(),
            flags: 0,
            exptime,
        };
        let at = Moment {
            now,
            uniques: &NoUniques,
        };
        let (hash, value) = (hasher.hash(request.key), Value::Bytes(&[b'v'; 1000]));
        let stored = shard.store(hash, Hint::NONE, &request, value, at);
        assert_eq!(stored, Stored::Stored(1));
    }

    #[test]
    fn evictions_are_told_while_somebody_listens_and_bounded() {
        let hasher = KeyHasher::with_seed(1);
        let mut shard = Shard::new(ShardConfig::default(), hasher.clone());
        shard.grant(16);
        let mut stored = 0..;
        let mut store = |shard: &mut Shard, count: usize| {
            for number in stored.by_ref().take(count) {
                set(shard, &hasher, &format!("key-{number}"), 0, 7);
            }
        };
        store(&mut shard, 500);
        assert!(shard.take_events().is_none(), "nobody listens");
        shard.listen(true);
        store(&mut shard, 1);
        let events = shard.take_events().expect("a full shard evicts");
        let Some(Event::Evicted {
            key,
            fetched: false,
            exptime: 0,
            idle_s: 0,
            class,
            value_len: 1000,
        }) = events.noted.first()
        else {
            panic!("an eviction first: {:?}", events.noted);
        };
        assert!(key.starts_with(b"key-"));
        assert_eq!(*class, Shard::class_for(key.len(), 0, 1000));
        assert_eq!(shard.look(hasher.hash(key), key, 7), Seen::Nothing);
        assert!(shard.take_events().is_none(), "taken once");
        store(&mut shard, 5_000);
        let events = shard.take_events().expect("evictions");
        assert!(events.evictions_left_out > 0, "there is a bound");
        let bytes: usize = events.noted.iter().map(Event::bytes).sum();
        assert!(bytes <= EVENT_BYTES_MAX);
        shard.listen(false);
        store(&mut shard, 100);
        assert!(shard.take_events().is_none(), "nobody listens any more");
    }

    #[test]
    fn looking_changes_nothing() {
        let hasher = KeyHasher::with_seed(1);
        let mut shard = Shard::new(ShardConfig::default(), hasher.clone());
        shard.grant(16);
        let key = b"key";
        let hash = hasher.hash(key);
        assert_eq!(shard.look(hash, key, 7), Seen::Nothing);
        set(&mut shard, &hasher, "key", 9, 7);
        let item = Seen::Item(ItemSeen {
            class: Shard::class_for(3, 0, 1000),
            value_len: 1000,
            exptime: 9,
        });
        assert_eq!(shard.look(hash, key, 8), item);
        assert_eq!(shard.look(hash, key, 9), Seen::Expired);
        assert_eq!(shard.look(hash, key, 9), Seen::Expired);
        assert!(shard.get::<0>(hash, Hint::NONE, key, 9).is_none());
        assert_eq!(shard.look(hash, key, 9), Seen::Nothing);
    }
}
