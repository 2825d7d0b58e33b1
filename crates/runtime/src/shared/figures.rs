//! What is counted and shown: workers' counters, the listener's numbers, connections.

use std::net::SocketAddr;
use std::sync::Arc;

use larder_store::{RelTime, StoreStats};

use super::cell::{Lendable, Number, Switch};
use super::{Prefixes, Shared};
use crate::client_limits::ClientLimits;
use crate::limits::CONNS_PER_STEP;
use crate::snapshot::{COUNTER_COUNT, Counter, Counters};
use crate::tunables::Tunables;
use crate::watch::Observers;

/// One worker's counters: written by it alone, read by whoever asks.
pub(crate) struct WorkerCounters([Number; COUNTER_COUNT]);

impl WorkerCounters {
    /// Adds to a counter. Only its own worker may call this: the sum is not made in one step.
    #[inline]
    pub(crate) fn add(&self, counter: Counter, n: u64) {
        self.0[counter as usize].add_alone(n);
    }
}

impl Default for WorkerCounters {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Number::default()))
    }
}

/// What others may see of a worker.
#[derive(Default)]
pub(crate) struct WorkerFace {
    pub(crate) counters: WorkerCounters,
    /// Connections given to the worker and not yet closed.
    pub(crate) conns: Number,
    /// Of these, those that are coming in: they give way to newer ones when there are too many.
    pub(crate) entering: Number,
    /// Connections with a buffer of their own, and the bytes of these buffers; kept up to date once a second.
    pub(crate) buffers: Number,
    pub(crate) buffer_bytes: Number,
    /// `stats detail`, by prefix.
    pub(crate) prefixes: Lendable<Prefixes>,
}

/// What `stats conns` and watchers are shown of a connection.
pub(crate) struct ConnInfo {
    pub(crate) fd: i32,
    /// The other side's address; none is a Unix socket's.
    pub(crate) remote: Option<SocketAddr>,
    /// `tcp:1.2.3.4:5`, as `stats conns` words it; also in the log.
    pub(crate) peer: String,
    /// The listening address it came by.
    pub(crate) local: String,
    last_command: Number,
    state: Number,
}

impl ConnInfo {
    pub(crate) fn new(
        fd: i32,
        remote: Option<SocketAddr>,
        peer: String,
        local: String,
        now: RelTime,
        state: u8,
    ) -> Self {
        Self {
            fd,
            remote,
            peer,
            local,
            last_command: Number::new(u64::from(now)),
            state: Number::new(u64::from(state)),
        }
    }

    /// The second in which something was done last.
    #[inline]
    pub(crate) fn last_command(&self) -> RelTime {
        self.last_command.get() as RelTime
    }

    /// Notes that something was done at `now`.
    #[inline]
    pub(crate) fn note_command(&self, now: RelTime) {
        self.last_command.set(u64::from(now));
    }

    /// The number of its state, see `stats conns`.
    pub(crate) fn state(&self) -> u8 {
        self.state.get() as u8
    }

    #[inline]
    pub(crate) fn set_state(&self, state: u8) {
        self.state.set(u64::from(state));
    }
}

/// Numbers of the listener, and the switches that commands can move.
pub(crate) struct Globals {
    pub(crate) total_connections: Number,
    pub(crate) rejected_connections: Number,
    /// Of these, those whose address had as many as it may.
    pub(crate) over_address_limit: Number,
    pub(crate) conns_peak: Number,
    pub(crate) accepting: Switch,
    pub(crate) listen_disabled_num: Number,
    pub(crate) listen_disabled_us: Number,
    pub(crate) tunables: Lendable<Tunables>,
    pub(crate) observers: Observers,
    /// Prefixes that `stats detail` counts, over all workers.
    pub(crate) prefixes: Number,
}

