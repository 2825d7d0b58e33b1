//! The classic text protocol, server's side: one line in, one [`Command`] out.
//!
//! [`decode`] finds the line and judges it, [`frequent()`] knows the two most frequent ones without; [`sign_in()`] is for
//! clients that are not let in yet; [`next_key`] walks the keys of a get line; [`reply`] writes the answers.
//! Data blocks are the caller's: a [`Store`] says how long its block is, a [`Refused`] how much to drop.
//!
//! The separator is the blank alone; tabs, NULs and an inner `\r` are bytes like others. A line ends with `\n`, and one
//! `\r` before it belongs to the end.

mod admin;
mod command;
mod dump;
mod frequent;
pub(crate) mod number;
mod parse;
pub mod reply;
mod scan;
mod sign_in;
mod upkeep;
mod watch;
pub(crate) mod words;

use memchr::memchr;

pub use command::{Arith, Command, Get, GetVerb, Refused, StatsCommand, Store, StoreVerb};
pub use dump::{DumpedItem, fits_a_line, metadump_line, mgdump_line, uri_encode};
pub(crate) use frequent::key_at;
pub use frequent::{FREQUENT_KEY_AT, Frequent, PlainSet, frequent, frequent_get, frequent_set};
pub use reply::ErrorText;
pub use sign_in::{SignIn, sign_in};
pub use upkeep::{DumpFormat, LruMode, LruTuning, TempTtl, Upkeep, Which};
pub use watch::{Stream, Streams};
pub use words::next_key;

use crate::limits::{GET_LINE_MAX, LEADING_BLANKS_MAX, LINE_MAX, LINE_MIN};

/// What the front of a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Status<'a> {
    /// No whole line yet: read more, and pass the buffer's present length as `searched` the next time.
    Partial,
    /// An unterminated line that is longer than any we wait for: close the connection, without a word.
    Overlong,
    /// A whole line.
    Complete {
        /// Bytes of the line, its end included. The data block, if any, begins there.
        line_len: usize,
        /// What the line asks for.
        command: Command<'a>,
    },
}

impl Status<'_> {
    fn refused(line_len: usize, refused: Refused) -> Self {
        Self::Complete {
            line_len,
            command: Command::Refused(refused),
        }
    }
}

/// Decodes the command at the front of `buf`.
///
/// `searched` is the number of bytes at the front known to hold no `\n`: the length of the buffer at the last
/// [`Status::Partial`], so that no byte of a long line is searched twice; 0 for a fresh line.
#[inline]
pub fn decode(buf: &[u8], searched: usize) -> Status<'_> {
    let Some(found) = buf.get(searched..).and_then(|rest| memchr(b'\n', rest)) else {
        return unterminated(buf);
    };
    let newline = searched + found;
    let line_len = newline + 1;
    let end = if newline > 0 && buf[newline - 1] == b'\r' {
        newline - 1
    } else {
        newline
    };
    any(&buf[..end], line_len)
}

/// The status of a whole line, whatever its command.
#[inline(never)]
fn any(line: &[u8], line_len: usize) -> Status<'_> {
    if line_len < LINE_MIN {
        return Status::refused(line_len, Refused::plain(ErrorText::BadFormat));
    }
    match parse::command(line) {
        Ok(command) => Status::Complete { line_len, command },
        Err(refused) => Status::refused(line_len, refused),
    }
}

/// Whether a line without an end may still grow.
#[cold]
fn unterminated(buf: &[u8]) -> Status<'static> {
    let blanks = buf
        .iter()
        .take(LEADING_BLANKS_MAX)
        .take_while(|&&byte| byte == b' ')
        .count();
    let head = &buf[blanks..];
    let line_max = match head.starts_with(b"get ") || head.starts_with(b"gets ") {
        true => GET_LINE_MAX,
        false => LINE_MAX,
    };
    if buf.len() > line_max {
        Status::Overlong
    } else {
        Status::Partial
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(front: &str, len: usize, expected: Status<'_>) {
        let mut buf = front.as_bytes().to_vec();
        buf.resize(len, b'k');
        assert_eq!(decode(&buf, 0), expected, "{front:?} of {len}");
        assert_eq!(
            decode(&buf, len - 1),
            expected,
            "{front:?} of {len}, searched"
        );
    }

    #[test]
    fn unterminated_lines() {
        for front in [
            "set ", "gat ", "gats ", "get", "gets", "get\t", "GET ", "", " ",
        ] {
            check(front, LINE_MAX, Status::Partial);
            check(front, LINE_MAX + 1, Status::Overlong);
        }
        let blanks = " ".repeat(LEADING_BLANKS_MAX);
        for front in ["get ", "gets ", " gets ", &format!("{blanks}get ")] {
            check(front, LINE_MAX + 1, Status::Partial);
            check(front, GET_LINE_MAX, Status::Partial);
            check(front, GET_LINE_MAX + 1, Status::Overlong);
        }
        check(&format!("{blanks} get "), LINE_MAX + 1, Status::Overlong);
    }

    #[test]
    fn a_long_line_with_its_end_is_served() {
        let line = format!("incr{}k 1\r\n", " ".repeat(3000));
        let arith = Arith {
            key: b"k",
            delta: 1,
            incr: true,
            noreply: false,
        };
        let command = Command::Arith(arith);
        assert_eq!(
            decode(line.as_bytes(), 0),
            Status::Complete {
                line_len: line.len(),
                command
            }
        );
    }

    #[test]
    fn nothing_at_all() {
        assert_eq!(decode(b"", 0), Status::Partial);
        assert_eq!(decode(b"mn\r\n", 5), Status::Partial);
        assert_eq!(decode(b"mn\r\n", usize::MAX), Status::Partial);
    }
}
