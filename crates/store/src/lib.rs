//! One shard of the cache: slab pages, items, index, eviction, expiry.
//!
//! A [`Shard`] is a plain value. It does no I/O, starts no threads and asks nobody for the time: the second is an
//! argument, CAS uniques come from a sequence that is an argument, and memory is granted from outside, page by page.
//!
//! ```
//! use std::cell::Cell;
//! use larder_store::{Hint, KeyHasher, Moment, Shard, ShardConfig, StoreRequest, StoreVerb, Stored, Uniques, Value};
//!
//! struct Count(Cell<u64>);
//! impl Uniques for Count {
//!     fn next(&self) -> u64 {
//!         self.0.set(self.0.get() + 1);
//!         self.0.get()
//!     }
//! }
//!
//! let hasher = KeyHasher::new();
//! let mut shard = Shard::new(ShardConfig::default(), hasher.clone());
//! shard.grant(64); // a mebibyte of 16 KiB pages
//! let uniques = Count(Cell::new(0));
//! let at = Moment { now: 2, uniques: &uniques };
//! let request = StoreRequest { verb: StoreVerb::Set, key: b"name", flags: 0, exptime: 0 };
//! let stored = shard.store(hasher.hash(b"name"), Hint::NONE, &request, Value::Bytes(b"larder"), at);
//! assert_eq!(stored, Stored::Stored(1));
//! let found = shard.get::<0>(hasher.hash(b"name"), Hint::NONE, b"name", 2);
//! assert_eq!(found.map(|found| found.unwrap().value_len()), Some(6));
//! ```
//!
//! The way down: [`shard`] (the state; look up, link, take out) → [`write`], [`arith`], [`chain`] (what commands do) →
//! [`evict`], [`expire`], [`housekeeping`] (where memory comes from and goes to) → [`index`] and [`slab`] → [`page`]
//! and [`item`] (bytes).

mod arith;
mod chain;
mod check;
mod chunk;
mod class;
mod counting;
mod events;
mod evict;
mod expire;
mod found;
mod hash;
mod hint;
mod housekeeping;
mod index;
mod item;
mod join;
mod limits;
mod list;
mod meta;
mod page;
mod pending;
mod pin;
mod report;
mod shard;
mod slab;
mod stats;
mod walk;
mod write;

pub use arith::{Arith, ArithRequest, Create};
pub use chain::NoMemory;
pub use class::is_class;
pub use events::{Event, Events, ItemSeen, Seen};
pub use found::{Found, Place};
pub use hash::{KeyHash, KeyHasher};
pub use hint::Hint;
pub use item::RelTime;
pub use limits::{
    BORROW_COPY_MAX, ITEM_SIZE_LIMIT, KEY_MAX, PAGE_BYTES_MAX, PAGE_BYTES_MIN, page_bytes_for,
    shard_bytes_max,
};
pub use meta::{
    Contest, Exptimes, MetaArith, MetaDelete, MetaDeleted, MetaFound, MetaGet, MetaStore,
    PlainFound,
};
pub use page::Unused;
pub use pending::Pending;
pub use pin::{Pin, Revoked};
pub use shard::{Deleted, Moment, SHARED, Shard, ShardConfig, Uniques};
pub use stats::{ClassStats, StoreStats};
pub use walk::{ItemFacts, ItemInfo, ListAt, WalkAt};
pub use write::{StoreRequest, StoreVerb, Stored, Value};
