//! What the runtime asks of the daemon: its version, its stats, its log's level.

use larder_runtime::{Daemon, EmitRow, Snapshot, StatsGroup};

use crate::logging;
use crate::settings::Settings;
use crate::stats::{general, items, larder, settings, slabs};

/// The memcached that clients take us for; they parse it.
pub(crate) const MEMCACHED_VERSION: &str = "1.6.45";

/// The settings in force. What clients may change lives elsewhere: the log's level with the log, the rest with the
/// runtime.
pub(crate) struct Larderd {
    settings: Settings,
}

impl Larderd {
    /// With the settings that the server was started with.
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Daemon for Larderd {
    fn version(&self) -> &str {
        MEMCACHED_VERSION
    }

    fn stats(&self, group: StatsGroup, snapshot: &Snapshot, emit: &mut EmitRow<'_>) {
        match group {
            StatsGroup::General => general::emit(&self.settings, snapshot, emit),
            StatsGroup::Settings => {
                settings::emit(&self.settings, logging::verbosity(), snapshot, emit);
            }
            StatsGroup::Items => items::emit(&self.settings, snapshot, emit),
            StatsGroup::Slabs => slabs::emit(snapshot, emit),
            StatsGroup::Larder => larder::emit(snapshot, emit),
        }
    }

    fn set_verbosity(&self, level: u32) {
        logging::set_level(level);
    }
}
