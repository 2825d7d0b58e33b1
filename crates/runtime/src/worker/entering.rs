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
    /// Connections that are coming in, oldest first, and since when.
    under_way: VecDeque<(usize, RelTime)>,
    /// How often users had been replaced when it was last seen who is out by that.
    generation: u64,
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
}

impl Worker<'_> {
    /// Those who are out since the users were replaced have to come in again, with as much time and room as anybody.
    pub(super) fn see_ousted(&mut self) {
        let Some(gate) = &self.setup.config.gate else {
            return;
        };
        let generation = gate.generation();
        if self.entering.generation == generation {
            return;
        }
        self.entering.generation = generation;
        let mut ousted = Vec::new();
        for (number, conn) in self.conns.iter_mut().filter(|(_, conn)| !conn.entering) {
            conn.see_entry();
            if conn.entering {
                ousted.push(number);
            }
        }
        for number in ousted {
            self.face.entering.add(1);
            self.note_entering(number);
        }
    }

    /// Closes those who have not come in in time.
    pub(super) fn give_up_entering(&mut self) {
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
            self.give_up_oldest();
        }
        self.entering.under_way.push_back((number, self.now));
    }

    /// The same where a new connection is one more than `-c` allows.
    pub(super) fn make_room(&mut self) {
        if self.setup.shared.conn_count() > self.setup.config.conn_limit {
            self.give_up_oldest();
        }
    }

    fn give_up_oldest(&mut self) {
        if let Some(&(oldest, _)) = self.entering.under_way.front() {
            self.close(oldest, CloseReason::NotIn);
        }
    }

    /// Forgets a connection that is in, or closed.
    pub(super) fn forget_entering(&mut self, number: usize) {
        let under_way = &mut self.entering.under_way;
        let place = under_way.iter().position(|&(other, _)| other == number);
        if let Some(place) = place {
            under_way.remove(place);
            self.face.entering.take(1);
        }
    }
}
