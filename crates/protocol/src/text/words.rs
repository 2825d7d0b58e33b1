//! Splitting a line at its blanks: keys for a get, words for everything else.
//!
//! What a request always passes through is `inline(always)`: left to itself the compiler calls it, and spends more on
//! handing the cursor over than on the word (54 instructions for a key of 12 bytes in a long get became 92).

use std::ops::Range;

use super::number::Number;
use super::scan::low_byte;
use crate::limits::VALUE_LEN_MAX;

/// The next key of a get line, and where to look for the one after it.
///
/// `at` is [`Get::keys_at`](super::Get) or what the last call gave; `buf` begins with the line that was decoded and may
/// go on behind it. `None` at the line's end. Only an offset is kept between calls, so a connection can stop between
/// two keys and go on later, in a buffer that moved.
#[inline(always)]
pub fn next_key(buf: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
    let start = match buf.get(at..).and_then(|rest| rest.first_chunk()) {
        // Nearly always there is one blank between two keys.
        Some([b' ', b'!'..=u8::MAX]) => at + 1,
        _ => {
            let start = skip_blanks(buf, at);
            if is_line_end(buf, start) {
                return None;
            }
            start
        }
    };
    let end = word_end(buf, start);
    Some((start..end, end))
}

/// Offset of the first byte from `at` on that is not a blank.
#[inline(always)]
fn skip_blanks(buf: &[u8], mut at: usize) -> usize {
    while buf.get(at) == Some(&b' ') {
        at += 1;
    }
    at
}

/// Whether no word begins at `at`: `\n`, `\r\n` or the buffer's end.
#[inline(always)]
fn is_line_end(buf: &[u8], at: usize) -> bool {
    match buf.get(at) {
        Some(b'!'..) => false,
        Some(b'\r') => buf.get(at + 1) == Some(&b'\n'),
        None | Some(b'\n') => true,
        Some(_) => false,
    }
}

/// Offset of the blank or the line end that ends the word at `at`.
#[inline(always)]
pub(crate) fn word_end(buf: &[u8], mut at: usize) -> usize {
    loop {
        at = low_byte(buf, at);
        if buf.get(at) == Some(&b' ') || is_line_end(buf, at) {
            return at;
        }
        at += 1;
    }
}

/// The words of one line from some offset on. `line` is the line without its end, or a buffer that begins with it.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    /// Words of `line` from offset `at` on.
    #[inline]
    pub(crate) fn new(line: &'a [u8], at: usize) -> Self {
        Self { line, at }
    }

    /// Offset behind the last word.
    #[inline(always)]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Offset of the next word, `None` when there is none; for a line without its end.
    #[inline(always)]
    pub(crate) fn peek(&mut self) -> Option<usize> {
        self.at = skip_blanks(self.line, self.at);
        (self.at < self.line.len()).then_some(self.at)
    }

    /// The next word.
    #[inline(always)]
    pub(crate) fn word(&mut self) -> Option<&'a [u8]> {
        let (word, next) = next_key(self.line, self.at)?;
        self.at = next;
        self.line.get(word)
    }

    /// The next word, where a number belongs.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> Option<Number<'a>> {
        if let Some((value, rest)) = plain(self.line.get(self.at..)?)
            && matches!(rest.first(), None | Some(b' '))
        {
            self.at = self.line.len() - rest.len();
            return Some(Number::Plain(value));
        }
        self.word().map(Number::Word)
    }

    /// Whether nothing but blanks is left.
    #[inline]
    pub(crate) fn is_empty(&mut self) -> bool {
        self.peek().is_none()
    }
}

/// The greatest number that [`plain`] reads: so many digits always fit an i32.
const PLAIN_MAX: u32 = 999_999_999;
const _: () = assert!(PLAIN_MAX <= VALUE_LEN_MAX, "a plain length needs no check");

/// One blank and one to nine digits, read in the pass that finds their end; and what is behind them, the caller's to
/// check.
#[inline(always)]
pub(crate) fn plain(buf: &[u8]) -> Option<(u32, &[u8])> {
    const LEN_MAX: usize = PLAIN_MAX.ilog10() as usize + 1;
    let digits = buf.strip_prefix(b" ")?;
    // Most flags and many exptimes are 0.
    if let [digit @ b'0'..=b'9', rest @ ..] = digits
        && rest.first() == Some(&b' ')
    {
        return Some((u32::from(digit - b'0'), rest));
    }
    let mut value = 0_u32;
    let mut rest = digits;
    while let [byte @ b'0'..=b'9', behind @ ..] = rest {
        value = value.wrapping_mul(10).wrapping_add(u32::from(byte - b'0'));
        rest = behind;
    }
    let len = digits.len() - rest.len();
    (1..=LEN_MAX).contains(&len).then_some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &[u8], expected: &[&[u8]]) {
        // Behind the line lies the next command, or nothing.
        for behind in [&b""[..], b"x", b"get z\r\n", b" \r\n           "] {
            let buf = [line, behind].concat();
            let mut at = 0;
            let mut keys = Vec::new();
            while let Some((key, next)) = next_key(&buf, at) {
                keys.push(&buf[key]);
                at = next;
            }
            assert_eq!(keys, expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn keys_of_a_line() {
        check(b"\n", &[]);
        check(b"\r\n", &[]);
        check(b"    \r\n", &[]);
        check(b" a\n", &[b"a"]);
        check(b" a\r\n", &[b"a"]);
        check(b"a  b   c  \r\n", &[b"a", b"b", b"c"]);
        check(b"key:00001234\r\n", &[b"key:00001234"]);
        check(
            b"seven77 eight888 nine99999\n",
            &[b"seven77", b"eight888", b"nine99999"],
        );
    }

    #[test]
    fn control_bytes_are_part_of_a_key() {
        check(b"a\tb \0\x01\x1f\x7f\r\n", &[b"a\tb", b"\0\x01\x1f\x7f"]);
        check(b"a\rb\r \r\r\n", &[b"a\rb\r", b"\r"]);
        check(
            b"\xff\xa1\xa0\x80\x21\x22\xff\xfe\xa1\xa0 \x80\n",
            &[b"\xff\xa1\xa0\x80\x21\x22\xff\xfe\xa1\xa0", b"\x80"],
        );
    }

    #[test]
    fn offsets_beyond_the_buffer_find_nothing() {
        assert_eq!(next_key(b"a\n", 7), None);
        assert_eq!(next_key(b"", 0), None);
        assert_eq!(next_key(b"", usize::MAX), None);
    }
}
