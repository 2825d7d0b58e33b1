//! How a get is put: in which protocol, and for how many keys.

use super::data::Data;
use crate::replies::{Expected, Form};

/// How gets are put.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Asking {
    /// `get` of so many keys.
    Get(usize),
    /// `mg` of one key, with these flags, of which one is `v`.
    Meta(&'static str),
    /// The binary `getk` of one key. The connection can send nothing else than frames, so no sets.
    Getk,
}

const REQUEST_MAGIC: u8 = 0x80;
const GETK: u8 = 0x0c;

impl Asking {
    /// How many keys one get asks for.
    pub(crate) fn keys(self) -> usize {
        match self {
            Self::Get(keys) => keys,
            Self::Meta(_) | Self::Getk => 1,
        }
    }

    /// Appends a get of these items to `out` and notes what must come back.
    pub(super) fn write(
        self,
        ids: impl Iterator<Item = u64>,
        data: &Data,
        sent_ns: u64,
        out: &mut Vec<u8>,
        expected: &mut Expected,
    ) {
        let begin = out.len();
        out.extend_from_slice(match self {
            Self::Get(_) => b"get",
            Self::Meta(_) => b"mg",
            Self::Getk => &[0; 24],
        });
        for id in ids {
            if self != Self::Getk {
                out.push(b' ');
            }
            data.write_key(id, out);
            expected.push_key(id);
        }
        match self {
            Self::Get(_) => {
                out.extend_from_slice(b"\r\n");
                expected.push_get(sent_ns);
            }
            Self::Meta(flags) => {
                out.push(b' ');
                out.extend_from_slice(flags.as_bytes());
                out.extend_from_slice(b"\r\n");
                expected.push_lone_get(sent_ns, Form::Meta);
            }
            Self::Getk => {
                let (header, key) = out[begin..].split_at_mut(24);
                header[..2].copy_from_slice(&[REQUEST_MAGIC, GETK]);
                header[2..4].copy_from_slice(&(key.len() as u16).to_be_bytes());
                header[8..12].copy_from_slice(&(key.len() as u32).to_be_bytes());
                expected.push_lone_get(sent_ns, Form::Frame);
            }
        }
    }
}
