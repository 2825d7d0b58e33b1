//! Large values made smaller on their way out, and whole again on their way back.
//!
//! A packed value says so in its client flags: their upper half is [`MARK`], their lower half what the caller gave. The
//! data is one LZ4 block behind its unpacked length, four bytes, little-endian. Any client of this crate with the
//! feature `compression` unpacks, whether or not it packs.

use bytes::Bytes;

use crate::error::Error;
use crate::limits::VALUE_LEN_MAX;
use crate::wire::{Command, Item, Verb};
use larder_protocol::client::meta::Mode;

/// The upper half of a packed value's client flags: the letters LZ.
const MARK: u32 = 0x4c5a;

/// One byte of a block stands for this many bytes at most (the block format's run of a length's bytes): whatever
/// promises more is no block, and is not given any memory.
const GROWTH_MAX: usize = 255;

/// Packs the command's value if it is longer than `above` and becomes shorter by it. Flags that fill more than 16 bits
/// leave no room for the mark.
pub(crate) fn pack(command: &mut Command, above: usize) {
    let Verb::Store(storing) = &mut command.verb else {
        return;
    };
    let is_whole = matches!(storing.mode, Mode::Set | Mode::Add | Mode::Replace);
    if !is_whole || storing.value.len() <= above || storing.flags >> 16 != 0 {
        return;
    }
    let packed = lz4_flex::block::compress_prepend_size(&storing.value);
    if packed.len() < storing.value.len() {
        storing.value = packed.into();
        storing.flags |= MARK << 16;
    }
}

/// The item with its value as it was given.
///
/// # Errors
/// The flags say that it is packed, and it is not.
pub(crate) fn unpack(mut item: Item) -> Result<Item, Error> {
    if item.flags >> 16 == MARK {
        item.value = unpacked(&item.value)?;
        item.flags &= 0xffff;
    }
    Ok(item)
}

fn unpacked(packed: &[u8]) -> Result<Bytes, Error> {
    let wrong = |what: &str| Error::Codec(format!("unpacked: {what}").into());
    let Some((len, block)) = packed.split_first_chunk() else {
        return Err(wrong("it is shorter than the length before it"));
    };
    let len = u32::from_le_bytes(*len) as usize;
    if len > VALUE_LEN_MAX || len > block.len().saturating_mul(GROWTH_MAX) {
        return Err(wrong("it promises more bytes than it can hold"));
    }
    let whole = lz4_flex::block::decompress(block, len);
    let whole = whole.map_err(|error| wrong(&format!("it is no LZ4 block ({error})")))?;
    match whole.len() == len {
        true => Ok(whole.into()),
        false => Err(wrong("it holds fewer bytes than it promises")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::storing;
    use crate::ttl::Ttl;

    fn packed(mode: Mode, value: &[u8], flags: u32) -> (Bytes, u32) {
        let verb = storing(mode, Bytes::copy_from_slice(value), flags, Ttl::Never, None);
        let mut command = Command {
            key: Bytes::from_static(b"k"),
            verb,
        };
        pack(&mut command, 100);
        match command.verb {
            Verb::Store(storing) => (storing.value, storing.flags),
            other => panic!("{other:?}"),
        }
    }

    fn item(value: impl Into<Bytes>, flags: u32) -> Item {
        Item {
            value: value.into(),
            flags,
            ..Item::default()
        }
    }

    #[test]
    fn there_and_back() {
        let text = b"the same again and ".repeat(1000);
        for flags in [0, 1, 0xffff] {
            let (value, with_mark) = packed(Mode::Set, &text, flags);
            assert!(value.len() < text.len() / 50);
            assert_eq!(with_mark, 0x4c5a_0000 | flags);
            let back = unpack(item(value, with_mark)).expect("packed");
            assert_eq!((&back.value[..], back.flags), (&text[..], flags));
        }
    }

    #[test]
    fn what_is_left_as_it_is() {
        let text = b"the same again and ".repeat(1000);
        let mut luck = 7_u32;
        let noise = std::iter::repeat_with(|| {
            luck = luck.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (luck >> 24) as u8
        });
        let noise: Vec<u8> = noise.take(1000).collect();
        for (mode, value, flags) in [
            (Mode::Set, &text[..100], 0),
            (Mode::Set, &noise[..], 0),
            (Mode::Set, &text[..], 1 << 16),
            (Mode::Append, &text[..], 0),
        ] {
            assert_eq!(packed(mode, value, flags), (value.to_vec().into(), flags));
            let back = unpack(item(value.to_vec(), flags)).expect("whole");
            assert_eq!((&back.value[..], back.flags), (value, flags));
        }
    }

    #[test]
    fn wrong_bytes_are_said_to_be_wrong() {
        let (good, flags) = packed(Mode::Set, &b"abcd".repeat(500), 0);
        let longer = [&2001_u32.to_le_bytes(), &good[4..]].concat();
        let shorter = [&1999_u32.to_le_bytes(), &good[4..]].concat();
        for (bytes, word) in [
            (&b"abc"[..], "shorter than"),
            (&[0xff; 40], "more bytes than"),
            (&[40, 0, 0, 0, 0xff], "no LZ4 block"),
            (&longer, "fewer bytes"),
            (&shorter, "no LZ4 block"),
        ] {
            let error = unpack(item(bytes.to_vec(), flags)).expect_err("wrong");
            let text = error.to_string();
            assert!(
                text.starts_with("the value could not be unpacked: "),
                "{text}"
            );
            assert!(text.contains(word), "{text}");
        }
        for cut in 0..good.len() {
            assert!(
                unpack(item(good.slice(..cut), flags)).is_err(),
                "cut at {cut}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_do_harm(bytes: Vec<u8>, len in 0_u32..3000) {
            let promising = [&len.to_le_bytes(), &bytes[..]].concat();
            for bytes in [bytes, promising] {
                if let Ok(whole) = unpack(item(bytes, MARK << 16)) {
                    proptest::prop_assert!(whole.value.len() < 3000);
                }
            }
        }
    }
}
