//! What a user may do: which commands, and on which keys.

use larder_protocol::limits::KEY_MAX;
use larder_protocol::text::uri_encode;
use wide::u8x16;

use super::acts::{Act, Acts};

/// What a user may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    acts: Acts,
    /// What keys begin with that it may name; none is any key.
    prefixes: Vec<Prefix>,
    /// Those that are words, two before the others. Where there are fewer: with no prefix what every key begins with, else
    /// what no key of a frequent line does.
    words: [Word; 2],
    other_words: Vec<Word>,
    /// Whether any of these is long.
    long: bool,
}

/// What a key begins with: bytes that end no key in a line of text, so that one can be looked for in a line without
/// finding out where its key ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    bytes: Box<[u8]>,
    /// The same as it stands in lines for watchers.
    encoded: Box<[u8]>,
}

/// A prefix that can be looked for in one step: of 16 bytes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    bits: u8x16,
    /// Which of the bits are meant.
    mask: u8x16,
}

impl Word {
    /// Bytes of the longest.
    pub(crate) const LEN_MAX: usize = 16;

    /// Bytes of the longest that is not long: in a step of so many there are 4 instructions less than in one of all.
    pub(crate) const SHORT_MAX: usize = size_of::<u64>();

    /// Every key begins with it.
    const ALWAYS: Self = Self {
        bits: u8x16::ZERO,
        mask: u8x16::ZERO,
    };

    /// No key of a frequent line begins with it: a byte of zero. Others may.
    pub(crate) const NEVER: Self = Self {
        bits: u8x16::ZERO,
        mask: u8x16::new([u8::MAX, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    };

    fn new(bytes: &[u8]) -> Option<Self> {
        let (mut bits, mut mask) = ([0; Self::LEN_MAX], [0; Self::LEN_MAX]);
        bits.get_mut(..bytes.len())?.copy_from_slice(bytes);
        mask.get_mut(..bytes.len())?.fill(u8::MAX);
        Some(Self {
            bits: u8x16::new(bits),
            mask: u8x16::new(mask),
        })
    }

    fn is_long(&self) -> bool {
        self.mask.as_array()[Self::SHORT_MAX] != 0
    }

    /// Whether these bytes begin with it: [`Self::LEN_MAX`] of them, or [`Self::SHORT_MAX`] where no word is long.
    #[inline(always)]
    pub(crate) fn is_in<const N: usize>(&self, first: &[u8; N]) -> bool {
        match first.first_chunk() {
            Some(first) => {
                let differs = (u8x16::new(*first) ^ self.bits) & self.mask;
                differs.simd_eq(u8x16::ZERO).to_bitmask() == u16::MAX.into()
            }
            None => {
                let [bits, mask] = [self.bits, self.mask].map(|all| short(all.as_array()));
                (short(first) ^ bits) & mask == 0
            }
        }
    }
}

/// The first bytes of some, as one number.
#[inline(always)]
fn short(bytes: &[u8]) -> u64 {
    bytes
        .first_chunk()
        .map_or(0, |first| u64::from_le_bytes(*first))
}

impl Prefix {
    /// Of these bytes, or what is wrong with them.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, String> {
        match bytes {
            [] => return Err("prefix= is empty; a user without it may name any key".to_owned()),
            _ if bytes.len() > KEY_MAX => {
                return Err(format!(
                    "a prefix has {KEY_MAX} bytes at most, as keys have"
                ));
            }
            _ if bytes.iter().any(u8::is_ascii_control) => {
                return Err("a prefix has no control characters".to_owned());
            }
            _ => {}
        }
        let mut encoded = Vec::new();
        uri_encode(&mut encoded, bytes);
        Ok(Self {
            bytes: bytes.into(),
            encoded: encoded.into(),
        })
    }
}

impl Rights {
    /// To do these, on keys that begin so; with no prefix, on any.
    pub(crate) fn new(acts: Acts, prefixes: Vec<Prefix>) -> Self {
        let words = prefixes.iter();
        let mut words = words.filter_map(|prefix| Word::new(&prefix.bytes));
        let long = words.clone().any(|word| word.is_long());
        let otherwise = match prefixes[..] {
            [] => Word::ALWAYS,
            _ => Word::NEVER,
        };
        Self {
            acts,
            words: [(); 2].map(|()| words.next().unwrap_or(otherwise)),
            other_words: words.collect(),
            prefixes,
            long,
        }
    }

    /// Whether it may do this, as far as no key is concerned.
    #[inline]
    pub(crate) fn may(&self, act: Act) -> bool {
        self.acts.has(act)
    }

    /// Whether it may do this with that key; `front` may be a line of text from its key on.
    #[inline]
    pub(crate) fn may_with(&self, act: Act, front: &[u8]) -> bool {
        self.acts.has(act) && self.covers(front)
    }

