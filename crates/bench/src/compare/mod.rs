//! `larder-bench compare`: servers side by side, in the same minutes on the same machine.
//!
//! Rounds are interleaved: each round starts every server once and runs all mixes on it, so that what the machine does
//! meanwhile falls on all of them alike; figures are medians over the rounds. What counts is the CPU time the server
//! process takes for a request, set against the floor's.

mod chart;
mod figures;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use self::figures::{Comparison, Sample};
use crate::cores;
use crate::load::{Arrivals, Plan, Progress, Run, Tolerate, Until, judge, note, positive};
use crate::machine::Machine;
use crate::numbers::{counted, grouped, write_json};
use crate::server::{Launch, Listening, Ours, Server, Spec};
use crate::workload::{Asking, Data, KeyNames, Mix, Picks, Popularity, ValueSizes};

/// Options of `compare`
#[derive(clap::Args, Debug)]
#[command(after_help = "One worker on one core, the load on the other:\n\n  \
larder-bench compare --peer 'memcached=memcached -u nobody -p {port} -l 127.0.0.1 -m {memory} -t {threads}'\n\n\
Four workers that share the machine's cores with the load:\n\n  \
larder-bench compare --threads 4 --no-pin --rounds 9 --peer ...\n\n\
Over TLS:\n\n  \
larder-bench compare --tls --peer 'memcached=memcached -Z -o ssl_chain_cert={cert},ssl_key={key} -u nobody -p {port} ...'")]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    servers: Ours,
    /// Speak TLS 1.3 to larderd, and to peers whose commands have {cert} and {key}; the floor has none and is left out
    #[arg(long)]
    tls: bool,
    /// Leave the floor out
    #[arg(long)]
    no_floor: bool,
    /// Rounds; take 9 when the highest latencies matter
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds for each mix in each round
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Threads of the servers
    #[arg(long, short, default_value_t = 1)]
    threads: usize,
    /// Let servers and load run on all cores; otherwise servers are kept on core 0 and the load on core 1
    #[arg(long)]
    no_pin: bool,
    /// Connections
    #[arg(long, short, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    conns: u32,
    /// Requests sent at once in the deep mixes
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(2..))]
    depth: u32,
    /// Open loop: so many requests a second to each server in turn, whatever it does, so that latencies can be compared;
    /// without it each gets all that the load can send, and a faster server a higher rate
    #[arg(long, value_parser = positive)]
    rate: Option<f64>,
    /// Different keys
    #[arg(long, short, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// Bytes of a key
    #[arg(long, default_value_t = 16)]
    key_length: usize,
    /// Bytes of a value
    #[arg(long, short, default_value_t = 64)]
    value_length: usize,
    /// -m of the servers, in MB; all items must fit, since a miss is a failure
    #[arg(long, short, default_value_t = 1024)]
    memory: u64,
    /// Write all figures of all rounds to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw CPU time per request into this file as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// One way of asking.
struct Way {
    name: String,
    mix: Mix,
    depth: usize,
    asking: Asking,
}

/// A comparison as it goes into JSON.
#[derive(Serialize)]
struct Record<'a> {
    machine: Machine,
    settings: String,
    results: &'a Comparison,
}

/// Measures, prints the tables, writes the files.
pub(crate) fn run(args: &CompareArgs) -> Result<()> {
    ensure!(
        args.no_pin || cores::available() >= 2,
        "server and load need a core each; with --no-pin they share what there is"
    );
    let floor = if args.no_floor || args.tls {
        None
    } else {
        Some(Spec::floor(args.key_length, args.value_length)?)
    };
    let listening = if args.tls {
        Listening::Tls
    } else {
        Listening::Tcp
    };
    let specs = args.servers.all(listening, floor)?;
    let ways = ways(args.depth as usize);
    let mut comparison = Comparison::new(
        specs.iter().map(|spec| &*spec.name),
        ways.iter().map(|way| &*way.name),
    );
    for round in 1..=args.rounds {
        for (server, spec) in specs.iter().enumerate() {
            note(format_args!(
                "round {round} of {}: {}",
                args.rounds, spec.name
            ));
            for (way, sample) in measure(args, spec, &ways)?.into_iter().enumerate() {
                comparison.add(server, way, sample);
            }
        }
    }
    println!("{}\nOn {}.", description(args), Machine::this());
    for table in report::tables(&comparison) {
        println!("\n{table}");
    }
    if let Some(path) = &args.json {
        write_json(
            path,
            &Record {
                machine: Machine::this(),
                settings: description(args),
                results: &comparison,
            },
        )?;
    }
    args.svg.as_ref().map_or(Ok(()), |path| {
        chart::draw(path, &comparison, &subtitle(args))
    })
}

