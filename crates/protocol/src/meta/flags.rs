//! The flags of a meta command: words of one letter, in any order, some with a token behind the letter.
//!
//! All commands take all letters, and leave alone what means nothing to them. A letter may come once.

use crate::limits::OPAQUE_MAX;
use crate::text::ErrorText;
use crate::text::number::Number;
use crate::text::words::next_key;

/// A set of flag letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letters(u64);

/// The letters that mean something.
const KNOWN: Letters = Letters::of(b"bcfhklqstuvxCDEFIJLMNOPRT");
/// Those whose token is a number or a mode, or that are about the key.
const WITH_MEANING: Letters = Letters::of(b"bOCDEFJMNRT");

impl Letters {
    /// No letter.
    pub(super) const NONE: Self = Self(0);

    /// The set of some letters from `A` to `z`.
    pub const fn of(letters: &[u8]) -> Self {
        let (mut set, mut at) = (0, 0);
        while at < letters.len() {
            set |= 1 << (letters[at] - b'A');
            at += 1;
        }
        Self(set)
    }

    /// Whether the letter, which is one from `A` to `z`, is among them.
    #[inline(always)]
    pub const fn has(self, letter: u8) -> bool {
        self.0 & Self::bit(letter) != 0
    }

    /// Whether any letter is in both.
    #[inline(always)]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    #[inline(always)]
    const fn bit(letter: u8) -> u64 {
        1 << (letter.wrapping_sub(b'A') & 63)
    }

    /// With one letter more, if it is not among them yet.
    #[inline(always)]
    pub(super) const fn with(self, letter: u8) -> Option<Self> {
        match self.has(letter) {
            true => None,
            false => Some(Self(self.0 | Self::bit(letter))),
        }
    }

    fn count(self) -> usize {
        self.0.count_ones() as usize
    }
}

/// The flags of one command, their tokens read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags<'a> {
    given: Letters,
    /// What stands behind the key, or an ms's length, up to the line's end.
    text: &'a [u8],
    ttl: i32,
    vivify: i32,
    recache: i32,
    client_flags: u32,
    cas: u64,
    new_cas: u64,
    initial: u64,
    delta: u64,
    mode: u8,
    opaque_too_long: bool,
}

impl<'a> Flags<'a> {
    /// Whether the letter was given.
    #[inline(always)]
    pub fn has(&self, letter: u8) -> bool {
        self.given.has(letter)
    }

    /// Whether any of the letters was given.
    #[inline(always)]
    pub fn has_any(&self, letters: Letters) -> bool {
        self.given.meets(letters)
    }

    /// `T`: an exptime, raw as sent.
    pub fn ttl(&self) -> Option<i32> {
        self.has(b'T').then_some(self.ttl)
    }

    /// `N`: the exptime of an item that is made if there is none, raw as sent.
    pub fn vivify(&self) -> Option<i32> {
        self.has(b'N').then_some(self.vivify)
    }

    /// `R`: an exptime, raw as sent; whoever asks for an item that has less time left may win it.
    pub fn recache(&self) -> Option<i32> {
        self.has(b'R').then_some(self.recache)
    }

    /// `F`: client flags, 0 unless given.
    pub fn client_flags(&self) -> u32 {
        self.client_flags
    }

    /// `C`: the CAS unique to compare with.
    pub fn cas(&self) -> Option<u64> {
        self.has(b'C').then_some(self.cas)
    }

    /// `E`: the CAS unique that the item is to have. 0 is as if it was not given.
    pub fn new_cas(&self) -> Option<u64> {
        (self.new_cas != 0).then_some(self.new_cas)
    }

    /// `J`: the number that an ma begins with, 0 unless given.
    pub fn initial(&self) -> u64 {
        self.initial
    }

    /// `D`: what an ma adds, 1 unless given.
    pub fn delta(&self) -> u64 {
        self.delta
    }

    /// The first character behind `M`, the only one that counts; 0 if there is none.
    pub(super) fn mode(&self) -> u8 {
        self.mode
    }

    /// Whether one letter was given before another: what shows an item and what changes it take effect in their order.
    pub fn is_before(&self, one: u8, other: u8) -> bool {
        let first = self
            .words()
            .map(|word| word[0])
            .find(|&letter| letter == one || letter == other);
        self.has(one) && first == Some(one)
    }

    /// The flags as sent, each a letter and its token, from the first to the last.
    #[inline(always)]
    pub fn words(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (text, mut at) = (self.text, 0);
        std::iter::from_fn(move || {
            let (word, next) = next_key(text, at)?;
            at = next;
            text.get(word)
        })
    }

