//! TLS handshakes under way: how many there may be, and for how long.

use std::collections::VecDeque;

use larder_store::RelTime;

use super::Worker;
use crate::execute::CloseReason;
use crate::limits::HANDSHAKES_PER_TURN;

/// The handshakes of one worker's connections.
#[derive(Default)]
pub(super) struct Handshakes {
    /// Connections that were at theirs when last looked at, oldest first, and since when.
    under_way: VecDeque<(usize, RelTime)>,
    /// How many may still be gone on with in this turn.
    left: usize,
}

impl Handshakes {
    /// A turn begins.
    pub(super) fn begin_turn(&mut self) {
        self.left = HANDSHAKES_PER_TURN;
    }

    /// Whether one may be gone on with in this turn; it counts.
    pub(super) fn take(&mut self) -> bool {
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }

    /// Forgets a connection that is closed.
    pub(super) fn forget(&mut self, number: usize) {
        if !self.under_way.is_empty() {
            self.under_way.retain(|&(other, _)| other != number);
        }
    }
}

impl Worker<'_> {
    /// Closes those whose handshake is not done in time.
    pub(super) fn give_up_handshakes(&mut self) {
        if self.handshakes.under_way.is_empty() {
            return;
        }
        self.sift_handshakes();
        let timeout = self.setup.config.handshake_timeout_s;
        while let Some(&(number, since)) = self.handshakes.under_way.front()
            && self.now.saturating_sub(since) > timeout
        {
            self.close(number, CloseReason::Handshake);
        }
    }

    /// Takes note of a connection whose handshake begins. Where too many are at theirs, the oldest has to go: so a flood
    /// of those that never end theirs keeps nobody out who is quicker.
    pub(super) fn note_handshake(&mut self, number: usize) {
        let config = &self.setup.config;
        let most = config.handshakes_max.div_ceil(config.threads).max(1);
        if self.handshakes.under_way.len() >= most {
            self.sift_handshakes();
        }
        if self.handshakes.under_way.len() >= most
            && let Some(&(oldest, _)) = self.handshakes.under_way.front()
        {
            self.close(oldest, CloseReason::Handshake);
        }
        self.handshakes.under_way.push_back((number, self.now));
    }

    /// Forgets those that are done.
    fn sift_handshakes(&mut self) {
        let conns = &self.conns;
        self.handshakes.under_way.retain(|&(number, _)| {
            conns
                .get(number)
                .is_some_and(|conn| conn.socket.is_handshaking())
        });
    }
}
