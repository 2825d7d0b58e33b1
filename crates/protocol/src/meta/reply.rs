//! What the server says to meta commands: a code of two letters, what the return flags show, a line end.

use super::base64;
use super::command::Request;
use super::flags::{Flags, Letters};
use super::plain::PlainGet;
use crate::text::reply::{CRLF, Key, short_len, short_texts};

/// The codes that stand alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Done, or a hit whose value is not shown.
    Done,
    /// No such item, to an `mg`. It does not stand alone when it has to show a key or an opaque.
    Miss,
    /// No such item, to all others.
    NotFound,
    /// The mode's condition did not hold.
    NotStored,
    /// The item's CAS unique is another.
    Exists,
}

impl Code {
    const fn text(self) -> &'static [u8; 2] {
        match self {
            Self::Done => b"HD",
            Self::Miss => b"EN",
            Self::NotFound => b"NF",
            Self::NotStored => b"NS",
            Self::Exists => b"EX",
        }
    }

    /// Whether `q` hides it: the dull one of its command.
    pub const fn is_dull(self) -> bool {
        matches!(self, Self::Done | Self::Miss)
    }
}

/// What an `me` says of a miss.
pub const NOTHING: Letters = Letters::NONE;
/// What a reply says of the key alone, whatever became of its item.
pub const OF_KEY: Letters = Letters::of(b"kO");
/// What an `mg` says of a hit.
pub const OF_HIT: Letters = Letters::of(b"kOscfthl");
/// What an `ms` says.
pub const OF_SET: Letters = Letters::of(b"kOsc");
/// What an `ma` says of a number.
pub const OF_NUMBER: Letters = Letters::of(b"kOtc");

/// What return flags can show.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The item's key (`k`).
    pub key: Key<'a>,
    /// Whether the key is to be shown as base64, with a `b` behind it.
    pub binary: bool,
    /// Bytes of the value (`s`).
    pub value_len: u32,
    /// The CAS unique (`c`).
    pub cas: u64,
    /// The client flags (`f`).
    pub client_flags: u32,
    /// Seconds that are left (`t`); none is for ever.
    pub ttl: Option<u32>,
    /// Whether it was fetched before (`h`).
    pub fetched: bool,
    /// Seconds since the last access (`l`).
    pub idle_s: u32,
}

impl<'a> Shown<'a> {
    /// For a reply that shows no more than the key that was asked for; `key` is that, decoded.
    pub fn of_request(request: &Request<'_>, key: &'a [u8]) -> Self {
        Self {
            key: key.into(),
            binary: request.is_binary(),
            value_len: 0,
            cas: 0,
            client_flags: 0,
            ttl: None,
            fetched: false,
            idle_s: 0,
        }
    }
}

/// What an `mg` tells of the contest for an item that is to be made anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contest {
    /// This client has won: it is the one to make the item anew (`W`).
    pub won: bool,
    /// Another has won before (`Z`).
    pub lost: bool,
    /// The value is stale (`X`).
    pub stale: bool,
}

/// A reply without a value: the code, and of the flags that were given those among `which`.
pub fn line(out: &mut Vec<u8>, code: Code, flags: &Flags<'_>, which: Letters, shown: &Shown<'_>) {
    out.extend_from_slice(code.text());
    return_flags(out, flags, which, shown);
    out.extend_from_slice(CRLF);
}

/// The line of a hit that was asked for as most are; a value follows it if `v` asked for one. `shown` is called if more
/// is to be shown than the value.
#[inline(always)]
pub fn plain_hit<'s>(
    out: &mut Vec<u8>,
    get: &PlainGet<'_>,
    value_len: u32,
    shown: impl FnOnce() -> Shown<'s>,
) {
    front(out, get.has(b'v'), value_len);
    if !get.is_bare() {
        plain_flags(out, get, &shown());
    }
    out.extend_from_slice(CRLF);
}

#[inline(never)]
fn plain_flags(out: &mut Vec<u8>, get: &PlainGet<'_>, shown: &Shown<'_>) {
    for letter in get.letters().filter(|&letter| OF_HIT.has(letter)) {
        return_flag(out, letter, &[], shown);
    }
}

/// A miss that was asked for so.
pub fn plain_miss(out: &mut Vec<u8>, get: &PlainGet<'_>) {
    out.extend_from_slice(Code::Miss.text());
    if get.has(b'k') {
        out.extend_from_slice(b" k");
        out.extend_from_slice(get.key);
    }
    out.extend_from_slice(CRLF);
}

/// The line of a hit; a value follows it if one is announced.
pub fn hit(
    out: &mut Vec<u8>,
    with_value: bool,
    flags: &Flags<'_>,
    shown: &Shown<'_>,
    contest: Contest,
) {
    front(out, with_value, shown.value_len);
    return_flags(out, flags, OF_HIT, shown);
    if contest != Contest::default() {
        tell_contest(out, contest);
    }
    out.extend_from_slice(CRLF);
}

