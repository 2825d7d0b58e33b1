//! The return flags of a meta reply.

use super::Broken;
use super::words::{Words, number};

/// What a meta reply says besides its code and value: what was asked for, and the three marks that come unasked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplyFlags<'a> {
    /// `O`: the opaque of the request, as it was sent.
    pub opaque: Option<&'a [u8]>,
    /// `k`: the key, in base64 if [`Self::is_base64`].
    pub key: Option<&'a [u8]>,
    /// `b`: the key was given, and is returned, in base64.
    pub is_base64: bool,
    /// `c`: the CAS unique.
    pub cas: Option<u64>,
    /// `f`: the client flags.
    pub client_flags: Option<u32>,
    /// `s`: bytes of the value.
    pub value_len: Option<u32>,
    /// `t`: seconds left, −1 for never.
    pub ttl: Option<i32>,
    /// `h`: whether the item had been fetched before.
    pub was_fetched: Option<bool>,
    /// `l`: seconds since the last access.
    pub last_access_s: Option<u32>,
    /// `W`: this client is the one to bring a new value.
    pub won: bool,
    /// `Z`: another client is bringing one.
    pub is_won_already: bool,
    /// `X`: the value is stale.
    pub is_stale: bool,
}

/// What each letter stands for is expected once at most.
const ONCE: &str = "each return flag once at most";

impl<'a> ReplyFlags<'a> {
    /// Reads the rest of a line; nothing may be unknown, or there twice.
    pub(super) fn parse(words: Words<'a>) -> Result<Self, Broken> {
        let mut flags = Self::default();
        for word in words {
            let Some((&letter, token)) = word.split_first() else {
                return Err(Broken::new("a return flag", word));
            };
            let has_place = match letter {
                b'O' => put(&mut flags.opaque, Some(token)),
                b'k' => put(&mut flags.key, Some(token)),
                b'c' => put(&mut flags.cas, number(token)),
                b'f' => put(&mut flags.client_flags, number(token)),
                b's' => put(&mut flags.value_len, number(token)),
                b't' => put(&mut flags.ttl, ttl(token)),
                b'h' => put(&mut flags.was_fetched, digit(token)),
                b'l' => put(&mut flags.last_access_s, number(token)),
                b'b' => mark(&mut flags.is_base64, token),
                b'W' => mark(&mut flags.won, token),
                b'Z' => mark(&mut flags.is_won_already, token),
                b'X' => mark(&mut flags.is_stale, token),
                _ => return Err(Broken::new("a return flag that is known", word)),
            };
            if !has_place {
                return Err(Broken::new(ONCE, word));
            }
        }
        Ok(flags)
    }

    /// Whether the reply carries this opaque, in decimal as [`super::meta`] sends it.
    #[must_use]
    pub fn is_for(&self, opaque: u32) -> bool {
        self.opaque.and_then(number) == Some(opaque)
    }
}

/// Fills an empty place; false if it was full, or the token is none.
fn put<T>(place: &mut Option<T>, token: Option<T>) -> bool {
    let is_free = place.is_none();
    *place = token;
    is_free && place.is_some()
}

fn mark(place: &mut bool, token: &[u8]) -> bool {
    let is_free = !*place;
    *place = true;
    is_free && token.is_empty()
}

fn ttl(token: &[u8]) -> Option<i32> {
    match token {
        b"-1" => Some(-1),
        _ => number::<u32>(token).and_then(|seconds| i32::try_from(seconds).ok()),
    }
}

fn digit(token: &[u8]) -> Option<bool> {
    match token {
        b"0" => Some(false),
        b"1" => Some(true),
        _ => None,
    }
}
