//! incr and decr: numbers kept as decimal text.

use crate::hash::KeyHash;
use crate::hint::Hint;
use crate::item::{Item, ItemMut, RelTime};
use crate::shard::{Moment, Shard};
use crate::write::{StoreRequest, StoreVerb, Stored, Value};

/// What came of incr or decr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arith {
    /// The new number, and the item's new CAS unique.
    Value(u64, u64),
    /// There was no item, and one was made of the initial number; its CAS unique.
    Created(u64),
    /// No such item.
    NotFound,
    /// The item's CAS unique is another.
    Exists,
    /// The value is no number that memcached would count with.
    NonNumeric,
    /// A longer number found no memory.
    NoMemory,
}

/// An incr or decr.
#[derive(Clone, Copy, Debug)]
pub struct ArithRequest<'a> {
    /// The key, 1 to [`crate::KEY_MAX`] bytes.
    pub key: &'a [u8],
    /// By how much.
    pub delta: u64,
    /// Up or down.
    pub incr: bool,
    /// The CAS unique that the item must have; 0 is any.
    pub unique: u64,
    /// What to store if there is no item; none is an answer of its own.
    pub create: Option<Create>,
}

/// What an [`ArithRequest`] stores if there is no item.
#[derive(Clone, Copy, Debug)]
pub struct Create {
    /// The number; the delta is not applied to it.
    pub initial: u64,
    /// When the item's time is over; 0 is never.
    pub exptime: RelTime,
}

impl Shard {
    /// Adds to a number, wrapping at 2^64, or takes from it, stopping at 0. Client flags and exptime stay.
    ///
    /// A number that is not longer than the old text is written over it, and blanks fill the rest, as memcached does.
    pub fn arith(&mut self, hash: KeyHash, request: &ArithRequest<'_>, at: Moment<'_>) -> Arith {
        let (delta, incr) = (request.delta, request.incr);
        let Some(id) = self.lookup(hash, request.key, at.now) else {
            return self.create(hash, request, at);
        };
        let item = Item::new(self.slab.pages.chunk(id));
        // memcached's order: no bytes at all, the CAS unique, bytes that are no number.
        if item.value_len() == 0 {
            return Arith::NonNumeric;
        }
        if !item.has_cas(request.unique) {
            return Arith::Exists;
        }
        if item.chunked() {
            return Arith::NonNumeric;
        }
        let Some(old) = parse_number(item.value()) else {
            return Arith::NonNumeric;
        };
        let old_len = item.value_len() as usize;
        let new = if incr {
            old.wrapping_add(delta)
        } else {
            old.saturating_sub(delta)
        };
        let mut digits = [0; 20];
        let text = write_number(new, &mut digits);
        let stats = self.slab.stats_of(id);
        if incr {
            stats.incr_hits += 1;
        } else {
            stats.decr_hits += 1;
        }
        if text.len() > old_len {
            let Some((new_id, cas)) = self.rewrite(hash, id, text.len(), at) else {
                return Arith::NoMemory;
            };
            ItemMut(self.slab.pages.chunk_mut(new_id)).value_room()[..text.len()]
                .copy_from_slice(text);
            self.tallies.total_items += 1;
            return Arith::Value(new, cas);
        }
        let cas = self.unique(at);
        let mut item = ItemMut(self.slab.pages.chunk_mut(id));
        item.set_cas(cas);
        item.set_accessed(at.now);
        let room = item.value_room();
        room[..text.len()].copy_from_slice(text);
        room[text.len()..old_len].fill(b' ');
        Arith::Value(new, cas)
    }

    fn create(&mut self, hash: KeyHash, request: &ArithRequest<'_>, at: Moment<'_>) -> Arith {
        let Some(Create { initial, exptime }) = request.create else {
            return Arith::NotFound;
        };
        let mut digits = [0; 20];
        let text = write_number(initial, &mut digits);
        let store = StoreRequest {
            verb: StoreVerb::Add,
            key: request.key,
            flags: 0,
            exptime,
        };
        match self.store(hash, Hint::NONE, &store, Value::Bytes(text), at) {
            Stored::Stored(unique) => Arith::Created(unique),
            _ => Arith::NoMemory,
        }
    }
}

/// The number in a stored value, read as C's strtoull does: blanks and one `+` before it are skipped, and white space,
/// a zero byte or the end must follow. A sign of minus is no number, nor is one above 2^64 − 1.
fn parse_number(value: &[u8]) -> Option<u64> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = value.iter().position(|byte| !is_space(byte))?;
    let text = &value[start..];
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let ends = |byte: &u8| *byte == 0 || is_space(byte);
    if digits == 0 || !text.get(digits).is_none_or(ends) {
        return None;
    }
    text[..digits].iter().try_fold(0u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

fn write_number(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_memcached_reads_them() {
        let table: [(&[u8], Option<u64>); 18] = [
            (b"0", Some(0)),
            (b"00012", Some(12)),
            (b" 12", Some(12)),
            (b"12 abc", Some(12)),
            (b"12\t", Some(12)),
            (b"5\0x", Some(5)),
            (b"\x005", None),
            (b"+5", Some(5)),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"18446744073709551616", None),
            (b"12abc", None),
            (b"1.5", None),
            (b"0x10", None),
            (b"", None),
            (b" ", None),
            (b"-1", None),
            (b"++1", None),
            (b"+ 1", None),
        ];
        for (text, number) in table {
            assert_eq!(
                parse_number(text),
                number,
                "{:?}",
                String::from_utf8_lossy(text)
            );
        }
    }

    #[test]
    fn numbers_are_written_in_full() {
        for number in [0, 7, 10, 12345, u64::MAX] {
            assert_eq!(
                write_number(number, &mut [0; 20]),
                number.to_string().as_bytes()
            );
        }
    }
}