/// What the line of a hit begins with.
#[inline(always)]
fn front(out: &mut Vec<u8>, with_value: bool, value_len: u32) {
    let len = value_len as usize;
    match HIT_LINES.get(len) {
        // A copy of known length is one move; what of it is too much is cut off again.
        Some(text) if with_value => {
            let end = out.len() + short_len(len) - CRLF.len();
            out.extend_from_slice(text);
            out.truncate(end);
        }
        _ => seldom_front(out, with_value, value_len),
    }
}

/// The lines of hits that show nothing but a value of fewer than a thousand bytes.
static HIT_LINES: [[u8; 8]; 1000] = short_texts(*b"VA ");

#[inline(never)]
fn seldom_front(out: &mut Vec<u8>, with_value: bool, value_len: u32) {
    if with_value {
        out.extend_from_slice(b"VA ");
        decimal(out, value_len);
    } else {
        out.extend_from_slice(Code::Done.text());
    }
}

/// A number as a value.
pub fn number(out: &mut Vec<u8>, number: u64, flags: &Flags<'_>, shown: &Shown<'_>) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(number).as_bytes();
    out.extend_from_slice(b"VA ");
    decimal(out, digits.len());
    return_flags(out, flags, OF_NUMBER, shown);
    out.extend_from_slice(CRLF);
    out.extend_from_slice(digits);
    out.extend_from_slice(CRLF);
}

/// What `me` shows of an item.
#[derive(Clone, Copy, Debug)]
pub struct Debug<'a> {
    /// The item's key, and the rest that return flags show as well.
    pub shown: Shown<'a>,
    /// The slab class.
    pub class: u8,
    /// Bytes of the item, header and key included.
    pub size: u64,
}

/// `ME <key> exp=… la=… cas=… fetch=… cls=… size=…`
pub fn debug(out: &mut Vec<u8>, debug: &Debug<'_>) {
    let shown = &debug.shown;
    out.extend_from_slice(b"ME ");
    if shown.binary {
        base64::encode(out, shown.key.bytes);
    } else {
        shown.key.put_behind(out);
    }
    out.extend_from_slice(b" exp=");
    ttl(out, shown.ttl);
    let fetched = if shown.fetched { &b"yes"[..] } else { b"no" };
    out.extend_from_slice(b" la=");
    decimal(out, shown.idle_s);
    out.extend_from_slice(b" cas=");
    decimal(out, shown.cas);
    out.extend_from_slice(b" fetch=");
    out.extend_from_slice(fetched);
    out.extend_from_slice(b" cls=");
    decimal(out, debug.class);
    out.extend_from_slice(b" size=");
    decimal(out, debug.size);
    out.extend_from_slice(CRLF);
}

/// The return flags in the order in which they were asked for.
fn return_flags(out: &mut Vec<u8>, flags: &Flags<'_>, which: Letters, shown: &Shown<'_>) {
    if !flags.has_any(which) {
        return;
    }
    for word in flags.words() {
        if which.has(word[0]) {
            return_flag(out, word[0], &word[1..], shown);
        }
    }
}

/// One return flag. The token is what was sent behind its letter.
#[inline(always)]
fn return_flag(out: &mut Vec<u8>, letter: u8, token: &[u8], shown: &Shown<'_>) {
    out.extend_from_slice(&[b' ', letter]);
    match letter {
        b's' => decimal(out, shown.value_len),
        b'c' => decimal(out, shown.cas),
        b'f' => decimal(out, shown.client_flags),
        b't' => ttl(out, shown.ttl),
        b'h' => out.push(b'0' + u8::from(shown.fetched)),
        b'l' => decimal(out, shown.idle_s),
        b'k' => key(out, shown),
        // The opaque, as it came.
        _ => out.extend_from_slice(token),
    }
}

#[inline(always)]
fn key(out: &mut Vec<u8>, shown: &Shown<'_>) {
    if shown.binary {
        base64::put_binary_key(out, shown.key.bytes);
    } else {
        shown.key.put_behind(out);
    }
}

#[cold]
fn tell_contest(out: &mut Vec<u8>, contest: Contest) {
    let marks: [(bool, &[u8]); 3] = [
        (contest.lost, b" Z"),
        (contest.stale, b" X"),
        (contest.won, b" W"),
    ];
    for (_, mark) in marks.iter().filter(|(given, _)| *given) {
        out.extend_from_slice(mark);
    }
}

#[inline(always)]
fn ttl(out: &mut Vec<u8>, ttl: Option<u32>) {
    match ttl {
        Some(ttl) => decimal(out, ttl),
        None => out.extend_from_slice(b"-1"),
    }
}

#[inline(always)]
fn decimal(out: &mut Vec<u8>, n: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}
