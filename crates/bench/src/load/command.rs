//! `larder-bench load`: the load generator against a server that is already running.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::run::{Arrivals, Outcome, Plan, Run, Until};
use super::{Latency, Progress};
use crate::endpoint::Endpoint;
use crate::numbers::{counted, grouped, seconds, write_json};
use crate::replies::Check;
use crate::server::proc;
use crate::table::Table;
use crate::tls::TlsClient;
use crate::workload::{Asking, Data, KeyNames, Mix, Picks, Popularity, ValueSizes};

/// Options of `load`
#[derive(clap::Args, Debug)]
pub(crate) struct LoadArgs {
    /// HOST:PORT, or the path of a Unix socket
    #[arg(long, short, default_value = "127.0.0.1:11211")]
    server: Endpoint,
    /// Speak TLS 1.3; the server's certificate is good if this file (PEM) vouches for it
    #[arg(long, value_name = "FILE")]
    tls: Option<PathBuf>,
    /// Connections
    #[arg(long, short, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    conns: u32,
    /// Requests under way on a connection. A closed loop sends so many at once, waits for all their replies and sends
    /// the next; an open loop keeps at most so many unanswered
    #[arg(long, short, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    depth: u32,
    /// Threads of the load generator, each with its own loop and share of the connections
    #[arg(long, short, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,
    /// Open loop: so many requests a second, whatever the server does. Latency is counted from when a request was due,
    /// so that a stall is seen by all the requests that fall into it
    #[arg(long, value_parser = positive)]
    rate: Option<f64>,
    /// Open loop: how requests are spread over time
    #[arg(long, value_enum, default_value_t = Arrivals::Poisson, requires = "rate")]
    arrivals: Arrivals,
    /// How long to run, in seconds
    #[arg(long, default_value_t = 10.0, value_parser = positive, conflicts_with = "requests")]
    seconds: f64,
    /// Run for so many requests instead of for a time
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// Different keys
    #[arg(long, short, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// Bytes of a key
    #[arg(long, default_value_t = 16)]
    key_length: usize,
    /// How popular the keys are: uniform, or zipf:THETA
    #[arg(long, default_value = "uniform")]
    popularity: Popularity,
    /// Bytes of a value: fixed:N, uniform:MIN-MAX or lognormal:MEDIAN,SIGMA[,MIN,MAX]. An item's length follows from
    /// its key
    #[arg(long, short, default_value = "fixed:64")]
    values: ValueSizes,
    /// Sets to gets, as 1:10
    #[arg(long, default_value = "0:1")]
    mix: Mix,
    /// Keys in one get
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    keys_per_get: u32,
    /// Do not set all items before the run; they are there already
    #[arg(long)]
    no_fill: bool,
    /// Misses are counted but are no failure: for a server too small for the items
    #[arg(long)]
    allow_misses: bool,
    /// Look only at the shape and length of replies, not at keys and values: for the floor
    #[arg(long)]
    shape_only: bool,
    /// Print a line each second even if stderr is no terminal
    #[arg(long)]
    progress: bool,
    /// Seed of the choice of keys; the same seed asks the same
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep the load generator's threads on this core
    #[arg(long)]
    core: Option<usize>,
    /// The server's pid, to report its CPU time per request
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Write the figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn positive(text: &str) -> Result<f64> {
    let number: f64 = text
        .parse()
        .with_context(|| format!("{text:?} is not a number"))?;
    if !(number > 0.0 && number.is_finite()) {
        bail!("it must be above 0");
    }
    Ok(number)
}

/// Fills, runs, reports; an error when a reply was wrong or missing.
pub(crate) fn run(args: &LoadArgs) -> Result<()> {
    let data = Data {
        keys: KeyNames::padded(args.key_length, args.keys)?,
        sizes: args.values.clone(),
    };
    let plan = plan(args)?;
    println!("{}", description(args));
    if !args.no_fill {
        let outcome = fill(args, &plan, &data)?;
        println!(
            "Set {} items in {}.",
            grouped(args.keys),
            seconds(outcome.elapsed)
        );
    }
    let before = args.server_pid.map(proc::cpu_time).transpose()?;
    let outcome = Run {
        plan: &plan,
        data: &data,
        picks: Picks::Random {
            keys: args.keys,
            popularity: args.popularity,
        },
        mix: args.mix,
        asking: Asking::Get(args.keys_per_get as usize),
        until: args.requests.map_or(
            Until::Elapsed(Duration::from_secs_f64(args.seconds)),
            Until::Requests,
        ),
        seed: args.seed,
        progress: Progress::lines_if(args.progress),
    }
    .execute()?;
    let after = args.server_pid.map(proc::cpu_time).transpose()?;
    let cpu = before.zip(after).map(|(before, after)| after - before);
    let figures = Figures::of(&outcome, cpu);
    print!("{}", figures.table());
    println!("{}", figures.sentence());
    if let Some(path) = &args.json {
        write_json(path, &figures)?;
    }
    let tolerate = if args.allow_misses {
        Tolerate::Misses
    } else {
        Tolerate::Nothing
    };
    judge(&outcome, tolerate)
}

fn plan(args: &LoadArgs) -> Result<Plan> {
    let client = args.tls.as_deref().map(TlsClient::trusting).transpose()?;
    let endpoint = match client {
        Some(client) => args.server.clone().over_tls(client),
        None => args.server.clone(),
    };
    Ok(Plan {
        threads: args.threads as usize,
        rate: args.rate.map(|rate| (rate, args.arrivals)),
        check: if args.shape_only {
            Check::Shape
        } else {
            Check::Full
        },
        core: args.core,
        ..Plan::closed(endpoint, args.conns as usize, args.depth as usize)
    })
}

fn fill(args: &LoadArgs, plan: &Plan, data: &Data) -> Result<Outcome> {
    let plan = Plan {
        rate: None,
        depth: plan.depth.max(16),
        ..plan.clone()
    };
    let outcome = Run::filling(&plan, data, args.keys)
        .execute()
        .context("the items could not be set")?;
    judge(&outcome, Tolerate::Misses).context("the items could not be set")?;
    Ok(outcome)
}

/// What may be missing from a run without making it a failure.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) enum Tolerate {
    /// All that was set must be there.
    Nothing,
    /// The server may have evicted.
    Misses,
    /// The server may have evicted, and may refuse to store, as for want of memory.
    MissesAndRefusals,
}

