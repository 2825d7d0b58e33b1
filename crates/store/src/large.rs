//! Values that fit no chunk: chains of pieces, and values being read. How a value comes in is `pending`'s.
//!
//! A chain has a number; its pieces carry the number, so that from any piece the item is found, and a chain becomes
//! an item's by one assignment however long it is. What becomes of a chain:
//!
//! ```text
//! begin ── append … append ── stored: the item's ── item removed ── doomed, given back a few pieces at a time
//!                         └── abandoned, revoked ───────────────────┘
//! ```
//!
//! A reader *pins* the item and copies it out slice by slice; removed meanwhile, the item stays as an orphan until its
//! last reader is done, so that a reader sees the value as it was. Pinned memory is the shard's own; when a write finds
//! no other, the reader that has not moved for the longest time loses its pin.

use crate::chunk::ChunkId;
use crate::class::{ClassId, PAGE_CLASS};
use crate::found::Place;
use crate::item::{self, CHAIN, Item, ItemMut, PIECE_HEADER, Piece, PieceMut, RelTime};
use crate::limits::{CHUNK_MAX, REAP_PIECES};
use crate::shard::Shard;

/// The pieces of one value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    /// The item's head; none while the value is on its way in, or when the chain is doomed.
    pub(crate) head: ChunkId,
    pub(crate) first: ChunkId,
    pub(crate) last: ChunkId,
    /// Whether its pieces only wait to be given back.
    pub(crate) doomed: bool,
}

/// Bytes that a chain takes in the table of chains: itself and the table's own mark.
pub(crate) const CHAIN_BYTES: usize = size_of::<Chain>() + size_of::<usize>();

/// No memory could be found for a value, with nothing left to evict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

/// A reader's hold on an item.
pub(crate) struct PinEntry {
    item: ChunkId,
    generation: u64,
    epoch: u64,
    /// When the reader last took a slice.
    moved: RelTime,
}

/// A value that is being read slice by slice; see [`Shard::pin`]. Not to be dropped but given to [`Shard::unpin`].
#[derive(Debug)]
#[must_use = "a pin holds memory until it is given back"]
pub struct Pin {
    number: usize,
    generation: u64,
    piece: ChunkId,
    offset: usize,
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

/// Values from this size on put their head and their last piece in chunks of the largest size too. In small ones many
/// such values would meet on one page, and all go with it when it is taken.
const ROOMY: usize = 4 * CHUNK_MAX;

/// The class of the next piece of a value of `total` bytes, when `left` are to be placed.
pub(crate) fn piece_class(total: usize, left: usize, page_bytes: usize) -> ClassId {
    if left + PIECE_HEADER >= page_bytes {
        PAGE_CLASS
    } else if total >= ROOMY {
        ClassId::for_size(CHUNK_MAX)
    } else {
        ClassId::for_size((left + PIECE_HEADER).min(CHUNK_MAX))
    }
}

/// The class of a chunked item's head that takes `front` bytes.
pub(crate) fn head_class(front: usize, value_len: usize) -> ClassId {
    ClassId::for_size(if value_len >= ROOMY {
        CHUNK_MAX
    } else {
        front + CHAIN
    })
}

impl Shard {
    pub(crate) fn add_piece(
        &mut self,
        number: usize,
        class: ClassId,
        now: RelTime,
    ) -> Result<(), NoMemory> {
        let id = self.alloc(class, now).ok_or(NoMemory)?;
        PieceMut(self.slab.pages.chunk_mut(id)).start(number);
        let chain = &mut self.chains[number];
        let last = std::mem::replace(&mut chain.last, id);
        if last == ChunkId::NONE {
            chain.first = id;
        } else {
            PieceMut(self.slab.pages.chunk_mut(last)).set_next(id);
        }
        Ok(())
    }

    /// A chain that holds `bytes`, to be all or part of a value of `whole` bytes.
    pub(crate) fn build_chain(
        &mut self,
        bytes: &[u8],
        whole: usize,
        now: RelTime,
    ) -> Result<usize, NoMemory> {
        let mut pending = self.begin_part(bytes.len() as u32, whole as u32);
        if let Err(no_memory) = self.append(&mut pending, bytes, now) {
            self.abandon(pending);
            return Err(no_memory);
        }
        self.finish(pending).map_err(|_| NoMemory)
    }

    /// Bytes that still fit into the last piece of a chain.
    pub(crate) fn room_at_end(&self, chain: usize) -> usize {
        match self.chains[chain].last {
            ChunkId::NONE => 0,
            last => Piece(self.slab.pages.chunk(last)).room(),
        }
    }

    /// Puts bytes for which there is room into the last piece of a chain. Who reads the value does not notice: he knows
    /// how long it was.
    pub(crate) fn fill_end(&mut self, chain: usize, bytes: &[u8]) {
        let last = self.chains[chain].last;
        if last != ChunkId::NONE {
            PieceMut(self.slab.pages.chunk_mut(last)).append(bytes);
        }
    }

