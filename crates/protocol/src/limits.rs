//! The protocol's limits. They are memcached's unless a comment says that they are ours.

use std::ops::RangeInclusive;

/// Longest key in bytes.
pub const KEY_MAX: usize = 250;

/// Longest line of any command but `get` and `gets` that is waited for: an unterminated line beyond it closes the
/// connection. A longer line whose end has already arrived is served.
pub const LINE_MAX: usize = 2048;

/// Longest unterminated `get` or `gets` line. This bound is ours, memcached has none: room for 100,000 keys of 40
/// bytes, while no client can make one connection hold more.
pub const GET_LINE_MAX: usize = 4 << 20;

/// Longest data block that a command may announce: `INT_MAX - 2`, so that memcached's length with the CRLF fits an
/// `int`. What the store takes (`-I`) is far less, and not the protocol's matter.
pub const VALUE_LEN_MAX: u32 = 2_147_483_645;

/// Longest token of a meta command's opaque, its letter `O` not counted.
pub const OPAQUE_MAX: usize = 31;

/// Most words of a meta command's line, its name and its key among them.
pub const META_WORDS_MAX: usize = 20;

/// Longest body of a binary frame, extras, key and value together; a longer one closes the connection.
pub const BODY_LEN_MAX: u32 = 1 << 30;

/// Longest name of a SASL mechanism in bytes (`MAX_SASL_MECH_LEN`).
pub const SASL_MECHANISM_MAX: usize = 32;

/// Most data of one SASL message in bytes. This bound is ours: memcached takes what fits one of its chunks, half a
/// megabyte, from clients that nobody knows yet; a name and a password need far less.
pub const SASL_DATA_MAX: u32 = 4096;

/// Longest block of user and password that the text protocol's handshake may announce. This bound is ours: memcached
/// keeps 16 KiB of clients that nobody knows yet.
pub const AUTH_TOKEN_MAX: u32 = 1024;

/// Bytes before the `\n` of the shortest line that is answered before a client is let in; on a shorter one it is closed.
pub(crate) const AUTH_LINE_MIN: usize = 6;

/// Longest line of a reply that the client's side waits for, in bytes. This bound is ours: keys are short, and the longest
/// rows of `stats settings` are paths.
pub const REPLY_LINE_MAX: usize = 8192;

/// Smallest `cache_memlimit`, in megabytes.
pub const MEMLIMIT_MIN_MB: u32 = 8;

/// Largest `cache_memlimit`, in megabytes: beyond it the client has surely sent bytes.
pub const MEMLIMIT_MAX_MB: u32 = 1_000_000_000;

/// Slab classes that `stats cachedump` may name are below this number (`MAX_NUMBER_OF_SLAB_CLASSES`).
pub const SLAB_CLASS_COUNT_MAX: u32 = 64;

/// Seconds that `slabs automove window` takes.
pub const AUTOMOVE_WINDOW: RangeInclusive<u32> = 3..=1800;

/// Most percent that `lru tune` gives to hot and warm items together.
pub const LRU_PCT_MAX: u32 = 80;

/// Longest `lru_crawler sleep`, in microseconds.
pub const CRAWLER_SLEEP_MAX_US: u32 = 1_000_000;

/// Highest verbosity; a higher one asked for is cut to it (`MAX_VERBOSITY_LEVEL`).
pub const VERBOSITY_MAX: u32 = 2;

/// Bytes of the shortest line taken for a command, its line end included.
pub(crate) const LINE_MIN: usize = 4;

/// Leading blanks tolerated when an unterminated line is asked whether it is a `get`.
pub(crate) const LEADING_BLANKS_MAX: usize = 100;

/// The CRLF after a data block.
pub(crate) const BLOCK_END_LEN: u64 = 2;

// A refused block is counted in u64 with its CRLF; memcached's own int must hold it too.
const _: () = assert!(VALUE_LEN_MAX as u64 + BLOCK_END_LEN == i32::MAX as u64);
const _: () = assert!(KEY_MAX < LINE_MAX && LINE_MAX < GET_LINE_MAX);
const _: () = assert!(BODY_LEN_MAX <= VALUE_LEN_MAX && KEY_MAX <= u8::MAX as usize);
