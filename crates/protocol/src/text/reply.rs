//! What the server says: the fixed replies, the text of every error, and the few replies with something in them.

use std::fmt::Display;
use std::io::Write;

/// A storage command stored.
pub const STORED: &[u8] = b"STORED\r\n";
/// A storage command's condition did not hold.
pub const NOT_STORED: &[u8] = b"NOT_STORED\r\n";
/// `cas`: the item has changed.
pub const EXISTS: &[u8] = b"EXISTS\r\n";
/// No such item.
pub const NOT_FOUND: &[u8] = b"NOT_FOUND\r\n";
/// `delete` deleted.
pub const DELETED: &[u8] = b"DELETED\r\n";
/// `touch` touched.
pub const TOUCHED: &[u8] = b"TOUCHED\r\n";
/// An admin command was carried out.
pub const OK: &[u8] = b"OK\r\n";
/// The end of the items of a get, or of the rows of a stats command.
pub const END: &[u8] = b"END\r\n";
/// `stats reset`.
pub const RESET: &[u8] = b"RESET\r\n";
/// `mn`.
pub const MN: &[u8] = b"MN\r\n";
/// The end of `lru_crawler mgdump`.
pub const EN: &[u8] = b"EN\r\n";
/// `slabs reassign`: nothing can be moved just now.
pub const REASSIGN_BUSY: &[u8] = b"BUSY currently processing reassign request\r\n";
/// `slabs reassign`: no such class.
pub const REASSIGN_BADCLASS: &[u8] = b"BADCLASS invalid src or dst class id\r\n";
/// `slabs reassign`: the source has fewer than two pages.
pub const NOSPARE: &[u8] = b"NOSPARE source class has no spare pages\r\n";
/// `slabs reassign`: source and target are the same.
pub const SAME: &[u8] = b"SAME src and dst class are identical\r\n";
/// `lru_crawler crawl` while another is at work.
pub const CRAWL_BUSY: &[u8] = b"BUSY currently processing crawler request\r\n";
/// `lru_crawler crawl` or a dump of a class that cannot be.
pub const CRAWL_BADCLASS: &[u8] = b"BADCLASS invalid class id\r\n";
/// `lru_crawler crawl` of no class.
pub const NOTSTARTED: &[u8] = b"NOTSTARTED no items to crawl\r\n";
/// [`ErrorText::Error`].
pub const ERROR: &[u8] = ErrorText::Error.line();
/// What follows a data block, and most lines.
pub const CRLF: &[u8] = b"\r\n";

