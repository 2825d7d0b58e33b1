//! Signals: SIGINT and SIGTERM stop, SIGUSR1 stops and says so in memcached's words, SIGHUP has files read anew and
//! never ends the process. SIGPIPE is ignored by Rust's own start-up.

use std::sync::OnceLock;
use std::thread;

use larder_runtime::{Stop, Stopper};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use crate::refusal::Refusal;
use crate::reload::Reloads;
use crate::systemd;

/// Takes the signals over: from now on none of them ends the process, and they wait until [`watch`] begins.
pub(crate) fn take_over() -> Result<Signals, Refusal> {
    Signals::new([SIGHUP, SIGINT, SIGTERM, SIGUSR1])
        .map_err(|error| Refusal::system(format!("signals cannot be handled: {error}")))
}

/// Starts the thread that acts on signals, those that have waited included.
pub(crate) fn watch(
    mut signals: Signals,
    stopper: Stopper,
    reloads: Option<Reloads>,
) -> Result<(), Refusal> {
    let act = move || {
        for signal in &mut signals {
            match signal {
                SIGHUP => match &reloads {
                    Some(reloads) => reloads.signal(),
                    None => {
                        systemd::reloading();
                        log::info!("SIGHUP: there is nothing to read anew");
                        systemd::reloaded();
                    }
                },
                _ => {
                    let (name, stop) = stop_by(signal);
                    log::info!("{name}: stopping");
                    // The first reason stands, for the runtime as well.
                    let _ = REASON.set(name);
                    stopper.stop(stop);
                }
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(act)
        .map(drop)
        .map_err(|error| {
            Refusal::system(format!("the thread for signals cannot be started: {error}"))
        })
}

/// The signal that stops the process. `None` if none does.
pub(crate) fn reason() -> Option<&'static str> {
    REASON.get().copied()
}

static REASON: OnceLock<&'static str> = OnceLock::new();

fn stop_by(signal: i32) -> (&'static str, Stop) {
    match signal {
        SIGUSR1 => ("SIGUSR1", Stop::Graceful),
        SIGINT => ("SIGINT", Stop::Now),
        _ => ("SIGTERM", Stop::Now),
    }
}
