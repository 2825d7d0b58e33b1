//! What a reply can say: the statuses with their texts, and when a quiet command says nothing.

use super::header::Echo;
use super::opcode;
use crate::text::StoreVerb;

/// A reply's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyStatus {
    /// Done.
    Success,
    /// No such item.
    NotFound,
    /// There is an item, and it is another than the command wants.
    Exists,
    /// The item is larger than `-I`.
    TooLarge,
    /// The frame has not the shape of its command.
    InvalidArguments,
    /// `append` or `prepend` had nothing to join with, or no room.
    NotStored,
    /// The item of `increment` or `decrement` is not a number.
    NonNumeric,
    /// Not authenticated, or wrongly; also `flush` under `-F`.
    AuthError,
    /// A SASL mechanism wants more; the body is its challenge.
    AuthContinue,
    /// Somebody who may not do this, or not with that key.
    Denied,
    /// An opcode that is not served, or a header that contradicts itself.
    UnknownCommand,
    /// No memory for the item or the reply.
    OutOfMemory,
}

impl ReplyStatus {
    /// The number on the wire.
    pub const fn code(self) -> u16 {
        match self {
            Self::Success => 0x00,
            Self::NotFound => 0x01,
            Self::Exists => 0x02,
            Self::TooLarge => 0x03,
            Self::InvalidArguments => 0x04,
            Self::NotStored => 0x05,
            Self::NonNumeric => 0x06,
            Self::AuthError => 0x20,
            Self::AuthContinue => 0x21,
            Self::Denied => 0x24,
            Self::UnknownCommand => 0x81,
            Self::OutOfMemory => 0x82,
        }
    }

    /// The body of a reply that is an error; empty for the two that are none.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Success | Self::AuthContinue => "",
            Self::NotFound => "Not found",
            Self::Exists => "Data exists for key.",
            Self::TooLarge => "Too large.",
            Self::InvalidArguments => "Invalid arguments",
            Self::NotStored => "Not stored.",
            Self::NonNumeric => "Non-numeric server-side value for incr or decr",
            Self::AuthError => "Auth failure.",
            Self::Denied => "Permission denied",
            Self::UnknownCommand => "Unknown command",
            Self::OutOfMemory => "Out of memory",
        }
    }
}

impl Echo {
    /// Whether the command sends no reply when it comes to `status`: a quiet fetch hides a miss, any other quiet command
    /// its success. Errors are always sent.
    #[inline]
    pub const fn hides(self, status: ReplyStatus) -> bool {
        match status {
            ReplyStatus::Success => opcode::is_quiet_change(self.opcode),
            ReplyStatus::NotFound => opcode::is_quiet_fetch(self.opcode),
            _ => false,
        }
    }
}

/// The status of a store command whose condition did not hold, or whose joined value found no room.
pub const fn not_stored(verb: StoreVerb) -> ReplyStatus {
    match verb {
        StoreVerb::Add => ReplyStatus::Exists,
        StoreVerb::Replace => ReplyStatus::NotFound,
        StoreVerb::Set | StoreVerb::Append | StoreVerb::Prepend | StoreVerb::Cas => {
            ReplyStatus::NotStored
        }
    }
}
