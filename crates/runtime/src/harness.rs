//! Connections without sockets, threads and a clock: for tests and fuzz targets of what whole connections are answered.
//!
//! A [`Harness`] is one worker's side of a server, driven by hand: the same input and the same time give the same replies
//! in every process. A [`Client`] is what a worker keeps of a connection: its session, and the input that is not done with.

use std::cell::Cell;
use std::io;
use std::sync::Arc;

use larder_store::{KeyHasher, RelTime, Shard, ShardConfig};

use crate::clerk::{ByHand, Clerk};
use crate::client_limits::ClientLimits;
use crate::clock::Clock;
use crate::config::{Config, Protocol};
use crate::daemon::{Daemon, EmitRow, StatsGroup, Stop};
use crate::event_loop::EventLoop;
use crate::execute::{Pause, Session, Turn};
use crate::gate::{Admitted, EntryId, Gate, Pass};
use crate::limits::STEP_BUDGET;
use crate::shared::{ConnInfo, Globals, Shared};
use crate::snapshot::Snapshot;
use crate::tls::{TlsConfigs, TlsError};
use crate::tunables::Tunables;
use crate::watch::Journal;

/// The Unix time at which every harness starts.
pub const UNIX_START: i64 = 1_700_000_000;

/// The second, of those that exptimes are told in, at which it starts.
pub const SECOND_START: u32 = 2;

/// Everybody's password at a harness with a gate.
pub const PASSWORD: &[u8] = b"right";

/// What keys are hashed with: the same in every process.
const SEED: u64 = 7;

/// One worker's side of a server.
pub struct Harness {
    config: Config,
    shard_config: ShardConfig,
    shared: Shared,
    hasher: KeyHasher,
    clock: Clock,
    clerk: Clerk,
    by_hand: ByHand,
    now: RelTime,
    event_loop: EventLoop,
}

/// A connection, but for its socket.
pub struct Client {
    session: Session,
    input: Vec<u8>,
    closed: bool,
}

/// The entry that [`PASSWORD`] is the password of.
pub const ENTRY: EntryId = 0;

/// A daemon that has nothing to tell.
struct Silent;

impl Daemon for Silent {
    fn version(&self) -> &str {
        "1.6.45"
    }
    fn stats(&self, _: StatsGroup, _: &Snapshot, _: &mut EmitRow<'_>) {}
    fn tls(&self) -> Option<Arc<TlsConfigs>> {
        None
    }
    fn refresh_certs(&self) -> Result<(), TlsError> {
        Ok(())
    }
    fn known_password(&self, _: &[u8], _: &[u8]) -> Option<EntryId> {
        None
    }
    fn check_password(&self, _: &[u8], password: &[u8]) -> Option<EntryId> {
        (password == PASSWORD).then_some(ENTRY)
    }
    fn stopping(&self, _: Stop) {}
    fn set_verbosity(&self, _: u32) {}
}

impl Harness {
    /// A server with this many shards, `memory_limit` bytes for all of them, and memcached's settings.
    ///
    /// # Errors
    /// The system's, when there is no descriptor left.
    pub fn new(shards: usize, memory_limit: u64) -> io::Result<Self> {
        Self::start(config(shards, memory_limit))
    }

    /// The same that evicts nothing (`-M`), or has no CAS uniques (`-C`), if so said.
    ///
    /// # Errors
    /// As of [`Self::new`].
    pub fn with(shards: usize, memory_limit: u64, evictions: bool, cas: bool) -> io::Result<Self> {
        Self::start(Config {
            evictions,
            cas,
            ..config(shards, memory_limit)
        })
    }

    /// The same with a gate for these users, all of one password, and for both protocols.
    ///
    /// # Errors
    /// As of [`Self::new`].
    pub fn guarded(shards: usize, memory_limit: u64, admitted: Admitted) -> io::Result<Self> {
        let gate = Some(Arc::new(Gate::new(admitted, true)));
        Self::start(Config {
            gate,
            ..config(shards, memory_limit)
        })
    }

    fn start(config: Config) -> io::Result<Self> {
        let (threads, memory_limit) = (config.threads, config.memory_limit);
        let (clerk, by_hand) = Clerk::by_hand();
        let (shard_config, hasher) = (config.shard(), KeyHasher::with_seed(SEED));
        let shards = (0..threads).map(|_| Shard::new(shard_config, hasher.clone()));
        let globals = Globals::new(config.detail_enabled, config.tunables);
        let shared = Shared::new(
            shards.collect(),
            memory_limit,
            shard_config.page_bytes,
            globals,
        );
        Ok(Self {
            config,
            shard_config,
            shared,
            hasher,
            clock: Clock::started_at(UNIX_START),
            clerk,
            by_hand,
            now: SECOND_START,
            event_loop: EventLoop::new()?,
        })
    }

