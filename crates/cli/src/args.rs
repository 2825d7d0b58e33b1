//! The command line's words.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use crate::ring::RingArgs;

/// A pool of memcached nodes at a shell.
#[derive(Parser)]
#[command(name = "larder", version, propagate_version = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be asked for.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Says on which node keys live, without asking any.
    ///
    /// Reads keys from stdin, a key a line, and prints for each the index and the name of its node. A key is every byte
    /// up to the newline.
    #[command(after_long_help = crate::pool::distributions())]
    Ring(RingArgs),
    /// Prints the completions of a shell.
    Completions {
        /// Which shell's.
        shell: Shell,
    },
    /// Writes the man pages.
    Man {
        /// Where to; made if it is not there.
        folder: PathBuf,
    },
}
