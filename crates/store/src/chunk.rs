//! What pages and chunks are called by.

use crate::limits::CHUNK_INDEX_BITS;

/// A chunk of a shard: the page, and in the lower bits its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkId(pub(crate) u32);

/// A page of a shard, by its place in [`Pages`].
pub(crate) type PageId = u32;

impl ChunkId {
    /// No chunk.
    pub(crate) const NONE: Self = Self(u32::MAX);

    #[inline]
    pub(crate) fn new(page: PageId, index: usize) -> Self {
        Self(page << CHUNK_INDEX_BITS | index as u32)
    }
    #[inline]
    pub(crate) fn page(self) -> PageId {
        self.0 >> CHUNK_INDEX_BITS
    }
    #[inline]
    pub(crate) fn index(self) -> usize {
        (self.0 & ((1 << CHUNK_INDEX_BITS) - 1)) as usize
    }
}