    /// A new connection, of which the first byte tells the protocol.
    pub fn connect(&self) -> Client {
        let pass = self.config.gate.as_ref().map(|gate| {
            let info = ConnInfo::new(-1, None, "unix:".into(), "unix:".into(), self.now, 0);
            Box::new(Pass::new(Arc::clone(gate), Arc::new(info), false))
        });
        Client {
            session: Session::new(Protocol::Negotiated, -1, pass),
            input: Vec::new(),
            closed: false,
        }
    }

    /// Lets time go by, and the shards keep their house.
    pub fn pass(&mut self, seconds: u32) {
        self.now += seconds;
        self.shared.flush_if_due(self.now);
        let (shared, now) = (&self.shared, self.now);
        for index in 0..shared.shards() {
            let mut events = Vec::new();
            while shared.keep_house(index, STEP_BUDGET, now, &mut events) {}
        }
    }

    /// Gives a connection more input, and returns its replies when it waits for more. A closed one takes nothing.
    pub fn feed(&self, client: &mut Client, bytes: &[u8]) -> Vec<u8> {
        let (mut replies, mut goes_on) = self.turn(client, bytes);
        while goes_on {
            let (more, again) = self.turn(client, &[]);
            replies.extend(more);
            goes_on = again;
        }
        replies
    }

    /// [`Self::feed`] while another worker has this shard, which it gives back before the connection's second turn.
    pub fn feed_beside(&self, client: &mut Client, bytes: &[u8], shard: usize) -> Vec<u8> {
        let taken = self.shared.borrow(shard);
        let (mut replies, goes_on) = self.turn(client, bytes);
        drop(taken);
        if goes_on {
            replies.extend(self.feed(client, &[]));
        }
        replies
    }

    /// One turn of a connection: what it is answered, and whether it goes on without more input. A worker sends what there
    /// is before that, so a client that does not read stays where it is.
    pub fn turn(&self, client: &mut Client, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut replies = Vec::new();
        if client.closed {
            return (replies, false);
        }
        client.input.extend_from_slice(bytes);
        let counters = &self.shared.workers[0].counters;
        let bytes_max = self.config.worker_buffer_bytes;
        let journal = Journal::new(0, self.event_loop.waker(), counters, bytes_max);
        let turn = Turn {
            shared: &self.shared,
            config: &self.config,
            daemon: &Silent,
            clerk: &self.clerk,
            shard_config: &self.shard_config,
            hasher: &self.hasher,
            clock: &self.clock,
            counters,
            journal: &journal,
            worker: 0,
            now: self.now,
            cfd: Cell::new(-1),
        };
        let (used, pause) = turn.run(&mut client.session, &client.input, &mut replies);
        client.input.drain(..used);
        let goes_on = match pause {
            Pause::Input | Pause::LongInput | Pause::Memory => false,
            Pause::Answer => {
                self.by_hand.answer(&Silent);
                true
            }
            Pause::Yield | Pause::Taken | Pause::Output | Pause::Watch => true,
            Pause::Close(_) => {
                client.closed = true;
                false
            }
        };
        (replies, goes_on)
    }

    /// Ends a connection, which gives back what it holds.
    pub fn close(&self, client: Client) {
        let shards = self.shared.shards();
        let shard_of = |key: &[u8]| self.hasher.hash(key).shard(shards);
        let mut holding = client.session.into_holding(shard_of);
        while let Some(held) = holding {
            holding = held.give_back(&self.shared);
        }
    }

