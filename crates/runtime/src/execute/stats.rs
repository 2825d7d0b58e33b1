//! The `stats` commands: gathered from the shards one borrow at a time, worded by the daemon.

use std::fmt::Display;

use larder_protocol::binary::{Echo, ReplyStatus, reply as frames};
use larder_protocol::text::{ErrorText, StatsCommand, reply};
use larder_store::StoreStats;

use super::dump::cachedump;
use super::list::Listing;
use super::session::{Gathering, State};
use super::{Pause, Session, Turn};
use crate::daemon::StatsGroup;
use crate::shared::{Baseline, Number, WorkerFace};
use crate::snapshot::Snapshot;
use crate::tunables::Tunables;

/// The states of a connection, as `stats conns` words them; its number is kept in
/// [`crate::shared::ConnInfo`].
pub(super) const CONN_STATES: [&str; 8] = [
    "conn_new_cmd",
    "conn_parse_cmd",
    "conn_nread",
    "conn_swallow",
    "conn_mwrite",
    "conn_listening",
    "conn_watch",
    "conn_read",
];

impl Session {
    /// The number of the session's state in `stats conns`, for one that waits.
    pub(crate) fn state_number(&self) -> u8 {
        match self.state {
            State::Line | State::Begun(_) => 7,
            State::Keys(_)
            | State::Gathering(_)
            | State::Listing(_)
            | State::Dumping(_)
            | State::Asking(_)
            | State::Awaiting(_) => 1,
            State::Filling(_) => 2,
            State::Swallowing { .. } => 3,
            State::Sending(_) => 4,
            State::Watching(_) => 6,
        }
    }
}

/// The state number of a connection from which nothing has come.
pub(crate) const FRESH: u8 = 0;

/// The state number of a connection whose commands are being carried out.
pub(crate) const PARSING: u8 = 1;

/// The state number of a listening socket.
pub(crate) const LISTENING: u8 = 5;

