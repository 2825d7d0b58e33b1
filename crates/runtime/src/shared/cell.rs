//! The file by which threads share memory that changes: numbers, switches, and locks that are tried.
//!
//! Everything else in these crates is plain data that one thread owns, or is made of these cells; but for lists that are
//! replaced as a whole (`arc-swap`: the users of [`Gate`](crate::gate::Gate)) and channels. Numbers are loaded
//! with acquire and stored with release: on x86 that costs nothing, on ARM little, and nobody has to prove for each of
//! them that less would do. But counters that one thread alone adds to are relaxed: they tell nothing of any other memory.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam::utils::Backoff;
use spin::mutex::{SpinMutex, SpinMutexGuard};

/// What is lent; ends the borrow when dropped.
pub(crate) type Guard<'a, T> = SpinMutexGuard<'a, T>;

/// A number that any thread may read and change.
#[derive(Debug, Default)]
pub(crate) struct Number(AtomicU64);

impl Number {
    pub(crate) fn new(number: u64) -> Self {
        Self(AtomicU64::new(number))
    }

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn set(&self, number: u64) {
        self.0.store(number, Ordering::Release);
    }

    /// Adds, wrapping, in one step. Returns what was there before.
    #[inline]
    pub(crate) fn add(&self, n: u64) -> u64 {
        self.0.fetch_add(n, Ordering::AcqRel)
    }

    /// Takes away, wrapping, in one step.
    pub(crate) fn take(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::AcqRel);
    }

    /// Adds without the cost of one step, and orders nothing. For a counter that only one thread ever changes.
    #[inline]
    pub(crate) fn add_alone(&self, n: u64) {
        let sum = self.0.load(Ordering::Relaxed).wrapping_add(n);
        self.0.store(sum, Ordering::Relaxed);
    }

    /// Sets it and returns what was there before.
    pub(crate) fn swap(&self, number: u64) -> u64 {
        self.0.swap(number, Ordering::AcqRel)
    }

    /// Makes it at least `number`.
    pub(crate) fn raise_to(&self, number: u64) {
        self.0.fetch_max(number, Ordering::AcqRel);
    }

    /// Changes `old` to `new`; false, and nothing is changed, if it is not `old`.
    pub(crate) fn replace(&self, old: u64, new: u64) -> bool {
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        self.0.compare_exchange(old, new, success, failure).is_ok()
    }

    /// Changes it to what `change` makes of it; false, and nothing is changed, where that is `None`.
    pub(crate) fn update(&self, change: impl Fn(u64) -> Option<u64>) -> bool {
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        self.0.fetch_update(success, failure, change).is_ok()
    }
}

/// A switch that any thread may read and turn.
#[derive(Default)]
pub(crate) struct Switch(AtomicBool);

impl Switch {
    pub(crate) fn new(on: bool) -> Self {
        Self(AtomicBool::new(on))
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn turn(&self, on: bool) {
        self.0.store(on, Ordering::Release);
    }
}

/// Looks at a taken lock before it is given up, beside the first.
const LOOKS: usize = 7;

/// A value that is lent to one thread at a time.
#[derive(Default)]
pub(crate) struct Lendable<T>(SpinMutex<T>);

impl<T> Lendable<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(SpinMutex::new(value))
    }

    /// Looks eight times whether it is free, with 127 pauses of the processor between; `None` if it is still lent to
    /// another.
    #[inline(always)]
    pub(crate) fn borrow(&self) -> Option<Guard<'_, T>> {
        self.0.try_lock().or_else(|| self.spin())
    }

    #[cold]
    fn spin(&self) -> Option<Guard<'_, T>> {
        let backoff = Backoff::new();
        // 1, 2, 4 … 64 pauses between looks. Beyond that Backoff would yield the thread, which is the worker's to
        // decide.
        (0..LOOKS).find_map(|_| {
            backoff.spin();
            self.0.try_lock()
        })
    }

    /// Waits until it is free. Not for workers.
    pub(crate) fn wait(&self) -> Guard<'_, T> {
        loop {
            if let Some(lent) = self.borrow() {
                return lent;
            }
            std::thread::yield_now();
        }
    }
}
