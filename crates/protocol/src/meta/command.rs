//! What a meta line can ask for. Plain data: judged in `parse`, carried out by the runtime.

use super::base64::{self, RAW_KEY_MAX};
use super::flags::Flags;
use crate::text::StoreVerb;

/// One meta command that names a key. `mn`, which names none, is [`Command::Mn`](crate::text::Command::Mn).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `mg <key> <flag>*`
    Get(Request<'a>),
    /// `ms <key> <bytes> <flag>*`; the data block follows the line.
    Set(Set<'a>),
    /// `md <key> <flag>*`
    Delete(Request<'a>),
    /// `ma <key> <flag>*`
    Arith(Arith<'a>),
    /// `me <key> <flag>*`
    Debug(Request<'a>),
}

/// A key and flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The key as sent, 1 to [`KEY_MAX`](crate::limits::KEY_MAX) bytes: base64, if [`Self::is_binary`].
    pub key: &'a [u8],
    /// The flags.
    pub flags: Flags<'a>,
}

impl Request<'_> {
    /// Whether the key is base64 (`b`). It was looked at, and can be decoded.
    #[inline(always)]
    pub fn is_binary(&self) -> bool {
        self.flags.has(b'b')
    }

    /// The item's key, in `room` if it has to be decoded.
    #[inline(always)]
    pub fn item_key<'k>(&'k self, room: &'k mut Option<[u8; RAW_KEY_MAX]>) -> &'k [u8] {
        if self.is_binary() {
            self.decoded_key(room)
        } else {
            self.key
        }
    }

    #[cold]
    fn decoded_key<'k>(&self, room: &'k mut Option<[u8; RAW_KEY_MAX]>) -> &'k [u8] {
        base64::decode(self.key, room.insert([0; RAW_KEY_MAX])).unwrap_or_default()
    }
}

/// An `ms` line. `value_len` bytes and a CRLF follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set<'a> {
    /// Key and flags.
    pub request: Request<'a>,
    /// The mode that `M` names, [`StoreVerb::Set`] unless it does; never [`StoreVerb::Cas`], which is for the flag `C`
    /// to ask for.
    pub verb: StoreVerb,
    /// Bytes of the data block without its CRLF, at most [`VALUE_LEN_MAX`](crate::limits::VALUE_LEN_MAX).
    pub value_len: u32,
}

/// An `ma` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arith<'a> {
    /// Key and flags.
    pub request: Request<'a>,
    /// Up (wrapping) or down (stopping at 0).
    pub incr: bool,
}
