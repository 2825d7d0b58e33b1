//! The streams of log lines that `watch` can ask for.

/// One kind of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stream {
    /// Each look-up of an item.
    Fetchers,
    /// Each store.
    Mutations,
    /// Each item that had to make room.
    Evictions,
    /// Connections that come and go.
    Connevents,
    /// Each item that a client deleted.
    Deletions,
    /// What the store does for itself.
    Sysevents,
}

/// A set of streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streams(u8);

/// memcached's words, in its order. Four of them name what is never logged here.
const WORDS: [(&[u8], Streams); 10] = [
    (b"fetchers", Streams::of(Stream::Fetchers)),
    (b"mutations", Streams::of(Stream::Mutations)),
    (b"evictions", Streams::of(Stream::Evictions)),
    (b"connevents", Streams::of(Stream::Connevents)),
    (b"deletions", Streams::of(Stream::Deletions)),
    (b"sysevents", Streams::of(Stream::Sysevents)),
    (b"rawcmds", Streams::NONE),
    (b"proxyreqs", Streams::NONE),
    (b"proxyevents", Streams::NONE),
    (b"proxyuser", Streams::NONE),
];

impl Streams {
    /// No stream.
    pub const NONE: Self = Self(0);
    /// What `watch` without a word means.
    pub const DEFAULT: Self = Self::of(Stream::Fetchers);

    /// One stream alone.
    pub const fn of(stream: Stream) -> Self {
        Self(1 << stream as u8)
    }

    /// The streams of a word or of its beginning, as memcached 1.6.45 takes it; `None` for any other.
    pub(super) fn named(word: &[u8]) -> Option<Self> {
        let (_, streams) = WORDS.iter().find(|(name, _)| name.starts_with(word))?;
        Some(*streams)
    }

    /// These and those.
    pub const fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// Whether this one is among them.
    pub const fn has(self, stream: Stream) -> bool {
        self.0 & Self::of(stream).0 != 0
    }

    /// The set as bits, one for each stream in the order of [`Stream`].
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set of these bits; others are dropped.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0b11_1111)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Command, Status, decode};

    #[track_caller]
    fn check(line: &str, streams: Option<&[Stream]>) {
        let line = format!("watch{line}\r\n");
        let Status::Complete { command, .. } = decode(line.as_bytes(), 0) else {
            panic!("{line:?} is a whole line");
        };
        let sum = |all: &[Stream]| {
            all.iter()
                .fold(Streams::NONE, |sum, &one| sum.and(Streams::of(one)))
        };
        let expected = Command::Watch {
            streams: streams.map(sum),
            noreply: line.contains("noreply"),
        };
        assert_eq!(command, expected, "{line:?}");
    }

    #[test]
    fn words_name_streams() {
        check("", Some(&[Stream::Fetchers]));
        check("  ", Some(&[Stream::Fetchers]));
        check(" mutations", Some(&[Stream::Mutations]));
        check(
            " evictions  connevents evictions ",
            Some(&[Stream::Evictions, Stream::Connevents]),
        );
        check(
            " deletions sysevents fetchers",
            Some(&[Stream::Deletions, Stream::Sysevents, Stream::Fetchers]),
        );
        check(" f e", Some(&[Stream::Fetchers, Stream::Evictions]));
        check(" rawcmds proxyreqs proxyevents proxyuser", Some(&[]));
        check(" foo", None);
        check(" foo fetchers", None);
        check(" fetchers foo", None);
        check(" fetchersx", None);
        check(" fetchers noreply", None);
    }
}