    /// Says what is wrong with the shards, if anything is.
    ///
    /// # Errors
    /// The first inconsistency found, in words.
    pub fn check(&self) -> Result<(), String> {
        let shards = 0..self.shared.shards();
        let mut lent = shards.filter_map(|index| self.shared.borrow(index));
        lent.try_for_each(|lent| lent.shard.check())
    }
}

impl Client {
    /// Whether the server has closed it.
    pub fn is_closed(&self) -> bool {
        self.closed
    }
}

/// memcached's settings, as far as commands are concerned.
fn config(threads: usize, memory_limit: u64) -> Config {
    Config {
        endpoints: Vec::new(),
        backlog: 1024,
        threads,
        memory_limit,
        item_size_max: 1 << 20,
        evictions: true,
        cas: true,
        conn_limit: 1024,
        maxconns_fast: true,
        requests_per_turn: 20,
        idle_timeout_s: 0,
        client_limits: ClientLimits::default(),
        gate: None,
        entry_timeout_s: 10,
        entering_max: 1000,
        flush_enabled: true,
        dump_enabled: true,
        watch_enabled: true,
        watcher_buffer_bytes: 256 << 10,
        worker_buffer_bytes: 64 << 10,
        shutdown_enabled: false,
        slab_reassign: true,
        lru_maintainer: true,
        tunables: Tunables::default(),
        track_sizes: true,
        detail_enabled: false,
        prefix_delimiter: b':',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::UsersFile;
    use crate::limits::SIZES_PER_STEP;

    #[test]
    fn a_connection_in_pieces() {
        let mut harness = Harness::new(2, 64 << 20).expect("a descriptor");
        let mut client = harness.connect();
        let input = b"set a 0 10 5\r\nhello\r\nget a b\r\nincr a 1\r\n";
        let replies: Vec<u8> = input
            .iter()
            .flat_map(|byte| harness.feed(&mut client, &[*byte]))
            .collect();
        let expected = b"STORED\r\nVALUE a 0 5\r\nhello\r\nEND\r\n\
            CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
        assert_eq!(
            replies.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
        harness.pass(10);
        assert_eq!(harness.feed(&mut client, b"get a\r\n"), b"END\r\n");
        assert_eq!(harness.feed(&mut client, b"quit\r\n"), b"");
        assert!(client.is_closed());
        harness.close(client);
        assert_eq!(harness.check(), Ok(()));
    }

    #[test]
    fn a_gate_that_lets_in_whoever_says_the_password() {
        let file = UsersFile::read(b"ann:x\n@ann read\n", |_| Ok(())).expect("a file");
        let harness =
            Harness::guarded(1, 64 << 20, file.admitted(|()| ENTRY)).expect("a descriptor");
        let mut client = harness.connect();
        let replies = harness.feed(
            &mut client,
            b"get key\r\nset a 0 0 9\r\nann wrong\r\nset a 0 0 9\r\nann right\r\nget key\r\nset key 0 0 1\r\n1\r\n",
        );
        let expected = b"CLIENT_ERROR unauthenticated\r\nCLIENT_ERROR authentication failure\r\n\
            STORED\r\nEND\r\nCLIENT_ERROR permission denied\r\n";
        assert_eq!(
            replies.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
    }

    #[test]
    fn a_shard_that_is_taken() {
        let harness = Harness::new(1, 64 << 20).expect("a descriptor");
        let mut client = harness.connect();
        let replies = harness.feed_beside(&mut client, b"set a 0 0 1\r\n1\r\nincr a 1\r\n", 0);
        assert_eq!(replies, b"STORED\r\n2\r\n");
    }

    #[test]
    fn a_large_value_of_two_connections_that_leave() {
        let harness = Harness::new(1, 64 << 20).expect("a descriptor");
        let mut one = harness.connect();
        let large = vec![b'v'; 500_000];
        let head = b"set large 0 0 500000\r\n";
        harness.feed(&mut one, &[head, &large[..], b"\r\n"].concat());
        let got = harness.feed(&mut one, b"get large\r\n");
        assert_eq!(
            got.len(),
            b"VALUE large 0 500000\r\n".len() + 500_000 + b"\r\nEND\r\n".len()
        );
        let mut other = harness.connect();
        harness.feed(&mut other, &[head, &large[..100_000]].concat());
        harness.close(other);
        harness.close(one);
        assert_eq!(harness.check(), Ok(()));
    }

    /// Each turn brings a bounded number of rows, however many sizes there are in however many shards.
    #[test]
    fn a_list_of_sizes_goes_in_steps() {
        let harness = Harness::new(3, 256 << 20).expect("a descriptor");
        let mut client = harness.connect();
        let count = 5 * SIZES_PER_STEP / 2;
        for (number, len) in (1..=count).map(|n| 32 * n).enumerate() {
            for copy in ["a", "b"] {
                let set = format!("set {copy}{number:04} 0 0 {len}\r\n{}\r\n", "v".repeat(len));
                assert_eq!(harness.feed(&mut client, set.as_bytes()), b"STORED\r\n");
            }
        }
        let (mut rows, mut turns) = (String::new(), 0);
        let mut goes_on = true;
        while goes_on {
            let line: &[u8] = if turns == 0 { b"stats sizes\r\n" } else { b"" };
            let (some, again) = harness.turn(&mut client, line);
            let some = String::from_utf8(some).expect("plain text");
            assert!(some.lines().count() <= SIZES_PER_STEP + 1);
            (turns, goes_on) = (turns + 1, again);
            rows.push_str(&some);
        }
        assert_eq!(turns, 3);
        let rows = rows.strip_suffix("END\r\n").expect("an end");
        let rows: Vec<(usize, &str)> = rows
            .lines()
            .filter_map(|row| row.strip_prefix("STAT ")?.split_once(' '))
            .map(|(size, items)| (size.parse().expect("a number"), items))
            .collect();
        assert_eq!(rows.len(), count);
        let steps = rows.windows(2).all(|pair| pair[1].0 == pair[0].0 + 32);
        assert!(steps && rows.iter().all(|(_, items)| *items == "2"));
    }

    /// Only where a line begins is it looked at as a frequent one, which searches its key: with each packet of a long one
    /// that would be all of it.
    #[test]
    fn a_line_that_has_begun_is_not_looked_at_from_its_front() {
        let harness = Harness::new(1, 64 << 20).expect("a descriptor");
        let mut client = harness.connect();
        for (begun, rest) in [
            ("get k", "\r\n"),
            ("mg k", " v\r\n"),
            ("se", "t k 0 0 1\r\n1\r\n"),
        ] {
            assert_eq!(harness.feed(&mut client, begun.as_bytes()), b"");
            assert!(!client.session.is_between_lines());
            assert_ne!(harness.feed(&mut client, rest.as_bytes()), b"");
            assert!(client.session.is_between_lines());
        }
    }

    #[test]
    fn what_a_data_block_takes_is_counted() {
        let harness = Harness::new(1, 64 << 20).expect("a descriptor");
        let mut client = harness.connect();
        assert_eq!(client.session.buffer_bytes(), 0);
        let head = b"set k 0 0 60000\r\n";
        harness.feed(&mut client, &[head, &[b'v'; 30_000][..]].concat());
        assert!(client.session.buffer_bytes() >= 30_000);
    }

    const LARGE: &[u8] = b"set key 0 0 1000000\r\n";

    /// Clients that each begin a large value under a key of their own and stop in the middle, and seconds later one whose
    /// value comes to its end: there is room for it only if another value makes way.
    fn stop_in_the_middle(harness: &mut Harness, clients: usize) -> Vec<Client> {
        let stopped = (0..clients).map(|number| {
            let mut client = harness.connect();
            let head = format!("set other{number} 0 0 1000000\r\n");
            harness.feed(&mut client, &[head.as_bytes(), &[b'v'; 600_000]].concat());
            client
        });
        let stopped = stopped.collect();
        harness.pass(3);
        stopped
    }

    fn store_whole(harness: &Harness, key: &str) {
        let head = format!("set {key} 0 0 600000\r\n");
        let line = [head.as_bytes(), &[b'v'; 600_000], b"\r\n"].concat();
        assert_eq!(harness.feed(&mut harness.connect(), &line), b"STORED\r\n");
    }

    #[track_caller]
    fn check_key(harness: &Harness, expected: &[u8]) {
        let got = harness.feed(&mut harness.connect(), b"get key\r\n");
        assert_eq!(
            got.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
    }

    #[test]
    fn a_value_that_lost_its_memory_takes_only_an_older_one_with_it() {
        for stored_meanwhile in [false, true] {
            let mut harness = Harness::new(1, 4 << 20).expect("a descriptor");
            let mut other = harness.connect();
            assert_eq!(
                harness.feed(&mut other, b"set key 0 0 3\r\nold\r\n"),
                b"STORED\r\n"
            );
            let mut late = harness.connect();
            harness.feed(&mut late, &[LARGE, &[b'v'; 600_000]].concat());
            let _stopped = stop_in_the_middle(&mut harness, 3);
            store_whole(&harness, "whole");
            if stored_meanwhile {
                harness.feed(&mut other, b"set key 0 0 3\r\nnew\r\n");
            }
            assert_eq!(
                harness.feed(&mut late, &[&[b'v'; 400_000][..], b"\r\n"].concat()),
                b"SERVER_ERROR out of memory storing object\r\n"
            );
            check_key(
                &harness,
                match stored_meanwhile {
                    true => b"VALUE key 0 3\r\nnew\r\nEND\r\n",
                    false => b"END\r\n",
                },
            );
        }
    }
}
