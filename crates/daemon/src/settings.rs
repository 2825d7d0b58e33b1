//! What the options mean: every setting with memcached's default (or one of the three of our own), the rules that
//! bind several of them, and what of it the runtime is told.
//!
//! The options themselves, with their names and documentation, are the tables in `options`.

use std::path::{self, PathBuf};
use std::sync::Arc;
use std::thread;

use larder_runtime::{ClientLimits, Config, Endpoint, Gate, Protocol, Tunables};

use crate::options::secure;
use crate::places::Places;
use crate::refusal::Refusal;
use crate::tls::Tls;
use crate::units::MIB;

/// memcached's port.
pub(crate) const DEFAULT_PORT: u16 = 11211;

/// Where an own default differs from memcached's: an open cache is an open database.
pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1";

/// Everything that can be set, as typed and checked one by one; [`Settings::judge`] checks them together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// `-p`: `None` when not given, 0 for no TCP, -1 for any free port.
    pub(crate) port: Option<i32>,
    /// `-U`: 0 is none, -1 any free one.
    pub(crate) udp_port: i32,
    /// `-s`.
    pub(crate) unix_socket: Option<PathBuf>,
    /// `-a`.
    pub(crate) unix_mask: u32,
    /// `-l`, each as given.
    pub(crate) listen: Vec<String>,
    /// `-b`.
    pub(crate) backlog: u32,
    /// `-m`, in bytes.
    pub(crate) memory_limit: u64,
    /// `-M` turns it off.
    pub(crate) evictions: bool,
    /// `-I`, in bytes.
    pub(crate) item_size_max: u32,
    /// `-k`.
    pub(crate) lock_memory: bool,
    /// `-f`.
    pub(crate) growth_factor: f64,
    /// `-n`.
    pub(crate) chunk_size: u32,
    /// `-t`.
    pub(crate) threads: usize,
    /// `-c`.
    pub(crate) conn_limit: u32,
    /// `-R`.
    pub(crate) requests_per_turn: u32,
    /// `-N`.
    pub(crate) napi_ids: u32,
    /// `-B`: only the name in `stats settings` differs.
    pub(crate) protocol: Protocol,
    /// `-C` turns it off.
    pub(crate) cas: bool,
    /// `-D`.
    pub(crate) prefix_delimiter: u8,
    /// `-D` switches `stats detail` on.
    pub(crate) detail_enabled: bool,
    /// `-A`.
    pub(crate) shutdown_enabled: bool,
    /// `-F` turns it off.
    pub(crate) flush_enabled: bool,
    /// `-X` turns it off.
    pub(crate) dump_enabled: bool,
    /// `-W` turns it off.
    pub(crate) watch_enabled: bool,
    /// `-Z` and the suboptions about it.
    pub(crate) tls: Tls,
    /// `-Y`.
    pub(crate) users_file: Option<PathBuf>,
    /// `-S`.
    pub(crate) sasl: bool,
    /// `-o entry_timeout` and `entering_max`.
    pub(crate) entry_timeout_s: u32,
    pub(crate) entering_max: usize,
    /// `-o request_timeout`, `input_max`, `output_max`, `conns_per_address`,
    /// `conns_per_user`, `admin_conns`.
    pub(crate) client_limits: ClientLimits,
    /// `-o allow_world_readable_secrets`.
    pub(crate) allow_world_readable_secrets: bool,
    /// `-d`.
    pub(crate) background: bool,
    /// `-r`.
    pub(crate) coredumps: bool,
    /// `-u`.
    pub(crate) user: Option<String>,
    /// `-P`.
    pub(crate) pidfile: Option<PathBuf>,
    /// `-v`, counted.
    pub(crate) verbosity: u32,
    /// `-o`.
    pub(crate) extended: Extended,
    /// Where the options were given.
    pub(crate) places: Places,
    /// Options given that are known and do nothing here, for one line in the log.
    pub(crate) without_effect: Vec<String>,
}

