//! All that threads share, and nothing else shares: shards to be lent, the count of pages, the sequence of CAS
//! uniques, flushes, counters, connections.
//!
//! A shard is *tried*, never waited for: [`Shared::borrow`] looks a few dozen times and gives up. Whoever gave up sets
//! his connection aside; so no worker sleeps on a lock, and one that was descheduled within a command holds up only
//! those who need that shard.
//!
//! `flush_all` is one number. Each lent shard remembers the number it last saw, and whoever borrows it while the
//! number is higher flushes it first; so a flush reaches every shard at once, before its `OK` is written, however many
//! shards there are and whoever holds them.

use std::collections::HashMap;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};
use std::sync::{Arc, Weak};

use crossbeam::utils::{Backoff, CachePadded};
use larder_store::{RelTime, Shard, StoreStats, Uniques};
use parking_lot::{Mutex, MutexGuard};

use crate::daemon::Stop;
use crate::snapshot::{COUNTER_COUNT, Counter, Counters};

/// A shard and the flushes it has seen.
pub(crate) struct Lent {
    pub(crate) shard: Shard,
    flushes_seen: u64,
}

impl Lent {
    #[cold]
    fn catch_up(&mut self, flushes: u64) {
        self.flushes_seen = flushes;
        self.shard.flush();
    }
}

/// The process's sequence of CAS uniques.
#[derive(Default)]
pub(crate) struct Sequence(AtomicU64);

impl Uniques for Sequence {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// One worker's counters: written by it alone, read by whoever asks.
pub(crate) struct WorkerCounters([AtomicU64; COUNTER_COUNT]);

impl WorkerCounters {
    /// Adds to a counter. Only its own worker may call this: the sum is not made in one step.
    #[inline]
    pub(crate) fn add(&self, counter: Counter, n: u64) {
        let cell = &self.0[counter as usize];
        cell.store(
            cell.load(Ordering::Relaxed).wrapping_add(n),
            Ordering::Relaxed,
        );
    }
}

/// What others may see of a worker.
pub(crate) struct WorkerFace {
    pub(crate) counters: WorkerCounters,
    /// Connections given to the worker and not yet closed.
    pub(crate) conns: AtomicUsize,
    /// Connections with a buffer of their own, and the bytes of these buffers; kept up to date once a second.
    pub(crate) buffers: AtomicU64,
    pub(crate) buffer_bytes: AtomicU64,
    /// `stats detail`, by prefix.
    pub(crate) detail: Mutex<HashMap<Box<[u8]>, PrefixCounts>>,
}

/// What `stats detail dump` says of a prefix.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PrefixCounts {
    pub(crate) gets: u64,
    pub(crate) hits: u64,
    pub(crate) sets: u64,
    pub(crate) deletes: u64,
}

impl PrefixCounts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.gets += other.gets;
        self.hits += other.hits;
        self.sets += other.sets;
        self.deletes += other.deletes;
    }
}

/// Prefixes that one worker counts; later ones are not counted.
const PREFIXES_MAX: usize = 10_000;

/// What `stats conns` shows of a connection.
pub(crate) struct ConnInfo {
    pub(crate) fd: i32,
    /// `tcp:1.2.3.4:5`, as `stats conns` words it; also in the log.
    pub(crate) peer: String,
    /// The listening address it came by.
    pub(crate) local: String,
    pub(crate) last_command: AtomicU32,
    pub(crate) state: AtomicU8,
}

/// Numbers of the listener, and the switches that commands can move.
pub(crate) struct Globals {
    pub(crate) total_connections: AtomicU64,
    pub(crate) rejected_connections: AtomicU64,
    pub(crate) conns_peak: AtomicUsize,
    pub(crate) accepting: AtomicBool,
    pub(crate) listen_disabled_num: AtomicU64,
    pub(crate) listen_disabled_us: AtomicU64,
    pub(crate) detail_enabled: AtomicBool,
    /// Why the process is to stop, as [`stop_number`] has it; 0 while it is not.
    pub(crate) stop: AtomicU8,
}

/// What `stats reset` subtracts from now on.
#[derive(Clone, Default)]
pub(crate) struct Baseline {
    pub(crate) counters: Counters,
    pub(crate) store: StoreStats,
    pub(crate) total_connections: u64,
    pub(crate) rejected_connections: u64,
    pub(crate) listen_disabled_num: u64,
    pub(crate) listen_disabled_us: u64,
}

