//! What a client says before it is let in: `set <any> <any> <any> <bytes>`, and a block of `user password` behind it.
//!
//! Nothing else is listened to then, and little is kept: a line and a short block.

use memchr::memchr;

use super::number::Number;
use super::reply::ErrorText;
use crate::limits::{AUTH_LINE_MIN, AUTH_TOKEN_MAX, LINE_MAX};

/// What the front of the buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn<'a> {
    /// Not all of it: read more.
    Partial,
    /// Something that no client says who means it: close the connection, without a word.
    Closing,
    /// To be answered with an error.
    Refused {
        /// Bytes that it takes.
        len: usize,
        /// Bytes behind these to drop before it is answered.
        swallow: u64,
        /// The answer.
        error: ErrorText,
    },
    /// Who it says it is.
    Claim {
        /// Bytes of the line and the block.
        len: usize,
        /// The user's name.
        user: &'a [u8],
        /// The password; it may hold blanks.
        password: &'a [u8],
    },
}

/// Decodes what is at the front of `buf`.
pub fn sign_in(buf: &[u8]) -> SignIn<'_> {
    let Some(end) = memchr(b'\n', buf) else {
        return match buf.len() > LINE_MAX {
            true => SignIn::Closing,
            false => SignIn::Partial,
        };
    };
    if end < AUTH_LINE_MIN {
        return SignIn::Closing;
    }
    let refused = |len, swallow, error| SignIn::Refused {
        len,
        swallow,
        error,
    };
    let line_len = end + 1;
    let line = buf[..end].strip_suffix(b"\r").unwrap_or(&buf[..end]);
    let Some(block_len) = block_len(line) else {
        return refused(line_len, 0, ErrorText::Unauthenticated);
    };
    let whole = u64::from(block_len) + 2;
    if block_len > AUTH_TOKEN_MAX {
        return refused(line_len, whole, ErrorText::AuthTokenTooLong);
    }
    let block_len = block_len as usize;
    let len = line_len + block_len + 2;
    let Some(block) = buf.get(line_len..len) else {
        return SignIn::Partial;
    };
    let Some(token) = block.strip_suffix(b"\r\n") else {
        return refused(len, 0, ErrorText::AuthTokenEnd);
    };
    match memchr(b' ', token).map(|at| token.split_at(at)) {
        Some((user, password)) if !user.is_empty() && password.len() > 1 => SignIn::Claim {
            len,
            user,
            password: &password[1..],
        },
        _ => refused(len, 0, ErrorText::AuthTokenFormat),
    }
}

/// Bytes of the block that a `set` line announces.
fn block_len(line: &[u8]) -> Option<u32> {
    let mut words = line
        .split(|&byte| byte == b' ')
        .filter(|word| !word.is_empty());
    // A blank in front makes the command's name an empty one.
    if !line.starts_with(b"set ") || words.next() != Some(b"set") {
        return None;
    }
    Number::Word(words.nth(3)?).u32()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAR: SignIn<'_> = SignIn::Claim {
        len: 22,
        user: b"foo",
        password: b"bar",
    };

    fn refused(len: usize, swallow: u64, error: ErrorText) -> SignIn<'static> {
        SignIn::Refused {
            len,
            swallow,
            error,
        }
    }

    #[test]
    fn lines_are_judged_as_memcacheds() {
        let unauthenticated = |len| refused(len, 0, ErrorText::Unauthenticated);
        let long_key = [
            b"set ",
            "k".repeat(300).as_bytes(),
            b" 0 0 7\r\nfoo bar\r\n",
        ]
        .concat();
        let table: [(&[u8], SignIn<'_>); 20] = [
            (b"", SignIn::Partial),
            (b"set a 0 0 7", SignIn::Partial),
            (b"set a 0 0 7\r\nfoo bar\r", SignIn::Partial),
            (b"get\r\n", SignIn::Closing),
            (b"quit\r\n", SignIn::Closing),
            (b"\r\n", SignIn::Closing),
            (b"version\r\n", unauthenticated(9)),
            (b"get foo\r\nget bar\r\n", unauthenticated(9)),
            (b"add a 0 0 7\r\n", unauthenticated(13)),
            (b"settle a 0 0 7\r\n", unauthenticated(16)),
            (b" set a 0 0 7\r\n", unauthenticated(14)),
            (b"set a 0 0\r\n", unauthenticated(11)),
            (b"set a 0 0 x\r\n", unauthenticated(13)),
            (b"set a 0 0 -1\r\n", unauthenticated(14)),
            (b"set a 0 0 7\r\nfoo bar\r\n", BAR),
            (b"set a x y 7\r\nfoo bar\r\nget a\r\n", BAR),
            (
                b"set a 0 0 7\nfoo bar\r\n",
                SignIn::Claim {
                    len: 21,
                    user: b"foo",
                    password: b"bar",
                },
            ),
            (
                b"set a 0 0 7 noreply\r\nfoo bar\r\n",
                SignIn::Claim {
                    len: 30,
                    user: b"foo",
                    password: b"bar",
                },
            ),
            (
                &long_key,
                SignIn::Claim {
                    len: long_key.len(),
                    user: b"foo",
                    password: b"bar",
                },
            ),
            (
                b"set a 0 0 10\r\nfoo ba r:x\r\n",
                SignIn::Claim {
                    len: 26,
                    user: b"foo",
                    password: b"ba r:x",
                },
            ),
        ];
        for (buf, expected) in table {
            assert_eq!(sign_in(buf), expected, "{}", buf.escape_ascii());
        }
    }

    #[test]
    fn blocks_are_judged_as_memcacheds() {
        let table: [(&[u8], SignIn<'_>); 7] = [
            (
                b"set a 0 0 7\r\nfoo barXX",
                refused(22, 0, ErrorText::AuthTokenEnd),
            ),
            (
                b"set a 0 0 7\r\nfoobar1\r\n",
                refused(22, 0, ErrorText::AuthTokenFormat),
            ),
            (
                b"set a 0 0 4\r\nfoo \r\n",
                refused(19, 0, ErrorText::AuthTokenFormat),
            ),
            (
                b"set a 0 0 0\r\n\r\n",
                refused(15, 0, ErrorText::AuthTokenFormat),
            ),
            (
                b"set a 0 0 17000\r\n",
                refused(17, 17_002, ErrorText::AuthTokenTooLong),
            ),
            (
                b"set a 0 0 1025\r\n",
                refused(16, 1027, ErrorText::AuthTokenTooLong),
            ),
            (
                b"set a 0 0 4294967295\r\n",
                refused(22, 4_294_967_297, ErrorText::AuthTokenTooLong),
            ),
        ];
        for (buf, expected) in table {
            assert_eq!(sign_in(buf), expected, "{}", buf.escape_ascii());
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_waited_for() {
        assert_eq!(sign_in(&[b'x'; LINE_MAX]), SignIn::Partial);
        assert_eq!(sign_in(&[b'x'; LINE_MAX + 1]), SignIn::Closing);
    }

    #[test]
    fn a_claim_cut_anywhere_is_waited_for() {
        let whole = b"set a 0 0 7\r\nfoo bar\r\n";
        for cut in 0..whole.len() {
            assert_eq!(sign_in(&whole[..cut]), SignIn::Partial, "{cut}");
        }
    }
}
