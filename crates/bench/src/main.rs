//! `larder-bench`: loads, measures and compares servers that speak memcached's protocol.
//!
//! `load` is the load generator, `floor` a server that only finds where requests end; the other subcommands start the
//! servers they measure themselves. What is stored and asked comes from `workload`, what must come back is checked in
//! `replies`, and everything that sends in bulk goes through the one loop of `load`.

mod compare;
mod cores;
mod endpoint;
mod fill;
mod floor;
mod instructions;
mod load;
mod machine;
mod numbers;
mod replay;
mod replies;
mod server;
mod table;
mod tls;
mod workload;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Loads, measures and compares servers that speak memcached's protocol.
#[derive(Parser)]
#[command(version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Send requests to a running server, check every reply and report latencies
    Load(load::command::LoadArgs),
    /// Serve fixed replies: what the kernel and a lean loop cost without a cache
    Floor(floor::FloorArgs),
    /// Start servers side by side and compare their CPU time, rate and latencies
    Compare(compare::CompareArgs),
    /// Measure how many bytes of memory an item takes
    Fill(fill::FillArgs),
    /// Replay access traces and report the miss ratio against the memory taken
    Replay(replay::ReplayArgs),
    /// Count instructions and system calls of a server per request, under valgrind and strace
    Instructions(instructions::InstructionsArgs),
}

fn main() -> ExitCode {
    let result = server::end_servers_with_us().and_then(|()| match Cli::parse().command {
        Command::Load(args) => load::command::run(&args),
        Command::Floor(args) => floor::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Fill(args) => fill::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Instructions(args) => instructions::run(&args),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("larder-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