/// Everything that threads share.
pub(crate) struct Shared {
    shards: Box<[CachePadded<Mutex<Lent>>]>,
    /// Pages that each shard was granted, for those who look for the fullest.
    granted: Box<[CachePadded<AtomicUsize>]>,
    pub(crate) workers: Box<[CachePadded<WorkerFace>]>,
    /// Pages that no shard was granted; below 0 after the limit was lowered, until shards have given up as many.
    free_pages: CachePadded<AtomicI64>,
    limit_bytes: AtomicU64,
    page_bytes: u64,
    flushes: AtomicU64,
    /// The second of a delayed flush_all; 0 is none.
    flush_at: AtomicU32,
    pub(crate) uniques: CachePadded<Sequence>,
    pub(crate) globals: Globals,
    baseline: Mutex<Arc<Baseline>>,
    conns: Mutex<Vec<Weak<ConnInfo>>>,
}

impl Shared {
    /// One worker for each shard, and `limit_bytes` for all.
    pub(crate) fn new(
        shards: Vec<Shard>,
        limit_bytes: u64,
        page_bytes: usize,
        detail_enabled: bool,
    ) -> Self {
        let page_bytes = page_bytes as u64;
        let faces = shards.iter().map(|_| {
            CachePadded::new(WorkerFace {
                counters: WorkerCounters(std::array::from_fn(|_| AtomicU64::new(0))),
                conns: AtomicUsize::new(0),
                buffers: AtomicU64::new(0),
                buffer_bytes: AtomicU64::new(0),
                detail: Mutex::new(HashMap::new()),
            })
        });
        Self {
            workers: faces.collect(),
            granted: shards
                .iter()
                .map(|_| CachePadded::new(AtomicUsize::new(0)))
                .collect(),
            shards: shards
                .into_iter()
                .map(|shard| {
                    CachePadded::new(Mutex::new(Lent {
                        shard,
                        flushes_seen: 0,
                    }))
                })
                .collect(),
            free_pages: CachePadded::new(AtomicI64::new((limit_bytes / page_bytes) as i64)),
            limit_bytes: AtomicU64::new(limit_bytes),
            page_bytes,
            flushes: AtomicU64::new(0),
            flush_at: AtomicU32::new(0),
            uniques: CachePadded::new(Sequence::default()),
            globals: Globals {
                total_connections: AtomicU64::new(0),
                rejected_connections: AtomicU64::new(0),
                conns_peak: AtomicUsize::new(0),
                accepting: AtomicBool::new(true),
                listen_disabled_num: AtomicU64::new(0),
                listen_disabled_us: AtomicU64::new(0),
                detail_enabled: AtomicBool::new(detail_enabled),
                stop: AtomicU8::new(0),
            },
            baseline: Mutex::new(Arc::new(Baseline::default())),
            conns: Mutex::new(Vec::new()),
        }
    }

