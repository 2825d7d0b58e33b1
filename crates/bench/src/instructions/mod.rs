//! `larder-bench instructions`: what a request costs the server in instructions and system calls.
//!
//! Times are noisy on shared machines; these counts are the same on a busy machine as on an idle one. Each figure is
//! the cost of a run with 3N requests less that of a run with N, over 2N: what starting, filling and ending cost
//! appears in both and cancels out. What is left of chance is the seed of a server's hash, new in each process: of each
//! figure the median of five is told.

mod callgrind;
mod rights;
mod strace;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde::Serialize;

use self::strace::Calls;
use crate::load::{Plan, Progress, Run, Tolerate, Until, judge, note};
use crate::numbers::{grouped, median, write_json};
use crate::replies::Check;
use crate::server::{Launch, Listening, Ours, Server, Spec, Wrapper};
use crate::table::Table;
use crate::workload::{Asking, Data, KeyNames, Mix, Picks, Popularity, ValueSizes};

/// Options of `instructions`
#[derive(clap::Args, Clone, Debug)]
#[command(
    after_help = "Valgrind forbids raising the hard limit of open files, so servers are started with a limit of \
2000, and memcached has to be told to want no more:\n\n  \
larder-bench instructions --peer 'memcached=memcached -u nobody -p {port} -l 127.0.0.1 -m {memory} -t {threads} -c 1988'"
)]
pub(crate) struct InstructionsArgs {
    #[command(flatten)]
    servers: Ours,
    /// Count the floor's as well
    #[arg(long)]
    floor: bool,
    /// N: runs of so many requests (keys, where a get has many) and of three times as many are compared
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..))]
    requests: u64,
    /// Different keys
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// Bytes of a key
    #[arg(long, default_value_t = 16)]
    key_length: usize,
    /// Bytes of a value
    #[arg(long, default_value = "fixed:64")]
    values: ValueSizes,
    /// Threads of the server
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// -m of the server, in MB
    #[arg(long, default_value_t = 64)]
    memory: u64,
    /// Fail when larderd takes more instructions than this for a get alone, a get and a set 16 deep and a key in a get
    /// of 100, or more than one read, one write and one wait for a get alone; or when the same get by a meta command or
    /// a binary frame takes more than 1.1 times the classic one's
    #[arg(long, value_name = "A,B,C,D", num_args = 0..=1, require_equals = true, default_missing_value = "1200,650,850,400", value_delimiter = ',')]
    limit: Option<Vec<f64>>,
    /// Count gets 16 deep of clients with rights, too; fail when these take so many % more than without a users file
    #[arg(long, value_name = "PERCENT", num_args = 0..=1, require_equals = true, default_missing_value = "3")]
    rights: Option<f64>,
    /// Count instructions only
    #[arg(long)]
    no_syscalls: bool,
    /// Write the figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One way of asking, whose cost is counted.
struct Way {
    name: &'static str,
    mix: Mix,
    depth: usize,
    asking: Asking,
    limit: Limit,
}

/// What a way's cost is held to.
enum Limit {
    /// The next of the figures of `--limit`.
    Figure,
    /// [`LONE_GET_MOST`] times that of a classic get, counted in the same run.
    TimesGet,
    /// Nothing: it is shown beside the others.
    None,
}

const WAYS: [Way; 7] = [
    Way::figure("get alone", Mix::GETS, 1, 1),
    Way::figure("get 16 deep", Mix::GETS, 16, 1),
    Way::figure("set 16 deep", Mix::SETS, 16, 1),
    Way::figure("key of 100 in a get", Mix::GETS, 1, 100),
    Way::lone("mg v alone", Asking::Meta("v"), Limit::TimesGet),
    Way::lone("mg v f t alone", Asking::Meta("v f t"), Limit::None),
    Way::lone("getk alone", Asking::Getk, Limit::TimesGet),
];

impl Way {
    /// Whose figure is among those of `--limit`.
    const fn figure(name: &'static str, mix: Mix, depth: usize, keys: usize) -> Self {
        Self {
            name,
            mix,
            depth,
            asking: Asking::Get(keys),
            limit: Limit::Figure,
        }
    }

    /// A get of one key, alone on its connection, in another protocol.
    const fn lone(name: &'static str, asking: Asking, limit: Limit) -> Self {
        Self {
            name,
            mix: Mix::GETS,
            depth: 1,
            asking,
            limit,
        }
    }

    /// Whether a server can be asked so. The floor, of whose replies only the shape is looked at, knows classic lines.
    fn suits(&self, spec: &Spec) -> bool {
        spec.check == Check::Full || matches!(self.asking, Asking::Get(_))
    }
}

