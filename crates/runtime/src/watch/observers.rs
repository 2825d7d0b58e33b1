//! Who observes commands, in one word.

use larder_protocol::text::{Stream, Streams};

use crate::shared::Number;

/// Who wants to be told of commands: one word, looked at by each command that names a key.
pub(crate) struct Observers(Number);

/// The bit for `stats detail`; those below are watchers' streams.
const DETAIL: u64 = 1 << 8;

impl Observers {
    /// Nobody, or `stats detail` alone.
    pub(crate) fn new(detail_enabled: bool) -> Self {
        Self(Number::new(if detail_enabled { DETAIL } else { 0 }))
    }

    /// Whether there is anybody.
    #[inline(always)]
    pub(crate) fn any(&self) -> bool {
        self.0.get() != 0
    }

    /// Whether `stats detail` is switched on.
    pub(crate) fn counts_detail(&self) -> bool {
        self.0.get() & DETAIL != 0
    }

    /// Switches `stats detail`.
    pub(crate) fn set_counts_detail(&self, on: bool) {
        let detail = if on { DETAIL } else { 0 };
        self.0.update(|bits| Some(bits & !DETAIL | detail));
    }

    /// The streams that somebody watches.
    pub(crate) fn streams(&self) -> Streams {
        Streams::from_bits(self.0.get() as u8)
    }

    /// Whether somebody watches what shards do for themselves.
    pub(crate) fn watch_shards(&self) -> bool {
        let streams = self.streams();
        streams.has(Stream::Evictions) || streams.has(Stream::Sysevents)
    }

    /// Changes them.
    pub(crate) fn set_streams(&self, streams: Streams) {
        let streams = u64::from(streams.bits());
        self.0.update(|bits| Some(bits & DETAIL | streams));
    }
}