    /// Number of shards, and of workers.
    #[inline]
    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Tries for a shard. `None` if it is still taken after a few dozen looks.
    #[inline]
    pub(crate) fn borrow(&self, index: usize) -> Option<MutexGuard<'_, Lent>> {
        let mut lent = try_lock(&self.shards[index])?;
        let flushes = self.flushes.load(Ordering::Acquire);
        if lent.flushes_seen != flushes {
            lent.catch_up(flushes);
        }
        Some(lent)
    }

    /// Makes sure that a lent shard has `pages` more pages of grant, as far as there are any: free ones first, then
    /// from the fullest shard, if this one has less than its share or needs more than that for one value.
    #[inline]
    pub(crate) fn provide(
        &self,
        index: usize,
        lent: &mut Lent,
        pages: usize,
        value_pages: usize,
        now: RelTime,
    ) {
        if lent.shard.spare_pages() < pages {
            self.provide_slow(index, lent, pages, value_pages, now);
        }
    }

    #[cold]
    fn provide_slow(
        &self,
        index: usize,
        lent: &mut Lent,
        pages: usize,
        value_pages: usize,
        now: RelTime,
    ) {
        let before = lent.shard.granted();
        let share = self.total_pages() as usize / self.shards();
        // A quarter more than the value, for the heads and the rest of what the shard holds.
        let wanted = if value_pages == 0 {
            0
        } else {
            value_pages + value_pages / 4 + 4
        };
        while lent.shard.spare_pages() < pages {
            let granted = lent.shard.granted();
            let got = self.take_free()
                || granted < share && self.take_from_fullest(index, share, now)
                || granted < wanted && self.take_from_fullest(index, LEFT_TO_OTHERS, now);
            if !got {
                break;
            }
            lent.shard.grant(1);
        }
        if lent.shard.granted() != before {
            self.publish(index, &lent.shard);
        }
    }

    fn take_free(&self) -> bool {
        let one_less = |free: i64| (free > 0).then_some(free - 1);
        self.free_pages.load(Ordering::Relaxed) > 0
            && self
                .free_pages
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                .is_ok()
    }

    /// Makes the fullest other shard give up a page, if it has more than `left` and is not taken just now.
    fn take_from_fullest(&self, index: usize, left: usize, now: RelTime) -> bool {
        let others = (0..self.shards()).filter(|&other| other != index);
        let granted = |other: usize| self.granted[other].load(Ordering::Relaxed);
        let Some(fullest) = others.max_by_key(|&other| granted(other)) else {
            return false;
        };
        if granted(fullest) <= left {
            return false;
        }
        let Some(mut lent) = self.borrow(fullest) else {
            return false;
        };
        let given = lent.shard.give_up(1, now) == 1;
        self.publish(fullest, &lent.shard);
        given
    }

    fn publish(&self, index: usize, shard: &Shard) {
        self.granted[index].store(shard.granted(), Ordering::Relaxed);
    }

    /// The owner's own work on a shard: its housekeeping, then what the process wants of its pages. True if more waits.
    pub(crate) fn keep_house(
        &self,
        index: usize,
        lent: &mut Lent,
        budget: usize,
        now: RelTime,
    ) -> bool {
        let mut more = lent.shard.step(budget, now);
        let back = lent.shard.take_back(SPARE_PAGES);
        self.free_pages.fetch_add(back as i64, Ordering::Relaxed);
        let debt = -self.free_pages.load(Ordering::Relaxed);
        if debt > 0 {
            let share = (self.total_pages().max(0) as usize).div_ceil(self.shards());
            let excess = lent.shard.granted().saturating_sub(share);
            let given = lent
                .shard
                .give_up(excess.min(debt as usize).min(PAGES_GIVEN_PER_STEP), now);
            self.free_pages.fetch_add(given as i64, Ordering::Relaxed);
            more |= given > 0 && (given as i64) < debt;
        }
        self.publish(index, &lent.shard);
        more
    }

    fn total_pages(&self) -> i64 {
        self.pages_in(self.limit_bytes.load(Ordering::Relaxed))
    }

    fn pages_in(&self, bytes: u64) -> i64 {
        (bytes / self.page_bytes) as i64
    }

    /// Bytes for items and index.
    pub(crate) fn limit_bytes(&self) -> u64 {
        self.limit_bytes.load(Ordering::Relaxed)
    }

    /// Moves the limit. Shards follow in steps.
    pub(crate) fn set_limit_bytes(&self, bytes: u64) {
        let old = self.limit_bytes.swap(bytes, Ordering::Relaxed);
        self.free_pages
            .fetch_add(self.pages_in(bytes) - self.pages_in(old), Ordering::Relaxed);
    }

    /// Everything stored up to now is gone; a delayed flush is forgotten. Takes a number from the sequence that stores
    /// take theirs from, as memcached does.
    pub(crate) fn flush_now(&self) {
        self.uniques.next();
        self.flush_at.store(0, Ordering::Relaxed);
        self.flushes.fetch_add(1, Ordering::AcqRel);
    }

    /// Everything stored up to that second will be gone then.
    pub(crate) fn flush_at(&self, second: RelTime) {
        self.flush_at.store(second, Ordering::Relaxed);
    }

    /// Called by workers when a second begins: carries out a delayed flush that is due.
    pub(crate) fn flush_if_due(&self, now: RelTime) {
        let at = self.flush_at.load(Ordering::Relaxed);
        if at != 0
            && at <= now
            && self
                .flush_at
                .compare_exchange(at, 0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.flushes.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// The counters of all workers, summed.
    pub(crate) fn counters(&self) -> Counters {
        let mut sums = [0u64; COUNTER_COUNT];
        for worker in &self.workers {
            for (sum, cell) in sums.iter_mut().zip(&worker.counters.0) {
                *sum = sum.wrapping_add(cell.load(Ordering::Relaxed));
            }
        }
        Counters::from_sums(&sums)
    }

    /// Open client connections.
    pub(crate) fn conn_count(&self) -> usize {
        self.workers
            .iter()
            .map(|worker| worker.conns.load(Ordering::Relaxed))
            .sum()
    }

    /// The worker with the fewest connections.
    pub(crate) fn least_loaded(&self) -> usize {
        let loads = self
            .workers
            .iter()
            .map(|worker| worker.conns.load(Ordering::Relaxed));
        loads
            .enumerate()
            .min_by_key(|&(_, load)| load)
            .map_or(0, |(index, _)| index)
    }

    /// What counters are to be seen from. `None` if somebody is just moving it.
    pub(crate) fn baseline(&self) -> Option<Arc<Baseline>> {
        try_lock(&self.baseline).map(|baseline| Arc::clone(&baseline))
    }

    /// Counts from here on. False if somebody else is just at it.
    pub(crate) fn set_baseline(&self, new: Baseline) -> bool {
        let Some(mut baseline) = try_lock(&self.baseline) else {
            return false;
        };
        *baseline = Arc::new(new);
        true
    }

    /// Counts a command on a key for `stats detail`. A prefix beyond the most that are kept is not counted.
    pub(crate) fn count_prefix(&self, worker: usize, prefix: &[u8], counts: PrefixCounts) {
        let Some(mut detail) = try_lock(&self.workers[worker].detail) else {
            return;
        };
        if let Some(sum) = detail.get_mut(prefix) {
            sum.add(&counts);
        } else if detail.len() < PREFIXES_MAX {
            detail.insert(prefix.into(), counts);
        }
    }

    /// `stats detail` over all workers. `None` if somebody is just counting.
    pub(crate) fn prefixes(&self) -> Option<HashMap<Box<[u8]>, PrefixCounts>> {
        let mut sums: HashMap<Box<[u8]>, PrefixCounts> = HashMap::new();
        for worker in &self.workers {
            for (prefix, counts) in try_lock(&worker.detail)?.iter() {
                sums.entry(prefix.clone()).or_default().add(counts);
            }
        }
        Some(sums)
    }

    /// Forgets what `stats detail` has counted.
    pub(crate) fn clear_prefixes(&self) {
        for worker in &self.workers {
            if let Some(mut detail) = try_lock(&worker.detail) {
                detail.clear();
            }
        }
    }

    /// Enters a connection for `stats conns`. For the listener, which may wait; workers only look.
    pub(crate) fn register_conn(&self, info: &Arc<ConnInfo>) {
        let mut conns = self.conns.lock();
        // Closed ones are swept out when they have come to be half of the list.
        if conns.len() == conns.capacity() {
            conns.retain(|conn| conn.strong_count() > 0);
            let open = conns.len();
            conns.reserve(open.max(64));
        }
        conns.push(Arc::downgrade(info));
    }

    /// The connections that are open now. `None` if the list is just being changed.
    pub(crate) fn conns(&self) -> Option<Vec<Arc<ConnInfo>>> {
        Some(
            try_lock(&self.conns)?
                .iter()
                .filter_map(Weak::upgrade)
                .collect(),
        )
    }

    /// Why the process is to stop, if it is.
    #[inline]
    pub(crate) fn stop(&self) -> Option<Stop> {
        match self.globals.stop.load(Ordering::Acquire) {
            0 => None,
            number if number == stop_number(Stop::Graceful) => Some(Stop::Graceful),
            _ => Some(Stop::Now),
        }
    }

    /// Asks the process to stop. The first reason given stands.
    pub(crate) fn set_stop(&self, why: Stop) {
        let stop = &self.globals.stop;
        // Somebody else's reason stands already: nothing to be done.
        let _ = stop.compare_exchange(0, stop_number(why), Ordering::AcqRel, Ordering::Relaxed);
    }
}

fn stop_number(stop: Stop) -> u8 {
    match stop {
        Stop::Now => 1,
        Stop::Graceful => 2,
    }
}

/// Pages of its grant that a shard need not give back though it does not use them.
const SPARE_PAGES: usize = 4;

/// Pages that a shard is left with when another needs them for one large value.
const LEFT_TO_OTHERS: usize = 8;

/// Pages that a shard gives up in one step when the limit was lowered.
const PAGES_GIVEN_PER_STEP: usize = 16;

/// Looks at a taken lock before it is given up.
const LOOKS: usize = 7;

/// Looks a few dozen times whether the lock is free.
#[inline(always)]
fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    mutex.try_lock().or_else(|| spin_for(mutex))
}

#[cold]
fn spin_for<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    let backoff = Backoff::new();
    // 1, 2, 4 … 64 pauses between looks. Beyond that Backoff would yield the thread, which is the worker's to decide.
    (0..LOOKS).find_map(|_| {
        backoff.spin();
        mutex.try_lock()
    })
}
