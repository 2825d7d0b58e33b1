//! Items that were found, as they are shown to whoever asked for them.

use crate::chunk::ChunkId;
use crate::item::{BINARY_KEY, Item, RelTime};
use crate::limits::BORROW_COPY_MAX;
use crate::shard::Shard;

/// A value that was found, shown to whoever asked for it.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    item: Item<'a>,
    /// Where to find the pieces of a chunked item.
    pieces: Option<(&'a Shard, Place)>,
}

/// Names a chunked item until the shard is changed, see [`Shard::pin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub(crate) ChunkId);

impl<'a> Found<'a> {
    /// An item that lies in one piece.
    #[inline(always)]
    pub(crate) fn in_chunk(item: Item<'a>) -> Self {
        Self { item, pieces: None }
    }
    /// The number that the client stored with the value.
    #[inline]
    pub fn flags(&self) -> u32 {
        self.item.flags()
    }
    /// The item's CAS unique; 0 when they are switched off.
    #[inline]
    pub fn cas(&self) -> u64 {
        self.item.cas()
    }
    /// The item's key.
    #[inline]
    pub fn key(&self) -> &'a [u8] {
        self.item.key()
    }
    /// The 32 bytes in memory that the key begins, if there are as many.
    #[inline]
    pub fn key_block(&self) -> Option<&'a [u8; 32]> {
        self.item.key_block()
    }
    /// When the item's time is over; 0 is never.
    #[inline]
    pub fn exptime(&self) -> RelTime {
        self.item.exptime()
    }
    /// Whether whoever stored the item wrote its key as base64.
    #[inline]
    pub fn has_binary_key(&self) -> bool {
        self.item.marks() & BINARY_KEY != 0
    }
    /// Bytes of the value.
    #[inline]
    pub fn value_len(&self) -> u32 {
        self.item.value_len()
    }
    /// Where the item is, for [`Shard::pin`], if its value is too large to be copied within one borrow: above
    /// [`BORROW_COPY_MAX`].
    #[inline]
    pub fn large(&self) -> Option<Place> {
        let (_, place) = self.pieces?;
        (self.value_len() as usize > BORROW_COPY_MAX).then_some(place)
    }
    /// Copies the whole value behind `out`. Not for one that is [`Self::large`].
    #[inline]
    pub fn copy_value(&self, out: &mut Vec<u8>) {
        match self.pieces {
            None => out.extend_from_slice(self.item.value()),
            Some((shard, _)) => shard.copy_chain(self.item, out),
        }
    }
}

impl Shard {
    /// An item that was found just now.
    #[inline(always)]
    pub(crate) fn found(&self, id: ChunkId, chunked: bool) -> Found<'_> {
        let item = Item::new(self.slab.pages.chunk(id));
        let pieces = chunked.then_some((self, Place(id)));
        Found { item, pieces }
    }

    /// A chunked item that was found just now.
    pub fn at(&self, place: Place) -> Found<'_> {
        Found {
            item: Item::new(self.slab.pages.chunk(place.0)),
            pieces: Some((self, place)),
        }
    }
}
