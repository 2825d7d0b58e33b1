//! Looking for the end of a word, eight bytes a step.
//!
//! Keys are 10 to 30 bytes long, too short for a vectorised search to pay its way in. Every byte that can end a word is at
//! most a blank and hardly a key holds any other that low, so one subtraction asks eight bytes at once whether there is
//! anything to look at. Where the buffer ends with fewer than eight left, its last eight are read once more and shifted:
//! there is no byte-by-byte tail.

/// Offset of the first byte from `at` on that is at most a blank; the buffer's end if there is none.
#[inline(always)]
pub(super) fn low_byte(buf: &[u8], mut at: usize) -> usize {
    while let Some(eight) = buf.get(at..).and_then(|rest| rest.first_chunk()) {
        let low = low_bytes(u64::from_le_bytes(*eight));
        if low != 0 {
            return at + lowest(low);
        }
        at += eight.len();
    }
    let left = buf.len().saturating_sub(at);
    if left == 0 {
        return at;
    }
    let eight = match buf.last_chunk() {
        Some(eight) => u64::from_le_bytes(*eight) >> (u64::BITS as usize - 8 * left),
        None => few(&buf[at..]),
    };
    // Zeros follow the last byte, and a zero is low: just at the buffer's end.
    at + lowest(low_bytes(eight))
}

/// Marks, by the high bit of each, the bytes that are at most a blank.
///
/// Subtracting leaves a byte's high bit set when it was low or at least 0xa1, and `!eight` clears the latter. A borrow
/// can mark a byte wrongly, but only above one marked rightly: the lowest mark is always true.
#[inline(always)]
fn low_bytes(eight: u64) -> u64 {
    /// Every byte 1.
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    eight.wrapping_sub(EACH * (b' ' as u64 + 1)) & !eight & (EACH << 7)
}

/// Which byte is the first marked.
#[inline(always)]
fn lowest(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}

/// Fewer than eight bytes, the first the lowest, zeros above.
#[cold]
fn few(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |eight, &byte| eight << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(buf: &[u8]) {
        for from in 0..=buf.len() {
            let found = buf[from..].iter().position(|&byte| byte <= b' ');
            let expected = found.map_or(buf.len(), |found| from + found);
            assert_eq!(
                low_byte(buf, from),
                expected,
                "{} from {from}",
                buf.escape_ascii()
            );
        }
    }

    #[test]
    fn every_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            for len in 0..30 {
                for place in 0..len {
                    let mut buf = vec![b'k'; len];
                    buf[place] = byte;
                    check(&buf);
                }
            }
        }
    }

    #[test]
    fn every_pair_of_neighbours() {
        for pair in 0..=u16::MAX {
            let [one, other] = pair.to_le_bytes();
            check(&[b'k', b'k', one, other, b'k', b'k', b'k', b'k', b'k']);
        }
    }
}
