//! What a frame can ask for. Plain data: judged in `parse`, carried out by the runtime.
//!
//! An exptime is unsigned here: all bits set is a time far in the future, and nothing is in the past but the past.

use super::header::Echo;
use super::opcode;
use super::status::ReplyStatus;
use crate::limits::{SASL_DATA_MAX, SASL_MECHANISM_MAX};
use crate::text::{StatsCommand, StoreVerb};

/// One decoded frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What its reply repeats, and by what it is known to be quiet.
    pub echo: Echo,
    /// What it asks for.
    pub command: Command<'a>,
}

impl Request<'_> {
    /// How it is refused while its client has not authenticated (`-S`); `None` if it need not be.
    pub fn unauthenticated(&self) -> Option<Refused> {
        if opcode::needs_no_auth(self.echo.opcode) || self.command == CONTRADICTION {
            return None;
        }
        Some(Refused::closing(ReplyStatus::AuthError))
    }
}

/// A header that contradicts itself is refused as that, before anything else is asked.
const CONTRADICTION: Command<'_> = Command::Refused(Refused::CONTRADICTION);

/// The commands, with their quiet forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `get`, `getk`, `gat`, `gatk`.
    Get(Get<'a>),
    /// `touch`; a hit is answered with the client flags.
    Touch {
        /// The item's key.
        key: &'a [u8],
        /// The new exptime, raw as sent.
        exptime: u32,
    },
    /// `set`, `add`, `replace`, `append`, `prepend`; the value follows the head.
    Store(Store<'a>),
    /// `increment`, `decrement`.
    Arith(Arith<'a>),
    /// `delete`
    Delete {
        /// The item's key.
        key: &'a [u8],
        /// The CAS unique that the item must have; 0 is any.
        cas: u64,
    },
    /// `flush`
    Flush {
        /// The raw number as sent, relative or absolute like an exptime; 0 is now.
        exptime: u32,
    },
    /// `noop`: answer, and write what was answered so far.
    Noop,
    /// `version`
    Version,
    /// `stat`: one reply for each row, and one without key and value behind the last. What is
    /// [`StatsCommand::Unknown`] is answered [`ReplyStatus::NotFound`].
    Stat(StatsCommand),
    /// `quit`: answer, deliver and close.
    Quit,
    /// `sasl list mechs`; [`Refused::without_sasl`] where there is no SASL.
    SaslListMechs,
    /// `sasl auth`, `sasl step`; [`Refused::without_sasl`] where there is no SASL, else [`Sasl::refused`] goes first. The
    /// data follow the head.
    Sasl(Sasl<'a>),
    /// A frame that is answered with an error and does nothing else.
    Refused(Refused),
}

/// A fetch of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Get<'a> {
    /// The item's key, 1 to [`KEY_MAX`](crate::limits::KEY_MAX) bytes like every key here.
    pub key: &'a [u8],
    /// The new exptime of `gat` and `gatk`, raw as sent.
    pub exptime: Option<u32>,
    /// Whether the reply repeats the key (`getk`, `gatk`), that of a miss too.
    pub with_key: bool,
}

/// A storage command. `value_len` bytes follow its head, and nothing ends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store<'a> {
    /// Which of the five; never [`StoreVerb::Cas`].
    pub verb: StoreVerb,
    /// The item's key.
    pub key: &'a [u8],
    /// Client flags; `append` and `prepend` have none, and keep the item's.
    pub flags: u32,
    /// Exptime, raw as sent; `append` and `prepend` have none, and keep the item's.
    pub exptime: u32,
    /// Bytes of the value, less than [`BODY_LEN_MAX`](crate::limits::BODY_LEN_MAX).
    pub value_len: u32,
    /// The CAS unique that the item must have; 0 is any. Another makes compare-and-swap of `set`, `add` and `replace`
    /// alike.
    pub cas: u64,
}

/// An `increment` or `decrement`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arith<'a> {
    /// The item's key.
    pub key: &'a [u8],
    /// By how much.
    pub delta: u64,
    /// Up (wrapping) or down (stopping at 0).
    pub incr: bool,
    /// What to store if there is no item; `None` answers [`ReplyStatus::NotFound`].
    pub create: Option<Create>,
    /// The CAS unique that the item must have; 0 is any. Not asked when there is none.
    pub cas: u64,
}

/// What [`Arith`] stores if there is no item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Create {
    /// The number; the delta is not applied to it.
    pub initial: u64,
    /// The item's exptime, raw as sent; never the one that forbids to create.
    pub exptime: u32,
}

/// One message of a SASL exchange. `data_len` bytes follow its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sasl<'a> {
    /// Whether it goes on with an exchange (`sasl step`) rather than begins one.
    pub step: bool,
    /// The mechanism's name.
    pub mechanism: &'a [u8],
    /// Bytes of data.
    pub data_len: u32,
}

impl Sasl<'_> {
    /// How it is refused for its sizes, before its data have come. The connection stays.
    pub fn refused(&self) -> Option<Refused> {
        let status = if self.mechanism.len() > SASL_MECHANISM_MAX {
            ReplyStatus::InvalidArguments
        } else if self.data_len > SASL_DATA_MAX {
            ReplyStatus::OutOfMemory
        } else {
            return None;
        };
        Some(Refused::dropping(status, self.data_len))
    }
}

/// A refused frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What to answer, whether the command is quiet or not.
    pub status: ReplyStatus,
    /// To be closed when that is delivered; no input is read any more.
    pub close: bool,
    /// Bytes after the head to drop unread, before it is answered; 0 if it closes.
    pub swallow: u32,
}

impl Refused {
    /// Extras and key are longer than the body that they are part of.
    pub(super) const CONTRADICTION: Self = Self::closing(ReplyStatus::UnknownCommand);

    /// How a SASL command is refused without `-S`, of which so many bytes of data are on their way.
    pub const fn without_sasl(data_len: u32) -> Self {
        Self::dropping(ReplyStatus::UnknownCommand, data_len)
    }

    /// A refusal after which the stream cannot be trusted.
    pub(super) const fn closing(status: ReplyStatus) -> Self {
        Self {
            status,
            close: true,
            swallow: 0,
        }
    }

    /// A refusal of one frame among others, whose value is to be dropped.
    #[must_use]
    pub const fn dropping(status: ReplyStatus, value_len: u32) -> Self {
        Self {
            status,
            close: false,
            swallow: value_len,
        }
    }
}
