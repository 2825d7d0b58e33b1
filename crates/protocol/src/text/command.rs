//! What a text line can ask for. Plain data: judged in `parse` and `admin`, carried out by the runtime.
//!
//! `noreply` hides every reply of its command, errors included. Commands without the field always answer.

use super::{ErrorText, Streams, Upkeep};
use crate::limits::BLOCK_END_LEN;
use crate::meta;

/// One decoded line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command<'a> {
    /// `get`, `gets`, `gat`, `gats`.
    Get(Get),
    /// `set`, `add`, `replace`, `append`, `prepend`, `cas`; the data block follows the line.
    Store(Store<'a>),
    /// `incr`, `decr`.
    Arith(Arith<'a>),
    /// `delete <key>`.
    Delete {
        /// The item's key.
        key: &'a [u8],
        /// No answer wanted.
        noreply: bool,
    },
    /// `touch <key> <exptime>`.
    Touch {
        /// The item's key.
        key: &'a [u8],
        /// The new exptime, raw as sent.
        exptime: i32,
        /// No answer wanted.
        noreply: bool,
    },
    /// `flush_all [delay]`.
    FlushAll {
        /// The raw number as sent, relative or absolute like an exptime; 0 or less is now.
        delay: i32,
        /// No answer wanted.
        noreply: bool,
    },
    /// `version`.
    Version,
    /// `quit`: deliver what was answered so far and close.
    Quit,
    /// `mn`: answer and write at once.
    Mn,
    /// `mg`, `ms`, `md`, `ma`, `me`; an `ms` has a data block behind the line.
    Meta(meta::Command<'a>),
    /// `verbosity <level>`.
    Verbosity {
        /// 0 to [`VERBOSITY_MAX`](crate::limits::VERBOSITY_MAX); higher ones were cut.
        level: u32,
        /// No answer wanted.
        noreply: bool,
    },
    /// `cache_memlimit <megabytes>`.
    CacheMemlimit {
        /// From [`MEMLIMIT_MIN_MB`](crate::limits::MEMLIMIT_MIN_MB) to
        /// [`MEMLIMIT_MAX_MB`](crate::limits::MEMLIMIT_MAX_MB); others were refused.
        megabytes: u32,
        /// No answer wanted.
        noreply: bool,
    },
    /// `shutdown [graceful]`. Without `-A` it is refused, and so is one refused here for its mode.
    Shutdown {
        /// Whether `graceful` was said.
        graceful: bool,
        /// No answer wanted, should it not be enabled.
        noreply: bool,
    },
    /// `stats` and its sub-commands. `noreply` means nothing here.
    Stats(StatsCommand),
    /// `slabs`, `lru`, `lru_crawler`.
    Upkeep {
        /// What is asked for.
        upkeep: Upkeep,
        /// No answer wanted.
        noreply: bool,
    },
    /// `watch [<stream>*]`.
    Watch {
        /// What is to be seen; `None` if a word names nothing: [`ErrorText::Error`], unless something else forbids it
        /// first.
        streams: Option<Streams>,
        /// No refusal wanted.
        noreply: bool,
    },
    /// `refresh_certs`.
    RefreshCerts {
        /// No answer wanted.
        noreply: bool,
    },
    /// A web browser: an unknown command whose last word begins with `HTTP/`. Close without a reply.
    Http,
    /// A line that is answered with an error and does nothing else.
    Refused(Refused),
}

impl Command<'_> {
    /// Whether no answer is wanted.
    pub fn noreply(&self) -> bool {
        match *self {
            Self::Store(Store { noreply, .. })
            | Self::Arith(Arith { noreply, .. })
            | Self::Delete { noreply, .. }
            | Self::Touch { noreply, .. }
            | Self::FlushAll { noreply, .. }
            | Self::Verbosity { noreply, .. }
            | Self::CacheMemlimit { noreply, .. }
            | Self::Shutdown { noreply, .. }
            | Self::Upkeep { noreply, .. }
            | Self::Watch { noreply, .. }
            | Self::RefreshCerts { noreply }
            | Self::Refused(Refused { noreply, .. }) => noreply,
            Self::Get(_)
            | Self::Version
            | Self::Quit
            | Self::Mn
            | Self::Meta(_)
            | Self::Stats(_)
            | Self::Http => false,
        }
    }

    /// Bytes behind the line that belong to it: its data block with the CRLF, if it has one.
    pub fn block_len(&self) -> u64 {
        match self {
            Self::Store(store) => u64::from(store.value_len) + BLOCK_END_LEN,
            Self::Meta(meta::Command::Set(set)) => u64::from(set.value_len) + BLOCK_END_LEN,
            Self::Refused(refused) => refused.swallow,
            _ => 0,
        }
    }
}

/// A get line. Its keys are read with [`next_key`](super::next_key), from `keys_at` on; there is at least one, and none
/// is longer than [`KEY_MAX`](crate::limits::KEY_MAX).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Get {
    /// Which of the four.
    pub verb: GetVerb,
    /// The new exptime of `gat` and `gats`, raw as sent; 0 for the others.
    pub exptime: i32,
    /// Offset in the buffer of the first key, or of a blank before it.
    pub keys_at: usize,
}

