//! Replies to a get of one key by meta command or by binary frame, taken off the front of the input.

use anyhow::{Context, Result, bail};

use super::{block, shown, take_line};

/// How such a reply is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    /// `VA <bytes> <flag>*` and a data block, or `EN`.
    Meta,
    /// A binary frame.
    Frame,
}

/// What it says.
pub(super) enum Lone<'a> {
    Hit(&'a [u8]),
    Miss,
    /// Another line in its place.
    Line(&'a [u8]),
}

const HEADER_LEN: usize = 24;
const REPLY_MAGIC: u8 = 0x81;
const NOT_FOUND: u16 = 1;

impl Form {
    /// The first reply and how many bytes it has; `None` when it is not all there yet.
    pub(super) fn take(self, input: &[u8]) -> Result<Option<(Lone<'_>, usize)>> {
        match self {
            Self::Meta => take_meta(input),
            Self::Frame => take_frame(input),
        }
    }
}

fn take_meta(input: &[u8]) -> Result<Option<(Lone<'_>, usize)>> {
    let Some(line) = take_line(input)? else {
        return Ok(None);
    };
    let behind = line.len() + 2;
    let Some(words) = line.strip_prefix(b"VA ") else {
        return Ok(Some(match line.starts_with(b"EN") {
            true => (Lone::Miss, behind),
            false => (Lone::Line(line), behind),
        }));
    };
    let length = words.split(|&byte| byte == b' ').next().unwrap_or_default();
    let length: usize = std::str::from_utf8(length)?
        .parse()
        .with_context(|| format!("no length in {}", shown(line)))?;
    let value = block(input, behind, length)?;
    Ok(value.map(|value| (Lone::Hit(value), behind + length + 2)))
}

fn take_frame(input: &[u8]) -> Result<Option<(Lone<'_>, usize)>> {
    let Some(header) = input.first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let key_length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let status = u16::from_be_bytes([header[6], header[7]]);
    let body_length = u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
    if header[0] != REPLY_MAGIC {
        bail!("in place of a frame came {}", shown(header));
    }
    let end = HEADER_LEN + body_length;
    let Some(body) = input.get(HEADER_LEN..end) else {
        return Ok(None);
    };
    match status {
        0 => {
            let front = usize::from(header[4]) + key_length;
            let value = body
                .get(front..)
                .context("a frame is shorter than its key")?;
            Ok(Some((Lone::Hit(value), end)))
        }
        NOT_FOUND => Ok(Some((Lone::Miss, end))),
        _ => bail!("a get is answered with status {status}: {}", shown(body)),
    }
}