/// Every error line of the text protocol, authentication apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorText {
    /// An unknown command, or a known one that memcached says no more about.
    Error,
    /// The connection limit is reached; said to a new connection before it is closed.
    TooManyConnections,
    /// Too few words, a key too long, or not a number.
    BadFormat,
    /// `stats cachedump` without its arguments.
    BadLine,
    /// The data block did not end with a CRLF where it should have.
    BadDataChunk,
    /// The exptime of `touch`, `gat` or `gats` is not a number.
    InvalidExptime,
    /// The delay of `flush_all` is not a number. The same line as [`Self::InvalidExptime`], but the command still
    /// counts in `cmd_flush`, and `-F` forbids it first.
    InvalidFlushDelay,
    /// The delta of `incr` or `decr` is not a number.
    InvalidDelta,
    /// The item of `incr` or `decr` is not a number.
    NonNumeric,
    /// `flush_all` under `-F`.
    FlushNotAllowed,
    /// `stats detail` under `-X`.
    DetailNotAllowed,
    /// `stats detail` with another word, or none.
    DetailUsage,
    /// `stats cachedump` under `-X`.
    CachedumpNotAllowed,
    /// `stats cachedump` of a class that cannot be.
    IllegalSlabId,
    /// `slabs reassign` under `-o no_slab_reassign`.
    ReassignDisabled,
    /// `slabs automove window` with a number that is none of [`AUTOMOVE_WINDOW`](crate::limits::AUTOMOVE_WINDOW).
    AutomoveWindow,
    /// `lru tune` with shares above [`LRU_PCT_MAX`](crate::limits::LRU_PCT_MAX).
    LruPercents,
    /// `lru tune` with an age that is not greater than 0.
    LruFactors,
    /// `lru_crawler enable` when it is on.
    CrawlerNotStarted,
    /// `lru_crawler crawl`, `metadump` or `mgdump` while the crawler is off.
    CrawlerDisabled,
    /// `lru_crawler sleep` above [`CRAWLER_SLEEP_MAX_US`](crate::limits::CRAWLER_SLEEP_MAX_US).
    CrawlerSleep,
    /// `lru_crawler crawl hash`, in memcached's words.
    CrawlHash,
    /// `lru_crawler metadump` under `-X`.
    MetadumpNotAllowed,
    /// `lru_crawler mgdump` under `-X`.
    MgdumpNotAllowed,
    /// `lru_crawler metadump` behind other commands.
    MetadumpPipelined,
    /// `lru_crawler mgdump` behind other commands.
    MgdumpPipelined,
    /// A meta flag that there is not.
    InvalidFlag,
    /// A meta flag that comes twice.
    DuplicateFlag,
    /// `ma` with a flag that is wrong in any way, or too long a key.
    InvalidOrDuplicateFlag,
    /// A meta line of too many words.
    TooManyFlags,
    /// A meta opaque of more than [`OPAQUE_MAX`](crate::limits::OPAQUE_MAX) bytes.
    OpaqueTooLong,
    /// The key of a meta command is not base64, as `b` says.
    BadBase64,
    /// The token of a meta flag is not a number.
    BadToken,
    /// The initial value of an `ma` is not a number.
    InvalidInitialValue,
    /// The delta of an `ma` is not a number.
    InvalidDeltaValue,
    /// `ms` in a mode that there is not.
    InvalidSetMode,
    /// `ma` in a mode that there is not.
    InvalidArithMode,
    /// `shutdown` without `-A`. The colon is memcached's.
    ShutdownNotEnabled,
    /// `shutdown` with an unknown argument; without `-A`, [`Self::ShutdownNotEnabled`] goes first.
    InvalidShutdownMode,
    /// `refresh_certs` without TLS.
    TlsNotEnabled,
    /// `cache_memlimit` below 8.
    MemlimitTooSmall,
    /// `cache_memlimit` beyond 10⁹.
    MemlimitNotMegabytes,
    /// `cache_memlimit` could not be carried out.
    MemlimitUnable,
    /// `watch` under `-W`.
    WatchNotAllowed,
    /// `watch` while replies to earlier commands are unsent.
    WatchPipelined,
    /// `watch` when there are as many watchers as there may be.
    TooManyWatchers,
    /// Anything but an attempt to sign in, from a client that is not let in.
    Unauthenticated,
    /// The block with user and password is longer than [`AUTH_TOKEN_MAX`](crate::limits::AUTH_TOKEN_MAX).
    AuthTokenTooLong,
    /// It does not end with a CRLF where it should.
    AuthTokenEnd,
    /// It is not two words.
    AuthTokenFormat,
    /// No such user, or another password.
    AuthFailure,
    /// Somebody who may not do this, or not with that key.
    PermissionDenied,
    /// The item is larger than `-I`.
    TooLarge,
    /// No memory for a storage command's item.
    OutOfMemoryStoring,
    /// No memory for the result of `incr` or `decr`.
    OutOfMemory,
    /// No memory for the reply of a get.
    OutOfMemoryGet,
    /// No memory for the reply of a stats command.
    OutOfMemoryStats,
    /// No memory for the input; the connection is closed.
    OutOfMemoryRequest,
    /// No memory for a data block on its way; the rest is swallowed.
    OutOfMemoryRead,
    /// Too many replies hold the item.
    RefcountOverflow,
    /// A reply would not fit its buffer.
    OutputTooLong,
}

