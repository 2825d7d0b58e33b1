//! Why the daemon does not start: a sentence for the user and the exit code that memcached's scripts expect.

use std::fmt::{self, Write as _};

use crate::privileges;

/// memcached's exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Most bad values, and unknown options.
    Value = 1,
    /// Options that do not go together, or are not served (EX_USAGE).
    Usage = 64,
    /// No such user (EX_NOUSER).
    NoUser = 67,
    /// Sockets, limits and the rest of the system (EX_OSERR).
    System = 71,
}

/// One reason not to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What the process exits with.
    pub(crate) code: Code,
    /// What was wrong, where, and what would be right.
    pub(crate) sentence: String,
}

impl Refusal {
    /// A value that is none, or an option that is unknown.
    pub(crate) fn value(sentence: impl Into<String>) -> Self {
        Self::new(Code::Value, sentence)
    }

    /// Options that clash, or that this version does not serve.
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self::new(Code::Usage, sentence)
    }

    /// Something that the system denied.
    pub(crate) fn system(sentence: impl Into<String>) -> Self {
        Self::new(Code::System, sentence)
    }

    /// A refusal with any code.
    pub(crate) fn new(code: Code, sentence: impl Into<String>) -> Self {
        Self {
            code,
            sentence: sentence.into(),
        }
    }

    /// The same refusal as a usage error, which some bad values are in memcached.
    pub(crate) fn into_usage(mut self) -> Self {
        self.code = Code::Usage;
        self
    }

    /// The same refusal, which says who was denied a file where that is not who started the process.
    pub(crate) fn explained(mut self) -> Self {
        self.sentence = privileges::explain(self.sentence);
        self
    }

    /// The same refusal, with the place it came from in front: an option, or a file and its line.
    pub(crate) fn at(mut self, place: impl fmt::Display) -> Self {
        self.sentence = format!("{place}: {}", self.sentence);
        self
    }
}

/// What was typed is shown, and what would move a terminal is escaped.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.sentence.chars() {
            match c.is_control() {
                true => write!(f, "{}", c.escape_default())?,
                false => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// All reasons found, at least one: options are judged to their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusals(pub(crate) Vec<Refusal>);

impl Refusals {
    /// An error if any reason was found.
    pub(crate) fn any(found: Vec<Refusal>) -> Result<(), Self> {
        match found.is_empty() {
            true => Ok(()),
            false => Err(Self(found)),
        }
    }

    /// The exit code: the first reason's.
    pub(crate) fn code(&self) -> u8 {
        self.0.first().map_or(Code::Value, |first| first.code) as u8
    }
}

impl From<Refusal> for Refusals {
    fn from(refusal: Refusal) -> Self {
        Self(vec![refusal])
    }
}
