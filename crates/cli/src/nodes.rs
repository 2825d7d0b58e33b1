//! `larder ping`, `stats` and `flush`: every node of the pool.

use std::collections::HashMap;
use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context, Result, bail};
use clap::Args;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use larder_client::NodeResult;

use crate::pool::AskedPoolArgs;

/// All nodes of a pool.
#[derive(Args)]
pub(crate) struct PingArgs {
    #[command(flatten)]
    pool: AskedPoolArgs,
}

/// Statistics of all nodes.
#[derive(Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    pool: AskedPoolArgs,

    /// One of memcached's groups, such as settings, items, slabs, sizes or conns; without it, the general ones.
    group: Option<String>,
}

/// All nodes, to be emptied.
#[derive(Args)]
pub(crate) struct FlushArgs {
    #[command(flatten)]
    pool: AskedPoolArgs,

    /// Does not ask first.
    #[arg(long)]
    yes: bool,
}

/// General statistics that say something of one node alone: their sum would mean nothing.
const OF_ONE_NODE: &[&str] = &[
    "pid",
    "uptime",
    "time",
    "pointer_size",
    "accepting_conns",
    "hash_power_level",
    "hash_is_expanding",
    "slab_reassign_running",
    "lru_crawler_running",
    "time_since_server_cert_refresh",
];

/// Prints each node's version; fails unless every node answered.
pub(crate) async fn ping(args: &PingArgs) -> Result<()> {
    let client = args.pool.client().await?;
    let answers = client.versions().await;
    for (node, version) in answers.iter().filter_map(answered) {
        writeln!(io::stdout(), "{node} {version}")?;
    }
    complete(&answers)
}

/// Prints one table over all nodes; fails if a node did not answer.
pub(crate) async fn stats(args: &StatsArgs) -> Result<()> {
    let client = args.pool.client().await?;
    let group = args.group.as_deref().unwrap_or_default();
    let answers = client.stats(group).await;
    let columns: Vec<(&str, &Vec<(String, String)>)> =
        answers.iter().filter_map(answered).collect();
    if !columns.is_empty() {
        let with_sums = group.is_empty() && columns.len() > 1;
        writeln!(io::stdout(), "{}", table(&columns, with_sums))?;
    }
    complete(&answers)
}

/// Empties every node, once somebody has said so.
pub(crate) async fn flush(args: &FlushArgs) -> Result<()> {
    let client = args.pool.client().await?;
    let nodes = client.nodes();
    if !args.yes {
        if !io::stdin().is_terminal() {
            bail!("nothing was flushed: nobody can be asked, and --yes was not given");
        }
        eprint!("Throw away every item on {} nodes? [yes/no] ", nodes.len());
        let mut said = String::new();
        io::stdin().lock().read_line(&mut said).context("asking")?;
        if said.trim() != "yes" {
            bail!("nothing was flushed");
        }
    }
    let answers = client.flush().await;
    for (node, ()) in answers.iter().filter_map(answered) {
        writeln!(io::stdout(), "{node} flushed")?;
    }
    complete(&answers)
}

fn answered<T>((node, result): &NodeResult<T>) -> Option<(&str, &T)> {
    Some((node, result.as_ref().ok()?))
}

/// Fails with every node that did.
pub(crate) fn complete<T>(answers: &[NodeResult<T>]) -> Result<()> {
    let failed = answers
        .iter()
        .filter_map(|(_, result)| result.as_ref().err());
    let failed: Vec<String> = failed.map(ToString::to_string).collect();
    match failed.len() {
        0 => Ok(()),
        count => bail!(
            "{count} of {} nodes did not answer as they should: {}",
            answers.len(),
            failed.join("; ")
        ),
    }
}

/// A row for each name that any node has, in the first node's order; a column for each node, and one for the sums.
fn table(nodes: &[(&str, &Vec<(String, String)>)], with_sums: bool) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    let mut header = vec![""];
    header.extend(nodes.iter().map(|(node, _)| node));
    header.extend(with_sums.then_some("all"));
    table.set_header(header);
    let values: Vec<HashMap<&str, &str>> = nodes
        .iter()
        .map(|(_, rows)| {
            let rows = rows.iter();
            rows.map(|(name, value)| (name.as_str(), value.as_str()))
                .collect()
        })
        .collect();
    for name in names(nodes) {
        let of_nodes = values
            .iter()
            .map(|rows| rows.get(name).copied().unwrap_or_default());
        let of_nodes: Vec<&str> = of_nodes.collect();
        let sum = with_sums.then(|| sum(name, &of_nodes).unwrap_or_default());
        let mut row = vec![name.to_owned()];
        row.extend(of_nodes.into_iter().map(str::to_owned));
        row.extend(sum);
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Every name once.
fn names<'a>(nodes: &[(&str, &'a Vec<(String, String)>)]) -> Vec<&'a str> {
    let mut seen = std::collections::HashSet::new();
    let all = nodes
        .iter()
        .flat_map(|(_, rows)| rows.iter().map(|(name, _)| name.as_str()));
    all.filter(|name| seen.insert(*name)).collect()
}

/// The sum of whole numbers and of seconds with a fraction, where a sum means something.
fn sum(name: &str, values: &[&str]) -> Option<String> {
    if OF_ONE_NODE.contains(&name) {
        return None;
    }
    let values = values.iter().filter(|value| !value.is_empty());
    let whole: Option<Vec<u64>> = values.clone().map(|value| value.parse().ok()).collect();
    if let Some(whole) = whole {
        let sum: u128 = whole.into_iter().map(u128::from).sum();
        return Some(sum.to_string());
    }
    let is_time = name.starts_with("rusage_");
    let parts: Option<Vec<f64>> = values.map(|value| value.parse().ok()).collect();
    let sum: f64 = parts.filter(|_| is_time)?.into_iter().sum();
    Some(format!("{sum:.6}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_added_is() {
        let is = |name, values: &[&str], expected: Option<&str>| {
            assert_eq!(sum(name, values).as_deref(), expected, "{name}");
        };
        is("get_hits", &["1", "", "41"], Some("42"));
        let greatest = u64::MAX.to_string();
        is("bytes", &[&greatest, "1"], Some("18446744073709551616"));
        is("pid", &["1", "2"], None);
        is("version", &["1.6.45", "1.6.45"], None);
        is("rusage_user", &["0.250000", "1.500000"], Some("1.750000"));
    }

    #[test]
    fn a_table_has_every_row_once() {
        let rows = |rows: &[(&str, &str)]| -> Vec<(String, String)> {
            let rows = rows.iter();
            rows.map(|(name, value)| (name.to_string(), value.to_string()))
                .collect()
        };
        let (a, b) = (
            rows(&[("x", "1"), ("y", "2")]),
            rows(&[("y", "3"), ("z", "4")]),
        );
        let shown = table(&[("a", &a), ("b", &b)], true).to_string();
        let lines: Vec<Vec<&str>> = shown
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        let expected: [&[&str]; 4] = [
            &["a", "b", "all"],
            &["x", "1", "1"],
            &["y", "2", "3", "5"],
            &["z", "4", "4"],
        ];
        assert_eq!(lines, expected);
    }
}
