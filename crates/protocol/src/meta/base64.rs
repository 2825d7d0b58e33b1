//! Base64 of binary keys (`b`): the standard alphabet, with padding.
//!
//! As memcached reads it: bytes outside the alphabet are skipped, what is left must be whole groups of four, and the
//! first group with padding is the last that counts. A `=` that is no padding stands for nothing.

use crate::limits::KEY_MAX;
use crate::text::ErrorText;

/// Most bytes of a decoded key: its text is no longer than a key may be.
pub const RAW_KEY_MAX: usize = KEY_MAX / GROUP_LEN * 3;

/// Characters of a group, which stand for three bytes.
const GROUP_LEN: usize = 4;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What a character stands for; nothing outside the alphabet. Padding stands for no bits.
fn value(character: u8) -> Option<u32> {
    let value = match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        b'=' => 0,
        _ => return None,
    };
    Some(u32::from(value))
}

/// Decodes a key; `None` if it is none, or too long.
pub(super) fn decode<'a>(text: &[u8], room: &'a mut [u8; RAW_KEY_MAX]) -> Option<&'a [u8]> {
    let count = text.iter().filter(|&&byte| value(byte).is_some()).count();
    if count == 0 || !count.is_multiple_of(GROUP_LEN) || count / GROUP_LEN * 3 > RAW_KEY_MAX {
        return None;
    }
    let (mut len, mut bits, mut in_group, mut padding) = (0, 0, 0, 0);
    for &byte in text {
        let Some(value) = value(byte) else { continue };
        bits = bits << 6 | value;
        in_group += 1;
        padding += usize::from(byte == b'=');
        if in_group == GROUP_LEN {
            let [_, bytes @ ..] = bits.to_be_bytes();
            room[len..len + bytes.len()].copy_from_slice(&bytes);
            len += bytes.len();
            if padding > 0 {
                break;
            }
            (bits, in_group) = (0, 0);
        }
    }
    // More than two of them would leave nothing of the group.
    (padding <= 2).then(|| &room[..len - padding])
}

/// Whether a key can be decoded.
#[cold]
pub(super) fn check(text: &[u8]) -> Result<(), ErrorText> {
    match decode(text, &mut [0; RAW_KEY_MAX]) {
        Some(_) => Ok(()),
        None => Err(ErrorText::BadBase64),
    }
}

/// Writes bytes as base64.
pub(super) fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..GROUP_LEN {
            let shift = 18 - 6 * at;
            out.push(if at <= group.len() {
                ALPHABET[(bits >> shift & 63) as usize]
            } else {
                b'='
            });
        }
    }
}

/// Writes a key as base64, and the flag that says so.
#[cold]
pub(crate) fn put_binary_key(out: &mut Vec<u8>, key: &[u8]) {
    encode(out, key);
    out.extend_from_slice(b" b");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&[u8]>) {
        let mut room = [0; RAW_KEY_MAX];
        assert_eq!(decode(text.as_bytes(), &mut room), expected, "{text:?}");
    }

    #[test]
    fn what_is_decoded_and_what_is_not() {
        check("Zm9v", Some(b"foo"));
        check("Zm9vYg==", Some(b"foob"));
        check("Zm9vYmE=", Some(b"fooba"));
        check("+/+/", Some(b"\xfb\xff\xbf"));
        check("AAAA", Some(b"\0\0\0"));
        check("Z!m_9\tv", Some(b"foo"));
        check("Zg==Zm9v", Some(b"f"));
        check("Z=9v", Some(b"d\x0f"));
        for none in ["", "=", "a", "Zm9", "Zm9v=", "====", "A===", "!!!!", "-_-_"] {
            check(none, None);
        }
        check(&"A".repeat(KEY_MAX), None);
        check(&"A".repeat(KEY_MAX / 4 * 4), Some(&[0; RAW_KEY_MAX]));
        check(&"A".repeat(KEY_MAX / 4 * 4 + 4), None);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(bytes in prop::collection::vec(any::<u8>(), 1..=RAW_KEY_MAX)) {
            let mut text = Vec::new();
            encode(&mut text, &bytes);
            prop_assert_eq!(text.len(), bytes.len().div_ceil(3) * 4);
            let mut room = [0; RAW_KEY_MAX];
            prop_assert_eq!(decode(&text, &mut room), Some(&bytes[..]));
        }
    }
}
