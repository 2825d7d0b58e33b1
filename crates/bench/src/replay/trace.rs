//! Reading a trace: ids of a fixed width, compressed with xz.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use lzma_rust2::XzReader;

/// How wide ids are; they are big-endian.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
pub(super) enum Ids {
    /// 4 bytes
    U32,
    /// 8 bytes
    U64,
}

/// A trace in memory.
pub(super) struct Trace {
    pub(super) name: String,
    pub(super) ids: Vec<u64>,
}

impl Trace {
    /// Reads a file, or its first `limit` accesses.
    pub(super) fn read(path: &Path, ids: Option<Ids>, limit: Option<usize>) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.split('.').next().unwrap_or_default().to_owned();
        let ids = ids.or_else(|| known_ids(&name)).with_context(|| {
            format!(
                "the ids of {} may be u32 or u64; say which with --ids",
                path.display()
            )
        })?;
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut trace = Self {
            ids: decode(file, ids).with_context(|| format!("cannot read {}", path.display()))?,
            name,
        };
        trace.ids.truncate(limit.unwrap_or(usize::MAX));
        Ok(trace)
    }

    /// The sizes at which the known traces tell servers apart: from next to nothing to where everything fits.
    pub(super) fn usual_memory_mb(&self) -> Vec<u64> {
        if self.name.starts_with("orm-busy") {
            vec![8, 24, 32]
        } else {
            vec![8, 32, 64]
        }
    }
}

fn known_ids(name: &str) -> Option<Ids> {
    [("orm-busy", Ids::U32), ("scarab-recs", Ids::U64)]
        .into_iter()
        .find_map(|(known, ids)| name.starts_with(known).then_some(ids))
}

fn decode(compressed: impl Read, ids: Ids) -> Result<Vec<u64>> {
    let mut bytes = Vec::new();
    XzReader::new(BufReader::new(compressed), true)
        .read_to_end(&mut bytes)
        .context("it is no xz file, or a broken one")?;
    let width = match ids {
        Ids::U32 => 4,
        Ids::U64 => 8,
    };
    ensure!(
        !bytes.is_empty() && bytes.len().is_multiple_of(width),
        "its length is no multiple of {width} bytes"
    );
    let id = |bytes: &[u8]| bytes.iter().fold(0, |id, &byte| id << 8 | u64::from(byte));
    Ok(bytes.chunks_exact(width).map(id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The big-endian u32 numbers 1, 2, 65536 and 4294967295, compressed with `xz`.
    const FOUR_IDS: &[u8] = &[
        0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21,
        0x01, 0x16, 0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3, 0xe0, 0x00, 0x0f, 0x00, 0x0d, 0x5d,
        0x00, 0x00, 0x67, 0xfe, 0xc1, 0x0a, 0x82, 0x05, 0x5b, 0xad, 0x79, 0x3e, 0x0d, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x95, 0xaa, 0x03, 0xb9, 0x44, 0x93, 0x64, 0xd5, 0x00, 0x01, 0x29, 0x10,
        0xa4, 0x3a, 0x77, 0x79, 0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59,
        0x5a,
    ];

    #[test]
    fn ids_come_out_of_xz() {
        assert_eq!(
            decode(FOUR_IDS, Ids::U32).unwrap(),
            [1, 2, 65_536, 4_294_967_295]
        );
        assert_eq!(
            decode(FOUR_IDS, Ids::U64).unwrap(),
            [1 << 32 | 2, (65_536 << 32) | 4_294_967_295]
        );
    }

    #[test]
    fn what_is_broken_is_an_error() {
        assert!(decode(&FOUR_IDS[..40], Ids::U32).is_err());
        assert!(decode(&b"no xz at all"[..], Ids::U32).is_err());
    }
}
