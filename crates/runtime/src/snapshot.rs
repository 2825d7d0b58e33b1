//! Everything that `stats` shows, gathered at one moment.

use larder_store::StoreStats;

use crate::tunables::Tunables;

/// Declares the counters once: what names them, the struct of their sums, and how they are taken out of an array.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $variant:ident),+ $(,)?) => {
        /// Names a counter of [`Counters`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Counter { $($variant),+ }

        /// How many counters there are.
        pub(crate) const COUNTER_COUNT: usize = [$(stringify!($name)),+].len();

        /// Counters summed over workers since the start or the last `stats reset`. Names as in `stats`.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters { $($(#[$doc])* pub $name: u64),+ }

        impl Counters {
            /// Takes the sums out of an array that is indexed by [`Counter`].
            pub(crate) fn from_sums(sums: &[u64; COUNTER_COUNT]) -> Self {
                Self { $($name: sums[Counter::$variant as usize]),+ }
            }

            /// What has been counted since `baseline`.
            pub(crate) fn since(&self, baseline: &Self) -> Self {
                Self { $($name: self.$name.wrapping_sub(baseline.$name)),+ }
            }
        }
    };
}

counters! {
    /// Keys asked for by get and gets.
    cmd_get = CmdGet,
    /// Headers of the six store commands that were accepted.
    cmd_set = CmdSet,
    /// flush_all commands, refused ones too.
    cmd_flush = CmdFlush,
    /// Keys asked for by touch, gat, gats.
    cmd_touch = CmdTouch,
    /// Hits of get and gets.
    get_hits = GetHits,
    /// Misses of get and gets.
    get_misses = GetMisses,
    /// Commands that were denied to users who may not do everything.
    cmd_denied = CmdDenied,
    /// me, on any key.
    cmd_meta = CmdMeta,
    /// delete on a missing key.
    delete_misses = DeleteMisses,
    /// delete on a key that was there.
    delete_hits = DeleteHits,
    /// incr on a missing key.
    incr_misses = IncrMisses,
    /// incr on a key that was there.
    incr_hits = IncrHits,
    /// decr on a missing key.
    decr_misses = DecrMisses,
    /// decr on a key that was there.
    decr_hits = DecrHits,
    /// cas on a missing key.
    cas_misses = CasMisses,
    /// cas that stored.
    cas_hits = CasHits,
    /// cas whose CAS unique differed.
    cas_badval = CasBadval,
    /// touch, gat, gats hits.
    touch_hits = TouchHits,
    /// touch, gat, gats misses.
    touch_misses = TouchMisses,
    /// Values larger than the item size limit.
    store_too_large = StoreTooLarge,
    /// Values for which no memory could be found.
    store_no_memory = StoreNoMemory,
    /// Bytes read from clients.
    bytes_read = BytesRead,
    /// Bytes written to clients.
    bytes_written = BytesWritten,
    /// Times a connection gave way after `-R` commands in a row.
    conn_yields = ConnYields,
    /// Connections closed for being idle.
    idle_kicks = IdleKicks,
    /// Times a connection was set aside because a shard was taken.
    shard_set_asides = ShardSetAsides,
    /// Turns of the loops.
    worker_turns = WorkerTurns,
    /// Lines of watchers that a worker had no room for.
    log_worker_dropped = LogWorkerDropped,
    /// Lines that workers wrote for watchers.
    log_worker_written = LogWorkerWritten,
    /// Lines that a watcher had no room for.
    log_watcher_skipped = LogWatcherSkipped,
    /// Lines that were sent to watchers.
    log_watcher_sent = LogWatcherSent,
    /// TLS handshakes that failed.
    ssl_handshake_errors = SslHandshakeErrors,
    /// TLS connections that broke after their handshake.
    ssl_proto_errors = SslProtoErrors,
    /// Attempts to say who one is.
    auth_cmds = AuthCmds,
    /// Those that failed.
    auth_errors = AuthErrors,
    /// Clients given up while they were coming in: too slow, or too many at once.
    entries_given_up = EntriesGivenUp,
    /// Connections closed because a request took too long to come in.
    request_timeouts = RequestTimeouts,
    /// Connections closed because of a line that was too long.
    lines_too_long = LinesTooLong,
    /// Connections closed because their user had as many as it may.
    conns_over_user_limit = ConnsOverUserLimit,
    /// Connections closed because only admins' places were left.
    conns_over_reserve = ConnsOverReserve,
    /// Times a connection's commands waited because enough of its replies did.
    output_pauses = OutputPauses,
    /// Connections closed because they broke the rules of the line or of memory.
    rule_kicks = RuleKicks,
}

/// What `stats` shows, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Process id.
    pub pid: u32,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Unix time in seconds.
    pub unix_s: u64,
    /// Bytes for items and index now (`cache_memlimit` may have moved it).
    pub limit_maxbytes: u64,
    /// Open client connections.
    pub curr_connections: u64,
    /// Listening sockets.
    pub listening_sockets: u64,
    /// Client connections ever accepted since the start or reset.
    pub total_connections: u64,
    /// Connections answered with `ERROR Too many open connections`.
    pub rejected_connections: u64,
    /// Of these, those whose address had as many as it may (`-o conns_per_address`).
    pub over_address_limit: u64,
    /// The most connections that were ever open at once.
    pub connection_structures: u64,
    /// Bytes in connections' own input and output buffers.
    pub conn_buffer_bytes: u64,
    /// Connections that have such a buffer.
    pub conn_buffer_count: u64,
    /// Whether new connections are being accepted.
    pub accepting_conns: bool,
    /// Times accepting was stopped (descriptors ran out, or the limit without maxconns_fast).
    pub listen_disabled_num: u64,
    /// Microseconds that accepting was stopped.
    pub time_in_listen_disabled_us: u64,
    /// Workers.
    pub threads: u64,
    /// Connections that watch.
    pub watchers: u64,
    /// Whether `stats detail` counts now.
    pub detail_enabled: bool,
    /// The last second, counted as item ages are, whose items the latest `flush_all` takes; 0 before any.
    pub oldest_live: u64,
    /// What commands can change, as it is now.
    pub tunables: Tunables,
    /// Counters over all workers.
    pub counters: Counters,
    /// The shards' own numbers, summed.
    pub store: StoreStats,
}
