//! The two lines that caches live by, read in one pass: `get` of one key, and a `set` without extras.
//!
//! Both are recognised from the front of the buffer without a search for the line's end, which costs as much again as
//! reading them. Anything unusual is left to [`decode`](super::decode), which judges every line; what is recognised
//! here means there exactly the same.

use std::ops::Range;

use super::command::{Store, StoreVerb};
use super::reply::CRLF;
use super::scan::low_byte;
use super::words::plain;
use crate::limits::KEY_MAX;

/// One of the frequent lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frequent<'a> {
    /// `get <key>`
    Get {
        /// Where in the buffer the key is.
        key: Range<usize>,
        /// Bytes of the line, its end included.
        line_len: usize,
    },
    /// `set <key> <flags> <exptime> <bytes>`, all numbers plain.
    Set {
        /// What is to be stored.
        set: PlainSet<'a>,
        /// Bytes of the line, its end included.
        line_len: usize,
    },
}

/// A [`Store`] that is a plain `set`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainSet<'a> {
    key: &'a [u8],
    flags: u32,
    exptime: i32,
    value_len: u32,
}

impl<'a> PlainSet<'a> {
    /// The same as any other store command. What all plain sets share is written here and not read from somewhere, so
    /// that the compiler leaves out whatever only other verbs need.
    #[inline(always)]
    pub fn store(self) -> Store<'a> {
        Store {
            verb: StoreVerb::Set,
            key: self.key,
            flags: self.flags,
            exptime: self.exptime,
            value_len: self.value_len,
            cas: 0,
            noreply: false,
        }
    }
}

impl<'a> Frequent<'a> {
    /// The key, in the buffer that begins with the line.
    #[inline(always)]
    pub fn key(&self, buf: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Get { key, .. } => &buf[key.clone()],
            Self::Set { set, .. } => set.key,
        }
    }

    /// Where the line ends, or the data block that follows it with its CRLF.
    #[inline(always)]
    pub fn end(&self) -> usize {
        match self {
            Self::Get { line_len, .. } => *line_len,
            Self::Set { set, line_len } => line_len + set.value_len as usize + CRLF.len(),
        }
    }
}

/// Where in each of these lines the key begins.
pub const FREQUENT_KEY_AT: usize = 4;

const GET: u32 = u32::from_le_bytes(*b"get ");
const SET: u32 = u32::from_le_bytes(*b"set ");

/// Recognises a frequent line at the front of the buffer, if it is there whole.
#[inline(always)]
pub fn frequent(buf: &[u8]) -> Option<Frequent<'_>> {
    match verb(buf)? {
        GET => lone_get(buf),
        SET => plain_set(buf),
        _ => None,
    }
}

/// [`frequent`] of a `get`.
#[inline(always)]
pub fn frequent_get(buf: &[u8]) -> Option<Frequent<'_>> {
    match verb(buf)? {
        GET => lone_get(buf),
        _ => None,
    }
}

/// [`frequent`] of a `set`.
#[inline(always)]
pub fn frequent_set(buf: &[u8]) -> Option<Frequent<'_>> {
    match verb(buf)? {
        SET => plain_set(buf),
        _ => None,
    }
}

/// The first four bytes.
#[inline(always)]
fn verb(buf: &[u8]) -> Option<u32> {
    buf.first_chunk().map(|verb| u32::from_le_bytes(*verb))
}

#[inline(always)]
fn lone_get(buf: &[u8]) -> Option<Frequent<'_>> {
    let key = key_at(buf, FREQUENT_KEY_AT)?;
    let line_len = line_end(buf, key.end)?;
    Some(Frequent::Get { key, line_len })
}

#[inline(always)]
fn plain_set(buf: &[u8]) -> Option<Frequent<'_>> {
    let key = key_at(buf, FREQUENT_KEY_AT)?;
    let (flags, rest) = plain(&buf[key.end..])?;
    let (exptime, rest) = plain(rest)?;
    let (value_len, rest) = plain(rest)?;
    let line_len = line_end(buf, buf.len() - rest.len())?;
    let set = PlainSet {
        key: buf.get(key)?,
        flags,
        exptime: i32::try_from(exptime).ok()?,
        value_len,
    };
    Some(Frequent::Set { set, line_len })
}

/// The key that begins at `at`, if it is no longer than keys may be.
#[inline(always)]
pub(crate) fn key_at(buf: &[u8], at: usize) -> Option<Range<usize>> {
    let end = low_byte(buf, at);
    (1..=KEY_MAX).contains(&(end - at)).then_some(at..end)
}

/// Offset behind the line end at `at`, if one is there.
#[inline(always)]
fn line_end(buf: &[u8], at: usize) -> Option<usize> {
    (buf.get(at..)?.first_chunk() == Some(b"\r\n")).then_some(at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Command, Get, GetVerb, Status, decode};

    /// What is recognised is what `decode` says of the same bytes.
    #[track_caller]
    fn check(buf: &[u8], recognised: bool) {
        let found = frequent(buf);
        assert_eq!(found.is_some(), recognised, "{}", buf.escape_ascii());
        let Some(found) = found else { return };
        let Status::Complete {
            line_len: decoded_len,
            command,
        } = decode(buf, 0)
        else {
            panic!("{} is no whole line", buf.escape_ascii());
        };
        match (found, command) {
            (Frequent::Get { key, line_len }, Command::Get(get)) => {
                assert_eq!(
                    get,
                    Get {
                        verb: GetVerb::Get,
                        exptime: 0,
                        keys_at: key.start
                    }
                );
                assert_eq!((line_len, key.end + 2), (decoded_len, decoded_len));
            }
            (Frequent::Set { set, line_len }, Command::Store(decoded)) => {
                assert_eq!((set.store(), line_len), (decoded, decoded_len));
            }
            (found, command) => panic!("{found:?} and {command:?}"),
        }
    }

    #[test]
    fn frequent_lines() {
        let long = format!("get {}\r\n", "k".repeat(KEY_MAX));
        let too_long = format!("get {}\r\n", "k".repeat(KEY_MAX + 1));
        let table: [(&[u8], bool); 24] = [
            (b"get k\r\n", true),
            (b"get key:00001234\r\nget b\r\n", true),
            (long.as_bytes(), true),
            (b"set k 0 0 3\r\nabc\r\n", true),
            (b"set k 123456789 100 64\r\n", true),
            (too_long.as_bytes(), false),
            (b"get k", false),
            (b"get k\r", false),
            (b"get k\n", false),
            (b"get  k\r\n", false),
            (b"get k \r\n", false),
            (b"get a b\r\n", false),
            (b"get \r\n", false),
            (b"get k\tx\r\n", false),
            (b"gets k\r\n", false),
            (b"GET k\r\n", false),
            (b"set k 0 0 3 noreply\r\n", false),
            (b"set k 0 0\r\n", false),
            (b"set k +0 0 3\r\n", false),
            (b"set k 0 -1 3\r\n", false),
            (b"set k 4294967295 0 3\r\n", false),
            (b"set k 0 0 1234567890\r\n", false),
            (b"set k 0 0 3\n", false),
            (b"", false),
        ];
        for (buf, recognised) in table {
            check(buf, recognised);
        }
    }
}
