//! Values on their way in: begun, appended to slice by slice, and stored, abandoned or revoked.
//!
//! What they take is memory that nobody can read yet, so it is bounded twice. Together they have half of the shard,
//! and one at a time may go beyond, so that one after the other comes to its end. And whoever stands in the way without
//! getting on, a client that stopped in the middle or sends next to nothing, loses what it has sent: it is told that
//! there was no memory for its value, once it has sent the rest.
//!
//! A set that fails so takes the old value with it, lest that be taken for the new one; but only what was there when it
//! began, as memcached does. That item is marked as outdated; one that somebody stored meanwhile has no such mark.

use crate::chain::{Growth, NoMemory};
use crate::hash::KeyHash;
use crate::item::{Item, ItemMut, OUTDATED, RelTime};
use crate::limits::{PENDING_RATE_MIN, PENDING_STALL, REVOKED_AT_ONCE};
use crate::shard::Shard;

/// A value on its way into a shard; see [`Shard::begin`]. Not to be dropped but given to [`Shard::abandon`] or stored.
#[derive(Debug)]
#[must_use = "a pending value holds memory until it is stored or abandoned"]
pub struct Pending {
    number: usize,
    generation: u64,
    pub(crate) epoch: u64,
    pub(crate) total: u32,
    arrived: u32,
}

impl Pending {
    /// Bytes that are still to come.
    pub fn missing(&self) -> u32 {
        self.total - self.arrived
    }
}

/// The shard's side of a [`Pending`].
pub(crate) struct PendingEntry {
    pub(crate) chain: usize,
    generation: u64,
    epoch: u64,
    /// Bytes that are in the shard.
    pub(crate) bytes: u32,
    /// When its client last had a slice for it, whether there was room or not.
    asked: RelTime,
}

impl PendingEntry {
    fn stalled(&self, now: RelTime) -> bool {
        now > self.asked + PENDING_STALL
    }
}

/// The one pending value that may go beyond the half.
#[derive(Clone, Copy)]
pub(crate) struct Ahead {
    number: usize,
    began: RelTime,
    /// What it had when its turn began.
    bytes: u32,
}

/// Why a value that came in whole is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// A flush came while it did: it counts as stored before that.
    Flushed,
    /// It stood in the way of others.
    Revoked,
}

impl Shard {
    /// Begins a value of `total` bytes that will come in slices. Takes no memory yet.
    pub fn begin(&mut self, total: u32) -> Pending {
        let chain = self.new_chain();
        self.generation += 1;
        let (generation, epoch) = (self.generation, self.slab.hold());
        let number = self.pendings.insert(PendingEntry {
            chain,
            generation,
            epoch,
            bytes: 0,
            asked: 0,
        });
        Pending {
            number,
            generation,
            epoch,
            total,
            arrived: 0,
        }
    }

    /// [`Self::begin`] of a value that is to replace what is there under the key; [`Self::forget_outdated`] is for one that
    /// then does not.
    pub fn begin_set(&mut self, hash: KeyHash, key: &[u8], total: u32) -> Pending {
        if let Some(id) = self.seek(hash, key) {
            let marks = Item::new(self.slab.pages.chunk(id)).marks();
            ItemMut(self.slab.pages.chunk_mut(id)).set_marks(marks | OUTDATED);
        }
        self.begin(total)
    }

    /// A value begun with [`Self::begin_set`] could not be kept: removes what was under the key then, if it still is.
    pub fn forget_outdated(&mut self, hash: KeyHash, key: &[u8]) {
        if let Some(id) = self.seek(hash, key)
            && Item::new(self.slab.pages.chunk(id)).marks() & OUTDATED != 0
        {
            self.unlink(hash, id);
        }
    }

    /// Whether a slice of `len` bytes may come in now; if not, it is to be tried again a little later. `pages` is what the
    /// shard may count on, of which such values have half.
    ///
    /// What had no slice for more than a second and stands in the way is revoked; and the one that goes beyond the half, when
    /// it is too slow.
    pub fn may_append(
        &mut self,
        pending: &Pending,
        len: usize,
        pages: usize,
        now: RelTime,
    ) -> bool {
        // What was revoked is told so, and what a flush took needs no memory.
        let epoch = self.slab.epoch;
        let Some(entry) = self
            .pending_mut(pending)
            .filter(|entry| entry.epoch == epoch)
        else {
            return true;
        };
        entry.asked = now;
        let bytes = entry.bytes;
        let half = (pages * self.slab.pages.page_bytes / 2) as u64;
        let room = |shard: &Self| shard.tallies.pending_bytes + len as u64 <= half;
        if room(self) || self.revoke_stalled_pendings(now) && room(self) {
            return true;
        }
        if let Some(ahead) = self.ahead
            && ahead.number != pending.number
        {
            if !self.too_slow(ahead, now) {
                return false;
            }
            self.revoke_pending(ahead.number);
        }
        if self.ahead.is_none() {
            self.ahead = Some(Ahead {
                number: pending.number,
                began: now,
                bytes,
            });
        }
        true
    }

