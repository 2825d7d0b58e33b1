//! `stats detail`: what is counted by a key's prefix, and the list of it.

use std::io::Write;

use larder_protocol::binary::{Echo, reply as frames};
use larder_protocol::text::reply;

use super::session::State;
use super::{Pause, Session, Turn};
use crate::shared::PrefixCounts;

/// A list of prefixes on its way.
#[derive(Default)]
pub(crate) struct Listing {
    /// The last one that is listed.
    after: Option<Box<[u8]>>,
    /// For the binary protocol, which has it all in one frame: what its answer repeats, and the text so far.
    frame: Option<(Echo, Vec<u8>)>,
}

impl Listing {
    /// A state at its beginning.
    pub(super) fn begin(echo: Option<Echo>) -> State {
        State::Listing(Box::new(Self {
            after: None,
            frame: echo.map(|echo| (echo, Vec::new())),
        }))
    }
}

impl Turn<'_> {
    /// Counts a command, if `stats detail` is switched on: by the part of the key before the first delimiter, if it has
    /// one.
    #[cold]
    pub(super) fn count_detail(&self, key: &[u8], counts: PrefixCounts) {
        if self.shared.globals.observers.counts_detail()
            && let Some(end) = key
                .iter()
                .position(|&byte| byte == self.config.prefix_delimiter)
        {
            let late = &self.journal.late_counts;
            self.shared
                .count_prefix(self.worker, late, &key[..end], &counts);
            if !late.is_empty() {
                self.journal.errands.set(true);
            }
        }
    }

    /// Counts a store command.
    #[cold]
    pub(super) fn detail_store(&self, key: &[u8]) {
        let counts = PrefixCounts {
            sets: 1,
            ..PrefixCounts::default()
        };
        self.count_detail(key, counts);
    }

    /// Counts a delete.
    #[cold]
    pub(super) fn detail_delete(&self, key: &[u8]) {
        let counts = PrefixCounts {
            deletes: 1,
            ..PrefixCounts::default()
        };
        self.count_detail(key, counts);
    }

    /// Lists the next prefixes.
    pub(super) fn list_on(&self, session: &mut Session, out: &mut Vec<u8>) -> Option<Pause> {
        let State::Listing(listing) = &mut session.state else {
            return None;
        };
        // Who asks sees what he has done himself.
        let late = &self.journal.late_counts;
        if !self.shared.count_late_prefixes(self.worker, late) {
            return Some(Pause::Taken);
        }
        let Some((prefixes, last)) = self.shared.prefixes_behind(listing.after.as_deref()) else {
            return Some(Pause::Taken);
        };
        let text = match &mut listing.frame {
            Some((_, text)) => text,
            None => &mut *out,
        };
        for (prefix, counts) in &prefixes {
            text.extend_from_slice(b"PREFIX ");
            text.extend_from_slice(prefix);
            let PrefixCounts {
                gets,
                hits,
                sets,
                deletes,
            } = counts;
            // Writing into memory does not fail.
            let _ = write!(text, " get {gets} hit {hits} set {sets} del {deletes}\r\n");
        }
        if let Some((prefix, _)) = prefixes.into_iter().next_back() {
            listing.after = Some(prefix);
        }
        if last {
            text.extend_from_slice(reply::END);
            if let Some((echo, text)) = &listing.frame {
                frames::stat(out, *echo, "detailed", &String::from_utf8_lossy(text));
                frames::stat_end(out, *echo);
            }
            session.state = State::Line;
        }
        None
    }
}
