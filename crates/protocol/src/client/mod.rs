//! The client's side: requests to bytes, and bytes to replies.
//!
//! [`request`] writes classic text commands and [`meta`] writes meta commands, onto the end of the caller's buffer;
//! [`decode`] takes one [`Reply`] off the front of what has come in. A reply is judged by what was asked
//! ([`Expect`]): whatever cannot answer that is [`Broken`], and nothing behind it on that connection can be trusted.
//!
//! The reply to a get of many keys, or to `stats`, is a run of replies, a [`Reply::Value`] or [`Reply::Stat`] each, up to
//! a [`Reply::End`]. Whose reply it is, the caller knows by order, and makes sure by the key or the opaque in it.
//!
//! ```
//! use larder_protocol::client::{self, Expect, Reply, Step, request};
//!
//! let mut out = Vec::new();
//! request::get(&mut out, &[b"apple"]);
//! assert_eq!(out, b"get apple\r\n");
//!
//! let input = b"VALUE apple 0 3\r\nred\r\nEND\r\n";
//! let Step::Complete { len, reply } = client::decode(input, Expect::Values)? else {
//!     panic!("the value is all there");
//! };
//! assert!(matches!(reply, Reply::Value { key: b"apple", value: b"red", .. }));
//! assert!(matches!(client::decode(&input[len..], Expect::Values)?, Step::Complete { reply: Reply::End, .. }));
//! # Ok::<(), client::Broken>(())
//! ```

mod flags;
pub mod meta;
mod reply;
pub mod request;
mod words;

use std::fmt;

pub use flags::ReplyFlags;
pub use reply::{Code, Expect, Reply, ServerError, Step, decode};

use crate::limits::KEY_MAX;

/// What came does not answer what was asked. The connection must be closed: nothing behind this can be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    expected: &'static str,
    found: Vec<u8>,
}

/// Most bytes of what was found that an error shows.
const SHOWN_MAX: usize = 64;

impl Broken {
    pub(crate) fn new(expected: &'static str, found: &[u8]) -> Self {
        let shown = found.get(..SHOWN_MAX).unwrap_or(found);
        Self {
            expected,
            found: shown.to_vec(),
        }
    }

    /// The fault of a reply that could be one, but not to the request whose turn it is.
    #[must_use]
    pub fn of_another(found: &[u8]) -> Self {
        Self::new("a reply to this request and no other", found)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found.escape_ascii();
        write!(f, "expected {}, found \"{found}\"", self.expected)
    }
}

impl std::error::Error for Broken {}

/// Why a key cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// It has no byte.
    Empty,
    /// It has more than [`KEY_MAX`] bytes.
    TooLong,
    /// It has a blank or a control byte, which could end the command or begin another.
    BadByte,
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong => write!(f, "it is longer than {KEY_MAX} bytes"),
            Self::BadByte => f.write_str("it has a blank or a control byte"),
        }
    }
}

/// Judges a key before it is sent. The encoders do not: what they are given must have passed.
///
/// Bytes above 0x7f are fine. The server would take control bytes other than the line feed, but no client of another
/// language sends them, and a key that has one is a mistake or an attack.
///
/// # Errors
/// Says what is wrong with the key.
pub fn check_key(key: &[u8]) -> Result<(), KeyFault> {
    match key.len() {
        0 => Err(KeyFault::Empty),
        len if len > KEY_MAX => Err(KeyFault::TooLong),
        _ if key.iter().any(|&byte| byte <= b' ' || byte == 0x7f) => Err(KeyFault::BadByte),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for (key, expected) in [
            (&b"a"[..], Ok(())),
            (b"caf\xc3\xa9/1", Ok(())),
            (&[0xff; KEY_MAX], Ok(())),
            (&[b'k'; KEY_MAX + 1], Err(KeyFault::TooLong)),
            (b"", Err(KeyFault::Empty)),
            (b"a b", Err(KeyFault::BadByte)),
            (b"a\r\nflush_all", Err(KeyFault::BadByte)),
            (b"a\0", Err(KeyFault::BadByte)),
            (b"a\x7f", Err(KeyFault::BadByte)),
            (b"\t", Err(KeyFault::BadByte)),
        ] {
            assert_eq!(check_key(key), expected, "{}", key.escape_ascii());
        }
    }

    #[test]
    fn a_fault_shows_what_was_found_and_not_more() {
        let broken = Broken::new("a number", &[b'\n'; 1000]);
        assert_eq!(
            broken.to_string(),
            format!("expected a number, found \"{}\"", "\\n".repeat(SHOWN_MAX))
        );
    }
}
