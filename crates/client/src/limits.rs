//! Every bound of the client, by name.

use std::time::Duration;

/// Most nodes of one pool. Larger than any fleet seen; a list beyond it is a mistake of whoever wrote it.
pub const NODES_MAX: usize = 4096;

/// Greatest weight of a node. Weights are proportions, so more digits buy nothing.
pub const WEIGHT_MAX: u32 = 65_535;

/// Most points of one ring: 640 for each of the most nodes, 16 bytes each.
pub const POINTS_MAX: usize = 640 * NODES_MAX;

/// Made-up keys by which the cost of a changed list is estimated.
pub const MOVED_SAMPLE: u32 = 100_000;

/// Longest name of a node and longest host, in bytes: the longest name that DNS allows.
pub const NAME_LEN_MAX: usize = 255;

/// Longest path of a Unix socket, in bytes: what Linux can bind (`sun_path` holds 108, one of them the end).
pub const SOCKET_PATH_LEN_MAX: usize = 107;

/// The port of an address that names none: memcached's own.
pub const PORT_DEFAULT: u16 = 11211;

/// Longest file of a node list, in bytes: the most nodes with the longest names and addresses do not fill it.
pub const FILE_LEN_MAX: u64 = 4 << 20;

/// How often the file of a node list is read even when nothing tells of a change: some file systems do not tell.
pub const FILE_PERIOD: Duration = Duration::from_secs(10);

/// How long a changed file must be left alone before it is read: whoever writes it may do so in parts.
pub const FILE_QUIET: Duration = Duration::from_millis(50);

/// How often a source that tells of no changes is asked when the application says nothing else: what the cluster
/// clients of ElastiCache keep to.
pub const PERIOD_DEFAULT: Duration = Duration::from_secs(60);

/// Bounds of that period; what the application says is brought within them.
pub const PERIOD_MIN: Duration = Duration::from_millis(20);
/// A day.
pub const PERIOD_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How long one question to a source may take, connecting included.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest description of a cluster, in bytes: ElastiCache's own `config_size_max`.
pub const CLUSTER_LEN_MAX: usize = 65_536;

/// First wait before etcd is tried again; it doubles with each failure, up to the period.
#[cfg(feature = "etcd")]
pub const ETCD_WAIT: Duration = Duration::from_secs(1);
/// Values up to this many bytes are copied out of the input; larger ones are handed on as they lie. A small value must
/// not keep the whole read that brought it.
pub const VALUE_COPY_MAX: usize = 4096;

/// Bytes that wait to be written on one connection, beyond which no more requests are taken for it.
pub const OUT_HIGH: usize = 1 << 20;

/// Requests taken at once before they are written.
pub const REQUESTS_A_TURN: usize = 128;

/// Least room for one read, in bytes.
pub const READ_MIN: usize = 16 << 10;

/// Most room for one read, in bytes: a large value gets its memory as it comes.
pub const READ_MAX: usize = 1 << 20;

/// Most keys of which a node remembers that a write has no known end. Beyond them the node is flushed.
pub const JOURNAL_KEYS_MAX: usize = 65_536;

/// Nodes that have left the list, the latest ones, of which the keys in doubt are remembered, should they come back.
/// Those that left before them are flushed when they do.
pub const RETIRED_JOURNALS_MAX: usize = 64;

/// Lists before the present one by which it is known who may hold an old copy of a key that is written.
pub const FORMER_LISTS_MAX: usize = 64;

/// Longest time that any wait of a client can be set to: a day. What is longer is brought down to it.
pub const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Shortest wait between two things done in the background.
pub const WAIT_MIN: Duration = Duration::from_millis(1);

/// Most commands of one request; more are several requests, side by side.
pub const COMMANDS_MAX: usize = 1000;

/// Longest value that is sent, in bytes: what memcached's largest `-I` takes.
pub const VALUE_LEN_MAX: usize = 1 << 30;

/// Longest line of a dump, in bytes: every byte of the longest key takes three, and the rest of a line a few hundred.
pub const DUMP_LINE_LEN_MAX: u64 = 4096;
