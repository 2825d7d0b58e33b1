//! Clients that are coming in: their TLS handshake is not done, or they have not said who they are. How many there may
//! be, and for how long.

use std::collections::VecDeque;

use larder_store::RelTime;

use super::Worker;
use crate::execute::CloseReason;
use crate::limits::HANDSHAKES_PER_TURN;

/// Those of one worker.
#[derive(Default)]
pub(super) struct Entering {
    /// Connections that were coming in when last looked at, oldest first, and since when.
    under_way: VecDeque<(usize, RelTime)>,
    /// How many TLS handshakes may still be gone on with in this turn.
    handshakes_left: usize,
}

impl Entering {
    /// A turn begins.
    pub(super) fn begin_turn(&mut self) {
        self.handshakes_left = HANDSHAKES_PER_TURN;
    }

    /// Whether a handshake may be gone on with in this turn; it counts.
    pub(super) fn take_handshake(&mut self) -> bool {
        let may = self.handshakes_left > 0;
        self.handshakes_left = self.handshakes_left.saturating_sub(1);
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
    /// Closes those who have not come in in time.
    pub(super) fn give_up_entering(&mut self) {
        if self.entering.under_way.is_empty() {
            return;
        }
        self.sift_entering();
        let timeout = self.setup.config.entry_timeout_s;
        while let Some(&(number, since)) = self.entering.under_way.front()
            && self.now.saturating_sub(since) > timeout
        {
            self.close(number, CloseReason::NotIn);
        }
    }

    /// Takes note of a connection that begins to come in. Where too many do, the oldest has to go: so a flood of those who
    /// never end it keeps nobody out who is quicker.
    pub(super) fn note_entering(&mut self, number: usize) {
        let config = &self.setup.config;
        let most = config.entering_max.div_ceil(config.threads).max(1);
        if self.entering.under_way.len() >= most {
            self.sift_entering();
        }
        if self.entering.under_way.len() >= most
            && let Some(&(oldest, _)) = self.entering.under_way.front()
        {
            self.close(oldest, CloseReason::NotIn);
        }
        self.entering.under_way.push_back((number, self.now));
    }

    /// Forgets those that are in.
    fn sift_entering(&mut self) {
        let conns = &self.conns;
        self.entering
            .under_way
            .retain(|&(number, _)| conns.get(number).is_some_and(|conn| conn.entering));
    }
}
