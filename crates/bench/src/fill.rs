//! `larder-bench fill`: how many bytes of memory an item takes.
//!
//! A server is filled until it has evicted a good part of what it was given. Then every key is asked for, and the
//! resident memory of the process is divided by the number of items found: all that the process takes is in it, the
//! index, the pages and what they waste.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use serde::{Serialize, Serializer};

use crate::load::{Plan, Progress, Run, Tolerate, Until, judge, note};
use crate::numbers::{grouped, write_json};
use crate::server::{Launch, Listening, Ours, Server, Spec};
use crate::table::Table;
use crate::workload::{Asking, Data, KeyNames, Mix, Picks, ValueSizes};

/// Options of `fill`
#[derive(clap::Args, Debug)]
pub(crate) struct FillArgs {
    #[command(flatten)]
    servers: Ours,
    /// -m of the servers, in MB
    #[arg(long, short, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..))]
    memory: u64,
    /// Threads of the servers
    #[arg(long, short, default_value_t = 1)]
    threads: usize,
    /// Lengths of keys and values
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "KEY+VALUE",
        default_value = "16+16,16+64,24+230,40+1000,30+5000"
    )]
    items: Vec<Shape>,
    /// Set so many times the keys and values that -m could hold if they took nothing else
    #[arg(long, default_value_t = 2.0)]
    times: f64,
    /// Fail when an item of larderd takes more bytes than this; one figure for each of --items
    #[arg(long, value_name = "BYTES", num_args = 0..=1, require_equals = true, default_missing_value = "73,125,320,1190,5600", value_delimiter = ',')]
    limit: Option<Vec<f64>>,
    /// Write the figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The lengths of an item's key and value.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shape {
    key: usize,
    value: usize,
}

impl FromStr for Shape {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (key, value) = text
            .split_once('+')
            .context("an item is written KEY+VALUE, as 16+64")?;
        let number = |text: &str| {
            text.parse::<usize>()
                .with_context(|| format!("{text:?} is not a number of bytes"))
        };
        let shape = Self {
            key: number(key)?,
            value: number(value)?,
        };
        ensure!(
            shape.key > 0 && shape.value <= 1_000_000,
            "keys have at least 1 byte and values at most 1,000,000"
        );
        Ok(shape)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.key, self.value)
    }
}

