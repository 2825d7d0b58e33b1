//! Which of the frequent lines a client may do that may not do everything, told as they are recognised.
//!
//! Recognised 16 together, a get takes some 553 instructions, and what its client may do is to take 3 % of that: it is told
//! by one comparison or two of the key's first bytes with words that are at hand, and otherwise only seldom. By callgrind it
//! takes 12 instructions with rights to any key, to one prefix or two, 16 where a prefix is longer than 8 bytes, and some 100
//! where it is longer than 16.

use larder_protocol::text::FREQUENT_KEY_AT;

use crate::gate::{Act, Pass, Rights, Word};

/// What a client may get and set.
pub(super) struct Allowed<'a> {
    pub(super) get: KeysFor<'a>,
    pub(super) set: KeysFor<'a>,
    /// Whether any word is long.
    pub(super) long: bool,
}

/// The keys that it may do one of them with.
#[derive(Clone, Copy)]
pub(super) struct KeysFor<'a> {
    /// None if it may not.
    rights: Option<&'a Rights>,
    /// A key of a frequent line that begins with one of these is covered.
    words: [&'a Word; 2],
}

impl<'a> Allowed<'a> {
    /// To this client, whose next line is at the front of `input`; none is everything.
    pub(super) fn to(pass: &'a Pass, input: &[u8]) -> Option<Self> {
        let rights = pass.rights()?;
        let words = rights.words(input.get(FREQUENT_KEY_AT..).unwrap_or_default());
        let keys = KeysFor {
            rights: Some(rights),
            words,
        };
        // A stranger's set may be the handshake.
        let (gets, sets) = (
            rights.may(Act::Get),
            rights.may(Act::Set) && !pass.is_stranger(),
        );
        let long = rights.has_long_words();
        // Most who have rights may both, and a choice for each of them would cost a get 16 deep an instruction or two.
        if gets && sets {
            return Some(Self {
                get: keys,
                set: keys,
                long,
            });
        }
        let keys = |may| if may { keys } else { KeysFor::NONE };
        Some(Self {
            get: keys(gets),
            set: keys(sets),
            long,
        })
    }
}

impl KeysFor<'_> {
    const NONE: Self = Self {
        rights: None,
        words: [&Word::NEVER; 2],
    };

    /// Whether they cover that of the frequent line at the front of `rest`. N is as in [`Word::is_in`].
    #[inline(always)]
    pub(super) fn cover_that_of<const N: usize>(&self, rest: &[u8]) -> bool {
        let front = &rest[FREQUENT_KEY_AT..];
        let known = match front.first_chunk::<N>() {
            Some(first) => self.words[0].is_in(first) || self.words[1].is_in(first),
            None => false,
        };
        known || self.cover(front)
    }

    /// For a short line at the end of the input, and where prefixes are many or long.
    #[inline(never)]
    fn cover(&self, front: &[u8]) -> bool {
        self.rights.is_some_and(|rights| rights.covers(front))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::gate::{Gate, UsersFile};
    use crate::shared::ConnInfo;

    /// A stranger's pass, with such rights.
    fn pass(rights: &str) -> Pass {
        let file = UsersFile::read(format!("@default {rights}\n").as_bytes(), |_| Ok(()));
        let admitted = file.expect("a good line").admitted(|()| 0);
        let info = ConnInfo::new(3, None, "unix:".into(), "unix:".into(), 2, 0);
        Pass::new(Arc::new(Gate::new(admitted, false)), Arc::new(info), false)
    }

    #[test]
    fn words_tell_what_prefixes_tell() {
        let prefixes = [
            "a",
            "app:",
            "b:345678",
            "b:3456789",
            "sixteen:9abcdefg",
            "seventeen:abcdefg",
            "a/much/longer/prefix/than/words",
            "\u{e9}t\u{e9}",
        ];
        let keys = prefixes.iter().flat_map(|prefix| {
            let shorter: String = prefix.chars().take(prefix.chars().count() - 1).collect();
            let other = format!("{shorter}~");
            [
                (*prefix).to_owned(),
                format!("{prefix}more"),
                shorter,
                other,
            ]
        });
        let keys: Vec<String> = keys.filter(|key| !key.is_empty()).collect();
        let mut seen = [0, 0];
        for bits in 1_u32..1 << prefixes.len() {
            let some = (0..prefixes.len()).filter(|at| bits >> at & 1 == 1);
            let some: Vec<&str> = some.map(|at| prefixes[at]).collect();
            let pass = pass(&format!("read,write prefix={}", some.join(" prefix=")));
            for (likely, key) in keys
                .iter()
                .flat_map(|one| keys.iter().map(move |other| (one, other)))
            {
                // The last line of all, or not.
                for more in ["", "get another\r\n"] {
                    let input = format!("get {likely}\r\nget {key}\r\n{more}");
                    let told = told(&pass, input.as_bytes(), likely.len() + 6);
                    let expected = some.iter().any(|prefix| key.starts_with(prefix));
                    assert_eq!(
                        told,
                        [expected, false],
                        "{key} behind {likely}, with {some:?}"
                    );
                    seen[usize::from(expected)] += 1;
                }
            }
        }
        assert!(seen[0] > 1000 && seen[1] > 1000, "{seen:?}");
    }

    /// Whether a stranger may get, and set, with the key of the line at `at`.
    fn told(pass: &Pass, input: &[u8], at: usize) -> [bool; 2] {
        let allowed = Allowed::to(pass, input).expect("not everything");
        [&allowed.get, &allowed.set].map(|keys| match allowed.long {
            false => keys.cover_that_of::<{ Word::SHORT_MAX }>(&input[at..]),
            true => keys.cover_that_of::<{ Word::LEN_MAX }>(&input[at..]),
        })
    }
}
