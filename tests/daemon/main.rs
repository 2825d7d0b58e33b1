//! The daemon from outside: its exit codes and texts, its configuration file, how it starts and stops, and what
//! `stats settings` says of it.

#[path = "../support/mod.rs"]
mod support;

mod daemon;
mod logging;
mod protocols;
mod refusals;
mod starting;
mod stopping;
mod systemd;
mod units;
mod watch;
