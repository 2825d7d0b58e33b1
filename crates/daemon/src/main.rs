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
mod places;
mod port_file;
mod privileges;
mod refusal;
mod reload;
mod secret;
mod settings;
mod signals;
mod stats;
mod systemd;
mod tls;
mod units;
mod users;

use std::env;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use larder_runtime::{Config, Server};

use crate::cli::Request;
use crate::daemon::Larderd;
use crate::limits::REFUSALS_MAX;
use crate::options::secure;
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
            for refusal in refusals.0.iter().take(REFUSALS_MAX) {
                log_queue::line(&format!("larderd: {refusal}\n"));
            }
            if let Some(more @ 1..) = refusals.0.len().checked_sub(REFUSALS_MAX) {
                log_queue::line(&format!("larderd: and {more} mistakes more\n"));
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
        Request::Check(settings, refusals) => check(&settings, refusals)?,
        Request::Serve(settings) => serve(*settings)?,
    }
    Ok(())
}

/// Prints to the standard output, whose reader may have seen enough.
fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Judges what only the system knows, after `refusals` of the options themselves: names to listen on, the user to go on as,
/// the files that he must be able to read, the control group's memory.
fn check(settings: &Settings, mut refusals: Vec<Refusal>) -> Result<(), Refusals> {
    logging::start(settings.verbosity);
    if let Err(bad) = listen::endpoints(settings) {
        refusals.extend(bad.0);
    }
    let (certs, users) = (load_certs(settings), load_users(settings));
    let files = Files {
        certs: certs.as_ref().ok().cloned().flatten(),
        users: users.as_ref().ok().cloned().flatten(),
    };
    refusals.extend(go_on_as_user(settings, &files).err());
    // Without the name of a file there is nothing to read, and that has been told.
    if secure::judge_tls(settings).is_empty() {
        refusals.extend(certs.err());
    }
    refusals.extend(users.err());
    refusals.extend(PidFile::check(settings));
    announce::oddities(settings);
    Refusals::any(refusals)?;
    print("larderd: the configuration is good\n");
    Ok(())
}

/// Gives root up, if it is there.
fn go_on_as_user(settings: &Settings, files: &Files) -> Result<(), Refusal> {
    let to = privileges::user(settings).map_err(|why| settings.places.put(why, &["user"]))?;
    if let Some(user) = to {
        privileges::give_up(&user, settings)?;
        files.warn_of_unreadable(&user.name);
    }
    Ok(())
}

fn load_certs(settings: &Settings) -> Result<Option<Arc<Certs>>, Refusal> {
    let certs = Certs::load(settings)?;
    Ok(certs.map(Arc::new))
}

fn load_users(settings: &Settings) -> Result<Option<Arc<Users>>, Refusal> {
    let users =
        Users::load(settings).map_err(|refusal| settings.places.put(refusal, &["auth-file"]))?;
    Ok(users.map(Arc::new))
}

/// Starts, serves, and ends when told to.
fn serve(mut settings: Settings) -> Result<(), Refusals> {
    logging::start(settings.verbosity);
    let passed = systemd::sockets()?;
    systemd::adapt(&mut settings, &passed)?;
    let signals = signals::take_over()?;
    limits::raise(&settings)?;
    let passed = match passed.is_empty() {
        true => None,
        false => Some(listen::passed(&settings, passed)?),
    };
    // Keys and passwords may be root's alone, so they are read before root is given up.
    let files = Files {
        certs: load_certs(&settings)?,
        users: load_users(&settings)?,
    };
    go_on_as_user(&settings, &files)?;
    announce::oddities(&settings);
    let endpoints = match passed {
        Some(endpoints) => endpoints,
        None => listen::endpoints(&settings)?,
    };
    let gate = files.users.as_ref().map(|users| users.gate());
    let server = bind(settings.to_config(endpoints, gate))?;
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
    let reloads = Reloads::start(files.clone())?;
    signals::watch(signals, server.stopper(), reloads.clone())?;
    if let Some(file) = &mut pidfile {
        file.write();
    }
    let remove_at_end = pidfile.filter(|_| settings.background);
    systemd::ready(&server.listening_on());
    let daemon = Larderd::new(settings, files, reloads);
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
fn bind(config: Config) -> Result<Server, Refusals> {
    let denied = |error| Refusal::system(format!("cannot start: {error}")).explained();
    let server = Server::bind(config);
    server.map_err(|error| denied(error).into())
}
