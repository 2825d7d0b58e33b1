//! Keys of one node whose last write or delete has no known end, or went elsewhere while the node was away.
//!
//! What the node holds under such a key may be older than a value acknowledged since. So nobody asks for the key until
//! it was deleted there, and that is done only when whatever stood in a closed connection's buffers has had its time to
//! be carried out. The number of keys is bounded; beyond it the node as a whole is not trusted, and must be flushed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The keys in doubt of one node.
#[derive(Debug)]
pub(crate) struct Journal {
    keys_max: usize,
    /// How many keys there are, more than any when it overflowed: looked at by every call, without the lock.
    count: AtomicUsize,
    notes: Mutex<Notes>,
    /// Told of the first note: there is work to do, and no later note makes it due any earlier.
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Notes {
    keys: HashMap<Bytes, Instant>,
    /// When keys were first noted for which there was no room, and when last.
    overflowed_since: Option<Instant>,
    overflowed_at: Option<Instant>,
    /// Copies in the gutter are being deleted, to be followed by forgetting.
    is_closing: bool,
}

impl Notes {
    fn overflow(&mut self, now: Instant) {
        self.overflowed_since.get_or_insert(now);
        self.overflowed_at = Some(now);
    }
}

/// A key and when it was last noted.
pub(crate) type Note = (Bytes, Instant);

impl Journal {
    pub(crate) fn new(keys_max: usize, changed: Arc<Notify>) -> Self {
        Self {
            keys_max,
            count: AtomicUsize::new(0),
            notes: Mutex::default(),
            changed,
        }
    }

    /// Remembers keys.
    pub(crate) fn note(&self, keys: impl IntoIterator<Item = Bytes>) {
        let now = Instant::now();
        let mut is_first = false;
        self.change(|notes| {
            for key in keys {
                is_first |= notes.keys.is_empty();
                if notes.keys.len() < self.keys_max || notes.keys.contains_key(&key) {
                    notes.keys.insert(key, now);
                } else {
                    notes.overflow(now);
                }
            }
        });
        if is_first {
            self.changed.notify_one();
        }
    }

    /// Remembers a key if there is room; says whether there was.
    pub(crate) fn note_if_room(&self, key: &Bytes) -> bool {
        let mut fits = false;
        let mut is_first = false;
        self.change(|notes| {
            fits = notes.keys.len() < self.keys_max || notes.keys.contains_key(key);
            if fits {
                is_first = notes.keys.is_empty();
                notes.keys.insert(key.clone(), Instant::now());
            }
        });
        if is_first {
            self.changed.notify_one();
        }
        fits
    }

    /// Puts every key in doubt, as when too many were noted.
    pub(crate) fn distrust(&self) {
        let now = Instant::now();
        self.change(|notes| notes.overflow(now));
        self.changed.notify_one();
    }

