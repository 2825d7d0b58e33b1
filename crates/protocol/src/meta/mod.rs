//! The meta commands, server's side: `mg`, `ms`, `md`, `ma`, `me`, and flags that say what each is to do and to tell.
//!
//! They are lines of the text protocol, and [`text::decode`](crate::text::decode) gives them as
//! [`Command::Meta`](crate::text::Command::Meta). [`get`] reads the most frequent one without a search for its end;
//! [`reply`] writes the answers.

mod base64;
mod command;
mod flags;
mod parse;
pub mod reply;

pub use base64::RAW_KEY_MAX;
pub(crate) use base64::put_binary_key;
pub use command::{Arith, Command, Request, Set};
pub use flags::{Flags, Letters};
pub(crate) use parse::{arith, debug, delete, get as get_line, set};

use crate::text::reply::CRLF;

/// Reads an `mg` line at the front of the buffer, if one is there whole and there is nothing wrong with it. Says how
/// many bytes it has, its end included. Anything else is left to [`text::decode`](crate::text::decode), which reads it
/// by the same code, once it has found the line's end.
#[inline(always)]
pub fn get(buf: &[u8]) -> Option<(Request<'_>, usize)> {
    if buf.first_chunk() != Some(b"mg ") {
        return None;
    }
    let (request, end) = parse::read(buf, 2).ok()?;
    request.flags.check_opaque().ok()?;
    (buf.get(end..)?.first_chunk() == Some(b"\r\n")).then_some((request, end + CRLF.len()))
}
