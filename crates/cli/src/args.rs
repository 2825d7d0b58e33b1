//! The command line's words.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use crate::bench::BenchArgs;
use crate::dump::DumpArgs;
use crate::items::{CountArgs, KeyArgs, SetArgs, TouchArgs};
use crate::nodes::{FlushArgs, PingArgs, StatsArgs};
use crate::ring::RingArgs;
use crate::top::TopArgs;

/// What the process ends with.
const EXIT: &str = "Exits with 0 when what was asked for was done, with 1 when it was not, and with 2 when the command line \
                    cannot be read.";

/// A pool of memcached nodes at a shell.
#[derive(Parser)]
#[command(name = "larder", version, propagate_version = true, after_help = EXIT)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be asked for.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Prints the value of a key, as it is.
    Get(KeyArgs),
    /// Stores a value.
    Set(SetArgs),
    /// Deletes an item.
    Delete(KeyArgs),
    /// Adds to a number, and prints what comes of it.
    Incr(CountArgs),
    /// Takes from a number, which stops at 0, and prints what comes of it.
    Decr(CountArgs),
    /// Gives an item another time to live.
    Touch(TouchArgs),
    /// Prints statistics, a column for each node.
    Stats(StatsArgs),
    /// Asks every node for its version; fails unless all answer.
    Ping(PingArgs),
    /// Says on which node keys live, without asking any.
    ///
    /// Reads keys from stdin, a key a line, and prints for each the index and the name of its node. A key is every byte
    /// up to the newline.
    #[command(after_long_help = crate::pool::distributions())]
    Ring(RingArgs),
    /// Shows what every node is doing, until q is pressed.
    Top(TopArgs),
    /// Prints what is on every node, an item a line, without the values.
    Dump(DumpArgs),
    /// Throws away every item on every node.
    Flush(FlushArgs),
    /// Runs larder-bench.
    #[command(disable_help_flag = true)]
    Bench(BenchArgs),
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
