//! What the server says: a frame for each answer, the request's opcode and opaque in it.
//!
//! An encoder that can meet a quiet command leaves out what such a command hides; the caller need not ask.

use std::fmt::Display;
use std::io::Write;

use super::header::{Echo, HEADER_LEN, REPLY_MAGIC};
use super::status::ReplyStatus;

/// The body of the answer to a SASL exchange that succeeded, see [`body`].
pub const AUTHENTICATED: &[u8] = b"Authenticated";

/// Bytes of the client flags, the extras of a hit.
const FLAGS_LEN: u8 = 4;

/// Bytes of a hit's header and extras.
const FRONT_LEN: usize = HEADER_LEN + FLAGS_LEN as usize;

/// Bytes of the number that `increment` and `decrement` answer.
const NUMBER_LEN: u32 = u64::BITS / 8;

/// What is in front of a hit's value: header, client flags, and the key if it is wanted. `value_len` bytes follow, and
/// nothing ends them. A key has at most [`KEY_MAX`](crate::limits::KEY_MAX) bytes.
#[inline]
pub fn value_header(
    out: &mut Vec<u8>,
    echo: Echo,
    flags: u32,
    key: Option<&[u8]>,
    value_len: u32,
    cas: u64,
) {
    let key = key.unwrap_or_default();
    let lens = Lens {
        key: key_len(key),
        extras: FLAGS_LEN,
        value: value_len,
    };
    let mut front = [0; FRONT_LEN];
    let (head, extras) = front.split_at_mut(HEADER_LEN);
    head.copy_from_slice(&header(echo, ReplyStatus::Success, lens, cas));
    extras.copy_from_slice(&flags.to_be_bytes());
    out.extend_from_slice(&front);
    out.extend_from_slice(key);
}

/// A fetch found nothing. The key, if it is wanted, stands in the place of the error's text. Hidden by quiet fetches.
#[inline]
pub fn get_miss(out: &mut Vec<u8>, echo: Echo, key: Option<&[u8]>) {
    if echo.hides(ReplyStatus::NotFound) {
        return;
    }
    match key {
        None => error(out, echo, ReplyStatus::NotFound),
        Some(key) => {
            let lens = Lens {
                key: key_len(key),
                ..Lens::NONE
            };
            out.extend_from_slice(&header(echo, ReplyStatus::NotFound, lens, 0));
            out.extend_from_slice(key);
        }
    }
}

/// `touch` touched: the item's client flags.
pub fn touched(out: &mut Vec<u8>, echo: Echo, flags: u32, cas: u64) {
    value_header(out, echo, flags, None, 0, cas);
}

/// A success with nothing to say but the item's new CAS unique, 0 where there is none. Hidden by quiet commands.
#[inline]
pub fn done(out: &mut Vec<u8>, echo: Echo, cas: u64) {
    if !echo.hides(ReplyStatus::Success) {
        out.extend_from_slice(&header(echo, ReplyStatus::Success, Lens::NONE, cas));
    }
}

/// The new number of `increment` and `decrement`, and the item's new CAS unique. Hidden by quiet commands.
pub fn number(out: &mut Vec<u8>, echo: Echo, n: u64, cas: u64) {
    if !echo.hides(ReplyStatus::Success) {
        let lens = Lens {
            value: NUMBER_LEN,
            ..Lens::NONE
        };
        out.extend_from_slice(&header(echo, ReplyStatus::Success, lens, cas));
        out.extend_from_slice(&n.to_be_bytes());
    }
}

/// A success, or [`ReplyStatus::AuthContinue`], with a text: `version`, the names of SASL mechanisms,
/// [`AUTHENTICATED`], a challenge. A text is cut where its length would not fit 32 bits.
pub fn body(out: &mut Vec<u8>, echo: Echo, status: ReplyStatus, text: &[u8]) {
    let (value, text) = cut(text);
    let lens = Lens {
        value,
        ..Lens::NONE
    };
    out.extend_from_slice(&header(echo, status, lens, 0));
    out.extend_from_slice(text);
}

/// An error with its text. Hidden only if it is a quiet fetch's miss.
#[cold]
pub fn error(out: &mut Vec<u8>, echo: Echo, status: ReplyStatus) {
    if !echo.hides(status) {
        body(out, echo, status, status.text().as_bytes());
    }
}

/// One row of a `stat` command; [`stat_end`] follows the last. A name is cut where its length would not fit 16 bits.
pub fn stat(out: &mut Vec<u8>, echo: Echo, name: &str, value: &dyn Display) {
    let begin = out.len();
    out.extend_from_slice(&[0; HEADER_LEN]);
    let name = name.as_bytes();
    let key = key_len(name);
    out.extend_from_slice(&name[..usize::from(key)]);
    let value_begin = out.len();
    // Writing to a Vec cannot fail, and a `Display` that does leaves a short row.
    let _ = write!(out, "{value}");
    let (value, _) = cut(&out[value_begin..]);
    out.truncate(value_begin + value as usize);
    let lens = Lens {
        key,
        extras: 0,
        value,
    };
    let head = header(echo, ReplyStatus::Success, lens, 0);
    if let Some(place) = out.get_mut(begin..begin + HEADER_LEN) {
        place.copy_from_slice(&head);
    }
}

/// [`stat`] of a value that need not be text.
pub fn stat_bytes(out: &mut Vec<u8>, echo: Echo, name: &str, value: &[u8]) {
    let key = key_len(name.as_bytes());
    let (len, value) = cut(value);
    let lens = Lens {
        key,
        extras: 0,
        value: len,
    };
    out.extend_from_slice(&header(echo, ReplyStatus::Success, lens, 0));
    out.extend_from_slice(&name.as_bytes()[..usize::from(key)]);
    out.extend_from_slice(value);
}

/// The end of the rows of a `stat` command.
pub fn stat_end(out: &mut Vec<u8>, echo: Echo) {
    out.extend_from_slice(&header(echo, ReplyStatus::Success, Lens::NONE, 0));
}

/// Bytes of a reply's parts.
#[derive(Clone, Copy)]
struct Lens {
    key: u16,
    extras: u8,
    value: u32,
}

impl Lens {
    const NONE: Self = Self {
        key: 0,
        extras: 0,
        value: 0,
    };
}

#[inline]
fn header(echo: Echo, status: ReplyStatus, lens: Lens, cas: u64) -> [u8; HEADER_LEN] {
    let beside = u32::from(lens.key) + u32::from(lens.extras);
    let mut head = [0; HEADER_LEN];
    head[0] = REPLY_MAGIC;
    head[1] = echo.opcode;
    head[2..4].copy_from_slice(&lens.key.to_be_bytes());
    head[4] = lens.extras;
    head[6..8].copy_from_slice(&status.code().to_be_bytes());
    head[8..12].copy_from_slice(&lens.value.saturating_add(beside).to_be_bytes());
    head[12..16].copy_from_slice(&echo.opaque.to_be_bytes());
    head[16..24].copy_from_slice(&cas.to_be_bytes());
    head
}

/// The length of a key, or as much of one as a header can say. No item's is longer.
#[inline]
fn key_len(key: &[u8]) -> u16 {
    u16::try_from(key.len()).unwrap_or(u16::MAX)
}

/// As much of a text as a header can say, and its length, with room for a key and extras in the body.
fn cut(text: &[u8]) -> (u32, &[u8]) {
    const MOST: u32 = u32::MAX - u16::MAX as u32 - u8::MAX as u32;
    let len = u32::try_from(text.len()).unwrap_or(MOST).min(MOST);
    (len, text.get(..len as usize).unwrap_or_default())
}
