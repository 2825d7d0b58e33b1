//! What the runtime asks of the daemon: its version, its stats, its log's level, certificates and passwords.

use std::sync::Arc;

use larder_runtime::{Daemon, EmitRow, EntryId, Snapshot, StatsGroup, Stop, TlsConfigs, TlsError};

use crate::announce;
use crate::logging;
use crate::reload::{Files, Reloads};
use crate::settings::Settings;
use crate::stats::{general, items, larder, settings, slabs};
use crate::systemd;

/// The memcached that clients take us for; they parse it.
pub(crate) const MEMCACHED_VERSION: &str = "1.6.45";

/// The settings in force. What clients may change lives elsewhere: the log's level with the log, the rest with the
/// runtime.
pub(crate) struct Larderd {
    settings: Settings,
    files: Files,
    reloads: Option<Reloads>,
}

impl Larderd {
    /// With the settings that the server was started with.
    pub(crate) fn new(settings: Settings, files: Files, reloads: Option<Reloads>) -> Self {
        Self {
            settings,
            files,
            reloads,
        }
    }
}

impl Daemon for Larderd {
    fn version(&self) -> &str {
        MEMCACHED_VERSION
    }

    fn stats(&self, group: StatsGroup, snapshot: &Snapshot, emit: &mut EmitRow<'_>) {
        let tls = self.files.certs.as_ref();
        let tls = tls.map(|certs| certs.figures(&self.settings.tls));
        match group {
            StatsGroup::General => general::emit(&self.settings, tls, snapshot, emit),
            StatsGroup::Settings => {
                settings::emit(&self.settings, logging::verbosity(), snapshot, emit);
            }
            StatsGroup::Items => items::emit(&self.settings, snapshot, emit),
            StatsGroup::Slabs => slabs::emit(snapshot, emit),
            StatsGroup::Larder => {
                let users = self.files.users.as_ref().map(|users| users.figures());
                larder::emit(tls, users, snapshot, emit);
            }
        }
    }

    fn tls(&self) -> Option<Arc<TlsConfigs>> {
        self.files.certs.as_ref().map(|certs| certs.configs())
    }

    fn refresh_certs(&self) -> Result<(), TlsError> {
        self.reloads.as_ref().map_or(Ok(()), Reloads::ask)
    }

    fn known_password(&self, user: &[u8], password: &[u8]) -> Option<EntryId> {
        self.files.users.as_ref()?.known(user, password)
    }

    fn check_password(&self, user: &[u8], password: &[u8]) -> Option<EntryId> {
        self.files.users.as_ref()?.check(user, password)
    }

    fn stopping(&self, why: Stop) {
        announce::stopping(why);
        systemd::stopping();
    }

    fn set_verbosity(&self, level: u32) {
        logging::set_level(level);
    }
}
