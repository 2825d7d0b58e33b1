//! What the black-box tests share: a server of our own or memcached's on a free port, a raw client with time
//! limits, and a look at a process from outside.
//!
//! Never does: fixed ports, sleeps to wait for expiry, ending a process that it did not start.

// Each test binary uses its own share of this module.
#![allow(dead_code, unused_imports)]

mod conn;
mod frame;
mod process;
mod program;
mod rounds;
mod secrets;
mod server;
pub(crate) mod telnet;
mod values;

pub(crate) use conn::{Conn, Ended, show};
pub(crate) use frame::{Frame, HEADER_LEN, Reply, frame};
pub(crate) use process::{Tool, is_root, one_at_a_time, rss, wait_until};
pub(crate) use program::Program;
pub(crate) use rounds::{ANN, VENV_PYTHON, auth_round};
pub(crate) use secrets::Secrets;
pub(crate) use server::Server;
pub(crate) use values::{Pattern, Rng, value};

/// A mebibyte.
pub(crate) const MIB: u64 = 1024 * 1024;