    fn too_slow(&self, ahead: Ahead, now: RelTime) -> bool {
        self.pendings.get(ahead.number).is_none_or(|entry| {
            let due = u64::from(now.saturating_sub(ahead.began + PENDING_STALL)) * PENDING_RATE_MIN;
            u64::from(entry.bytes - ahead.bytes) < due
        })
    }

    /// Revokes values that have had no slice for more than a second, a few at once; when all are, looks again in the next
    /// second. False if there was none.
    pub(crate) fn revoke_stalled_pendings(&mut self, now: RelTime) -> bool {
        if self.pendings_judged == now {
            return false;
        }
        let stalled: Vec<usize> = self
            .pendings
            .iter()
            .filter(|(_, entry)| entry.epoch == self.slab.epoch && entry.bytes > 0)
            .filter(|(_, entry)| entry.stalled(now))
            .map(|(number, _)| number)
            .take(REVOKED_AT_ONCE)
            .collect();
        if stalled.len() < REVOKED_AT_ONCE {
            self.pendings_judged = now;
        }
        for &number in &stalled {
            self.revoke_pending(number);
        }
        !stalled.is_empty()
    }

    fn revoke_pending(&mut self, number: usize) {
        self.tallies.pendings_revoked += 1;
        if let Some(chain) = self.end_pending(number) {
            self.doom(chain);
        }
    }

    /// Adds a slice, of at most [`crate::BORROW_COPY_MAX`] bytes and no more than are missing.
    ///
    /// # Errors
    /// [`NoMemory`] when nothing can be evicted for it, or the value was revoked; it is then to be abandoned, and what
    /// was already copied of the slice is lost with it.
    pub fn append(
        &mut self,
        pending: &mut Pending,
        slice: &[u8],
        now: RelTime,
    ) -> Result<(), NoMemory> {
        debug_assert!(slice.len() <= pending.missing() as usize);
        let entry = self.pending_mut(pending).ok_or(NoMemory)?;
        entry.asked = now;
        let chain = entry.chain;
        // Of before a flush: the value counts as stored before it, so its bytes are not needed.
        if pending.epoch == self.slab.epoch {
            let growth = Growth {
                whole: pending.total as usize,
                left: pending.missing() as usize,
                spare: 0,
            };
            self.extend(chain, slice, false, growth, now)?;
            self.tallies.pending_bytes += slice.len() as u64;
            if let Some(entry) = self.pending_mut(pending) {
                entry.bytes += slice.len() as u32;
            }
        }
        pending.arrived += slice.len() as u32;
        Ok(())
    }

    /// Gives up a value that will not be stored.
    pub fn abandon(&mut self, pending: Pending) {
        if self.pending_mut(&pending).is_some()
            && let Some(chain) = self.end_pending(pending.number)
        {
            self.doom(chain);
        }
    }

    /// Whether a flush came while the value did.
    pub(crate) fn has_flushed(&self, pending: &Pending) -> bool {
        pending.epoch != self.slab.epoch
    }

    /// Takes over the chain of a value that has come in whole.
    pub(crate) fn finish(&mut self, pending: Pending) -> Result<usize, Lost> {
        if self.pending_mut(&pending).is_none() {
            return Err(Lost::Revoked);
        }
        self.end_pending(pending.number).ok_or(Lost::Flushed)
    }

    /// Bytes of pending values that can still be stored, and the number of all pending values, for the consistency check.
    pub(crate) fn pending_counts(&self) -> (u64, usize) {
        let current = self.pendings.iter().map(|(_, entry)| entry);
        let current = current.filter(|entry| entry.epoch == self.slab.epoch);
        let bytes = current.map(|entry| u64::from(entry.bytes)).sum();
        (bytes, self.pendings.len())
    }

    /// The shard's side of a pending value; none if it was revoked.
    fn pending_mut(&mut self, pending: &Pending) -> Option<&mut PendingEntry> {
        self.pendings
            .get_mut(pending.number)
            .filter(|entry| entry.generation == pending.generation)
    }

    /// Forgets a pending value, and says whose its chain was; none if a flush has taken that.
    fn end_pending(&mut self, number: usize) -> Option<usize> {
        let PendingEntry {
            chain,
            epoch,
            bytes,
            ..
        } = self.pendings.remove(number);
        if self.ahead.is_some_and(|ahead| ahead.number == number) {
            self.ahead = None;
        }
        self.slab.release(epoch);
        if epoch != self.slab.epoch {
            return None;
        }
        self.tallies.pending_bytes -= u64::from(bytes);
        Some(chain)
    }
}
