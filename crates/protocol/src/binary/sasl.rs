//! SASL PLAIN (RFC 4616), the one mechanism: `[authorization] NUL user NUL password`.

use memchr::memchr;

/// The mechanism's name, and the list of all there are.
pub const PLAIN: &[u8] = b"PLAIN";

/// The user and the password in a message of PLAIN. `None` if it is none, or one that wants to act as somebody else.
pub fn plain(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let (authorization, rest) = split(message)?;
    let (user, password) = split(rest)?;
    let for_itself = authorization.is_empty() || authorization == user;
    let whole = !user.is_empty() && !password.is_empty() && memchr(0, password).is_none();
    (for_itself && whole).then_some((user, password))
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr(0, bytes)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_plain() {
        let bob = Some((&b"bob"[..], &b"secret"[..]));
        let table: [(&[u8], _); 9] = [
            (b"\0bob\0secret", bob),
            (b"bob\0bob\0secret", bob),
            (b"alice\0bob\0secret", None),
            (b"bob\0secret", None),
            (b"\0\0secret", None),
            (b"\0bob\0", None),
            (b"\0bob\0sec\0ret", None),
            (b"\0", None),
            (b"", None),
        ];
        for (message, expected) in table {
            assert_eq!(plain(message), expected, "{}", message.escape_ascii());
        }
    }
}
