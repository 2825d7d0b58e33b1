//! The items themselves: from an id to its key, its value's length and its value's bytes, and the requests for them.

use anyhow::{Result, bail};

use super::random::splitmix64;
use super::sizes::ValueSizes;

/// How an id becomes a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum KeyNames {
    /// `k` and the id in digits, padded with zeros to this length.
    Padded(usize),
    /// `t:` and the id in digits: the traces' rule.
    Trace,
}

impl KeyNames {
    /// Keys of `length` bytes, of which there must be `count` different ones.
    pub(crate) fn padded(length: usize, count: u64) -> Result<Self> {
        if length > 250 {
            bail!("the protocol's keys are at most 250 bytes long, not {length}");
        }
        let digits = count.saturating_sub(1).checked_ilog10().unwrap_or(0) as usize + 1;
        if length < digits + 1 {
            bail!(
                "{count} different keys need at least {} bytes each, not {length}",
                digits + 1
            );
        }
        Ok(Self::Padded(length))
    }

    fn write(self, id: u64, out: &mut Vec<u8>) {
        match self {
            Self::Padded(length) => {
                let start = out.len();
                out.resize(start + length, b'0');
                out[start] = b'k';
                write_digits(id, &mut out[start + 1..]);
            }
            Self::Trace => {
                out.extend_from_slice(b"t:");
                write_number(id, out);
            }
        }
    }
}

/// All items of a run: names and sizes.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    pub(crate) keys: KeyNames,
    pub(crate) sizes: ValueSizes,
}

impl Data {
    pub(crate) fn write_key(&self, id: u64, out: &mut Vec<u8>) {
        self.keys.write(id, out);
    }

    pub(crate) fn value_length(&self, id: u64) -> usize {
        self.sizes.length(id)
    }

    /// `set <key> 0 0 <length>` with its data block.
    pub(crate) fn write_set(&self, id: u64, out: &mut Vec<u8>) {
        let length = self.value_length(id);
        out.extend_from_slice(b"set ");
        self.write_key(id, out);
        out.extend_from_slice(b" 0 0 ");
        write_number(length as u64, out);
        out.extend_from_slice(b"\r\n");
        write_value(id, length, out);
        out.extend_from_slice(b"\r\n");
    }

    /// The line that a right server puts before the value of `id`.
    pub(crate) fn write_value_line(&self, id: u64, length: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(b"VALUE ");
        self.write_key(id, out);
        out.extend_from_slice(b" 0 ");
        write_number(length as u64, out);
        out.extend_from_slice(b"\r\n");
    }
}

/// Whether these are the bytes that `write_value` made for an id and this length.
pub(crate) fn value_matches(id: u64, value: &[u8]) -> bool {
    let mut words = words(id, value.len());
    let (whole, rest) = value.as_chunks::<8>();
    whole
        .iter()
        .all(|chunk| *chunk == words.next().unwrap_or_default())
        && rest == &words.next().unwrap_or_default()[..rest.len()]
}

fn write_value(id: u64, length: usize, out: &mut Vec<u8>) {
    let end = out.len() + length;
    for word in words(id, length).take(length.div_ceil(8)) {
        out.extend_from_slice(&word);
    }
    out.truncate(end);
}

/// The endless bytes that the value of an id begins with: all 256 of them occur, line ends too.
fn words(id: u64, length: usize) -> impl Iterator<Item = [u8; 8]> {
    let seed = splitmix64(id ^ ((length as u64) << 40));
    (0u64..).map(move |index| splitmix64(seed.wrapping_add(index)).to_le_bytes())
}

/// `number` in decimal, right-aligned over `out`, which must be long enough.
fn write_digits(mut number: u64, out: &mut [u8]) {
    for digit in out.iter_mut().rev() {
        if number == 0 {
            return;
        }
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn write_number(number: u64, out: &mut Vec<u8>) {
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    let start = out.len();
    out.resize(start + digits, b'0');
    write_digits(number, &mut out[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(length: usize) -> Data {
        Data {
            keys: KeyNames::Padded(8),
            sizes: ValueSizes::Fixed(length),
        }
    }

    #[test]
    fn keys_are_padded_or_named_as_the_traces_say() {
        let mut out = Vec::new();
        KeyNames::Padded(8).write(1203, &mut out);
        KeyNames::Trace.write(1203, &mut out);
        KeyNames::Trace.write(0, &mut out);
        assert_eq!(out, b"k0001203t:1203t:0");
    }

    #[test]
    fn keys_too_short_for_their_number_are_refused() {
        assert!(KeyNames::padded(3, 100).is_ok());
        assert!(KeyNames::padded(3, 101).is_err());
        assert!(KeyNames::padded(251, 1).is_err());
    }

    #[test]
    fn values_of_any_length_are_recognised_and_no_others() {
        for length in [0, 1, 7, 8, 9, 64, 1001] {
            let mut value = Vec::new();
            write_value(5, length, &mut value);
            assert_eq!(value.len(), length);
            assert!(value_matches(5, &value), "length {length}");
            if length > 0 {
                assert!(
                    !value_matches(6, &value),
                    "another id's value of {length} bytes went unseen"
                );
                value[length - 1] ^= 1;
                assert!(
                    !value_matches(5, &value),
                    "a wrong last byte of {length} went unseen"
                );
            }
        }
    }

    #[test]
    fn a_set_is_a_line_and_its_block() {
        let mut out = Vec::new();
        data(10).write_set(42, &mut out);
        assert!(out.starts_with(b"set k0000042 0 0 10\r\n"));
        assert_eq!(out.len(), b"set k0000042 0 0 10\r\n".len() + 12);
        assert!(value_matches(42, &out[21..31]));
    }
}
