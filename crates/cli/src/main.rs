//! `larder`: a pool of memcached nodes at a shell.
//!
//! What it prints on stdout is for pipes and stays as it is; everything said to a person goes to stderr. It exits with 0
//! when what was asked for was done, with 1 when it was not, and with 2 when the command line cannot be read.

mod access;
mod args;
mod bench;
mod dump;
mod generate;
mod items;
mod nodes;
mod pool;
mod ring;
mod time;
mod top;

use std::io;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use args::{Args, Command};

fn main() -> ExitCode {
    let done = run(&Args::parse().command);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has had enough of it.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("larder: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match command {
            Command::Get(args) => items::get(args).await,
            Command::Set(args) => items::set(args).await,
            Command::Delete(args) => items::delete(args).await,
            Command::Incr(args) => items::count(args, false).await,
            Command::Decr(args) => items::count(args, true).await,
            Command::Touch(args) => items::touch(args).await,
            Command::Stats(args) => nodes::stats(args).await,
            Command::Ping(args) => nodes::ping(args).await,
            Command::Ring(args) => ring::run(args).await,
            Command::Top(args) => top::run(args).await,
            Command::Dump(args) => dump::run(args).await,
            Command::Flush(args) => nodes::flush(args).await,
            Command::Bench(args) => bench::run(args),
            Command::Completions { shell } => generate::completions(*shell),
            Command::Man { folder } => generate::man(folder),
        }
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
}
