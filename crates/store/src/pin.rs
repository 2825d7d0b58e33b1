//! Large values that are being read.
//!
//! A reader *pins* the item and copies it out slice by slice; removed meanwhile, the item stays as an orphan until its
//! last reader is done, so that a reader sees the value as it was. Pinned memory is the shard's own; when a write finds
//! no other, the reader that has not moved for the longest time loses its pin.

use std::collections::BTreeSet;

use slab::Slab as Numbered;

use crate::chunk::ChunkId;
use crate::found::Place;
use crate::item::{self, Item, ItemMut, Piece, RelTime};
use crate::shard::Shard;

/// All pins of a shard.
#[derive(Default)]
pub(crate) struct Pins {
    entries: Numbered<PinEntry>,
    /// When the reader last took a slice, its generation, its number: the slowest comes first.
    by_age: BTreeSet<(RelTime, u64, usize)>,
}

/// A reader's hold on an item.
struct PinEntry {
    item: ChunkId,
    chain: usize,
    generation: u64,
    epoch: u64,
    /// When the reader last took a slice.
    moved: RelTime,
}

impl Pins {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn insert(&mut self, entry: PinEntry) -> usize {
        let (moved, generation) = (entry.moved, entry.generation);
        let number = self.entries.insert(entry);
        self.by_age.insert((moved, generation, number));
        number
    }

    fn remove(&mut self, number: usize) -> PinEntry {
        let entry = self.entries.remove(number);
        self.by_age.remove(&(entry.moved, entry.generation, number));
        entry
    }

    /// Whether the pin was not revoked.
    fn holds(&self, pin: &Pin) -> bool {
        let entry = self.entries.get(pin.number);
        entry.is_some_and(|entry| entry.generation == pin.generation)
    }

    /// Its reader takes a slice.
    fn touch(&mut self, number: usize, now: RelTime) {
        let entry = &mut self.entries[number];
        if entry.moved != now {
            self.by_age.remove(&(entry.moved, entry.generation, number));
            self.by_age.insert((now, entry.generation, number));
            entry.moved = now;
        }
    }
}

/// A value that is being read slice by slice; see [`Shard::pin`]. Not to be dropped but given to [`Shard::unpin`].
#[derive(Debug)]
#[must_use = "a pin holds memory until it is given back"]
pub struct Pin {
    number: usize,
    generation: u64,
    piece: ChunkId,
    /// Where in the room of the piece the rest begins.
    at: usize,
    remaining: u32,
}

impl Pin {
    /// Bytes not yet read.
    pub fn remaining(&self) -> u32 {
        self.remaining
    }
}

/// The reader's memory was needed for a write: the rest of the value is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked;

impl Shard {
    /// Pins a chunked item, to be read by [`Self::read`] while the shard goes on. It was found just now: the shard has not
    /// been changed since, or the place is another's.
    pub fn pin(&mut self, place: Place, now: RelTime) -> Pin {
        let item = Item::new(self.slab.pages.chunk(place.0));
        let remaining = item.value_len();
        let chain = item.chain();
        let entry = &mut self.chains[chain];
        entry.pins += 1;
        let piece = entry.first;
        ItemMut(self.slab.pages.chunk_mut(place.0)).set_pinned(true);
        self.generation += 1;
        let generation = self.generation;
        let epoch = self.slab.hold();
        let number = self.pins.insert(PinEntry {
            item: place.0,
            chain,
            generation,
            epoch,
            moved: now,
        });
        Pin {
            number,
            generation,
            piece,
            at: self.begin_of(piece),
            remaining,
        }
    }

    /// Copies the next slice, at most `max` bytes, behind `out`.
    ///
    /// # Errors
    /// [`Revoked`] when the value's memory had to be taken for a write.
    pub fn read(
        &mut self,
        pin: &mut Pin,
        out: &mut Vec<u8>,
        max: usize,
        now: RelTime,
    ) -> Result<(), Revoked> {
        if !self.pins.holds(pin) {
            return Err(Revoked);
        }
        self.pins.touch(pin.number, now);
        let mut left = max.min(pin.remaining as usize);
        while left > 0 && pin.piece != ChunkId::NONE {
            let piece = Piece(self.slab.pages.chunk(pin.piece));
            let bytes = piece.bytes_from(pin.at);
            let taken = left.min(bytes.len());
            out.extend_from_slice(&bytes[..taken]);
            left -= taken;
            pin.remaining -= taken as u32;
            pin.at += taken;
            if pin.at == piece.end() {
                pin.piece = piece.next();
                pin.at = self.begin_of(pin.piece);
            }
        }
        Ok(())
    }

    /// Where in the room of a piece its bytes begin.
    fn begin_of(&self, piece: ChunkId) -> usize {
        match piece {
            ChunkId::NONE => 0,
            piece => Piece(self.slab.pages.chunk(piece)).begin(),
        }
    }

    /// Ends a reading, whether it came to the end or not.
    pub fn unpin(&mut self, pin: Pin) {
        if self.pins.holds(&pin) {
            self.remove_pin(pin.number);
        }
    }

    fn remove_pin(&mut self, number: usize) {
        let entry = self.pins.remove(number);
        self.slab.release(entry.epoch);
        if entry.epoch != self.slab.epoch {
            return;
        }
        let (id, chain) = (entry.item, &mut self.chains[entry.chain]);
        chain.pins -= 1;
        if chain.pins > 0 {
            return;
        }
        ItemMut(self.slab.pages.chunk_mut(id)).set_pinned(false);
        if item::state(self.slab.pages.chunk(id)) == item::ChunkState::Orphan {
            let len = u64::from(Item::new(self.slab.pages.chunk(id)).value_len());
            self.tallies.orphan_bytes -= len.min(self.tallies.orphan_bytes);
            self.free_item(id);
        }
    }

    /// Takes the pins of so many readers, those that have not moved for the longest time. False if there is none.
    pub(crate) fn revoke_slowest(&mut self, most: usize) -> bool {
        for revoked in 0..most {
            let Some(&(.., number)) = self.pins.by_age.first() else {
                return revoked > 0;
            };
            self.remove_pin(number);
            self.tallies.pins_revoked += 1;
        }
        true
    }

    /// Where memory is short, values that only their readers still know may take half of the shard, no more.
    /// False if they do not.
    pub(crate) fn limit_orphans(&mut self) -> bool {
        let limit = (self.slab.grant * self.slab.pages.page_bytes / 2) as u64;
        self.tallies.orphan_bytes > limit && self.revoke_slowest(1)
    }
}
