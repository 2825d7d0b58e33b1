//! What `lru_crawler metadump` and `mgdump` say of an item.

use super::reply::{CRLF, decimal};
use crate::meta::put_binary_key;

/// An item as `metadump` shows it.
#[derive(Clone, Copy, Debug)]
pub struct DumpedItem<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Unix time at which its time is over; `None` is never.
    pub expires: Option<u64>,
    /// Unix time of the last access.
    pub accessed: u64,
    /// The CAS unique.
    pub cas: u64,
    /// Whether it was ever fetched.
    pub fetched: bool,
    /// Its slab class.
    pub class: u8,
    /// Its bytes, header and key included.
    pub size: u64,
    /// The client flags.
    pub flags: u32,
}

/// `key=… exp=… la=… cas=… fetch=… cls=… size=… flags=… `, with memcached's blank at the end and its bare `\n`.
pub fn metadump_line(out: &mut Vec<u8>, item: &DumpedItem<'_>) {
    out.extend_from_slice(b"key=");
    uri_encode(out, item.key);
    out.extend_from_slice(b" exp=");
    match item.expires {
        Some(second) => decimal(out, second),
        None => out.extend_from_slice(b"-1"),
    }
    out.extend_from_slice(b" la=");
    decimal(out, item.accessed);
    out.extend_from_slice(b" cas=");
    decimal(out, item.cas);
    out.extend_from_slice(match item.fetched {
        true => b" fetch=yes cls=",
        false => b" fetch=no cls=",
    });
    decimal(out, item.class);
    out.extend_from_slice(b" size=");
    decimal(out, item.size);
    out.extend_from_slice(b" flags=");
    decimal(out, item.flags);
    out.extend_from_slice(b" \n");
}

/// Whether a key can stand on a line as it is. One that came by the binary protocol, which has no lines, or as base64, may
/// hold any byte.
#[must_use]
pub fn fits_a_line(key: &[u8]) -> bool {
    !key.iter().any(|byte| matches!(byte, b' ' | b'\n'))
}

/// `mg <key>`, or `mg <base64> b` for a key that is to be written so, or that as it is would be no key of a line: each
/// line can be sent back as the command that it is.
pub fn mgdump_line(out: &mut Vec<u8>, key: &[u8], binary: bool) {
    out.extend_from_slice(b"mg ");
    if binary || !fits_a_line(key) {
        put_binary_key(out, key);
    } else {
        out.extend_from_slice(key);
    }
    out.extend_from_slice(CRLF);
}

/// Writes a key so that it is one word of printable characters: what is no letter, digit or one of `-._~` as `%` and two
/// hexadecimal digits.
pub fn uri_encode(out: &mut Vec<u8>, key: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in key {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => out.push(byte),
            _ => {
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                out.extend_from_slice(&[b'%', DIGITS[high], DIGITS[low]]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut out = Vec::new();
        let mut item = DumpedItem {
            key: b"b%c\xff~",
            expires: Some(1_795_606_620),
            accessed: 1_795_603_020,
            cas: u64::MAX,
            fetched: false,
            class: 1,
            size: 68,
            flags: 5,
        };
        metadump_line(&mut out, &item);
        item.expires = None;
        item.fetched = true;
        metadump_line(&mut out, &item);
        mgdump_line(&mut out, item.key, false);
        mgdump_line(&mut out, item.key, true);
        let expected: &[u8] =
            b"key=b%25c%FF~ exp=1795606620 la=1795603020 cas=18446744073709551615 fetch=no cls=1 size=68 flags=5 \n\
            key=b%25c%FF~ exp=-1 la=1795603020 cas=18446744073709551615 fetch=yes cls=1 size=68 flags=5 \n\
            mg b%c\xff~\r\nmg YiVj/34= b\r\n";
        assert_eq!(
            out.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
    }
}
