//! Words and numbers of a reply's line: strict, since servers write them in one way only.

use super::Broken;

/// The words of a line, which single blanks part. An empty word is a fault of whoever expects one.
pub(super) struct Words<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Words<'a> {
    pub(super) fn of(line: &'a [u8]) -> Self {
        Self { rest: Some(line) }
    }

    pub(super) fn word(&mut self, expected: &'static str) -> Result<&'a [u8], Broken> {
        match self.next() {
            Some(word) if !word.is_empty() => Ok(word),
            found => Err(Broken::new(expected, found.unwrap_or_default())),
        }
    }

    pub(super) fn number<T: TryFrom<u64>>(&mut self, expected: &'static str) -> Result<T, Broken> {
        let word = self.word(expected)?;
        number(word).ok_or_else(|| Broken::new(expected, word))
    }

    /// Nothing more stands on the line.
    pub(super) fn end(&mut self) -> Result<(), Broken> {
        match self.rest.take() {
            None => Ok(()),
            Some(rest) => Err(Broken::new("the end of the line", rest)),
        }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        match memchr::memchr(b' ', rest) {
            Some(blank) => {
                self.rest = rest.get(blank + 1..);
                rest.get(..blank)
            }
            None => self.rest.take(),
        }
    }
}

/// Digits and nothing else, within 64 bits and within `T`.
pub(super) fn number<T: TryFrom<u64>>(word: &[u8]) -> Option<T> {
    // 20 digits hold 2⁶⁴ − 1; a longer word could only be zeros that no server writes.
    if word.is_empty() || word.len() > 20 {
        return None;
    }
    let value = word.iter().try_fold(0_u64, |value, &byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })?;
    T::try_from(value).ok()
}
