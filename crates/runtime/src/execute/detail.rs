//! `stats detail`: what is counted by a key's prefix.

use super::Turn;
use crate::shared::PrefixCounts;

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
}
