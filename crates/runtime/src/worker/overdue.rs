//! Clients that are closed by the clock, once a second: those that say nothing, and those that do not finish what they
//! have begun to say.

use super::Worker;
use crate::conn::Conn;
use crate::execute::CloseReason;
use crate::quota::Cause;
use crate::snapshot::Counter;

impl Worker<'_> {
    /// Closes whoever is overdue.
    pub(super) fn close_overdue(&mut self) {
        let config = &self.setup.config;
        let (idle_timeout, request_timeout) = (
            config.idle_timeout_s,
            config.client_limits.request_timeout_s,
        );
        let now = self.now;
        // Whoever waits for replies is not idle, however long they take; watchers have nothing to say.
        let idle = |conn: &Conn| {
            let waits = conn.has_output() || conn.pending || conn.closing.is_some();
            let excused = waits || conn.session.watches();
            idle_timeout != 0
                && !excused
                && now.saturating_sub(conn.info.last_command()) > idle_timeout
        };
        let reason = |conn: &mut Conn| {
            if request_timeout != 0 && conn.is_slow(request_timeout, now) {
                return Some(CloseReason::SlowRequest);
            }
            idle(conn).then_some(CloseReason::Idle)
        };
        let overdue: Vec<(usize, CloseReason)> = self
            .conns
            .iter_mut()
            .filter_map(|(number, conn)| Some((number, reason(conn)?)))
            .collect();
        for (number, reason) in overdue {
            if reason == CloseReason::Idle {
                self.note_idle(number);
            }
            self.close(number, reason);
        }
    }

    fn note_idle(&mut self, number: usize) {
        self.face.counters.add(Counter::IdleKicks, 1);
        if let Some(conn) = self.conns.get(number)
            && let Some(left_out) = self.quota.take(Cause::Conn, self.now)
        {
            log::info!(
                "{}: has sent nothing for too long (-o idle_timeout){left_out}",
                conn.info.peer
            );
        }
    }
}