    /// Puts every key in doubt, if any is, and no longer remembers which.
    pub(crate) fn shrink(&self) {
        self.change(|notes| {
            if let Some(latest) = notes.keys.values().max().copied() {
                notes.overflow(latest.max(notes.overflowed_at.unwrap_or(latest)));
                notes.keys = HashMap::new();
            }
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Whether the key is in doubt; all are after an overflow.
    pub(crate) fn holds(&self, key: &[u8]) -> bool {
        !self.is_empty()
            && self.look(|notes| notes.overflowed_at.is_some() || notes.keys.contains_key(key))
    }

    pub(crate) fn has_overflowed(&self) -> bool {
        !self.is_empty() && self.look(|notes| notes.overflowed_at.is_some())
    }

    /// All keys; `None` if they were too many.
    pub(crate) fn keys(&self) -> Option<Vec<Bytes>> {
        self.look(|notes| match notes.overflowed_at {
            Some(_) => None,
            None => Some(notes.keys.keys().cloned().collect()),
        })
    }

    /// When keys were first noted for which there was no room.
    pub(crate) fn overflowed_since(&self) -> Option<Instant> {
        self.look(|notes| notes.overflowed_since)
    }

    /// Up to `max` keys that were noted at `until` or before.
    pub(crate) fn noted(&self, until: Instant, max: usize) -> Vec<Note> {
        self.look(|notes| {
            let due = notes.keys.iter().filter(|(_, at)| **at <= until);
            due.take(max).map(|(key, at)| (key.clone(), *at)).collect()
        })
    }

    /// Copies in the gutter are about to be deleted, and keys forgotten after that.
    pub(crate) fn closes(&self) {
        self.change(|notes| notes.is_closing = true);
    }

    /// The gutter took a value for this key, as it was away. If the key's time there is over, or just ending, it is
    /// noted again: the copy may have come too late to be deleted.
    pub(crate) fn stood_in(&self, key: &Bytes) {
        let is_late = |notes: &Notes| {
            notes.is_closing || (notes.overflowed_at.is_none() && !notes.keys.contains_key(key))
        };
        if self.look(is_late) {
            self.note([key.clone()]);
        }
    }

    /// Forgets keys that were deleted on the node, unless they were noted again meanwhile.
    pub(crate) fn forget(&self, deleted: &[Note]) {
        self.change(|notes| {
            notes.is_closing = false;
            for (key, at) in deleted {
                if notes.keys.get(key) == Some(at) {
                    notes.keys.remove(key);
                }
            }
        });
    }

    /// Forgets everything noted at `until` or before, after a flush of the node.
    pub(crate) fn forget_all(&self, until: Instant) {
        self.change(|notes| {
            notes.is_closing = false;
            notes.keys.retain(|_, at| *at > until);
            notes.overflowed_at = notes.overflowed_at.filter(|at| *at > until);
            notes.overflowed_since = notes.overflowed_at;
        });
    }

    fn look<T>(&self, look: impl FnOnce(&Notes) -> T) -> T {
        look(&self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Notes)) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut notes);
        let count = match notes.overflowed_at {
            Some(_) => usize::MAX,
            None => notes.keys.len(),
        };
        self.count.store(count, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn key(name: &'static str) -> Bytes {
        Bytes::from_static(name.as_bytes())
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_noted_again_is_not_forgotten() {
        let journal = Journal::new(10, Arc::default());
        assert!(journal.is_empty());
        journal.note([key("a"), key("b")]);
        let noted = journal.noted(Instant::now(), 10);
        assert_eq!(noted.len(), 2);
        tokio::time::advance(Duration::from_millis(1)).await;
        journal.note([key("a")]);
        journal.forget(&noted);
        assert!(journal.holds(b"a") && !journal.holds(b"b"));
        journal.forget(&journal.noted(Instant::now(), 10));
        assert!(journal.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_bound_every_key_is_in_doubt() {
        let journal = Journal::new(2, Arc::default());
        journal.note([key("a"), key("b"), key("a")]);
        assert!(!journal.has_overflowed() && !journal.holds(b"c"));
        journal.note([key("c")]);
        assert!(journal.has_overflowed() && journal.holds(b"any"));
        let flushed_at = Instant::now();
        tokio::time::advance(Duration::from_millis(1)).await;
        journal.note([key("b")]);
        journal.forget_all(flushed_at);
        assert!(!journal.has_overflowed());
        assert!(journal.holds(b"b") && !journal.holds(b"a"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_gutter_took_too_late_is_noted_again() {
        let journal = Journal::new(10, Arc::default());
        journal.note([key("a"), key("b")]);
        let noted = journal.noted(Instant::now(), 10);
        tokio::time::advance(Duration::from_millis(1)).await;
        journal.stood_in(&key("a"));
        journal.closes();
        journal.stood_in(&key("b"));
        journal.forget(&noted);
        assert!(!journal.holds(b"a"), "its copy was deleted after it came");
        assert!(journal.holds(b"b"));
        journal.stood_in(&key("a"));
        assert!(journal.holds(b"a"));
    }

    #[tokio::test]
    async fn what_is_noted_is_told() {
        let changed = Arc::new(Notify::new());
        let journal = Journal::new(2, Arc::clone(&changed));
        journal.note([key("a")]);
        changed.notified().await;
    }
}