/// The four ways to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GetVerb {
    /// `get <key>*`
    Get,
    /// `gets <key>*`
    Gets,
    /// `gat <exptime> <key>*`
    Gat,
    /// `gats <exptime> <key>*`
    Gats,
}

impl GetVerb {
    /// Whether the reply shows the CAS unique.
    #[inline]
    pub fn wants_cas(self) -> bool {
        matches!(self, Self::Gets | Self::Gats)
    }

    /// Whether each hit gets the command's exptime.
    #[inline]
    pub fn touches(self) -> bool {
        matches!(self, Self::Gat | Self::Gats)
    }
}

/// A storage line. `value_len` bytes and a CRLF follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store<'a> {
    /// Which of the six.
    pub verb: StoreVerb,
    /// The item's key.
    pub key: &'a [u8],
    /// Client flags; `append` and `prepend` ignore them.
    pub flags: u32,
    /// Exptime, raw as sent; `append` and `prepend` ignore it.
    pub exptime: i32,
    /// Bytes of the data block without its CRLF, at most [`VALUE_LEN_MAX`](crate::limits::VALUE_LEN_MAX).
    pub value_len: u32,
    /// The CAS unique to compare with; 0 unless the verb is `cas`.
    pub cas: u64,
    /// No answer wanted.
    pub noreply: bool,
}

/// The six ways to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreVerb {
    /// Store in any case.
    Set,
    /// Store unless the key exists.
    Add,
    /// Store if the key exists.
    Replace,
    /// Put after the value that exists.
    Append,
    /// Put before the value that exists.
    Prepend,
    /// Store if the CAS unique is still the same.
    Cas,
}

/// An `incr` or `decr` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arith<'a> {
    /// The item's key.
    pub key: &'a [u8],
    /// By how much.
    pub delta: u64,
    /// Up (`incr`, wrapping) or down (`decr`, stopping at 0).
    pub incr: bool,
    /// No answer wanted.
    pub noreply: bool,
}

/// A refused line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What to answer.
    pub error: ErrorText,
    /// Not to be answered after all.
    pub noreply: bool,
    /// Bytes after the line to drop unread: the refused data block with its CRLF, or 0.
    pub swallow: u64,
}

impl Refused {
    /// An answered refusal without a data block.
    pub(crate) const fn plain(error: ErrorText) -> Self {
        Self {
            error,
            noreply: false,
            swallow: 0,
        }
    }
}

/// The sub-commands of `stats`. As in memcached `reset`, `detail`, `settings`, `cachedump` and `conns` may be cut short, and
/// the first of them that begins so is meant; the others are matched as whole words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatsCommand {
    /// `stats`
    General,
    /// `stats settings`
    Settings,
    /// `stats items`
    Items,
    /// `stats slabs`
    Slabs,
    /// `stats larder`: what memcached has no name for.
    Larder,
    /// `stats larder users`: what has been denied to whom.
    LarderUsers,
    /// `stats conns`
    Conns,
    /// `stats sizes`
    Sizes,
    /// `stats reset`
    Reset,
    /// `stats detail on`
    DetailOn,
    /// `stats detail off`
    DetailOff,
    /// `stats detail dump`
    DetailDump,
    /// `stats detail` with another word or none: [`ErrorText::DetailUsage`], unless `-X` forbids it first.
    DetailUsage,
    /// `stats cachedump <class> <limit>`
    Cachedump {
        /// The slab class, below [`SLAB_CLASS_COUNT_MAX`](crate::limits::SLAB_CLASS_COUNT_MAX).
        class: u32,
        /// Most items to list; 0 is all.
        limit: u32,
    },
    /// A malformed `stats cachedump` and its answer, unless `-X` forbids it first.
    CachedumpBad(ErrorText),
    /// Any other word: [`ErrorText::Error`].
    Unknown,
}
