//! Meta commands, written onto the end of the caller's buffer.
//!
//! Each is a plain struct whose fields are the flags that it sends; what is not set is not sent. The opaque comes back
//! with the reply, a miss's too, and shows whose reply it is. Keys must have passed [`super::check_key`].

use super::request::decimal;
use crate::text::reply::CRLF;

/// `mg`: get. The value is always asked for unless [`Self::no_value`]; client flags and CAS unique always are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Get<'a> {
    /// The key.
    pub key: &'a [u8],
    /// `O`: comes back with the reply.
    pub opaque: u32,
    /// Do not return the value.
    pub no_value: bool,
    /// `t`: return the seconds left.
    pub ttl: bool,
    /// `T`: give the item this exptime.
    pub touch: Option<i32>,
    /// `N`: on a miss create an empty item of this exptime, and be the one to fill it.
    pub vivify: Option<i32>,
    /// `R`: be the one to renew the item if fewer seconds than these are left.
    pub recache: Option<i32>,
}

impl Get<'_> {
    /// Writes the command.
    pub fn encode(&self, out: &mut Vec<u8>) {
        begin(out, b"mg ", self.key);
        out.extend_from_slice(match self.no_value {
            true => b" f c",
            false => b" v f c",
        });
        // Before `T`, so that it is the old one.
        if self.ttl {
            out.extend_from_slice(b" t");
        }
        flag(out, b'T', self.touch);
        flag(out, b'N', self.vivify);
        flag(out, b'R', self.recache);
        end(out, self.opaque);
    }
}

/// How `ms` stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// In any case.
    #[default]
    Set,
    /// If there is no item.
    Add,
    /// If there is one.
    Replace,
    /// Behind the value that is there.
    Append,
    /// Before the value that is there.
    Prepend,
}

/// `ms`: store. Only the line: the caller appends the value and a CRLF, or sends them from where they lie.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set<'a> {
    /// The key.
    pub key: &'a [u8],
    /// `O`: comes back with the reply.
    pub opaque: u32,
    /// Bytes of the value.
    pub value_len: usize,
    /// `M`
    pub mode: Mode,
    /// `F`: the client flags.
    pub flags: u32,
    /// `T`: the raw exptime.
    pub exptime: i32,
    /// `C`: only if the item still has this CAS unique.
    pub cas: Option<u64>,
    /// `I`, with `C`: if the item is newer, store nevertheless, but as stale.
    pub invalidate: bool,
}

impl Set<'_> {
    /// Writes the command's line.
    pub fn encode_line(&self, out: &mut Vec<u8>) {
        begin(out, b"ms ", self.key);
        out.push(b' ');
        decimal(out, self.value_len);
        out.extend_from_slice(match self.mode {
            Mode::Set => b"",
            Mode::Add => b" ME",
            Mode::Replace => b" MR",
            Mode::Append => b" MA",
            Mode::Prepend => b" MP",
        });
        flag(out, b'F', (self.flags != 0).then_some(self.flags));
        flag(out, b'T', (self.exptime != 0).then_some(self.exptime));
        flag(out, b'C', self.cas);
        if self.invalidate {
            out.extend_from_slice(b" I");
        }
        out.extend_from_slice(b" c");
        end(out, self.opaque);
    }
}

/// `md`: delete, or mark as stale.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delete<'a> {
    /// The key.
    pub key: &'a [u8],
    /// `O`: comes back with the reply.
    pub opaque: u32,
    /// `C`: only if the item still has this CAS unique.
    pub cas: Option<u64>,
    /// `I` and `T`: keep the item as a stale one for so long.
    pub stale_for: Option<i32>,
}

impl Delete<'_> {
    /// Writes the command.
    pub fn encode(&self, out: &mut Vec<u8>) {
        begin(out, b"md ", self.key);
        flag(out, b'C', self.cas);
        if self.stale_for.is_some() {
            out.extend_from_slice(b" I");
        }
        flag(out, b'T', self.stale_for);
        end(out, self.opaque);
    }
}

/// `ma`: count up or down. The new number is always asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arith<'a> {
    /// The key.
    pub key: &'a [u8],
    /// `O`: comes back with the reply.
    pub opaque: u32,
    /// `D`: by how much.
    pub delta: u64,
    /// `MD`: downwards.
    pub is_decr: bool,
    /// `J` and `N`: on a miss create the item with this number and this exptime; the delta is not applied.
    pub initial: Option<(u64, i32)>,
}

impl Arith<'_> {
    /// Writes the command.
    pub fn encode(&self, out: &mut Vec<u8>) {
        begin(out, b"ma ", self.key);
        if self.is_decr {
            out.extend_from_slice(b" MD");
        }
        flag(out, b'D', Some(self.delta));
        flag(out, b'N', self.initial.map(|(_, exptime)| exptime));
        flag(out, b'J', self.initial.map(|(number, _)| number));
        out.extend_from_slice(b" v");
        end(out, self.opaque);
    }
}

/// `mn`: answered `MN`, at once.
pub fn noop(out: &mut Vec<u8>) {
    out.extend_from_slice(b"mn\r\n");
}

fn begin(out: &mut Vec<u8>, name: &[u8], key: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(key);
}

fn flag(out: &mut Vec<u8>, letter: u8, token: Option<impl itoa::Integer>) {
    if let Some(number) = token {
        out.extend_from_slice(&[b' ', letter]);
        decimal(out, number);
    }
}

fn end(out: &mut Vec<u8>, opaque: u32) {
    flag(out, b'O', Some(opaque));
    out.extend_from_slice(CRLF);
}
