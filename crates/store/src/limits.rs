//! The sizes and bounds of a shard, in one place, and how they hang together.

/// Bytes of the smallest page, the unit in which memory is taken, given back and moved between slab classes.
///
/// Replaying real traces at 7 to 17 MiB per shard, pages of 8, 16, 32 and 64 KiB missed .2566, .2565, .2612 and .2770
/// (scarab, the least memory): with 55 slab classes, larger pages leave too much of a small shard unused.
pub const PAGE_BYTES_MIN: usize = 16 * 1024;

/// Bytes of the largest page: taking one apart is one command's work, up to a quarter of a millisecond here.
pub const PAGE_BYTES_MAX: usize = 256 * 1024;

/// Pages that a process should have at most: each can become a mapping of its own when its neighbours are given up,
/// and the kernel allows 65,530 mappings per process (`vm.max_map_count`).
const PAGES_WANTED_MAX: u64 = 32 * 1024;

/// The page size for a process that may use `limit` bytes: 16 KiB up to 512 MiB, 256 KiB from 4 GiB on.
pub fn page_bytes_for(limit: u64) -> usize {
    let bytes = limit.div_ceil(PAGES_WANTED_MAX).next_power_of_two();
    usize::try_from(bytes)
        .unwrap_or(PAGE_BYTES_MAX)
        .clamp(PAGE_BYTES_MIN, PAGE_BYTES_MAX)
}

/// Bytes of the smallest chunk: an item header, a one-byte key and a few bytes of value.
pub(crate) const CHUNK_MIN: usize = 32;

/// Bytes of the largest chunk that shares its page with others. A larger item is a chunked item: a head and a
/// chain of pieces, whole pages first, then chunks of this size, then one of the class that fits the rest, so that
/// what is lost at the end is small at any size.
pub(crate) const CHUNK_MAX: usize = 4096;

/// Longest key in bytes (memcached's `KEY_MAX_LENGTH`).
pub const KEY_MAX: usize = 250;

/// Most bytes that one borrow of a shard copies. A longer value goes in and out in slices of this size.
pub const BORROW_COPY_MAX: usize = 64 * 1024;

/// Largest `-I`: value lengths are kept in 31 bits, and memcached's own bound is the same.
pub const ITEM_SIZE_LIMIT: u32 = 1 << 30;

/// Pages of one shard: chunk ids have 19 bits for the page and 13 for the chunk. That is 8 GiB of the smallest pages,
/// 128 GiB of the largest.
pub(crate) const SHARD_PAGES_MAX: usize = 1 << (32 - CHUNK_INDEX_BITS);

/// Bytes that one shard can hold at most, where pages have `page_bytes`.
pub fn shard_bytes_max(page_bytes: usize) -> u64 {
    (SHARD_PAGES_MAX - 1) as u64 * page_bytes as u64
}

/// Bits of a chunk id that tell the place in its page.
pub(crate) const CHUNK_INDEX_BITS: u32 = 13;

/// A value on its way in that had no slice for longer, in seconds, loses its memory when others wait for it.
pub(crate) const PENDING_STALL: u32 = 1;

/// Bytes a second that a value must bring while it has more than such values' half of the shard and others wait for it.
pub(crate) const PENDING_RATE_MIN: u64 = 1 << 20;

/// Empty pages that a shard keeps mapped, ready for the next slab class that needs one.
pub(crate) const EMPTY_PAGES_KEPT: usize = 8;

/// Bytes of events that a shard notes until somebody takes them.
pub(crate) const EVENT_BYTES_MAX: usize = 64 * 1024;

/// Chunks that eviction looks at for one chunk of room before it takes what it can get. Real traces needed 0.6 to 1.3
/// on average and 305 at the worst.
pub(crate) const EVICT_LOOKS: usize = 256;

/// Chunks that eviction looks at to rescue one warm item from a page that is taken, and all of the page's.
pub(crate) const RESCUE_LOOKS: usize = 32;
pub(crate) const RESCUE_LOOKS_PER_PAGE: usize = 256;

/// Pieces of dead chunked items given back within one command or step.
pub(crate) const REAP_PIECES: usize = 64;

/// Values on their way in that are revoked within one command.
pub(crate) const REVOKED_AT_ONCE: usize = 64;

/// Items that one step of a walk along the index shows at most; all their keys are copied within one borrow.
pub(crate) const WALK_ITEMS: usize = 128;

/// Chunks and pages that one step of a walk over pages looks at.
pub(crate) const LIST_CHUNKS: usize = 128;
pub(crate) const LIST_PAGES: u32 = 4096;

const _: () = assert!(WALK_ITEMS * KEY_MAX <= BORROW_COPY_MAX && LIST_CHUNKS <= WALK_ITEMS);
const _: () = assert!(
    PAGE_BYTES_MAX / CHUNK_MIN <= 1 << CHUNK_INDEX_BITS,
    "a chunk index needs more bits"
);
const _: () = assert!(PAGE_BYTES_MIN.is_multiple_of(CHUNK_MAX));
