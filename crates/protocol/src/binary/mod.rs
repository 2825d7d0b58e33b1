//! The binary protocol, server's side: one frame's head in, one [`Request`] out.
//!
//! A frame is a header of [`HEADER_LEN`] bytes, extras, a key and a value; the first three are its *head*. [`decode`]
//! judges a frame by its head, so a value can stream in behind it: a [`Store`] and a [`Sasl`] say how long theirs is,
//! a [`Refused`] how much to drop. No other command has a value. [`reply`] writes the answers, and
//! [`Echo::hides`] knows which of them a quiet command does not send.
//!
//! All numbers are in network order. The header's data type and vbucket are not looked at.
//!
//! ```
//! use larder_protocol::binary::{self, Command, ReplyStatus, Status, reply};
//!
//! // A getq (opcode 9) of `pear`, with the opaque 7.
//! let frame = *b"\x80\x09\0\x04\0\0\0\0\0\0\0\x04\0\0\0\x07\0\0\0\0\0\0\0\0pear";
//! assert_eq!(binary::decode(&frame[..26]), Status::Incomplete { needed: 28 });
//! let Status::Complete { head_len: 28, request } = binary::decode(&frame) else {
//!     panic!("a whole head decodes");
//! };
//! assert!(matches!(request.command, Command::Get(get) if get.key == b"pear"));
//!
//! let mut out = Vec::new();
//! reply::get_miss(&mut out, request.echo, None);
//! assert!(out.is_empty(), "a quiet get says nothing of a miss");
//! reply::error(&mut out, request.echo, ReplyStatus::OutOfMemory);
//! assert!(out.starts_with(b"\x81\x09") && out.ends_with(b"Out of memory"));
//! ```

mod command;
mod header;
pub mod opcode;
mod parse;
pub mod reply;
mod sasl;
mod status;

pub use command::{Arith, Command, Create, Get, Refused, Request, Sasl, Store};
pub use header::{Echo, HEADER_LEN, REPLY_MAGIC, REQUEST_MAGIC};
pub use sasl::{PLAIN, plain};
pub use status::{ReplyStatus, not_stored};

use header::Header;

/// What the front of a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status<'a> {
    /// The frame's head is not all there.
    Incomplete {
        /// Bytes from the frame's begin that must be there for a next step: the header, and once that is known the
        /// whole head. Never more than the header's own lengths can say, [`HEAD_LEN_MAX`].
        needed: usize,
    },
    /// No request begins here: close the connection, without a word.
    BadMagic,
    /// A whole head.
    Complete {
        /// Bytes of the head. The value, if any, begins there.
        head_len: usize,
        /// What the frame asks for.
        request: Request<'a>,
    },
}

/// Longest head in bytes: the header, and extras and a key as long as it can say. A key that is too long is refused
/// only when it is there, as memcached does.
pub const HEAD_LEN_MAX: usize = HEADER_LEN + u8::MAX as usize + u16::MAX as usize;

/// Decodes the frame at the front of `buf`. Its value, if it has one, need not be there.
#[inline(always)]
pub fn decode(buf: &[u8]) -> Status<'_> {
    if buf.first().is_some_and(|&magic| magic != REQUEST_MAGIC) {
        return Status::BadMagic;
    }
    let Some((bytes, rest)) = buf.split_first_chunk() else {
        return Status::Incomplete { needed: HEADER_LEN };
    };
    let header = Header::read(bytes);
    let head_len = header.head_len();
    let Some(head) = rest.get(..head_len - HEADER_LEN) else {
        return Status::Incomplete { needed: head_len };
    };
    let (extras, key) = head.split_at(usize::from(header.extras_len));
    let command = match parse::command(&header, extras, key) {
        Ok(command) => command,
        Err(refused) => Command::Refused(refused),
    };
    let echo = header.echo;
    Status::Complete {
        head_len,
        request: Request { echo, command },
    }
}
