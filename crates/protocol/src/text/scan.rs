//! Looking for the end of a word, sixteen bytes a step.
//!
//! Keys are 10 to 30 bytes long, so the search is one or two steps, written into its callers; a call of memchr costs more
//! than that before it begins. Every byte that can end a word is at most a blank and hardly a key holds any other that
//! low. Where the buffer ends with fewer than sixteen left, its last sixteen are read once more and those before `at` left
//! out: there is no byte-by-byte tail but in buffers shorter than that.

use wide::u8x16;

/// Bytes looked at in one step.
const STEP: usize = 16;

/// Offset of the first byte from `at` on that is at most a blank; the buffer's end if there is none.
#[inline(always)]
pub(super) fn low_byte(buf: &[u8], at: usize) -> usize {
    let Some(mut rest) = buf.get(at..) else {
        return at;
    };
    while let Some((step, behind)) = rest.split_first_chunk() {
        let low = low_bytes(step);
        if low != 0 {
            return buf.len() - rest.len() + low.trailing_zeros() as usize;
        }
        rest = behind;
    }
    if rest.is_empty() {
        return buf.len();
    }
    let low = match buf.last_chunk() {
        Some(step) => low_bytes(step) >> (STEP - rest.len()),
        None => few(rest),
    };
    buf.len() - rest.len() + (low.trailing_zeros() as usize).min(rest.len())
}

/// Which bytes are at most a blank, the first in the lowest bit.
#[inline(always)]
fn low_bytes(step: &[u8; STEP]) -> u32 {
    let (bytes, blank) = (u8x16::new(*step), u8x16::splat(b' '));
    bytes.min(blank).simd_eq(bytes).to_bitmask()
}

/// [`low_bytes`] of a buffer shorter than a step.
#[cold]
fn few(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |low, &byte| low << 1 | u32::from(byte <= b' '))
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