    /// All that stands behind the key, or an ms's length.
    #[inline(always)]
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The same flags, their text copied to another place.
    pub fn moved_to<'b>(&self, text: &'b [u8]) -> Flags<'b> {
        Flags { text, ..*self }
    }

    /// Reads the flags of `line` from offset `at` on, at most `most` of them.
    pub(super) fn read(
        line: &'a [u8],
        at: usize,
        most: usize,
        key: &[u8],
    ) -> Result<Self, BadFlags> {
        let mut flags = Self::none(&[]);
        let (mut next, mut bad_token) = (at, None);
        while let Some((word, behind)) = next_key(line, next) {
            next = behind;
            let Some(word) = line.get(word) else { break };
            if let Err(error) = flags.take(word, key, &mut bad_token) {
                return Err(judge(line, at, most, error));
            }
        }
        // Of wrong tokens the last is told, and none if a flag is wrong.
        if let Some(error) = bad_token {
            return Err(judge(line, at, most, error));
        }
        flags.text = line.get(at..next).unwrap_or_default();
        // Nearly no line is long enough for too many.
        if flags.text.len() > 2 * most && flags.given.count() > most {
            return Err(BadFlags::Known(ErrorText::TooManyFlags));
        }
        Ok(flags)
    }

    /// Whether the opaque is no longer than it may be, which is judged last of all.
    pub(super) fn check_opaque(&self) -> Result<(), ErrorText> {
        if self.opaque_too_long {
            return Err(ErrorText::OpaqueTooLong);
        }
        Ok(())
    }

    const fn none(text: &'a [u8]) -> Self {
        Self {
            given: Letters::NONE,
            text,
            ttl: 0,
            vivify: 0,
            recache: 0,
            client_flags: 0,
            cas: 0,
            new_cas: 0,
            initial: 0,
            delta: 1,
            mode: 0,
            opaque_too_long: false,
        }
    }

    /// Adds one word, which is not empty; notes if its token is wrong.
    fn take(
        &mut self,
        word: &[u8],
        key: &[u8],
        bad_token: &mut Option<ErrorText>,
    ) -> Result<(), ErrorText> {
        let letter = word.first().copied().unwrap_or_default();
        // Beyond the letters the set would begin again.
        if !letter.is_ascii_alphabetic() || !KNOWN.has(letter) {
            return Err(ErrorText::InvalidFlag);
        }
        self.given = self.given.with(letter).ok_or(ErrorText::DuplicateFlag)?;
        if WITH_MEANING.has(letter)
            && let Err(error) = self.take_token(letter, &word[1..], key)
        {
            // `F` has no words of its own: whatever else is wrong goes before it.
            *bad_token = match error {
                ErrorText::BadFormat => bad_token.or(Some(error)),
                _ => Some(error),
            };
        }
        Ok(())
    }

    /// Reads the token behind a letter that has one; `b` has the key for its own.
    #[inline]
    fn take_token(&mut self, letter: u8, token: &[u8], key: &[u8]) -> Result<(), ErrorText> {
        let number = Number::Word(token);
        let bad = ErrorText::BadToken;
        match letter {
            b'O' => self.opaque_too_long = token.len() > OPAQUE_MAX,
            b'T' => self.ttl = number.i32().ok_or(bad)?,
            b'N' => self.vivify = number.i32().ok_or(bad)?,
            b'R' => self.recache = number.i32().ok_or(bad)?,
            b'C' => self.cas = number.u64().ok_or(bad)?,
            b'E' => self.new_cas = number.u64().ok_or(bad)?,
            b'F' => self.client_flags = number.u32().ok_or(ErrorText::BadFormat)?,
            b'J' => self.initial = number.u64().ok_or(ErrorText::InvalidInitialValue)?,
            b'D' => self.delta = number.u64().ok_or(ErrorText::InvalidDeltaValue)?,
            b'M' => self.mode = token.first().copied().unwrap_or_default(),
            _ => super::base64::check(key)?,
        }
        Ok(())
    }
}

/// Why flags are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadFlags {
    /// A word begins with something that no flag could ever begin with. The line is none, whatever its command.
    NoFlags,
    /// A flag is unknown, comes twice, or has the wrong token; or there are too many.
    Known(ErrorText),
}

/// Of a line with something wrong in its flags, what is told: not always that.
#[cold]
fn judge(line: &[u8], mut at: usize, most: usize, first: ErrorText) -> BadFlags {
    let mut count = 0;
    while let Some((word, next)) = next_key(line, at) {
        at = next;
        count += 1;
        if !matches!(line[word][0], b'0'..=b'9' | b'A'..=b'z') {
            return BadFlags::NoFlags;
        }
    }
    BadFlags::Known(match count > most {
        true => ErrorText::TooManyFlags,
        false => first,
    })
}