impl Globals {
    pub(crate) fn new(detail_enabled: bool, tunables: Tunables) -> Self {
        Self {
            total_connections: Number::default(),
            rejected_connections: Number::default(),
            over_address_limit: Number::default(),
            conns_peak: Number::default(),
            accepting: Switch::new(true),
            listen_disabled_num: Number::default(),
            listen_disabled_us: Number::default(),
            tunables: Lendable::new(tunables),
            observers: Observers::new(detail_enabled),
            prefixes: Number::default(),
        }
    }
}

/// What `stats reset` subtracts from now on.
#[derive(Clone, Default)]
pub(crate) struct Baseline {
    pub(crate) counters: Counters,
    pub(crate) store: StoreStats,
    pub(crate) total_connections: u64,
    pub(crate) rejected_connections: u64,
    pub(crate) over_address_limit: u64,
    pub(crate) listen_disabled_num: u64,
    pub(crate) listen_disabled_us: u64,
}

impl Shared {
    /// The counters of all workers, summed.
    pub(crate) fn counters(&self) -> Counters {
        let mut sums = [0u64; COUNTER_COUNT];
        for worker in &self.workers {
            for (sum, cell) in sums.iter_mut().zip(&worker.counters.0) {
                *sum = sum.wrapping_add(cell.get());
            }
        }
        Counters::from_sums(&sums)
    }

    /// Open client connections.
    pub(crate) fn conn_count(&self) -> usize {
        self.workers
            .iter()
            .map(|worker| worker.conns.get() as usize)
            .sum()
    }

    /// Of these, those that are coming in.
    pub(crate) fn entering_count(&self) -> usize {
        self.workers
            .iter()
            .map(|worker| worker.entering.get() as usize)
            .sum()
    }

    /// Whether only an admin may come in now: the places that are left, of those who are in, are kept for admins.
    pub(crate) fn only_admins(&self, limits: &ClientLimits, conn_limit: usize) -> bool {
        let within = self.conn_count().saturating_sub(self.entering_count());
        within + limits.kept(conn_limit) >= conn_limit
    }

    /// The worker where most are coming in.
    pub(crate) fn most_entered(&self) -> usize {
        let entering = self.workers.iter().map(|worker| worker.entering.get());
        entering
            .enumerate()
            .max_by_key(|&(_, count)| count)
            .map_or(0, |(index, _)| index)
    }

    /// The worker with the fewest connections.
    pub(crate) fn least_loaded(&self) -> usize {
        let loads = self.workers.iter().map(|worker| worker.conns.get());
        loads
            .enumerate()
            .min_by_key(|&(_, load)| load)
            .map_or(0, |(index, _)| index)
    }

    /// What counters are to be seen from. `None` if somebody is just moving it.
    pub(crate) fn baseline(&self) -> Option<Arc<Baseline>> {
        self.baseline.borrow().map(|baseline| Arc::clone(&baseline))
    }

    /// Counts from here on. False if somebody else is just at it.
    pub(crate) fn set_baseline(&self, new: Baseline) -> bool {
        let Some(mut baseline) = self.baseline.borrow() else {
            return false;
        };
        *baseline = Arc::new(new);
        true
    }

    /// Enters a connection for `stats conns`. For the listener, which may wait; workers only look. One that is closed
    /// stays, without its texts, until another has its descriptor.
    pub(crate) fn register_conn(&self, info: &Arc<ConnInfo>) {
        self.conns.wait().insert(info.fd, Arc::downgrade(info));
    }

    /// The open ones of the next [`CONNS_PER_STEP`] connections by their descriptors, `from` and above, and where to go
    /// on, if there are more. `None` if the list is just being changed.
    pub(crate) fn conns_from(&self, from: i32) -> Option<(Vec<Arc<ConnInfo>>, Option<i32>)> {
        let conns = self.conns.borrow()?;
        let mut behind = conns.range(from..);
        let some = behind.by_ref().take(CONNS_PER_STEP);
        let open = some.filter_map(|(_, conn)| conn.upgrade()).collect();
        Some((open, behind.next().map(|(&fd, _)| fd)))
    }
}