impl Turn<'_> {
    /// Answers a stats command, or begins to.
    pub(super) fn stats(&self, session: &mut Session, command: StatsCommand, out: &mut Vec<u8>) {
        let dumps = self.config.dump_enabled;
        match command {
            StatsCommand::Conns => session.state = Listing::conns(),
            StatsCommand::Sizes => session.state = Listing::sizes(None),
            StatsCommand::LarderUsers => session.state = Listing::users(None),
            StatsCommand::DetailOn
            | StatsCommand::DetailOff
            | StatsCommand::DetailDump
            | StatsCommand::DetailUsage
                if !dumps =>
            {
                out.extend_from_slice(ErrorText::DetailNotAllowed.line());
            }
            StatsCommand::DetailOn | StatsCommand::DetailOff => {
                let on = command == StatsCommand::DetailOn;
                self.shared.globals.observers.set_counts_detail(on);
                out.extend_from_slice(reply::OK);
            }
            StatsCommand::DetailDump => session.state = Listing::prefixes(None),
            StatsCommand::DetailUsage => out.extend_from_slice(ErrorText::DetailUsage.line()),
            StatsCommand::Cachedump { .. } | StatsCommand::CachedumpBad(_) if !dumps => {
                out.extend_from_slice(ErrorText::CachedumpNotAllowed.line());
            }
            StatsCommand::CachedumpBad(error) => out.extend_from_slice(error.line()),
            StatsCommand::Cachedump { class, limit } => session.state = cachedump(class, limit),
            StatsCommand::Unknown => out.extend_from_slice(ErrorText::Error.line()),
            StatsCommand::General
            | StatsCommand::Settings
            | StatsCommand::Items
            | StatsCommand::Slabs
            | StatsCommand::Larder
            | StatsCommand::Reset => {
                session.state = gathering(group(command), None);
            }
        }
    }

    /// The same for the binary protocol, which has fewer: whatever is asked, the last frame of the answer is an empty row.
    pub(super) fn binary_stats(
        &self,
        session: &mut Session,
        echo: Echo,
        command: StatsCommand,
        out: &mut Vec<u8>,
    ) {
        let dumps = self.config.dump_enabled;
        match command {
            StatsCommand::LarderUsers => {
                session.state = Listing::users(Some(echo));
                return;
            }
            StatsCommand::DetailOn | StatsCommand::DetailOff if dumps => {
                let on = command == StatsCommand::DetailOn;
                self.shared.globals.observers.set_counts_detail(on);
            }
            StatsCommand::DetailDump if dumps => {
                session.state = Listing::prefixes(Some(echo));
                return;
            }
            StatsCommand::Sizes => {
                session.state = Listing::sizes(Some(echo));
                return;
            }
            StatsCommand::DetailOn
            | StatsCommand::DetailOff
            | StatsCommand::DetailDump
            | StatsCommand::DetailUsage
            | StatsCommand::Conns
            | StatsCommand::Cachedump { .. }
            | StatsCommand::CachedumpBad(_)
            | StatsCommand::Unknown => {
                frames::error(out, echo, ReplyStatus::NotFound);
                return;
            }
            gathered => {
                session.state = gathering(group(gathered), Some(echo));
                return;
            }
        }
        frames::stat_end(out, echo);
    }

    /// Adds the next shard's numbers; after the last one, answers.
    pub(super) fn gather(&self, session: &mut Session, out: &mut Vec<u8>) -> Option<Pause> {
        let State::Gathering(gathering) = &mut session.state else {
            return None;
        };
        if gathering.next_shard < self.shared.shards() {
            let Some(lent) = self.shared.borrow(gathering.next_shard) else {
                return Some(Pause::Taken);
            };
            lent.shard.add_stats(&mut gathering.sum, self.now);
            gathering.next_shard += 1;
            return None;
        }
        let answered = match gathering.group {
            Some(group) => self.show_group(group, gathering, out),
            None => self.reset(gathering, out),
        };
        match answered {
            Err(pause) => Some(pause),
            Ok(()) => {
                session.state = State::Line;
                None
            }
        }
    }

    /// Shows a group of statistics, for which all shards' numbers are there.
    fn show_group(
        &self,
        group: StatsGroup,
        gathering: &mut Gathering,
        out: &mut Vec<u8>,
    ) -> Result<(), Pause> {
        let baseline = self.shared.baseline().ok_or(Pause::Taken)?;
        let tunables = self.shared.globals.tunables.borrow().map(|now| *now);
        let tunables = tunables.ok_or(Pause::Taken)?;
        let store = std::mem::take(&mut gathering.sum).since(&baseline.store);
        let snapshot = self.snapshot(store, &baseline, tunables);
        let echo = gathering.echo;
        self.daemon.stats(group, &snapshot, &mut |name, value| {
            row(echo, out, name, value);
        });
        end(echo, out);
        Ok(())
    }

    /// Counts from here on, for which all shards' numbers are there. They are gathered anew if somebody is in the way.
    fn reset(&self, gathering: &mut Gathering, out: &mut Vec<u8>) -> Result<(), Pause> {
        let sum = std::mem::take(&mut gathering.sum);
        if !self.shared.clear_prefixes() || !self.shared.set_baseline(self.new_baseline(sum)) {
            gathering.next_shard = 0;
            return Err(Pause::Taken);
        }
        if let Some(gate) = &self.config.gate {
            gate.reset_denied();
        }
        match gathering.echo {
            Some(echo) => frames::stat_end(out, echo),
            None => out.extend_from_slice(reply::RESET),
        }
        Ok(())
    }

    fn new_baseline(&self, store: StoreStats) -> Baseline {
        let globals = &self.shared.globals;
        Baseline {
            counters: self.shared.counters(),
            store,
            total_connections: globals.total_connections.get(),
            rejected_connections: globals.rejected_connections.get(),
            over_address_limit: globals.over_address_limit.get(),
            listen_disabled_num: globals.listen_disabled_num.get(),
            listen_disabled_us: globals.listen_disabled_us.get(),
        }
    }

    fn snapshot(&self, store: StoreStats, baseline: &Baseline, tunables: Tunables) -> Snapshot {
        let (shared, globals) = (self.shared, &self.shared.globals);
        let since = |counter: &Number, before| counter.get() - before;
        let buffers = |face: fn(&WorkerFace) -> &Number| {
            shared.workers.iter().map(|worker| face(worker).get()).sum()
        };
        Snapshot {
            pid: std::process::id(),
            uptime_s: self.clock.uptime_s(),
            unix_s: self.clock.unix(self.now),
            limit_maxbytes: shared.limit_bytes(),
            curr_connections: shared.conn_count() as u64,
            listening_sockets: self.config.endpoints.len() as u64,
            total_connections: since(&globals.total_connections, baseline.total_connections),
            rejected_connections: since(
                &globals.rejected_connections,
                baseline.rejected_connections,
            ),
            over_address_limit: since(&globals.over_address_limit, baseline.over_address_limit),
            connection_structures: globals.conns_peak.get(),
            conn_buffer_bytes: buffers(|worker| &worker.buffer_bytes),
            conn_buffer_count: buffers(|worker| &worker.buffers),
            accepting_conns: globals.accepting.is_on(),
            listen_disabled_num: since(&globals.listen_disabled_num, baseline.listen_disabled_num),
            time_in_listen_disabled_us: since(
                &globals.listen_disabled_us,
                baseline.listen_disabled_us,
            ),
            threads: shared.shards() as u64,
            detail_enabled: globals.observers.counts_detail(),
            watchers: shared.watchers.count(),
            oldest_live: shared.oldest_live.get(),
            tunables,
            counters: shared.counters().since(&baseline.counters),
            store,
        }
    }
}

/// The group that a command shows; none if it sets the counters back.
fn group(command: StatsCommand) -> Option<StatsGroup> {
    match command {
        StatsCommand::Reset => None,
        StatsCommand::Settings => Some(StatsGroup::Settings),
        StatsCommand::Items => Some(StatsGroup::Items),
        StatsCommand::Slabs => Some(StatsGroup::Slabs),
        StatsCommand::Larder => Some(StatsGroup::Larder),
        _ => Some(StatsGroup::General),
    }
}

/// Statistics of which nothing has been gathered yet.
fn gathering(group: Option<StatsGroup>, echo: Option<Echo>) -> State {
    State::Gathering(Box::new(Gathering {
        group,
        next_shard: 0,
        sum: StoreStats::default(),
        echo,
    }))
}

/// One row, for whichever protocol it is.
pub(super) fn row(echo: Option<Echo>, out: &mut Vec<u8>, name: &str, value: &dyn Display) {
    match echo {
        Some(echo) => frames::stat(out, echo, name, value),
        None => reply::stat(out, name, value),
    }
}

/// What follows the last row.
pub(super) fn end(echo: Option<Echo>, out: &mut Vec<u8>) {
    match echo {
        Some(echo) => frames::stat_end(out, echo),
        None => out.extend_from_slice(reply::END),
    }
}
