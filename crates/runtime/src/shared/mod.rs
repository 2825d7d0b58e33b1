//! All that threads share, and nothing else shares: shards to be lent, the count of pages, the sequence of CAS
//! uniques, flushes, counters, connections.
//!
//! A shard is *tried*, never waited for: [`Shared::borrow`] looks eight times and gives up. Whoever gave up sets
//! his connection aside; so no worker sleeps on a lock, and one that was descheduled within a command holds up only
//! those who need that shard.
//!
//! `flush_all` is one number. Each lent shard remembers the number it last saw, and whoever borrows it while the
//! number is higher flushes it first; so a flush reaches every shard at once, before its `OK` is written, however many
//! shards there are and whoever holds them.

mod cell;
mod figures;
mod pages;
mod prefixes;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use crossbeam::utils::CachePadded;
use larder_store::{RelTime, Shard, Uniques};

use cell::Guard;
pub(crate) use cell::{Lendable, Number};
pub(crate) use figures::{Baseline, ConnInfo, Globals, WorkerCounters, WorkerFace};
pub(crate) use prefixes::{LateCounts, PrefixCounts, Prefixes};

use crate::daemon::Stop;
use crate::watch::Watchers;

/// A shard, and what was decided for all of them that it has seen.
pub(crate) struct Lent {
    pub(crate) shard: Shard,
    changes_seen: u64,
    flushes_seen: u64,
}

impl Lent {
    /// Does what has been decided for all shards since this one was lent last.
    #[cold]
    fn catch_up(&mut self, changes: u64, shared: &Shared) {
        self.changes_seen = changes;
        let flushes = shared.flushes.get();
        if self.flushes_seen != flushes {
            self.flushes_seen = flushes;
            self.shard.flush();
        }
        self.shard.listen(shared.globals.observers.watch_shards());
    }
}

/// The process's sequence of CAS uniques.
#[derive(Default)]
pub(crate) struct Sequence(Number);

impl Uniques for Sequence {
    #[inline]
    fn next(&self) -> u64 {
        self.0.add(1) + 1
    }
}

/// Everything that threads share.
pub(crate) struct Shared {
    shards: Box<[CachePadded<Lendable<Lent>>]>,
    /// Pages that each shard was granted, for those who look for the fullest.
    granted: Box<[CachePadded<Number>]>,
    pub(crate) workers: Box<[CachePadded<WorkerFace>]>,
    /// Pages that no shard was granted. Below 0 (as two's complement) after the limit was lowered, until shards have
    /// given up as many.
    free_pages: CachePadded<Number>,
    limit_bytes: Number,
    page_bytes: u64,
    /// Goes up with every flush, and whenever what is watched changes: what each borrower of a shard compares.
    changes: Number,
    flushes: Number,
    /// The second of a delayed flush_all; 0 is none.
    flush_at: Number,
    /// The last second whose items the latest flush_all takes, done or due; 0 is none.
    pub(crate) oldest_live: Number,
    pub(crate) uniques: CachePadded<Sequence>,
    pub(crate) globals: Globals,
    pub(crate) watchers: Watchers,
    baseline: Lendable<Arc<Baseline>>,
    /// Connections by their descriptors.
    conns: Lendable<BTreeMap<i32, Weak<ConnInfo>>>,
    /// Why the process is to stop, as [`stop_number`] has it; 0 while it is not.
    stop: Number,
}

impl Shared {
    /// One worker for each shard, and `limit_bytes` for all.
    pub(crate) fn new(
        shards: Vec<Shard>,
        limit_bytes: u64,
        page_bytes: usize,
        globals: Globals,
    ) -> Self {
        let page_bytes = page_bytes as u64;
        let lend = |shard| {
            CachePadded::new(Lendable::new(Lent {
                shard,
                changes_seen: 0,
                flushes_seen: 0,
            }))
        };
        Self {
            workers: shards.iter().map(|_| CachePadded::default()).collect(),
            granted: shards.iter().map(|_| CachePadded::default()).collect(),
            shards: shards.into_iter().map(lend).collect(),
            free_pages: CachePadded::new(Number::new(limit_bytes / page_bytes)),
            limit_bytes: Number::new(limit_bytes),
            page_bytes,
            changes: Number::default(),
            flushes: Number::default(),
            flush_at: Number::default(),
            oldest_live: Number::default(),
            uniques: CachePadded::default(),
            globals,
            watchers: Watchers::default(),
            baseline: Lendable::new(Arc::default()),
            conns: Lendable::new(BTreeMap::new()),
            stop: Number::default(),
        }
    }

    /// Number of shards, and of workers.
    #[inline]
    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Tries for a shard. `None` if it is still taken after eight looks.
    #[inline]
    pub(crate) fn borrow(&self, index: usize) -> Option<Guard<'_, Lent>> {
        let mut lent = self.shards[index].borrow()?;
        let changes = self.changes.get();
        if lent.changes_seen != changes {
            lent.catch_up(changes, self);
        }
        Some(lent)
    }

    /// Everything stored up to now is gone; a delayed flush is forgotten. Takes a number from the sequence that stores
    /// take theirs from, as memcached does.
    pub(crate) fn flush_now(&self, now: RelTime) {
        self.oldest_live.set(u64::from(now) - 1);
        self.uniques.next();
        self.flush_at.set(0);
        self.flush();
    }

    /// In this order, so that whoever sees the change sees the flush.
    fn flush(&self) {
        self.flushes.add(1);
        self.changes.add(1);
    }

    /// Everything stored up to that second will be gone then.
    pub(crate) fn flush_at(&self, second: RelTime) {
        self.oldest_live.set(u64::from(second) - 1);
        self.flush_at.set(u64::from(second));
    }

    /// Called by workers when a second begins: carries out a delayed flush that is due.
    pub(crate) fn flush_if_due(&self, now: RelTime) {
        let at = self.flush_at.get();
        if at != 0 && at <= u64::from(now) && self.flush_at.replace(at, 0) {
            self.flush();
        }
    }

    /// What is watched has changed: each shard is to know when it is lent next.
    pub(crate) fn watching_changed(&self) {
        self.changes.add(1);
    }

    /// Why the process is to stop, if it is.
    #[inline]
    pub(crate) fn stop(&self) -> Option<Stop> {
        match self.stop.get() {
            0 => None,
            number if number == stop_number(Stop::Graceful) => Some(Stop::Graceful),
            _ => Some(Stop::Now),
        }
    }

    /// Asks the process to stop. The first reason given stands.
    pub(crate) fn set_stop(&self, why: Stop) {
        self.stop.replace(0, stop_number(why));
    }
}

fn stop_number(stop: Stop) -> u64 {
    match stop {
        Stop::Now => 1,
        Stop::Graceful => 2,
    }
}