/// Countings of each figure. Single ones of a key in a get of 100 were 389 to 401 for one larderd.
const ROUNDS: usize = 5;

/// How many figures `--limit` has.
const FIGURES: usize = 4;

/// How much more than a classic get's a get in another protocol may take.
const LONE_GET_MOST: f64 = 1.1;

/// Calls of each kind that a turn may take, with room for a timer that fires now and then.
const CALLS_MAX: f64 = 1.02;

/// What one server takes.
#[derive(Serialize)]
struct Figures {
    server: String,
    /// In the order of `WAYS`; none where the server does not know such a request.
    instructions: Vec<Option<f64>>,
    /// Of a get alone.
    calls: Option<Calls>,
}

/// Counts for all servers, prints a table, and judges larderd's figures if asked to.
pub(crate) fn run(args: &InstructionsArgs) -> Result<()> {
    if args
        .limit
        .as_ref()
        .is_some_and(|limit| limit.len() != FIGURES)
    {
        bail!("--limit takes {FIGURES} figures");
    }
    let specs = specs(args)?;
    println!(
        "User-space instructions of the server per request ({} keys of {} bytes, values {}, one connection).",
        grouped(args.keys),
        args.key_length,
        args.values
    );
    let mut all = Vec::new();
    for spec in &specs {
        let mut instructions = Vec::new();
        for way in &WAYS {
            let counted = match way.suits(spec) {
                true => Some(instructions_of(args, spec, way)?),
                false => None,
            };
            instructions.push(counted);
        }
        let calls = if args.no_syscalls {
            None
        } else {
            Some(calls_of(args, spec)?)
        };
        all.push(Figures {
            server: spec.name.clone(),
            instructions,
            calls,
        });
    }
    print!("{}", table(&all));
    if let Some(path) = &args.json {
        write_json(path, &all)?;
    }
    match (
        &args.limit,
        all.iter().find(|figures| figures.server == "larderd"),
    ) {
        (Some(_), None) => bail!("there is nothing to hold to the limit: larderd was not measured"),
        (Some(limit), Some(ours)) => hold_to(limit, ours)?,
        (None, _) => {}
    }
    let Some(most) = args.rights else {
        return Ok(());
    };
    let larderd = specs.iter().find(|spec| spec.name == "larderd");
    rights::run(args, larderd.context("--rights counts larderd")?, most)
}

fn specs(args: &InstructionsArgs) -> Result<Vec<Spec>> {
    let mut floor = None;
    if args.floor {
        let value_length = args
            .values
            .fixed()
            .context("the floor needs values of a fixed length")?;
        floor = Some(Spec::floor(args.key_length, value_length)?);
    }
    args.servers.all(Listening::Tcp, floor)
}

/// The median of some rounds.
fn instructions_of(args: &InstructionsArgs, spec: &Spec, way: &Way) -> Result<f64> {
    note(format_args!("{}: {}", spec.name, way.name));
    let rounds: Result<Vec<f64>> = (0..ROUNDS).map(|_| one_round(args, spec, way)).collect();
    Ok(median(rounds?))
}

fn one_round(args: &InstructionsArgs, spec: &Spec, way: &Way) -> Result<f64> {
    let wrapper = callgrind::wrapper();
    let (few, many) =
        counted_twice(args, spec, way, &wrapper, callgrind::read).with_context(|| {
            format!(
                "the instructions of {} for a {} could not be counted",
                spec.name, way.name
            )
        })?;
    Ok((many as f64 - few as f64) / (2 * args.requests) as f64)
}

fn calls_of(args: &InstructionsArgs, spec: &Spec) -> Result<Calls> {
    note(format_args!("{}: system calls", spec.name));
    let wrapper = strace::wrapper();
    let (few, many) = counted_twice(args, spec, &WAYS[0], &wrapper, strace::read)
        .with_context(|| format!("the system calls of {} could not be counted", spec.name))?;
    Ok(Calls::per_request(&few, &many, 2 * args.requests))
}

/// What is counted for N requests and for 3N. Both run at the same time: it makes no difference to counts.
fn counted_twice<T: Send>(
    args: &InstructionsArgs,
    spec: &Spec,
    way: &Way,
    wrapper: &Wrapper,
    read: fn(&str) -> Result<T>,
) -> Result<(T, T)> {
    let counted = |times: u64| counted(args, spec, way, wrapper, times * args.requests, read);
    thread::scope(|scope| {
        let few = scope.spawn(|| counted(1));
        let many = counted(3)?;
        let few = few.join().map_err(|_| anyhow!("a thread panicked"))??;
        Ok((few, many))
    })
}

