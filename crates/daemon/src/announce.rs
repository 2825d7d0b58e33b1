//! What an operator is told whatever the log's level: one line when it serves, one when it has stopped, and warnings of
//! what is accepted and yet not as somebody may expect.

use larder_runtime::{Server, Stop};

use crate::settings::{Settings, in_units};
use crate::{cgroup, logging, privileges, signals};

/// Says where it listens, with the ports that the system chose, as whom, and with what.
pub(crate) fn serving(settings: &Settings, server: &Server) {
    let by_root_alone = privileges::is_given_up() && settings.user.is_none();
    logging::notice(format_args!(
        "listening on {}{} as {}{}, with {} of memory and {}",
        server.listening_on().join(", "),
        match settings.listens_by_default() {
            true => " (without -l only this machine can connect)",
            false => "",
        },
        privileges::current_user(),
        match by_root_alone {
            true => " (started by root without -u)",
            false => "",
        },
        in_units(settings.memory_limit),
        match settings.threads {
            1 => "1 worker".to_owned(),
            threads => format!("{threads} workers"),
        }
    ));
}

/// memcached's words for a graceful stop, whether a signal or a client asked for it.
pub(crate) fn stopping(stop: Stop) {
    if stop == Stop::Graceful {
        logging::notice(format_args!("Gracefully stopping"));
    }
}

/// Says why it has stopped: a signal, or else a client.
pub(crate) fn stopped(stop: Stop) {
    let asked = match stop {
        Stop::Now => "a client said shutdown",
        Stop::Graceful => "a client said shutdown graceful",
    };
    let reason = signals::reason().unwrap_or(asked);
    logging::notice(format_args!("stopped: {reason}"));
}

/// Tells what is accepted and yet not as somebody may expect.
pub(crate) fn oddities(settings: &Settings) {
    if settings.udp_port != 0 {
        log::warn!(
            "-U {}: UDP is not served, since its answers can be turned on others",
            settings.udp_port
        );
    }
    if settings.unix_socket.is_some() && !settings.listen.is_empty() {
        log::warn!("-l has no effect beside -s, which serves by the Unix socket alone");
    }
    if settings.threads > 64 {
        log::warn!(
            "-t {}: more threads than cores only cost time",
            settings.threads
        );
    }
    if !settings.without_effect.is_empty() {
        let mut names = settings.without_effect.clone();
        names.sort();
        names.dedup();
        log::warn!("accepted without effect: {}", names.join(", "));
    }
    cgroup::warn_of_limit(settings);
}
