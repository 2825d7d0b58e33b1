//! `-d`: to the background.
//!
//! This is done when the sockets are bound and listen, so that whatever prevents the start has reached the terminal
//! and the exit code by then, and before any thread is started, since a fork takes only one along.

use nix::unistd::daemon;

use crate::refusal::Refusal;
use crate::settings::Settings;

/// Forks, ends the parent with exit code 0, and goes on in a session without a terminal. The directory stays with
/// `-r`, so that core files land in it; the standard streams stay with `-v`, so that the log does.
pub(crate) fn enter(settings: &Settings) -> Result<(), Refusal> {
    daemon(settings.coredumps, settings.verbosity > 0)
        .map_err(|error| Refusal::system(format!("-d: cannot go to the background ({error})")))
}