impl Serialize for Shape {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What was found for one server and shape.
#[derive(Serialize)]
struct Figures {
    server: String,
    item: Shape,
    items_set: u64,
    items_live: u64,
    /// Sets that the server refused, as for want of memory.
    sets_refused: u64,
    resident_bytes: u64,
    bytes_per_item: f64,
}

/// Fills all servers with all shapes, prints a table, and judges larderd's figures if asked to.
pub(crate) fn run(args: &FillArgs) -> Result<()> {
    if args
        .limit
        .as_ref()
        .is_some_and(|limit| limit.len() != args.items.len())
    {
        bail!(
            "--limit takes {} figures, one for each of --items",
            args.items.len()
        );
    }
    let specs = args.servers.all(Listening::Tcp, None)?;
    let mut all = Vec::new();
    for &shape in &args.items {
        for spec in &specs {
            note(format_args!("{}: items of {shape}", spec.name));
            let mut server = Server::start(spec, &Launch::plain(args.memory, args.threads))?;
            let figures = match fill_and_count(args, shape, spec, &server) {
                Ok(figures) => figures,
                Err(error) => return Err(server.explain(error)),
            };
            server.stop()?;
            all.push(figures);
        }
    }
    println!(
        "Resident bytes of the process per live item, filled to eviction at -m {}.",
        args.memory
    );
    print!("{}", table(args, &specs, &all));
    if let Some(path) = &args.json {
        write_json(path, &all)?;
    }
    args.limit
        .as_ref()
        .map_or(Ok(()), |limit| hold_to(limit, &args.items, &all))
}

fn fill_and_count(args: &FillArgs, shape: Shape, spec: &Spec, server: &Server) -> Result<Figures> {
    let bytes = (args.memory << 20) as f64 * args.times;
    let count = (bytes / (shape.key + shape.value) as f64).ceil() as u64;
    let data = Data {
        keys: KeyNames::padded(shape.key, count)?,
        sizes: ValueSizes::Fixed(shape.value),
    };
    // One connection, so that keys are set in their order; batches of a size that fits into a socket's buffers.
    let plan = Plan::closed(
        server.endpoint().clone(),
        1,
        (100_000 / (shape.key + shape.value)).clamp(4, 64),
    );
    let filled = Run::filling(&plan, &data, count).execute()?;
    judge(&filled, Tolerate::MissesAndRefusals)?;
    let filled_bytes = server.resident_bytes()?;
    let plan = Plan { depth: 2, ..plan };
    let outcome = Run {
        plan: &plan,
        data: &data,
        picks: Picks::InOrder(0..count),
        mix: Mix::GETS,
        asking: Asking::Get((100_000 / (shape.key + shape.value)).clamp(4, 100)),
        until: Until::Exhausted,
        seed: 0,
        progress: Progress::Quiet,
    }
    .execute()?;
    judge(&outcome, Tolerate::Misses)?;
    let (live, missing) = (outcome.tally.hits, outcome.tally.misses);
    ensure!(live > 0, "{} kept nothing", spec.name);
    ensure!(
        missing > count / 20,
        "{} evicted next to nothing, so it was not filled; more --times are needed",
        spec.name
    );
    let resident_bytes = filled_bytes.max(server.resident_bytes()?);
    Ok(Figures {
        server: spec.name.clone(),
        item: shape,
        items_set: count,
        items_live: live,
        sets_refused: filled.tally.refused,
        resident_bytes,
        bytes_per_item: resident_bytes as f64 / live as f64,
    })
}

fn table(args: &FillArgs, specs: &[Spec], all: &[Figures]) -> Table {
    let mut header = vec!["key + value".to_owned()];
    for spec in specs {
        header.extend([
            format!("{}: live items", spec.name),
            "resident MiB".to_owned(),
            "bytes per item".to_owned(),
        ]);
    }
    let mut table = Table::new(header);
    for (shape, figures) in args.items.iter().zip(all.chunks(specs.len())) {
        let mut cells = vec![shape.to_string()];
        for figures in figures {
            let resident = figures.resident_bytes as f64 / f64::from(1 << 20);
            cells.extend([
                grouped(figures.items_live),
                format!("{resident:.1}"),
                format!("{:.1}", figures.bytes_per_item),
            ]);
        }
        table.row(cells);
    }
    table
}

fn hold_to(limit: &[f64], shapes: &[Shape], all: &[Figures]) -> Result<()> {
    let mut over = Vec::new();
    let ours: Vec<&Figures> = all
        .iter()
        .filter(|figures| figures.server == "larderd")
        .collect();
    ensure!(
        !ours.is_empty(),
        "there is nothing to hold to the limit: larderd was not measured"
    );
    for ((figures, shape), limit) in ours.iter().zip(shapes).zip(limit) {
        if figures.bytes_per_item > *limit {
            over.push(format!(
                "{shape} takes {:.1} bytes, the limit is {limit}",
                figures.bytes_per_item
            ));
        }
    }
    if over.is_empty() {
        println!("larderd is within the limits.");
        return Ok(());
    }
    bail!("larderd's items are over the limits: {}", over.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read() {
        assert_eq!(
            "24+230".parse::<Shape>().unwrap(),
            Shape {
                key: 24,
                value: 230
            }
        );
        for wrong in ["24", "0+1", "1+x", "1+1000001"] {
            assert!(wrong.parse::<Shape>().is_err(), "{wrong} should be refused");
        }
    }

    #[test]
    fn only_what_is_over_is_complained_of() {
        let shapes = [Shape { key: 16, value: 16 }, Shape { key: 16, value: 64 }];
        let all = shapes.map(|item| Figures {
            server: "larderd".into(),
            item,
            items_set: 2,
            items_live: 1,
            sets_refused: 0,
            resident_bytes: 100,
            bytes_per_item: 100.0,
        });
        let error = hold_to(&[73.0, 125.0], &shapes, &all)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("16+16 takes 100.0") && !error.contains("16+64"),
            "{error}"
        );
    }
}