    /// Joins the pieces of `added` to the front or the end of `chain`, of which they become part.
    pub(crate) fn splice(&mut self, chain: usize, added: usize, in_front: bool) {
        let new = self.chains.remove(added);
        let mut piece = new.first;
        while piece != ChunkId::NONE {
            let mut bytes = PieceMut(self.slab.pages.chunk_mut(piece));
            bytes.set_chain(chain);
            piece = Piece(bytes.0).next();
        }
        if new.first == ChunkId::NONE {
            return;
        }
        let old = self.chains[chain];
        if old.first == ChunkId::NONE {
            self.chains[chain].first = new.first;
            self.chains[chain].last = new.last;
            return;
        }
        let (left, right) = if in_front { (new, old) } else { (old, new) };
        PieceMut(self.slab.pages.chunk_mut(left.last)).set_next(right.first);
        self.chains[chain].first = left.first;
        self.chains[chain].last = right.last;
    }

    /// The chain's pieces are no longer needed. Some are given back at once, the rest by and by.
    pub(crate) fn doom(&mut self, chain: usize) {
        let entry = &mut self.chains[chain];
        entry.doomed = true;
        entry.head = ChunkId::NONE;
        self.doomed.push(chain);
        self.reap();
    }

    /// Gives back a few pieces of doomed chains. False if there were none.
    pub(crate) fn reap(&mut self) -> bool {
        let mut freed = 0;
        while let Some(&number) = self.doomed.last() {
            if freed == REAP_PIECES {
                break;
            }
            let piece = self.chains[number].first;
            if piece == ChunkId::NONE {
                self.chains.remove(number);
                self.doomed.pop();
                continue;
            }
            self.chains[number].first = Piece(self.slab.pages.chunk(piece)).next();
            self.slab.put_chunk(piece);
            freed += 1;
        }
        freed > 0
    }

    /// Copies a chunked item's whole value behind `out`.
    pub(crate) fn copy_chain(&self, item: Item<'_>, out: &mut Vec<u8>) {
        let mut left = item.value_len() as usize;
        let mut id = self
            .chains
            .get(item.chain())
            .map_or(ChunkId::NONE, |chain| chain.first);
        while left > 0 && id != ChunkId::NONE {
            let piece = Piece(self.slab.pages.chunk(id));
            out.extend_from_slice(piece.bytes());
            left -= piece.len();
            id = piece.next();
        }
    }

    /// Pins a chunked item, to be read by [`Self::read`] while the shard goes on. `None` if it is no longer
    /// there.
    pub fn pin(&mut self, place: Place, now: RelTime) -> Option<Pin> {
        let item = Item::new(self.slab.pages.chunk(place.0));
        let remaining = item.value_len();
        let piece = self.chains.get(item.chain())?.first;
        ItemMut(self.slab.pages.chunk_mut(place.0)).set_pinned(true);
        self.generation += 1;
        let generation = self.generation;
        let epoch = self.slab.hold();
        let number = self.pins.insert(PinEntry {
            item: place.0,
            generation,
            epoch,
            moved: now,
        });
        Some(Pin {
            number,
            generation,
            piece,
            offset: 0,
            remaining,
        })
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
        match self.pins.get_mut(pin.number) {
            Some(entry) if entry.generation == pin.generation => entry.moved = now,
            _ => return Err(Revoked),
        }
        let mut left = max.min(pin.remaining as usize);
        while left > 0 && pin.piece != ChunkId::NONE {
            let piece = Piece(self.slab.pages.chunk(pin.piece));
            let bytes = &piece.bytes()[pin.offset..];
            let taken = left.min(bytes.len());
            out.extend_from_slice(&bytes[..taken]);
            left -= taken;
            pin.remaining -= taken as u32;
            pin.offset += taken;
            if pin.offset == piece.len() {
                (pin.piece, pin.offset) = (piece.next(), 0);
            }
        }
        Ok(())
    }

    /// Ends a reading, whether it came to the end or not.
    pub fn unpin(&mut self, pin: Pin) {
        if self
            .pins
            .get(pin.number)
            .is_some_and(|entry| entry.generation == pin.generation)
        {
            self.remove_pin(pin.number);
        }
    }

    fn remove_pin(&mut self, number: usize) {
        let PinEntry {
            item: id, epoch, ..
        } = self.pins.remove(number);
        self.slab.release(epoch);
        if epoch != self.slab.epoch
            || self
                .pins
                .iter()
                .any(|(_, other)| other.item == id && other.epoch == epoch)
        {
            return;
        }
        ItemMut(self.slab.pages.chunk_mut(id)).set_pinned(false);
        if item::state(self.slab.pages.chunk(id)) == item::ChunkState::Orphan {
            let len = u64::from(Item::new(self.slab.pages.chunk(id)).value_len());
            self.tallies.orphan_bytes -= len.min(self.tallies.orphan_bytes);
            self.free_item(id);
        }
    }

    /// Takes the pin of the reader that has not moved for the longest time. False if there is none.
    pub(crate) fn revoke_slowest(&mut self) -> bool {
        let slowest = self
            .pins
            .iter()
            .min_by_key(|(_, entry)| (entry.moved, entry.generation));
        let Some((number, _)) = slowest else {
            return false;
        };
        self.remove_pin(number);
        self.tallies.pins_revoked += 1;
        true
    }

    /// Where memory is short, values that only their readers still know may take half of the shard, no more.
    /// False if they do not.
    pub(crate) fn limit_orphans(&mut self) -> bool {
        let limit = (self.slab.grant * self.slab.pages.page_bytes / 2) as u64;
        self.tallies.orphan_bytes > limit && self.revoke_slowest()
    }
}
