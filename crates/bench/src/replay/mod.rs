//! `larder-bench replay`: what share of the accesses of a real trace misses, against the memory the server takes.
//!
//! Each id is got in its order, and set after a miss, as an application with a database behind it does. Servers are
//! compared at equal resident memory and not at equal `-m`, of which each has its own idea.

mod matching;
mod session;
mod trace;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use self::session::Session;
use self::trace::{Ids, Trace};
use crate::load::note;
use crate::numbers::{grouped, write_json};
use crate::server::{Launch, Listening, Ours, Server, Spec};
use crate::table::Table;
use crate::workload::{Data, KeyNames, ValueSizes};

/// Options of `replay`
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Round trips are what a replay spends its time on, so ids are asked for in windows: the gets of \
a window go out together, and the sets for its misses go out before the gets of the next. A window ends before an id \
that is in it already, so every get sees what was set for the same id before it. What differs from one access at a \
time is only that an item may be evicted a few accesses later than it would have been; --window 1 does without it.\n\n\
A peer whose command has {socket} is reached by a Unix socket, which is faster:\n\n  \
larder-bench replay orm-busy.trace.xz --match-rss --peer 'memcached=memcached -u nobody -s {socket} -m {memory} -t {threads}'"
)]
pub(crate) struct ReplayArgs {
    /// Traces: big-endian ids, one per access, compressed with xz
    #[arg(required = true)]
    traces: Vec<PathBuf>,
    #[command(flatten)]
    servers: Ours,
    /// Width of the ids [default: known for orm-busy (u32) and scarab-recs (u64)]
    #[arg(long, value_enum)]
    ids: Option<Ids>,
    /// -m of the servers, in MB [default: 8, 24, 32 for orm-busy, 8, 32, 64 for others]
    #[arg(long, short, value_delimiter = ',')]
    memory: Option<Vec<u64>>,
    /// Threads of the servers
    #[arg(long, short, default_value_t = 1)]
    threads: usize,
    /// For each point, run the first peer with -m, and then larderd with the largest -m that leaves it with no more
    /// resident memory than the peer has at the end
    #[arg(long)]
    match_rss: bool,
    /// Most ids asked for at once
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    window: u32,
    /// Replay only so many accesses
    #[arg(long)]
    accesses: Option<usize>,
    /// Write the figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What one run of one server showed.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    trace: String,
    server: String,
    memory_mb: u64,
    resident_bytes: u64,
    accesses: u64,
    misses: u64,
    /// Sets that the server refused, as for want of memory.
    refused: u64,
    miss_ratio: f64,
}

/// Replays all traces on all servers at all sizes and prints a table.
pub(crate) fn run(args: &ReplayArgs) -> Result<()> {
    let ours = args.servers.larderd(Listening::Unix)?;
    let peers = args.servers.peers();
    let mut all = Vec::new();
    for path in &args.traces {
        let trace = Trace::read(path, args.ids, args.accesses)?;
        for memory_mb in args
            .memory
            .clone()
            .unwrap_or_else(|| trace.usual_memory_mb())
        {
            if args.match_rss {
                let ours = ours.as_ref().context("--match-rss needs larderd")?;
                let peer = peers
                    .first()
                    .context("--match-rss needs a --peer to be matched")?;
                all.extend(matching::at_equal_memory(
                    args, &trace, ours, peer, memory_mb,
                )?);
            } else {
                for spec in ours.iter().chain(&peers) {
                    all.push(replayed(args, &trace, spec, memory_mb)?);
                }
            }
        }
    }
    ensure!(
        !all.is_empty(),
        "there is nothing to measure: --no-larderd needs at least one --peer"
    );
    print!("{}", table(&all));
    args.json
        .as_ref()
        .map_or(Ok(()), |path| write_json(path, &all))
}

/// One run of a whole trace on a fresh server.
fn replayed(args: &ReplayArgs, trace: &Trace, spec: &Spec, memory_mb: u64) -> Result<Figures> {
    note(format_args!(
        "{}: {} at -m {memory_mb}",
        spec.name, trace.name
    ));
    let mut server = Server::start(spec, &Launch::plain(memory_mb, args.threads))?;
    let data = Data {
        keys: KeyNames::Trace,
        sizes: ValueSizes::of_traces(),
    };
    let counted =
        Session::open(server.endpoint(), &data, args.window as usize).and_then(|mut session| {
            session.replay(&trace.ids)?;
            session.counts()
        });
    let counts = counted.map_err(|error| server.explain(error))?;
    let resident_bytes = server.resident_bytes()?;
    server.stop()?;
    let accesses = trace.ids.len() as u64;
    Ok(Figures {
        trace: trace.name.clone(),
        server: spec.name.clone(),
        memory_mb,
        resident_bytes,
        accesses,
        misses: counts.misses,
        refused: counts.refused,
        miss_ratio: counts.misses as f64 / accesses as f64,
    })
}

fn table(all: &[Figures]) -> Table {
    let mut table = Table::new([
        "trace",
        "server",
        "-m",
        "resident MiB",
        "accesses",
        "misses",
        "miss ratio",
        "refused sets",
    ]);
    for figures in all {
        table.row([
            figures.trace.clone(),
            figures.server.clone(),
            figures.memory_mb.to_string(),
            format!("{:.1}", figures.resident_bytes as f64 / f64::from(1 << 20)),
            grouped(figures.accesses),
            grouped(figures.misses),
            format!("{:.3} %", figures.miss_ratio * 100.0),
            grouped(figures.refused),
        ]);
    }
    table
}
