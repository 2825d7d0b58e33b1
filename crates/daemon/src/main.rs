//! larderd, a memcached-compatible cache daemon.
//!
//! This crate is the daemon's side of the house: what the options mean, what `stats` says, and how the process starts
//! and stops. It serves nothing itself: it binds a [`Server`] of the runtime, implements the runtime's `Daemon`, and
//! waits. The way from options to a running server is [`serve`], from top to bottom.

mod announce;
mod background;
mod cgroup;
mod cli;
mod config_file;
mod daemon;
mod hash_password;
mod help;
mod limits;
mod listen;
mod log_queue;
mod logging;
mod options;
mod pidfile;
mod port_file;
mod privileges;
mod refusal;
mod reload;
mod secret;
mod settings;
mod signals;
mod stats;
mod tls;
mod units;
mod users;

use std::env;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use larder_runtime::{Gate, Server};

use crate::cli::Request;
use crate::daemon::Larderd;
use crate::pidfile::PidFile;
use crate::refusal::{Refusal, Refusals};
use crate::reload::{Files, Reloads};
use crate::settings::Settings;
use crate::tls::Certs;
use crate::users::Users;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusals) => {
            for refusal in &refusals.0 {
                log_queue::line(&format!("larderd: {refusal}\n"));
            }
            log::logger().flush();
            ExitCode::from(refusals.code())
        }
    }
}

fn run() -> Result<(), Refusals> {
    match cli::read(env::args_os())? {
        Request::Print(act) => print(&help::text(act)),
        Request::HashPassword(user) => print(&hash_password::line(&user)?),
        Request::Check(settings) => check(&settings)?,
        Request::Serve(settings) => serve(*settings)?,
    }
    Ok(())
}

/// Prints to the standard output, whose reader may have seen enough.
fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Judges what only the system knows: names to listen on, the user to go on as, the control group's memory.
fn check(settings: &Settings) -> Result<(), Refusal> {
    logging::start(settings.verbosity);
    listen::endpoints(settings)?;
    privileges::user(settings)?;
    Certs::load(settings)?;
    Users::load(settings)?;
    announce::oddities(settings);
    print("larderd: the configuration is good\n");
    Ok(())
}

/// Starts, serves, and ends when told to.
fn serve(settings: Settings) -> Result<(), Refusal> {
    logging::start(settings.verbosity);
    let signals = signals::take_over()?;
    limits::raise(&settings)?;
    if let Some(user) = privileges::user(&settings)? {
        privileges::give_up(&user, &settings)?;
    }
    announce::oddities(&settings);
    let certs = Certs::load(&settings).map_err(Refusal::explained)?;
    let certs = certs.map(Arc::new);
    let users = Users::load(&settings).map_err(Refusal::explained)?;
    let users = users.map(Arc::new);
    let server = bind(&settings, users.as_ref().map(|users| users.gate()))?;
    let mut pidfile = PidFile::prepare(&settings)?;
    port_file::write(&server.local_addrs());
    announce::serving(&settings, &server);
    if settings.background {
        background::enter(&settings)?;
    }
    if settings.lock_memory {
        limits::lock_memory(&settings);
    }
    log_queue::start()?;
    let reloads = Reloads::start(Files {
        certs: certs.clone(),
        users: users.clone(),
    })?;
    signals::watch(signals, server.stopper(), reloads.clone())?;
    if let Some(file) = &mut pidfile {
        file.write();
    }
    let remove_at_end = pidfile.filter(|_| settings.background);
    let daemon = Larderd::new(settings, certs, users, reloads);
    let stopped = server.run(Arc::new(daemon));
    if let Some(file) = remove_at_end {
        file.remove();
    }
    let stop = stopped.map_err(|error| Refusal::system(format!("cannot serve: {error}")))?;
    announce::stopped(stop);
    log::logger().flush();
    Ok(())
}

/// Binds the sockets.
fn bind(settings: &Settings, gate: Option<Arc<Gate>>) -> Result<Server, Refusal> {
    let endpoints = listen::endpoints(settings)?;
    Server::bind(settings.to_config(endpoints, gate))
        .map_err(|error| Refusal::system(format!("cannot start: {error}")).explained())
}