impl ErrorText {
    /// The line to send, its CRLF included.
    pub const fn line(self) -> &'static [u8] {
        match self {
            Self::Error => b"ERROR\r\n",
            Self::TooManyConnections => b"ERROR Too many open connections\r\n",
            Self::BadFormat => b"CLIENT_ERROR bad command line format\r\n",
            Self::BadLine => b"CLIENT_ERROR bad command line\r\n",
            Self::BadDataChunk => b"CLIENT_ERROR bad data chunk\r\n",
            Self::InvalidExptime | Self::InvalidFlushDelay => {
                b"CLIENT_ERROR invalid exptime argument\r\n"
            }
            Self::InvalidDelta => b"CLIENT_ERROR invalid numeric delta argument\r\n",
            Self::NonNumeric => b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
            Self::FlushNotAllowed => b"CLIENT_ERROR flush_all not allowed\r\n",
            Self::DetailNotAllowed => b"CLIENT_ERROR stats detail not allowed\r\n",
            Self::DetailUsage => b"CLIENT_ERROR usage: stats detail on|off|dump\r\n",
            Self::CachedumpNotAllowed => b"CLIENT_ERROR stats cachedump not allowed\r\n",
            Self::IllegalSlabId => b"CLIENT_ERROR Illegal slab id\r\n",
            Self::ReassignDisabled => b"CLIENT_ERROR slab reassignment disabled\r\n",
            Self::AutomoveWindow => b"CLIENT_ERROR automove window too low or too high\r\n",
            Self::LruPercents => b"ERROR hot and warm pcts must not exceed 80\r\n",
            Self::LruFactors => b"ERROR hot/warm age factors must be greater than 0\r\n",
            Self::CrawlerNotStarted => b"ERROR failed to start lru crawler thread\r\n",
            Self::CrawlerDisabled => b"CLIENT_ERROR lru crawler disabled\r\n",
            Self::CrawlerSleep => b"CLIENT_ERROR sleep must be one second or less\r\n",
            Self::CrawlHash => b"ERROR an unknown error happened\r\n",
            Self::MetadumpNotAllowed => b"ERROR metadump not allowed\r\n",
            Self::MgdumpNotAllowed => b"ERROR key dump not allowed\r\n",
            Self::MetadumpPipelined => b"ERROR cannot pipeline other commands before metadump\r\n",
            Self::MgdumpPipelined => b"ERROR cannot pipeline other commands before mgdump\r\n",
            Self::InvalidFlag => b"CLIENT_ERROR invalid flag\r\n",
            Self::DuplicateFlag => b"CLIENT_ERROR duplicate flag\r\n",
            Self::InvalidOrDuplicateFlag => b"CLIENT_ERROR invalid or duplicate flag\r\n",
            Self::TooManyFlags => b"CLIENT_ERROR options flags are too long\r\n",
            Self::OpaqueTooLong => b"CLIENT_ERROR opaque token too long\r\n",
            Self::BadBase64 => b"CLIENT_ERROR error decoding key\r\n",
            Self::BadToken => b"CLIENT_ERROR bad token in command line format\r\n",
            Self::InvalidInitialValue => b"CLIENT_ERROR invalid numeric initial value\r\n",
            Self::InvalidDeltaValue => b"CLIENT_ERROR invalid numeric delta value\r\n",
            Self::InvalidSetMode => b"CLIENT_ERROR invalid mode for ms M token\r\n",
            Self::InvalidArithMode => b"CLIENT_ERROR invalid mode for ma M token\r\n",
            Self::ShutdownNotEnabled => b"SERVER_ERROR: shutdown not enabled\r\n",
            Self::InvalidShutdownMode => b"CLIENT_ERROR invalid shutdown mode\r\n",
            Self::TlsNotEnabled => b"Error TLS not enabled\r\n",
            Self::MemlimitTooSmall => b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n",
            Self::MemlimitNotMegabytes => {
                b"MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n"
            }
            Self::MemlimitUnable => b"MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\r\n",
            Self::WatchNotAllowed => b"CLIENT_ERROR watch commands not allowed\r\n",
            Self::WatchPipelined => b"ERROR cannot pipeline other commands before watch\r\n",
            Self::TooManyWatchers => b"WATCHER_TOO_MANY log watcher limit reached\r\n",
            Self::Unauthenticated => b"CLIENT_ERROR unauthenticated\r\n",
            Self::AuthTokenTooLong => b"CLIENT_ERROR auth token too long\r\n",
            Self::AuthTokenEnd => b"CLIENT_ERROR bad command line termination\r\n",
            Self::AuthTokenFormat => b"CLIENT_ERROR bad authentication token format\r\n",
            Self::AuthFailure => b"CLIENT_ERROR authentication failure\r\n",
            Self::PermissionDenied => b"CLIENT_ERROR permission denied\r\n",
            Self::TooLarge => b"SERVER_ERROR object too large for cache\r\n",
            Self::OutOfMemoryStoring => b"SERVER_ERROR out of memory storing object\r\n",
            Self::OutOfMemory => b"SERVER_ERROR out of memory\r\n",
            Self::OutOfMemoryGet => b"SERVER_ERROR out of memory writing get response\r\n",
            Self::OutOfMemoryStats => b"SERVER_ERROR out of memory writing stats\r\n",
            Self::OutOfMemoryRequest => b"SERVER_ERROR out of memory reading request\r\n",
            Self::OutOfMemoryRead => b"SERVER_ERROR Out of memory during read\r\n",
            Self::RefcountOverflow => b"SERVER_ERROR refcount overflow during fetch\r\n",
            Self::OutputTooLong => b"SERVER_ERROR output line too long\r\n",
        }
    }
}

/// A key to be written: its bytes, and if at hand the block of 32 that they begin.
///
/// A copy of known length is two moves, where one of unknown length is a call; what of it is too much is cut off again.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The key.
    pub bytes: &'a [u8],
    /// The key's bytes and whatever follows them.
    pub block: Option<&'a [u8; 32]>,
}

impl<'a> From<&'a [u8]> for Key<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes, block: None }
    }
}

impl Key<'_> {
    #[inline(always)]
    pub(crate) fn put_behind(self, out: &mut Vec<u8>) {
        match self.block {
            Some(block) if self.bytes.len() <= block.len() => {
                let end = out.len() + self.bytes.len();
                out.extend_from_slice(block);
                out.truncate(end);
            }
            _ => out.extend_from_slice(self.bytes),
        }
    }
}

