//! Hints: where the item of a command that comes soon probably is.
//!
//! Most of what a pipelined get costs is waiting for memory, three times: the index's control bytes, its entry, the item.
//! Whoever knows several commands ahead asks for all hints, then warms them all: the processor waits for many lines of
//! memory at once instead of one after the other. 16 gets deep, that took a quarter off the CPU time of the process.

use crate::chunk::ChunkId;
use crate::hash::KeyHash;
use crate::shard::Shard;

/// How far into a chunk [`Shard::warm`] reads: the processor fetches lines in pairs.
const WARM_BYTES: usize = 128;

/// Where an item of one shard probably is. Worth nothing once the shard's index has changed, and harmless then. It must not
/// be shown to another shard.
#[derive(Clone, Copy, Debug)]
pub struct Hint {
    pub(crate) id: ChunkId,
    /// The index's count of changes when the item was there.
    pub(crate) changes: u64,
}

impl Hint {
    /// No hint.
    pub const NONE: Self = Self {
        id: ChunkId::NONE,
        changes: 0,
    };
}

impl Shard {
    /// The first item that the index has for a hash: nearly always the one, but no key is compared.
    #[inline(always)]
    pub fn hint(&self, hash: KeyHash) -> Hint {
        match self.index.find(hash, |_| true) {
            Some(id) => Hint {
                id,
                changes: self.index.changes,
            },
            None => Hint::NONE,
        }
    }

    /// Reads a little of an item, so that it is near when its command comes.
    #[inline(always)]
    pub fn warm(&self, hint: &Hint) {
        if hint.changes == self.index.changes {
            let chunk = self.slab.pages.chunk(hint.id);
            std::hint::black_box((chunk[0], chunk[chunk.len().min(WARM_BYTES) - 1]));
        }
    }
}
