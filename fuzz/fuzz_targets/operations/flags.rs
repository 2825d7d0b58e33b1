//! The flags of meta commands: made at random, written onto a line, and shown in a reply.

use std::str::FromStr;

use crate::dice::Dice;
use crate::twin::Twin;

/// Exptimes, as they are sent.
const EXPTIMES: &[i64] = &[0, 0, 1, 2, 5, 60, -1, 2_592_001];

/// Keys as base64. The longest one would be too long so.
const BASE64: &[(&[u8], &[u8])] = &[
    (b"a", b"YQ=="),
    (b"n", b"bg=="),
    (b"key:1", b"a2V5OjE="),
    (b"k\x01\t", b"awEJ"),
];

/// A key, and whether it is written as base64.
#[derive(Clone, Copy)]
pub struct Name {
    pub key: &'static [u8],
    pub base64: bool,
}

/// Flags in the order in which they are sent, each a letter and its token.
pub struct Flags(Vec<(u8, String)>);

/// What a command's flags make of an item's exptime. Each takes effect at its place.
pub struct Exptimes {
    /// What it is in the end.
    pub last: u32,
    /// What is shown of it.
    pub shown: u32,
    /// What it is when it is judged whether the item is to be made anew, and before which second that is due.
    pub recache: Option<(u32, u32)>,
}

impl Name {
    /// The key for a reply to whoever gave it so.
    pub fn shown(&self) -> (&[u8], bool) {
        (self.key, self.base64)
    }
}

/// A key as it is written.
pub fn written(key: &[u8], base64: bool) -> &[u8] {
    let mut pairs = BASE64.iter().filter(|(raw, _)| base64 && *raw == key);
    pairs.next().map_or(key, |(_, encoded)| encoded)
}

impl Flags {
    /// Some of these letters, each at most once, with tokens of their kind; and a key, which may have the flag that says that
    /// it is in base64.
    pub fn some(dice: &mut Dice<'_>, letters: &[u8], modes: &[u8]) -> (Name, Self) {
        let mut left = letters.to_vec();
        left.retain(|&letter| letter != b'E' || dice.chooses_cas);
        let mut flags = Vec::new();
        for _ in 0..dice.below(6) {
            let letter = left.swap_remove(dice.below(left.len()));
            let token = match letter {
                b'T' | b'N' | b'R' => dice.pick(EXPTIMES).to_string(),
                b'F' => dice.flags().to_string(),
                b'C' | b'E' => dice.cas().to_string(),
                b'D' | b'J' => dice.delta().to_string(),
                b'O' => "opaque".to_owned(),
                b'M' => char::from(dice.pick(modes)).to_string(),
                _ => String::new(),
            };
            flags.push((letter, token));
        }
        let base64 = dice.once_in(4);
        let key = if base64 {
            flags.insert(dice.below(flags.len() + 1), (b'b', String::new()));
            dice.pick(BASE64).0
        } else {
            dice.key()
        };
        (Name { key, base64 }, Self(flags))
    }

    fn at(&self, letter: u8) -> Option<usize> {
        self.0.iter().position(|(other, _)| *other == letter)
    }

    pub fn has(&self, letter: u8) -> bool {
        self.at(letter).is_some()
    }

    pub fn token<T: FromStr>(&self, letter: u8) -> Option<T> {
        self.0[self.at(letter)?].1.parse().ok()
    }

    /// The second of an exptime, if it was given.
    pub fn second(&self, letter: u8, twin: &Twin) -> Option<u32> {
        self.token(letter).map(|exptime| twin.second(exptime))
    }

    /// A CAS unique of the client's choosing; 0 is none.
    pub fn chosen(&self) -> Option<u64> {
        self.token(b'E').filter(|&unique| unique != 0)
    }

    /// What becomes of an exptime: an item's that is there, or of one that an `N` makes.
    pub fn exptimes(&self, twin: &Twin, old: u32, makes: bool) -> Exptimes {
        let mut exptimes = Exptimes {
            last: old,
            shown: old,
            recache: None,
        };
        for (letter, token) in &self.0 {
            let second = || twin.second(token.parse().expect("an exptime"));
            match letter {
                b'N' if makes => exptimes.last = second(),
                b'T' => exptimes.last = second(),
                b't' => exptimes.shown = exptimes.last,
                b'R' => exptimes.recache = Some((exptimes.last, second())),
                _ => {}
            }
        }
        exptimes
    }

    /// The line of a command: its name, the key, what else goes before the flags, and these.
    pub fn line(&self, command: &[u8], name: &Name, words: &[u8]) -> Vec<u8> {
        let mut line = [command, written(name.key, name.base64), words].concat();
        for (letter, token) in &self.0 {
            line.extend_from_slice(&[b' ', *letter]);
            line.extend_from_slice(token.as_bytes());
        }
        line.extend_from_slice(b"\r\n");
        line
    }

    /// A reply: its code, what `show` says of each flag, and what follows them.
    pub fn reply(
        &self,
        code: &str,
        (key, base64): (&[u8], bool),
        show: impl Fn(u8) -> Option<String>,
        tail: &str,
        replies: &mut Vec<u8>,
    ) {
        replies.extend_from_slice(code.as_bytes());
        for (letter, token) in &self.0 {
            let shown = match letter {
                b'k' => {
                    let mark: &[u8] = if base64 { b" b" } else { b"" };
                    Some([written(key, base64), mark].concat())
                }
                b'O' => Some(token.clone().into_bytes()),
                letter => show(*letter).map(String::into_bytes),
            };
            if let Some(shown) = shown {
                replies.extend_from_slice(&[b' ', *letter]);
                replies.extend_from_slice(&shown);
            }
        }
        replies.extend_from_slice(tail.as_bytes());
        replies.extend_from_slice(b"\r\n");
    }
}
