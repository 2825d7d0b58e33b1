//! Ends the servers we started when we are interrupted, so that none is left behind.

use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// From now on a signal that ends us ends them first.
pub(crate) fn end_servers_with_us() -> Result<()> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot watch for signals")?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            for pid in running().iter() {
                // One that is gone already needs no ending.
                let _ = kill_process(*pid, Signal::KILL);
            }
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}

pub(super) fn started(pid: Pid) {
    running().push(pid);
}

/// It has been waited for: its pid may belong to somebody else from now on.
pub(super) fn ended(pid: Pid) {
    running().retain(|other| *other != pid);
}

fn running() -> std::sync::MutexGuard<'static, Vec<Pid>> {
    RUNNING
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