    /// Two words: of the keys of frequent lines it may name those that begin with one; of the rest [`Self::covers`] tells.
    /// The first is what `likely` begins with, a key and what follows it, since keys that are asked for together are often
    /// alike.
    #[inline]
    pub(crate) fn words(&self, likely: &[u8]) -> [&Word; 2] {
        let [first, second] = &self.words;
        let likely: Option<&[u8; Word::LEN_MAX]> = likely.first_chunk();
        match likely {
            Some(likely) if !first.is_in(likely) => {
                let found = self.other_words.iter().find(|word| word.is_in(likely));
                [found.unwrap_or(second), first]
            }
            _ => [first, second],
        }
    }

    /// Whether any word is long.
    pub(crate) fn has_long_words(&self) -> bool {
        self.long
    }

    /// Whether it may name that key; `front` may be a line of text from its key on.
    #[inline]
    pub(crate) fn covers(&self, front: &[u8]) -> bool {
        let begins = |prefix: &Prefix| front.starts_with(&prefix.bytes);
        self.prefixes.is_empty() || self.prefixes.iter().any(begins)
    }

    /// Whether these are an admin's.
    pub(crate) fn are_an_admins(&self) -> bool {
        self.acts.are_an_admins()
    }

    /// Whether it may know of a key.
    pub(crate) fn may_read(&self, key: &[u8]) -> bool {
        self.acts.read() && self.covers(key)
    }

    /// Whether it may know of a key that a watcher's line has, encoded as it stands there.
    pub(crate) fn may_read_encoded(&self, key: &[u8]) -> bool {
        let begins = |prefix: &Prefix| key.starts_with(&prefix.encoded);
        self.acts.read() && (self.prefixes.is_empty() || self.prefixes.iter().any(begins))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(words: &[&str], prefixes: &[&str]) -> Rights {
        let prefixes = prefixes.iter().map(|bytes| Prefix::new(bytes.as_bytes()));
        let prefixes: Result<Vec<Prefix>, String> = prefixes.collect();
        Rights::new(
            Acts::named(words).expect("words"),
            prefixes.expect("prefixes"),
        )
    }

    #[test]
    fn keys_are_judged_by_how_they_begin() {
        let some = rights(&["read"], &["app:", "a/much/longer:one"]);
        let one = rights(&["read"], &["app:"]);
        assert!(
            !one.may_with(Act::Get, b"\0 and more than sixteen")
                && !one.may_read(b"\0, as well, of all")
        );
        for (key, may) in [
            ("app:", true),
            ("app:1", true),
            ("app:and more than eight", true),
            ("a/much/longer:one", true),
            ("a/much/longer:one:two", true),
            ("a/much/longer:on", false),
            ("a/much/longer:xx:two", false),
            ("app", false),
            ("ap", false),
            ("", false),
            ("apps:1234567", false),
            ("App:1234567", false),
            ("xapp:1", false),
            ("\0", false),
            ("\0 and more than sixteen", false),
            ("\u{e9}and more than sixteen", false),
        ] {
            assert_eq!(some.may_with(Act::Get, key.as_bytes()), may, "{key}");
            let line = format!("{key}\r\nget app:2\r\n");
            assert_eq!(some.may_with(Act::Get, line.as_bytes()), may, "{line}");
            let line = format!("{key} 0 0 4\r\napp:\r\n");
            assert_eq!(some.may_with(Act::Get, line.as_bytes()), may, "{line}");
            assert!(!some.may_with(Act::Set, key.as_bytes()));
            assert_eq!(some.may_read(key.as_bytes()), may, "{key}");
        }
        assert!(rights(&["read"], &[]).may_with(Act::Get, b"any"));
    }

    #[test]
    fn keys_are_shown_to_those_who_may_read_them() {
        let admin = rights(&["admin"], &[]);
        assert!(!admin.may_read(b"k") && !admin.may_read_encoded(b"k") && admin.may(Act::Watch));
        let some = rights(&["admin", "get"], &["a b/"].map(|prefix| &prefix[2..]));
        assert!(some.may_read(b"b/1") && some.may_read_encoded(b"b%2F1"));
        assert!(!some.may_read(b"b%2F1") && !some.may_read_encoded(b"b/1"));
    }

    #[test]
    fn what_no_key_begins_with_is_refused() {
        for (bytes, words) in [
            (&b""[..], "is empty"),
            (b"a\tb", "no control characters"),
            (&[b'x'; 251], "250 bytes at most"),
        ] {
            let why = Prefix::new(bytes).expect_err("refused");
            assert!(why.contains(words), "{why}");
        }
    }
}