/// The suboptions of `-o`. Those that tune nothing here are kept for `stats settings`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Extended {
    pub(crate) maxconns_fast: bool,
    pub(crate) idle_timeout_s: u32,
    pub(crate) track_sizes: bool,
    pub(crate) watcher_logbuf_bytes: u32,
    pub(crate) worker_logbuf_bytes: u32,
    pub(crate) read_buf_mem_limit: u64,
    pub(crate) hashpower_init: u32,
    pub(crate) hash_algorithm: &'static str,
    /// What commands can change as well.
    pub(crate) tunables: Tunables,
    pub(crate) lru_maintainer: bool,
    pub(crate) slab_reassign: bool,
    pub(crate) slab_chunk_max: u32,
    pub(crate) tail_repair_time_s: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            port: None,
            udp_port: 0,
            unix_socket: None,
            unix_mask: 0o700,
            listen: Vec::new(),
            backlog: 1024,
            memory_limit: 64 * MIB,
            evictions: true,
            item_size_max: MIB as u32,
            lock_memory: false,
            growth_factor: 1.25,
            chunk_size: 48,
            threads: usable_cores(),
            conn_limit: 1024,
            requests_per_turn: 20,
            napi_ids: 0,
            protocol: Protocol::Negotiated,
            cas: true,
            prefix_delimiter: b':',
            detail_enabled: false,
            shutdown_enabled: false,
            flush_enabled: true,
            dump_enabled: true,
            watch_enabled: true,
            tls: Tls::default(),
            users_file: None,
            sasl: false,
            entry_timeout_s: 10,
            entering_max: 1000,
            client_limits: ClientLimits::default(),
            allow_world_readable_secrets: false,
            background: false,
            coredumps: false,
            user: None,
            pidfile: None,
            verbosity: 0,
            extended: Extended::default(),
            places: Places::default(),
            without_effect: Vec::new(),
        }
    }
}

impl Default for Extended {
    fn default() -> Self {
        Self {
            maxconns_fast: true,
            idle_timeout_s: 0,
            track_sizes: false,
            watcher_logbuf_bytes: 256 << 10,
            worker_logbuf_bytes: 64 << 10,
            read_buf_mem_limit: 0,
            hashpower_init: 0,
            hash_algorithm: "murmur3",
            tunables: Tunables::default(),
            lru_maintainer: true,
            slab_reassign: true,
            slab_chunk_max: 512 << 10,
            tail_repair_time_s: 0,
        }
    }
}

/// Cores that this process may run on: affinity and the cgroup's quota are heeded by the standard library.
fn usable_cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

impl Settings {
    /// The TCP port: that of `-p`, else that of `-U`, else memcached's; 0 is no TCP, -1 any free one.
    pub(crate) fn tcp_port(&self) -> i32 {
        match (self.port, self.udp_port) {
            (Some(port), _) => port,
            (None, 0) => i32::from(DEFAULT_PORT),
            (None, udp_port) => udp_port,
        }
    }

    /// Whether the loopback default is in force: TCP is served and no `-l` says where.
    pub(crate) fn listens_by_default(&self) -> bool {
        self.listen.is_empty() && self.unix_socket.is_none() && self.tcp_port() != 0
    }

    /// What is spoken where an address does not say otherwise: -Y without -S is text, as in memcached.
    pub(crate) fn protocol(&self) -> Protocol {
        match self.users_file.is_some() && !self.sasl {
            true => Protocol::Text,
            false => self.protocol,
        }
    }

    /// Checks the rules that bind several options, in memcached's order, and says which are broken.
    pub(crate) fn judge(&self) -> Vec<Refusal> {
        let mut clashes = vec![self.judge_memory()];
        let extended = &self.extended;
        if extended.tunables.hot_lru_pct + extended.tunables.warm_lru_pct > 80 {
            clashes.push(self.clash(
                &["hot_lru_pct", "warm_lru_pct"],
                "-o hot_lru_pct and warm_lru_pct must not exceed 80 together",
            ));
        }
        if extended.tunables.temp_lru && !extended.lru_maintainer {
            clashes.push(self.clash(
                &["temporary_ttl", "no_lru_maintainer"],
                "-o temporary_ttl needs lru_maintainer: leave out no_lru_maintainer",
            ));
        }
        if self.unix_socket.is_none() && self.tcp_port() == 0 {
            clashes.push(self.clash(
                &["port", "unix-socket"],
                "-p 0 turns TCP off and without -s nothing is left to listen on: give -p or -s",
            ));
        }
        let clashes = clashes.into_iter().flatten();
        clashes.chain(secure::judge(self)).collect()
    }

    fn judge_memory(&self) -> Option<Refusal> {
        let item_size_max = u64::from(self.item_size_max);
        let needed = (2 * item_size_max).div_ceil(MIB);
        let why = match self.memory_limit {
            0 => format!(
                "-m 0 leaves no memory; it does not mean as much as there is: give at least {needed}m"
            ),
            limit if item_size_max > limit / 2 => format!(
                "-I {} is more than half of -m {}: raise -m to at least {needed}m, or lower -I",
                in_units(item_size_max),
                in_units(limit),
            ),
            _ => return None,
        };
        self.clash(&["max-item-size", "memory-limit"], why)
    }