fn ways(depth: usize) -> Vec<Way> {
    let way = |name: &str, mix, depth| Way {
        name: name.to_owned(),
        mix,
        depth,
        asking: Asking::Get(1),
    };
    vec![
        way("get, one at a time", Mix::GETS, 1),
        way("1 set in 10 gets", Mix::ONE_SET_IN_TEN_GETS, 1),
        way(&format!("get, {depth} deep"), Mix::GETS, depth),
        way(&format!("set, {depth} deep"), Mix::SETS, depth),
        Way {
            asking: Asking::Get(100),
            ..way("key of 100 in a get", Mix::GETS, 1)
        },
    ]
}

fn subtitle(args: &CompareArgs) -> String {
    let workers = counted(args.threads as u64, "worker thread");
    format!(
        "{}-byte values, {}, {workers}",
        args.value_length,
        counted(args.conns.into(), "connection")
    )
}

fn description(args: &CompareArgs) -> String {
    let place = if args.no_pin {
        "all cores shared"
    } else {
        "server on core 0, load on core 1"
    };
    let tls = if args.tls { ", TLS 1.3" } else { "" };
    let rounds = counted(args.rounds.into(), "round");
    let rate = match args.rate {
        Some(rate) => format!("; {} requests/s", grouped(rate as u64)),
        None => String::new(),
    };
    format!(
        "{}, {}{tls}{rate}; {place}; medians of {rounds}.",
        subtitle(args),
        counted(args.keys, "key")
    )
}

/// One server's part of a round: all mixes on a fresh process.
fn measure(args: &CompareArgs, spec: &Spec, ways: &[Way]) -> Result<Vec<Sample>> {
    let launch = Launch {
        core: (!args.no_pin).then_some(0),
        ..Launch::plain(args.memory, args.threads)
    };
    let mut server = Server::start(spec, &launch)?;
    match measure_all(args, spec, ways, &server) {
        Ok(samples) => server.stop().map(|_| samples),
        Err(error) => Err(server.explain(error)),
    }
}

fn measure_all(
    args: &CompareArgs,
    spec: &Spec,
    ways: &[Way],
    server: &Server,
) -> Result<Vec<Sample>> {
    let data = Data {
        keys: KeyNames::padded(args.key_length, args.keys)?,
        sizes: ValueSizes::Fixed(args.value_length),
    };
    let plan = Plan {
        check: spec.check,
        core: (!args.no_pin).then_some(1),
        ..Plan::closed(server.endpoint().clone(), args.conns as usize, 16)
    };
    judge(
        &Run::filling(&plan, &data, args.keys).execute()?,
        Tolerate::Misses,
    )?;
    ways.iter()
        .map(|way| {
            let plan = Plan {
                depth: way.depth,
                rate: args.rate.map(|rate| (rate, Arrivals::Poisson)),
                ..plan.clone()
            };
            measure_one(args, way, &plan, &data, server).with_context(|| way.name.clone())
        })
        .collect()
}

fn measure_one(
    args: &CompareArgs,
    way: &Way,
    plan: &Plan,
    data: &Data,
    server: &Server,
) -> Result<Sample> {
    let run = Run {
        plan,
        data,
        picks: Picks::Random {
            keys: args.keys,
            popularity: Popularity::Uniform,
        },
        mix: way.mix,
        asking: way.asking,
        until: Until::Elapsed(Duration::from_secs_f64(args.seconds)),
        seed: 1,
        progress: Progress::Quiet,
    };
    // A moment that is not counted: new connections, cold caches.
    let warming = Run {
        until: Until::Elapsed(Duration::from_millis(200)),
        ..run.clone()
    };
    judge(&warming.execute()?, Tolerate::Nothing)?;
    let before = server.cpu_time()?;
    let outcome = run.execute()?;
    let cpu = server.cpu_time()? - before;
    judge(&outcome, Tolerate::Nothing)?;
    let all = outcome.tally.all();
    let shares = all.count() * way.asking.keys() as u64;
    Ok(Sample {
        cpu_us: cpu.as_secs_f64() * 1e6 / shares as f64,
        requests_per_second: outcome.rate(),
        p50_us: all.quantile_us(0.5),
        p99_us: all.quantile_us(0.99),
        p999_us: all.quantile_us(0.999),
    })
}
