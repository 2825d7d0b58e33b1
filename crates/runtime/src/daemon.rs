//! What the runtime asks of the daemon: one trait, implemented there.

use std::fmt::Display;
use std::sync::Arc;

use crate::gate::EntryId;
use crate::snapshot::Snapshot;
use crate::tls::{TlsConfigs, TlsError};

/// The groups of stats whose rows the daemon words; the rest the runtime answers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatsGroup {
    /// Plain `stats`.
    General,
    /// `stats settings`.
    Settings,
    /// `stats items`.
    Items,
    /// `stats slabs`.
    Slabs,
    /// `stats larder`: what memcached has no row for.
    Larder,
}

/// Receives one `STAT <name> <value>` row.
pub type EmitRow<'a> = dyn FnMut(&str, &dyn Display) + 'a;

/// Why the daemon is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGINT, SIGTERM or `shutdown`: answer what was read, then go.
    Now,
    /// SIGUSR1 or `shutdown graceful`: the same, and said so in the log.
    Graceful,
}

/// The daemon's side of the house, as the runtime sees it.
pub trait Daemon: Send + Sync + 'static {
    /// The version that clients are told (`version`, `STAT version`): a numeric triple.
    fn version(&self) -> &str;

    /// Words the rows of one group of stats, in memcached's order.
    fn stats(&self, group: StatsGroup, snapshot: &Snapshot, emit: &mut EmitRow<'_>);

    /// The certificates in force, for a connection that has just come to a TLS port. `None` without TLS.
    fn tls(&self) -> Option<Arc<TlsConfigs>>;

    /// Reads the certificates anew, which may take a while; on an error the old ones stay in force. Only asked where
    /// there is TLS, and never on a worker.
    fn refresh_certs(&self) -> Result<(), TlsError>;

    /// The entry whose password this is, if it is one of the user's, which may take a while; never asked on a worker. How
    /// long it takes must not tell how much of it is right.
    fn check_password(&self, user: &[u8], password: &[u8]) -> Option<EntryId>;

    /// The same as far as it can be told without a hash: the password stands in the file as it is, or was found to be right
    /// before. What is found there is no secret's length or beginning: it is compared in constant time.
    fn known_password(&self, user: &[u8], password: &[u8]) -> Option<EntryId>;

    /// The server stops: nobody new is accepted any more, and what was read is being answered.
    fn stopping(&self, why: Stop);

    /// The `verbosity` command: 0, 1 or 2 (capped by the caller).
    fn set_verbosity(&self, level: u32);
}