/// A run in which something was wrong is a failure, whatever its speed.
pub(crate) fn judge(outcome: &Outcome, tolerate: Tolerate) -> Result<()> {
    let tally = &outcome.tally;
    if let Some(first) = &tally.first_fault {
        bail!(
            "{} replies were wrong; the first: {first}",
            grouped(tally.faults)
        );
    }
    if let Some(first) = &tally.first_refusal
        && tolerate < Tolerate::MissesAndRefusals
    {
        bail!(
            "{} requests were refused; the first: {first}",
            grouped(tally.refused)
        );
    }
    if tally.misses > 0 && tolerate < Tolerate::Misses {
        bail!(
            "{} of {} keys were missing although all had been set; is the server too small for them?",
            grouped(tally.misses),
            grouped(tally.misses + tally.hits)
        );
    }
    Ok(())
}

fn description(args: &LoadArgs) -> String {
    let pace = match args.rate {
        Some(rate) => format!(
            "{} requests/s wanted, at most {} deep",
            grouped(rate as u64),
            args.depth
        ),
        None => format!("{} deep", args.depth),
    };
    let batch = if args.keys_per_get > 1 {
        format!(" of {} keys", args.keys_per_get)
    } else {
        String::new()
    };
    format!(
        "Load on {}: {}, {pace}, {}; {}{batch} on {} keys of {} bytes ({}), values {}.",
        args.server,
        counted(args.conns.into(), "connection"),
        counted(args.threads.into(), "thread"),
        args.mix,
        grouped(args.keys),
        args.key_length,
        args.popularity,
        args.values,
    )
}

/// What a run measured, as it goes into JSON.
#[derive(Serialize)]
struct Figures {
    seconds: f64,
    requests_per_second: f64,
    server_cpu_us_per_request: Option<f64>,
    hits: u64,
    misses: u64,
    wrong_replies: u64,
    refused: u64,
    unsent: u64,
    rows: Vec<Row>,
}

/// Latencies in µs of one kind of request.
#[derive(Serialize)]
struct Row {
    verb: &'static str,
    requests: u64,
    mean_us: f64,
    p50_us: f64,
    p90_us: f64,
    p99_us: f64,
    p999_us: f64,
    max_us: f64,
}

impl Row {
    fn of(verb: &'static str, latency: &Latency) -> Self {
        Self {
            verb,
            requests: latency.count(),
            mean_us: latency.mean_us(),
            p50_us: latency.quantile_us(0.5),
            p90_us: latency.quantile_us(0.9),
            p99_us: latency.quantile_us(0.99),
            p999_us: latency.quantile_us(0.999),
            max_us: latency.max_us(),
        }
    }
}

impl Figures {
    fn of(outcome: &Outcome, cpu: Option<Duration>) -> Self {
        let tally = &outcome.tally;
        let mut rows = Vec::new();
        for (verb, latency) in [("get", &tally.gets), ("set", &tally.sets)] {
            if latency.count() > 0 {
                rows.push(Row::of(verb, latency));
            }
        }
        if rows.len() > 1 {
            rows.push(Row::of("all", &tally.all()));
        }
        Self {
            seconds: outcome.elapsed.as_secs_f64(),
            requests_per_second: outcome.rate(),
            server_cpu_us_per_request: cpu
                .map(|cpu| cpu.as_secs_f64() * 1e6 / tally.requests().max(1) as f64),
            hits: tally.hits,
            misses: tally.misses,
            wrong_replies: tally.faults,
            refused: tally.refused,
            unsent: tally.unsent,
            rows,
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new([
            "latency, µs",
            "requests",
            "mean",
            "p50",
            "p90",
            "p99",
            "p99.9",
            "max",
        ]);
        for row in &self.rows {
            let times = [
                row.mean_us,
                row.p50_us,
                row.p90_us,
                row.p99_us,
                row.p999_us,
                row.max_us,
            ];
            let mut cells = vec![row.verb.to_owned(), grouped(row.requests)];
            cells.extend(times.map(|us| format!("{us:.1}")));
            table.row(cells);
        }
        table
    }

    fn sentence(&self) -> String {
        let mut text = format!(
            "{} requests/s over {:.1} s; {} hits, {} misses, {} refused, {} wrong replies.",
            grouped(self.requests_per_second as u64),
            self.seconds,
            grouped(self.hits),
            grouped(self.misses),
            grouped(self.refused),
            grouped(self.wrong_replies)
        );
        if let Some(cpu) = self.server_cpu_us_per_request {
            text += &format!(" The server took {cpu:.2} µs of CPU per request.");
        }
        if self.unsent > 0 {
            text += &format!(
                " {} requests were due and could not be sent: the server did not keep up, and the latencies are too low.",
                grouped(self.unsent)
            );
        }
        text
    }
}
