//! Connections that watch: what they are given, and how they end when they may watch no longer.

use super::Worker;
use crate::execute::CloseReason;
use crate::snapshot::Counter;
use crate::watch::Drained;

impl Worker<'_> {
    /// Gives this worker's watchers the lines that have come for them.
    pub(super) fn feed_watchers(&mut self) {
        let bytes_max = self.setup.config.watcher_buffer_bytes;
        for number in self.watching.clone() {
            let Some(conn) = self.conns.get_mut(number) else {
                continue;
            };
            let Drained { sent, skipped } = conn.take_lines(bytes_max);
            let counters = &self.face.counters;
            counters.add(Counter::LogWatcherSent, sent);
            counters.add(Counter::LogWatcherSkipped, skipped);
            if sent > 0 {
                self.write_out(number);
            }
        }
    }

    /// Once a second: whoever may watch no longer is told so, and closed. Lines it has not been given since that.
    pub(super) fn dismiss_watchers(&mut self) {
        for number in self.watching.clone() {
            if let Some(conn) = self.conns.get_mut(number)
                && conn.closing.is_none()
                && conn.session.dismiss_watcher(&mut self.replies)
            {
                conn.closing = Some(CloseReason::Denied);
                self.write_out(number);
            }
        }
    }
}
