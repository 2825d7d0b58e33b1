//! A worker: one thread, one poll, its connections, and the shard that it owns.
//!
//! One turn of the loop: wait, take in new connections, give each connection that is ready its turn (which is `serve`'s),
//! come back to those that were set aside, keep the shard's house. Nothing in here blocks but the wait.

mod entering;
mod long_inputs;
mod overdue;
mod serve;
mod watching;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::Receiver;
use larder_store::{KeyHasher, RelTime, ShardConfig};
use slab::Slab;

use crate::clerk::Clerk;
use crate::clock::Clock;
use crate::config::Config;
use crate::conn::Conn;
use crate::daemon::Daemon;
use crate::event_loop::{EventLoop, Ready};
use crate::execute::{CloseReason, Holding, note_events};
use crate::limits::{DRAIN_MAX, OUTPUT_HIGH, READ_BYTES, REPLIES_KEPT, STEP_BUDGET};
use crate::quota::{Cause, Quota};
use crate::shared::{Shared, WorkerFace};
use crate::snapshot::Counter;
use crate::watch::{Entry, Journal, Remote};
use entering::Entering;

/// What all workers are given.
pub(crate) struct Setup {
    pub(crate) shared: Arc<Shared>,
    pub(crate) config: Arc<Config>,
    pub(crate) shard_config: ShardConfig,
    pub(crate) daemon: Arc<dyn Daemon>,
    pub(crate) clerk: Clerk,
    pub(crate) hasher: KeyHasher,
    pub(crate) clock: Clock,
    /// Wakes the listening thread, when a client has asked the process to stop.
    pub(crate) listener: Arc<mio::Waker>,
}

