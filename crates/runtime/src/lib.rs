//! Threads, sockets, connections, and shards owned and lent.
//!
//! ```text
//!             ┌─ listening thread (the one that called `run`): accepts, hands on
//!             ▼
//!  worker 0   worker 1   …   worker n−1      one thread, one poll, its connections
//!     │ owns     │ owns          │ owns      creates it, keeps its house between turns
//!     ▼          ▼               ▼
//!  shard 0    shard 1    …    shard n−1      lent to any worker, for one command at a time
//! ```
//!
//! The way of a request: `worker` (a turn; `socket` reads) → `execute` (decodes, hashes, borrows the shard from
//! `shared`, carries out, encodes) → `worker` (one write). A shard that is taken is not waited for: its connection is
//! set aside and served again at the end of the turn.

mod address;
mod clerk;
mod client_limits;
mod clock;
mod config;
mod conn;
mod daemon;
mod event_loop;
mod execute;
mod gate;
#[cfg(any(test, feature = "harness"))]
pub mod harness;
mod limits;
mod listener;
mod passed;
mod quota;
mod seats;
mod shared;
mod snapshot;
mod socket;
mod tls;
mod tunables;
mod watch;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use crossbeam::channel::{self, Receiver};
use larder_store::{KeyHasher, Shard};

pub use client_limits::ClientLimits;
pub use clock::Stopwatch;
pub use config::{Config, Endpoint, Place, Protocol};
pub use daemon::{Daemon, EmitRow, StatsGroup, Stop};
pub use gate::{Admitted, EntryId, Gate, Rights, User, UsersFile, judge_name};
pub use larder_store::{ClassStats, StoreStats};
pub use passed::Passed;
pub use snapshot::{Counters, Snapshot};
pub use tls::{ClientCert, TlsConfigs, TlsError, TlsLoader, TlsOptions};
pub use tunables::Tunables;

use clerk::Clerk;
use clock::Clock;
use conn::Conn;
use event_loop::EventLoop;
use listener::{Inbox, Listener, Listening};
use quota::Quota;
use seats::Seats;
use shared::{Globals, Shared};
use watch::Journal;
use worker::{Setup, Worker};

/// A server whose sockets are bound and whose workers do not run yet.
pub struct Server {
    config: Config,
    clock: Clock,
    hasher: KeyHasher,
    shared: Arc<Shared>,
    listening: Vec<Listening>,
    event_loop: EventLoop,
}

/// Asks a running server to stop, from any thread; cheap to clone.
#[derive(Clone)]
pub struct Stopper {
    shared: Arc<Shared>,
    waker: Arc<mio::Waker>,
}

impl Server {
    /// Binds every endpoint and sets up the shards. Starts no thread.
    ///
    /// # Errors
    /// The system's, with the address that could not be bound in its text.
    pub fn bind(config: Config) -> io::Result<Self> {
        let listening = config
            .endpoints
            .iter()
            .map(|endpoint| Listening::open(endpoint, config.backlog))
            .collect::<io::Result<Vec<_>>>()?;
        let hasher = KeyHasher::new();
        let shard_config = config.shard();
        let shards = (0..config.threads.max(1))
            .map(|_| Shard::new(shard_config, hasher.clone()))
            .collect();
        let shared = Shared::new(
            shards,
            config.memory_limit,
            shard_config.page_bytes,
            Globals::new(config.detail_enabled, config.tunables),
        );
        let (clock, shared) = (Clock::start(), Arc::new(shared));
        Ok(Self {
            config,
            clock,
            hasher,
            shared,
            listening,
            event_loop: EventLoop::new()?,
        })
    }

    /// The TCP addresses bound, with the ports the system chose.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.listening
            .iter()
            .filter_map(|listening| listening.socket.tcp_addr())
            .collect()
    }

    /// Where it listens, as a person writes it: addresses with their ports, paths of Unix sockets.
    pub fn listening_on(&self) -> Vec<String> {
        let sockets = self.listening.iter();
        sockets.map(|listening| listening.socket.name()).collect()
    }

    /// A handle that stops the server.
    pub fn stopper(&self) -> Stopper {
        Stopper {
            shared: Arc::clone(&self.shared),
            waker: self.event_loop.waker(),
        }
    }

    /// Starts the workers and serves on the calling thread until stopped.
    ///
    /// # Errors
    /// The system's, when threads or polls cannot be had.
    pub fn run(self, daemon: Arc<dyn Daemon>) -> io::Result<Stop> {
        let Self {
            config,
            clock,
            hasher,
            shared,
            listening,
            event_loop,
        } = self;
        let (conn_limit, maxconns_fast) = (config.conn_limit, config.maxconns_fast);
        let client_limits = config.client_limits;
        let shard_config = config.shard();
        let (listeners_daemon, gate) = (Arc::clone(&daemon), config.gate.clone());
        let (setup_shared, config) = (Arc::clone(&shared), Arc::new(config));
        let listener = event_loop.waker();
        // Nobody else has anything to ask.
        let clerk = match gate.is_some() || daemon.tls().is_some() {
            true => Clerk::start(Arc::clone(&daemon), clock)?,
            false => Clerk::absent(),
        };
        let setup = Arc::new(Setup {
            shared: setup_shared,
            config,
            shard_config,
            clerk,
            daemon,
            hasher,
            clock,
            listener,
        });
        let (mut inboxes, mut threads) = (Vec::new(), Vec::new());
        for index in 0..shared.shards() {
            let (sender, inbox) = channel::unbounded();
            let (worker_loop, setup) = (EventLoop::new()?, Arc::clone(&setup));
            inboxes.push(Inbox {
                sender,
                waker: worker_loop.waker(),
            });
            let run = move || run_worker(index, &setup, worker_loop, inbox);
            threads.push(
                thread::Builder::new()
                    .name(format!("worker-{index}"))
                    .spawn(run)?,
            );
        }
        let listener = Listener {
            shared,
            clock,
            event_loop,
            listening,
            daemon: listeners_daemon,
            gate,
            inboxes,
            conn_limit,
            maxconns_fast,
            quota: Quota::default(),
            resting_since: None,
            client_limits,
            seats: Seats::default(),
            faces: Vec::new(),
        };
        let stop = listener.run()?;
        setup.daemon.stopping(stop);
        for thread in threads {
            // A worker that panicked has ended the process.
            let _ = thread.join();
        }
        Ok(stop)
    }
}

/// Runs a worker to its end. One that fails takes the process with it: a daemon that is half alive is worse than none.
fn run_worker(index: usize, setup: &Setup, event_loop: EventLoop, inbox: Receiver<Box<Conn>>) {
    let _end = EndProcessOnPanic;
    let counters = &setup.shared.workers[index].counters;
    let bytes_max = setup.config.worker_buffer_bytes;
    let journal = Journal::new(index, event_loop.waker(), counters, bytes_max);
    let worker = Worker::new(index, setup, &journal, event_loop, inbox);
    if let Err(error) = worker.run() {
        log::error!("a worker's loop has failed: {error}; the process ends");
        log::logger().flush();
        std::process::abort();
    }
}

/// Ends the process when the thread that holds it unwinds; the panic's message has been printed by then.
struct EndProcessOnPanic;

impl Drop for EndProcessOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            log::logger().flush();
            std::process::abort();
        }
    }
}

impl Stopper {
    /// Stops the server: no new connections, what was read is answered, the workers end. The first reason given stands.
    pub fn stop(&self, why: Stop) {
        self.shared.set_stop(why);
        if let Err(error) = self.waker.wake() {
            log::error!("the listening thread cannot be woken to stop: {error}");
        }
    }
}
