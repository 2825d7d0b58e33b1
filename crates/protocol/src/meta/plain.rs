//! The `mg` line that caches live by, read in one pass: a key, and flags of one letter that only ask for something to
//! be shown.
//!
//! It is recognised from the front of the buffer without a search for its end, as [`frequent`](crate::text::frequent())
//! does it. Anything else is left to [`decode`](crate::text::decode), which judges every line; what is recognised here
//! means there exactly the same.

use super::flags::Letters;
use crate::text::key_at;

/// The flags that may be among them; `q` hides a miss.
const PLAIN: Letters = Letters::of(b"vftsckhlq");

/// `mg <key> <flag>*` with flags as above, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainGet<'a> {
    /// The key, as it is.
    pub key: &'a [u8],
    /// The flags, a blank before each.
    flags: &'a [u8],
    given: Letters,
}

impl<'a> PlainGet<'a> {
    /// Whether the flag was given.
    #[inline(always)]
    pub fn has(&self, letter: u8) -> bool {
        self.given.has(letter)
    }

    /// Whether it asks for the value and for nothing more.
    #[inline(always)]
    pub fn is_bare(&self) -> bool {
        self.flags == b" v"
    }

    /// The flags in their order.
    #[inline(always)]
    pub fn letters(&self) -> impl Iterator<Item = u8> + use<'a> {
        let (pairs, _) = self.flags.as_chunks::<2>();
        pairs.iter().map(|&[_, letter]| letter)
    }
}

/// Recognises such a line at the front of the buffer, if it is there whole. Says how many bytes it has, its end included.
#[inline(always)]
pub fn plain_get(buf: &[u8]) -> Option<(PlainGet<'_>, usize)> {
    if buf.first_chunk() != Some(b"mg ") {
        return None;
    }
    let key = key_at(buf, 3)?;
    let (mut at, mut given) = (key.end, Letters::NONE);
    loop {
        match buf.get(at..)?.first_chunk()? {
            b"\r\n" => break,
            &[b' ', letter] if letter.is_ascii_alphabetic() && PLAIN.has(letter) => {
                given = given.with(letter)?;
                at += 2;
            }
            _ => return None,
        }
    }
    let get = PlainGet {
        flags: &buf[key.end..at],
        key: &buf[key],
        given,
    };
    Some((get, at + 2))
}
