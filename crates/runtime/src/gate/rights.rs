//! What a user may do: which commands, and on which keys.

use larder_protocol::limits::KEY_MAX;
use larder_protocol::text::uri_encode;

use super::acts::{Act, Acts};

/// What a user may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    acts: Acts,
    /// What keys begin with that it may name; none is any key.
    prefixes: Vec<Prefix>,
}

/// What a key begins with: bytes that end no key in a line of text, so that one can be looked for in a line without
/// finding out where its key ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    bytes: Box<[u8]>,
    /// The same as it stands in lines for watchers.
    encoded: Box<[u8]>,
    /// Its first bytes: most prefixes have no more.
    word: Word,
}

/// Bytes to be looked for at the front of others, all at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    bits: u64,
    /// Which of the bits are meant.
    mask: u64,
}

impl Word {
    /// Whether these bytes, as many as a word has, begin with it.
    #[inline(always)]
    pub(crate) fn is_in(self, first: &[u8]) -> bool {
        let first = first.first_chunk();
        first.is_some_and(|&first| (u64::from_le_bytes(first) ^ self.bits) & self.mask == 0)
    }
}

/// Bytes that are compared at once.
pub(crate) const WORD: usize = size_of::<u64>();

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
        let (mut first, mut mask) = ([0; WORD], [0; WORD]);
        for (at, &byte) in bytes.iter().take(WORD).enumerate() {
            (first[at], mask[at]) = (byte, u8::MAX);
        }
        let mut encoded = Vec::new();
        uri_encode(&mut encoded, bytes);
        Ok(Self {
            bytes: bytes.into(),
            encoded: encoded.into(),
            word: Word {
                bits: u64::from_le_bytes(first),
                mask: u64::from_le_bytes(mask),
            },
        })
    }

    /// Whether a key, or a line from its key on, begins with it.
    #[inline(always)]
    fn begins(&self, front: &[u8]) -> bool {
        match front.get(..WORD) {
            Some(first) => {
                self.word.is_in(first)
                    && (self.bytes.len() <= WORD || front.starts_with(&self.bytes))
            }
            None => front.starts_with(&self.bytes),
        }
    }
}

/// What the keys begin with that a user may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    Any,
    /// With one word, and that is all.
    Word(Word),
    /// With one of several prefixes, or a long one.
    Several,
}

impl Rights {
    /// To do these, on keys that begin so; with no prefix, on any.
    pub(crate) fn new(acts: Acts, prefixes: Vec<Prefix>) -> Self {
        Self { acts, prefixes }
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

    /// What its keys begin with.
    #[inline]
    pub(crate) fn beginning(&self) -> Beginning {
        match &self.prefixes[..] {
            [] => Beginning::Any,
            [one] if one.bytes.len() <= WORD => Beginning::Word(one.word),
            _ => Beginning::Several,
        }
    }

    /// [`Self::covers`] for keys that are seldom that short.
    #[cold]
    #[inline(never)]
    pub(crate) fn covers_short(&self, front: &[u8]) -> bool {
        self.covers(front)
    }

    /// Whether it may name that key; `front` may be a line of text from its key on.
    #[inline(always)]
    pub(crate) fn covers(&self, front: &[u8]) -> bool {
        match &self.prefixes[..] {
            [] => true,
            [one] => one.begins(front),
            several => {
                for prefix in several {
                    if prefix.begins(front) {
                        return true;
                    }
                }
                false
            }
        }
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