/// Starts a server in its wrapper, fills it, sends the requests, ends it and reads what the wrapper wrote.
fn counted<T>(
    args: &InstructionsArgs,
    spec: &Spec,
    way: &Way,
    wrapper: &Wrapper,
    keys: u64,
    read: fn(&str) -> Result<T>,
) -> Result<T> {
    let patience = Duration::from_secs(60);
    let launch = Launch {
        wrapper: Some(wrapper.clone()),
        files: Some(2000),
        patience,
        ..Launch::plain(args.memory, args.threads)
    };
    let mut server = Server::start(spec, &launch)?;
    if let Err(error) = ask(args, way, &server, spec.check, keys) {
        return Err(server.explain(error));
    }
    read(&server.stop()?)
}

fn ask(args: &InstructionsArgs, way: &Way, server: &Server, check: Check, keys: u64) -> Result<()> {
    let data = Data {
        keys: KeyNames::padded(args.key_length, args.keys)?,
        sizes: args.values.clone(),
    };
    let plan = Plan {
        check,
        patience: Duration::from_secs(60),
        ..Plan::closed(server.endpoint().clone(), 1, way.depth)
    };
    let filling = Plan {
        depth: 16,
        ..plan.clone()
    };
    judge(
        &Run::filling(&filling, &data, args.keys).execute()?,
        Tolerate::Misses,
    )?;
    let outcome = Run {
        plan: &plan,
        data: &data,
        picks: Picks::Random {
            keys: args.keys,
            popularity: Popularity::Uniform,
        },
        mix: way.mix,
        asking: way.asking,
        until: Until::Requests(keys / way.asking.keys() as u64),
        seed: 1,
        progress: Progress::Quiet,
    }
    .execute()?;
    judge(&outcome, Tolerate::Nothing)
}

fn table(all: &[Figures]) -> Table {
    let calls = ["reads", "writes", "waits", "other calls"];
    let mut table = Table::new(
        ["server"]
            .into_iter()
            .chain(WAYS.iter().map(|way| way.name))
            .chain(calls),
    );
    for figures in all {
        let mut cells = vec![figures.server.clone()];
        let counts = figures.instructions.iter();
        cells.extend(counts.map(|count| match count {
            Some(count) => grouped(count.round() as u64),
            None => String::new(),
        }));
        match &figures.calls {
            Some(calls) => cells.extend(calls.each().map(|(_, count)| format!("{count:.2}"))),
            None => cells.extend(calls.map(|_| "".to_owned())),
        }
        table.row(cells);
    }
    table
}

/// One sentence for each figure that is too high.
fn hold_to(limit: &[f64], ours: &Figures) -> Result<()> {
    let mut over = Vec::new();
    let mut figures = limit.iter();
    let most_of_get = ours.instructions[0].map(|count| count * LONE_GET_MOST);
    for (way, count) in WAYS.iter().zip(&ours.instructions) {
        let limit = match way.limit {
            Limit::Figure => figures.next().copied(),
            Limit::TimesGet => most_of_get,
            Limit::None => None,
        };
        if let (Some(count), Some(limit)) = (count, limit)
            && *count > limit
        {
            over.push(format!(
                "{}: {count:.0} instructions, the limit is {limit:.0}",
                way.name
            ));
        }
    }
    for (name, count) in ours
        .calls
        .iter()
        .flat_map(|calls| calls.each())
        .filter(|(name, _)| *name != "other")
    {
        if count > CALLS_MAX {
            over.push(format!(
                "{name} calls per request one at a time: {count:.2}, the limit is 1"
            ));
        }
    }
    if over.is_empty() {
        println!("larderd is within the limits.");
        return Ok(());
    }
    bail!("larderd is over the limits; {}", over.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_over_is_complained_of() {
        let calls = Calls {
            read: 1.01,
            write: 1.0,
            wait: 2.0,
            other: 5.0,
        };
        let figures = |instructions: [f64; 7]| Figures {
            server: "larderd".into(),
            instructions: instructions.map(Some).to_vec(),
            calls: Some(calls),
        };
        let limit = [1200.0, 650.0, 850.0, 400.0];
        let counts = [1200.0, 700.0, 1.0, 1.0, 1319.0, 9999.0, 1321.0];
        let error = hold_to(&limit, &figures(counts)).unwrap_err().to_string();
        assert!(
            error.contains("get 16 deep: 700")
                && error.contains("wait calls")
                && error.contains("getk alone: 1321 instructions, the limit is 1320")
                && !error.contains("get alone")
                && !error.contains("mg"),
            "{error}"
        );
        let fine = Figures {
            calls: None,
            ..figures([1.0; 7])
        };
        assert!(hold_to(&limit, &fine).is_ok());
    }
}
