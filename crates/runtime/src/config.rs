//! What the runtime must be told before it starts. The daemon translates its options into this.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use larder_store::{ShardConfig, page_bytes_for};

use crate::client_limits::ClientLimits;
use crate::gate::Gate;
use crate::limits::HEAP_ALLOWANCE;
use crate::passed::Passed;
use crate::tls::ClientCert;
use crate::tunables::Tunables;

/// A place to listen, and what is spoken there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where.
    pub place: Place,
    /// Which protocols (`-B`, or an entry's own).
    pub protocol: Protocol,
    /// Whether by TLS, and then how clients are asked for certificates. Unix sockets never are.
    pub tls: Option<ClientCert>,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A TCP address; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A Unix socket and the permission bits of its file (`-a`). An old socket file is replaced.
    Unix {
        /// Where the socket file is made.
        path: PathBuf,
        /// Permission bits, for instance 0o700.
        mask: u32,
    },
    /// A socket that another process has opened (systemd's socket activation).
    Passed(Arc<Passed>),
}

/// Which protocols connections may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The first byte of each connection tells.
    Negotiated,
    /// Text only.
    Text,
    /// Binary only.
    Binary,
}

/// The runtime's settings. Bounds are checked by the daemon, which knows the options' names.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; at least one.
    pub endpoints: Vec<Endpoint>,
    /// Length of the kernel's queue of connections not yet accepted (`-b`).
    pub backlog: u32,
    /// Workers, and so shards (`-t`).
    pub threads: usize,
    /// Bytes for items and index together (`-m`).
    pub memory_limit: u64,
    /// Largest item in bytes, header included (`-I`); at most 1 GiB.
    pub item_size_max: u32,
    /// Whether items may be evicted to make room (off by `-M`).
    pub evictions: bool,
    /// Whether items have a CAS unique (off by `-C`).
    pub cas: bool,
    /// Most connections at once (`-c`).
    pub conn_limit: usize,
    /// At the limit: answer and close (on), or leave connections in the kernel's queue (off).
    pub maxconns_fast: bool,
    /// Commands of one connection in a row before others get their turn (`-R`).
    pub requests_per_turn: u32,
    /// Seconds without a command after which a connection is closed; 0 is never.
    pub idle_timeout_s: u32,
    /// What one client may take.
    pub client_limits: ClientLimits,
    /// Who may come in; `None` is everybody.
    pub gate: Option<Arc<Gate>>,
    /// Seconds that a client may take to come in: its TLS handshake, and saying who it is.
    pub entry_timeout_s: u32,
    /// Most clients that are coming in at once; beyond them the oldest is given up.
    pub entering_max: usize,
    /// Whether `flush_all` is served (off by `-F`).
    pub flush_enabled: bool,
    /// Whether keys may be listed (off by `-X`).
    pub dump_enabled: bool,
    /// Whether `watch` is served (off by `-W`).
    pub watch_enabled: bool,
    /// Bytes of lines that wait to be sent to one watcher (`-o watcher_logbuf_size`).
    pub watcher_buffer_bytes: usize,
    /// Bytes of lines of one worker that wait to be taken by watchers (`-o worker_logbuf_size`).
    pub worker_buffer_bytes: usize,
    /// Whether the `shutdown` command is served (`-A`).
    pub shutdown_enabled: bool,
    /// Whether `slabs reassign` is served (off by `-o no_slab_reassign`).
    pub slab_reassign: bool,
    /// Whether `lru mode` and `lru temp_ttl` are served (off by `-o no_lru_maintainer`).
    pub lru_maintainer: bool,
    /// What commands can change later on, as it is in the beginning.
    pub tunables: Tunables,
    /// Whether `stats sizes` keeps its histogram (`-o track_sizes`).
    pub track_sizes: bool,
    /// Whether `stats detail` starts switched on (`-D`).
    pub detail_enabled: bool,
    /// The byte that ends a key's prefix for `stats detail` (`-D`, default `:`).
    pub prefix_delimiter: u8,
}

impl Config {
    /// What of this concerns each shard.
    #[inline]
    pub(crate) fn shard(&self) -> ShardConfig {
        ShardConfig {
            page_bytes: page_bytes_for(self.memory_limit),
            item_size_max: self.item_size_max,
            evictions: self.evictions,
            cas: self.cas,
            track_sizes: self.track_sizes,
            heap_allowance: HEAP_ALLOWANCE / self.threads,
        }
    }
}