    /// The refusal of options that do not go together, at the place of the first of them. `None` if one of them has been
    /// refused for itself: then nobody knows what it would have been.
    pub(crate) fn clash(
        &self,
        options: &[&'static str],
        why: impl Into<String>,
    ) -> Option<Refusal> {
        let good = self.places.are_good(options);
        good.then(|| self.places.put(Refusal::usage(why), options))
    }

    /// Makes the names of files independent of the directory, where `-d` is about to change it.
    pub(crate) fn anchor_paths(&mut self) {
        if !self.background || self.coredumps {
            return;
        }
        let Self {
            pidfile,
            unix_socket,
            users_file,
            tls,
            ..
        } = self;
        let paths = [
            pidfile,
            unix_socket,
            users_file,
            &mut tls.chain,
            &mut tls.key,
            &mut tls.ca,
        ];
        for path in paths.into_iter().flatten() {
            if let Ok(anchored) = path::absolute(&path) {
                *path = anchored;
            }
        }
    }

    /// What the runtime is told.
    pub(crate) fn to_config(&self, endpoints: Vec<Endpoint>, gate: Option<Arc<Gate>>) -> Config {
        Config {
            endpoints,
            backlog: self.backlog,
            threads: self.threads,
            memory_limit: self.memory_limit,
            item_size_max: self.item_size_max,
            evictions: self.evictions,
            cas: self.cas,
            conn_limit: self.conn_limit as usize,
            maxconns_fast: self.extended.maxconns_fast,
            requests_per_turn: self.requests_per_turn,
            idle_timeout_s: self.extended.idle_timeout_s,
            client_limits: self.client_limits,
            gate,
            entry_timeout_s: self.entry_timeout_s,
            entering_max: self.entering_max,
            flush_enabled: self.flush_enabled,
            dump_enabled: self.dump_enabled,
            watch_enabled: self.watch_enabled,
            watcher_buffer_bytes: self.extended.watcher_logbuf_bytes as usize,
            worker_buffer_bytes: self.extended.worker_logbuf_bytes as usize,
            shutdown_enabled: self.shutdown_enabled,
            slab_reassign: self.extended.slab_reassign,
            lru_maintainer: self.extended.lru_maintainer,
            tunables: self.extended.tunables,
            track_sizes: self.extended.track_sizes,
            detail_enabled: self.detail_enabled,
            prefix_delimiter: self.prefix_delimiter,
        }
    }
}

/// A size in the largest unit that divides it, as an option takes it.
pub(crate) fn in_units(bytes: u64) -> String {
    let units = [(30, "g"), (20, "m"), (10, "k")];
    let whole = |shift: u32| bytes != 0 && bytes.trailing_zeros() >= shift;
    match units.into_iter().find(|(shift, _)| whole(*shift)) {
        Some((shift, unit)) => format!("{}{unit}", bytes >> shift),
        None => format!("{bytes}b"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Code;

    #[test]
    fn files_are_found_after_the_directory_has_changed() {
        let anchored = |background| {
            let mut settings = Settings {
                background,
                pidfile: Some("pid".into()),
                ..Settings::default()
            };
            settings.anchor_paths();
            settings.pidfile.is_some_and(|path| path.is_absolute())
        };
        assert!(anchored(true) && !anchored(false));
    }

    #[test]
    fn the_defaults_go_together() {
        assert_eq!(Settings::default().judge(), []);
    }

    #[test]
    fn tcp_port_follows_udp_port() {
        let table = [
            (None, 0, 11211),
            (None, 11300, 11300),
            (None, -1, -1),
            (Some(11400), 11300, 11400),
            (Some(0), 11300, 0),
            (Some(-1), 0, -1),
        ];
        for (port, udp_port, expected) in table {
            let settings = Settings {
                port,
                udp_port,
                ..Settings::default()
            };
            assert_eq!(settings.tcp_port(), expected, "-p {port:?} -U {udp_port}");
        }
    }

    #[test]
    fn clashes_are_usage_errors() {
        let clash = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.judge().first().expect("a clash").code
        };
        assert_eq!(clash(|s| s.memory_limit = MIB), Code::Usage);
        assert_eq!(clash(|s| s.port = Some(0)), Code::Usage);
        assert_eq!(clash(|s| s.extended.tunables.hot_lru_pct = 50), Code::Usage);
        let temporary = |s: &mut Settings| {
            s.extended.tunables.temp_lru = true;
            s.extended.lru_maintainer = false;
        };
        assert_eq!(clash(temporary), Code::Usage);
    }

    #[test]
    fn sizes_are_worded_as_options_take_them() {
        let table = [
            (64 << 20, "64m"),
            (1 << 30, "1g"),
            (1536, "1536b"),
            (2048, "2k"),
            (0, "0b"),
        ];
        for (bytes, expected) in table {
            assert_eq!(in_units(bytes), expected);
        }
    }
}