/// One worker.
pub(crate) struct Worker<'a> {
    index: usize,
    setup: &'a Setup,
    /// What others see of this worker.
    face: &'a WorkerFace,
    event_loop: EventLoop,
    inbox: Receiver<Box<Conn>>,
    /// What is written for watchers, wherever they are served.
    journal: &'a Journal<'a>,
    conns: Slab<Box<Conn>>,
    /// Connections whose turn it is.
    queue: VecDeque<usize>,
    /// Connections whose shard was taken.
    aside: Vec<usize>,
    /// Connections that wait for room for a large value.
    parked: Vec<usize>,
    /// Connections that wait for an answer of the daemon's.
    awaiting: Vec<usize>,
    /// Connections that watch.
    watching: Vec<usize>,
    /// Connections with long input.
    long_inputs: Vec<usize>,
    /// What closed connections still hold in shards that were taken, or as watchers.
    holdings: Vec<Holding>,
    read_buf: Box<[u8]>,
    replies: Vec<u8>,
    /// The clock as read in this turn, and the second that it tells.
    elapsed: Duration,
    now: RelTime,
    quota: Quota,
    /// The shard has work that should go on in the next turn.
    house_waits: bool,
    /// When to end, after the process was asked to stop.
    drain_until: Option<Duration>,
    entering: Entering,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(
        index: usize,
        setup: &'a Setup,
        journal: &'a Journal<'a>,
        event_loop: EventLoop,
        inbox: Receiver<Box<Conn>>,
    ) -> Self {
        let elapsed = setup.clock.elapsed();
        Self {
            index,
            setup,
            face: &setup.shared.workers[index],
            event_loop,
            inbox,
            journal,
            conns: Slab::new(),
            queue: VecDeque::new(),
            aside: Vec::new(),
            parked: Vec::new(),
            awaiting: Vec::new(),
            watching: Vec::new(),
            long_inputs: Vec::new(),
            holdings: Vec::new(),
            read_buf: vec![0; READ_BYTES].into_boxed_slice(),
            replies: Vec::with_capacity(OUTPUT_HIGH),
            elapsed,
            now: Clock::second(elapsed),
            quota: Quota::default(),
            house_waits: false,
            drain_until: None,
            entering: Entering::default(),
        }
    }

    /// Runs until the process is asked to stop.
    pub(crate) fn run(mut self) -> io::Result<()> {
        while !self.drained() {
            self.turn()?;
        }
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        let timeout = self.timeout();
        let Self {
            event_loop,
            conns,
            queue,
            ..
        } = self;
        let woken = event_loop.wait(timeout, |ready| note(conns, queue, ready))?;
        self.face.counters.add(Counter::WorkerTurns, 1);
        self.tick();
        self.entering.begin_turn();
        if woken {
            self.take_new();
            self.take_answers();
            self.feed_watchers();
        }
        self.serve_queue();
        self.come_back();
        if self.journal.errands.get() {
            self.run_errands();
        }
        Ok(())
    }

    /// What does not come up in every turn: values that wait for room, what closed connections hold, the shard's house, lines
    /// for watchers.
    #[inline(never)]
    fn run_errands(&mut self) {
        self.journal.errands.set(false);
        self.unpark();
        for holding in std::mem::take(&mut self.holdings) {
            self.give_back(holding);
        }
        if self.house_waits {
            self.keep_house();
        }
        let late = &self.journal.late_counts;
        let counted = self.setup.shared.count_late_prefixes(self.index, late);
        self.journal.hand_over(&self.setup.shared.watchers);
        self.feed_watchers();
        let more = self.house_waits
            || !self.holdings.is_empty()
            || !self.parked.is_empty()
            || !counted
            || self.drain_until.is_some();
        if more {
            self.journal.errands.set(true);
        }
    }

    /// How long the next wait may last.
    fn timeout(&self) -> Option<Duration> {
        if !self.queue.is_empty() || !self.aside.is_empty() {
            return Some(Duration::ZERO);
        }
        if self.journal.errands.get() {
            return Some(Duration::from_millis(1));
        }
        Some(Clock::until_next_second(self.elapsed))
    }

    /// Looks at the clock. Once a second: what is due by the second.
    fn tick(&mut self) {
        self.elapsed = self.setup.clock.elapsed();
        let now = Clock::second(self.elapsed);
        if now == self.now {
            return;
        }
        self.now = now;
        self.setup.shared.flush_if_due(now);
        self.house_waits = true;
        self.journal.errands.set(true);
        let sizes = self
            .conns
            .iter()
            .map(|(_, conn)| conn.buffer_bytes() as u64)
            .filter(|&bytes| bytes > 0);
        let (count, bytes) = sizes.fold((0, 0), |(count, sum), bytes| (count + 1, sum + bytes));
        self.face.buffers.set(count);
        self.face.buffer_bytes.set(bytes);
        self.close_overdue();
        self.see_ousted();
        self.give_up_entering();
        self.dismiss_watchers();
        if self.replies.capacity() > REPLIES_KEPT {
            self.replies = Vec::with_capacity(OUTPUT_HIGH);
        }
    }

    /// Takes in the connections that the listener has sent.
    fn take_new(&mut self) {
        while let Ok(mut conn) = self.inbox.try_recv() {
            let entry = self.conns.vacant_entry();
            let number = entry.key();
            if let Err(error) = self.event_loop.add_conn(&mut conn.socket, number) {
                if let Some(left_out) = self.quota.take(Cause::System, self.now) {
                    log::warn!(
                        "{}: cannot be watched and is closed: {error}{left_out}",
                        conn.info.peer
                    );
                }
                self.face.conns.take(1);
                self.face.entering.take(u64::from(conn.entering));
                continue;
            }
            conn.note_activity(self.now);
            self.journal.note(
                &self.setup.shared,
                &self.setup.clock,
                &Entry::ConnNew {
                    remote: Remote(conn.info.remote),
                    cfd: conn.info.fd,
                },
            );
            let entering = conn.entering;
            entry.insert(conn);
            if entering {
                self.note_entering(number);
            }
            self.make_room();
        }
    }

    /// Comes back to the connections that were set aside in this turn.
    fn come_back(&mut self) {
        if self.aside.is_empty() {
            return;
        }
        let aside = std::mem::take(&mut self.aside);
        let idle = self.queue.is_empty();
        for number in aside {
            self.serve_again(number);
        }
        // With nothing else to do, whoever has the shard is to get on.
        if idle && !self.aside.is_empty() {
            std::thread::yield_now();
        }
    }

    /// Tries those again that wait for room.
    fn unpark(&mut self) {
        for number in std::mem::take(&mut self.parked) {
            self.serve(number);
        }
    }

    /// Goes on with those whose answers may have come.
    fn take_answers(&mut self) {
        for number in std::mem::take(&mut self.awaiting) {
            self.serve(number);
        }
    }

    fn keep_house(&mut self) {
        let Setup { shared, clock, .. } = self.setup;
        let mut all = Vec::new();
        self.house_waits = shared.keep_house(self.index, STEP_BUDGET, self.now, &mut all);
        for events in all {
            note_events(self.journal, shared, clock, events, self.now);
        }
    }

    fn give_back(&mut self, holding: Holding) {
        if let Some(holding) = holding.give_back(&self.setup.shared) {
            self.holdings.push(holding);
            self.journal.errands.set(true);
        }
    }

    /// Closes a connection, and gives back what it holds.
    fn close(&mut self, number: usize, reason: CloseReason) {
        let Some(conn) = self.conns.try_remove(number) else {
            return;
        };
        self.log_close(&conn, reason);
        self.note_close(&conn, reason);
        // Most are closed in their turn, and wait nowhere.
        if conn.queued {
            self.queue.retain(|&other| other != number);
            for waiting in [&mut self.aside, &mut self.parked, &mut self.awaiting] {
                waiting.retain(|&other| other != number);
            }
        }
        if conn.session.watches() {
            self.watching.retain(|&other| other != number);
        }
        self.forget_entering(number);
        self.face.conns.take(1);
        let Conn {
            session,
            mut socket,
            ..
        } = *conn;
        socket.say_end();
        drop(socket);
        let (hasher, shards) = (&self.setup.hasher, self.setup.shared.shards());
        if let Some(holding) = session.into_holding(|key| hasher.hash(key).shard(shards)) {
            self.give_back(holding);
        }
    }

    /// Tells watchers that a connection is closed.
    fn note_close(&self, conn: &Conn, reason: CloseReason) {
        let reason = match reason {
            // As in memcached, where nothing else ends a watcher.
            _ if conn.session.watches() => "error",
            CloseReason::Normal => "normal",
            CloseReason::Idle => "idle_timeout",
            CloseReason::Shutdown => "shutdown",
            _ => "error",
        };
        let entry = Entry::ConnClose {
            remote: Remote(conn.info.remote),
            reason,
            cfd: conn.info.fd,
        };
        let note = |entry: &Entry<'_>| {
            self.journal
                .note(&self.setup.shared, &self.setup.clock, entry);
        };
        if let Some(fault) = &conn.fault {
            note(&Entry::ConnTlsErr {
                cfd: conn.info.fd,
                msg: &fault.what,
            });
        }
        note(&entry);
    }

    fn log_close(&mut self, conn: &Conn, reason: CloseReason) {
        let peer = &conn.info.peer;
        if let Some(fault) = &conn.fault {
            let counter = match fault.in_handshake {
                true => Counter::SslHandshakeErrors,
                false => Counter::SslProtoErrors,
            };
            self.face.counters.add(counter, 1);
            if let Some(left_out) = self.quota.take(Cause::Refused, self.now) {
                log::warn!("{peer}: {fault}; closed{left_out}");
            }
            return;
        }
        let refused = match reason {
            CloseReason::LineTooLong => {
                self.face.counters.add(Counter::LinesTooLong, 1);
                "sent a line longer than any command, or than -o input_max"
            }
            CloseReason::LongInputs => {
                "sent a long line without its end while others did, and they take too much memory"
            }
            CloseReason::SlowRequest => {
                self.face.counters.add(Counter::RequestTimeouts, 1);
                "began a request and has not finished it in time (-o request_timeout)"
            }
            CloseReason::Http => "sent an HTTP request; this is a memcached port",
            CloseReason::BadFrame => "sent a binary frame that is none",
            CloseReason::PinRevoked => {
                "read a value so slowly that its memory was needed for a write"
            }
            CloseReason::NotIn => {
                self.face.counters.add(Counter::EntriesGivenUp, 1);
                match conn.socket.is_handshaking() {
                    true => {
                        "has not done its TLS handshake in time, or too many others are at theirs"
                    }
                    false => "has not said who it is in time, or too many others have not",
                }
            }
            CloseReason::UserFull => {
                self.face.counters.add(Counter::ConnsOverUserLimit, 1);
                "is one more of its user's than there may be (-o conns_per_user)"
            }
            CloseReason::ForAdmins => {
                self.face.counters.add(Counter::ConnsOverReserve, 1);
                "is no admin, and the last places of -c are for admins (-o admin_conns)"
            }
            CloseReason::Unauthenticated => "has not said who it is, and sends something else",
            CloseReason::Denied => "may not watch any more",
            CloseReason::TlsOnPlain => "speaks TLS; this port is for plain text",
            CloseReason::Normal
            | CloseReason::Shutdown
            | CloseReason::Lost
            | CloseReason::Faulty
            | CloseReason::Idle => {
                if let Some(left_out) = self.quota.take(Cause::Conn, self.now) {
                    log::debug!("{peer}: closed ({reason:?}){left_out}");
                }
                return;
            }
        };
        self.face.counters.add(Counter::RuleKicks, 1);
        if let Some(left_out) = self.quota.take(Cause::Refused, self.now) {
            log::warn!("{peer}: {refused}; closed{left_out}");
        }
    }

    /// Whether the process was asked to stop and what was read is answered.
    fn drained(&mut self) -> bool {
        if self.setup.shared.stop().is_none() {
            return false;
        }
        let elapsed = self.elapsed;
        self.journal.errands.set(true);
        let until = *self.drain_until.get_or_insert(elapsed + DRAIN_MAX);
        let waits = self
            .conns
            .iter()
            .any(|(_, conn)| conn.queued || conn.has_output() && !conn.session.watches());
        !waits || elapsed >= until
    }
}

/// Takes note of what the wait has told of a connection.
fn note(conns: &mut Slab<Box<Conn>>, queue: &mut VecDeque<usize>, ready: Ready) {
    let Some(conn) = conns.get_mut(ready.number) else {
        return;
    };
    conn.hung_up |= ready.hung_up;
    conn.readable |= ready.readable || ready.hung_up;
    if ready.writable {
        conn.writable = true;
    }
    if conn.readable || conn.pending || conn.has_output() {
        enqueue(conn, queue, ready.number);
    }
}

/// Puts a connection into the queue, once.
fn enqueue(conn: &mut Conn, queue: &mut VecDeque<usize>, number: usize) {
    if !conn.queued {
        conn.queued = true;
        queue.push_back(number);
    }
}