/// `VALUE <key> <flags> <bytes>[ <cas>]`, the line before a hit's data.
#[inline(always)]
pub fn value_header(out: &mut Vec<u8>, key: Key<'_>, flags: u32, value_len: u32, cas: Option<u64>) {
    out.extend_from_slice(b"VALUE ");
    key.put_behind(out);
    let len = value_len as usize;
    match AFTER_KEY.get(len) {
        // Most items have no client flags, and are short. A copy of known length is one move; what of it is too much
        // is cut off again.
        Some(text) if flags == 0 && cas.is_none() => {
            let end = out.len() + short_len(len);
            out.extend_from_slice(text);
            out.truncate(end);
        }
        _ => after_key(out, flags, value_len, cas),
    }
}

/// What follows the key of an item without client flags whose value has fewer than a thousand bytes.
static AFTER_KEY: [[u8; 8]; 1000] = short_texts(*b" 0 ");

/// `before`, a number, and a line end, for each number below a thousand. [`short_len`] of the bytes count.
pub(crate) const fn short_texts(before: [u8; 3]) -> [[u8; 8]; 1000] {
    let [a, b, c] = before;
    let mut texts = [[a, b, c, 0, 0, 0, 0, 0]; 1000];
    let mut n = 0;
    while n < texts.len() {
        let mut rest = n;
        let mut at = short_len(n) - CRLF.len();
        texts[n][at] = CRLF[0];
        texts[n][at + 1] = CRLF[1];
        while at > before.len() {
            at -= 1;
            texts[n][at] = b"0123456789"[rest % 10];
            rest /= 10;
        }
        n += 1;
    }
    texts
}

/// Bytes of such a text.
#[inline(always)]
pub(crate) const fn short_len(value_len: usize) -> usize {
    " 0 0\r\n".len() + (value_len > 9) as usize + (value_len > 99) as usize
}

#[inline(never)]
fn after_key(out: &mut Vec<u8>, flags: u32, value_len: u32, cas: Option<u64>) {
    out.push(b' ');
    decimal(out, flags);
    out.push(b' ');
    decimal(out, value_len);
    if let Some(cas) = cas {
        out.push(b' ');
        decimal(out, cas);
    }
    out.extend_from_slice(CRLF);
}

/// A number on a line of its own: what `incr` and `decr` answer.
#[inline]
pub fn number(out: &mut Vec<u8>, n: u64) {
    decimal(out, n);
    out.extend_from_slice(CRLF);
}

/// `VERSION <version>`
pub fn version(out: &mut Vec<u8>, version: &str) {
    out.extend_from_slice(b"VERSION ");
    out.extend_from_slice(version.as_bytes());
    out.extend_from_slice(CRLF);
}

/// `STAT <name> <value>`, one row of a stats command; [`END`] follows the last.
pub fn stat(out: &mut Vec<u8>, name: &str, value: &dyn Display) {
    // Writing to a Vec cannot fail, and a `Display` that does leaves a short row.
    let _ = write!(out, "STAT {name} {value}\r\n");
}

#[inline]
pub(super) fn decimal(out: &mut Vec<u8>, n: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(write: impl FnOnce(&mut Vec<u8>), expected: &str) {
        let mut out = b"before ".to_vec();
        write(&mut out);
        assert_eq!(
            out.escape_ascii().to_string(),
            format!("before {}", expected.as_bytes().escape_ascii())
        );
    }

    #[test]
    fn replies() {
        check(
            |out| value_header(out, b"k"[..].into(), 0, 64, None),
            "VALUE k 0 64\r\n",
        );
        check(
            |out| value_header(out, b"k"[..].into(), 7, 0, Some(0)),
            "VALUE k 7 0 0\r\n",
        );
        check(
            |out| {
                value_header(
                    out,
                    [b'k'; 250][..].into(),
                    u32::MAX,
                    u32::MAX,
                    Some(u64::MAX),
                );
            },
            &format!(
                "VALUE {} 4294967295 4294967295 18446744073709551615\r\n",
                "k".repeat(250)
            ),
        );
        for len in 0..1100 {
            check(
                |out| {
                    value_header(
                        out,
                        Key {
                            bytes: b"key",
                            block: Some(b"key and what follows it: 32 byte"),
                        },
                        0,
                        len,
                        None,
                    );
                },
                &format!("VALUE key 0 {len}\r\n"),
            );
        }
        check(|out| number(out, u64::MAX), "18446744073709551615\r\n");
        check(|out| version(out, "1.6.45"), "VERSION 1.6.45\r\n");
        check(|out| stat(out, "threads", &4), "STAT threads 4\r\n");
        check(
            |out| stat(out, "rusage_user", &format_args!("{}.{:06}", 1, 20)),
            "STAT rusage_user 1.000020\r\n",
        );
    }
}
