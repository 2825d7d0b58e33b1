//! `larder ring`: on which node keys live, and what a changed list would move.

use std::io::{self, BufRead, BufWriter, Write};

use anyhow::{Context, Result, bail};
use clap::Args;
use larder_client::{NodeSpec, Ring};

use crate::pool::PoolArgs;

/// Which ring, and what about it.
#[derive(Args)]
pub(crate) struct RingArgs {
    #[command(flatten)]
    pool: PoolArgs,

    /// Prints only the keys that a changed list would move, each behind the names of its node before and after, and how
    /// many those are.
    #[arg(long, requires = "change")]
    moved: bool,

    /// With --moved: a node that the changed list has at its end.
    #[arg(long, value_name = "NODE", group = "change", requires = "moved")]
    add: Vec<NodeSpec>,

    /// With --moved: the name, or without one the address, of a node that the changed list lacks.
    #[arg(long, value_name = "NAME", group = "change", requires = "moved")]
    remove: Vec<String>,
}

/// Answers for every key on stdin.
pub(crate) async fn run(args: &RingArgs) -> Result<()> {
    let routing = args.pool.routing();
    let nodes = args.pool.nodes().await?;
    let ring = Ring::with_routing(&routing, &nodes)?;
    if !args.moved {
        return each_key(|key, out| {
            let index = ring.node_for(key);
            writeln!(out, "{index} {}", ring.label(index).unwrap_or_default())
        });
    }
    let changed_nodes = changed(&nodes, &args.add, &args.remove)?;
    let changed = Ring::with_routing(&routing, &changed_nodes).context("the changed list")?;
    let (mut count, mut moved) = (0u64, 0u64);
    each_key(|key, out| {
        count += 1;
        let before = ring.label(ring.node_for(key)).unwrap_or_default();
        let after = changed.label(changed.node_for(key)).unwrap_or_default();
        if before == after {
            return Ok(());
        }
        moved += 1;
        write!(out, "{before} {after} ")?;
        out.write_all(key)?;
        out.write_all(b"\n")
    })?;
    let estimate = 100.0 * ring.moved_fraction(&changed_nodes)?;
    match count {
        0 => eprintln!("about {estimate:.1} % of keys would move"),
        _ => {
            let share = 100.0 * moved as f64 / count as f64;
            eprintln!(
                "{moved} of {count} keys would move, {share:.1} %; of keys at large about {estimate:.1} %"
            );
        }
    }
    Ok(())
}

/// The list with some nodes gone and some more at its end.
fn changed(nodes: &[NodeSpec], add: &[NodeSpec], remove: &[String]) -> Result<Vec<NodeSpec>> {
    let mut changed = nodes.to_vec();
    for name in remove {
        let before = changed.len();
        changed.retain(|node| !is_called(node, name));
        if changed.len() == before {
            let names: Vec<String> = nodes.iter().map(NodeSpec::label).collect();
            let names = names.join(", ");
            bail!("no node is called `{name}`, so it cannot be removed: there are {names}");
        }
    }
    changed.extend_from_slice(add);
    Ok(changed)
}

/// Whether a node is meant by its name, or, having none, by its address in any way of writing it.
fn is_called(node: &NodeSpec, name: &str) -> bool {
    let label = node.label();
    let is_address = || {
        name.parse()
            .is_ok_and(|spec: NodeSpec| spec.label() == label)
    };
    label == name || is_address()
}

/// Gives every line of stdin, without its newline, to `answer`.
fn each_key(
    mut answer: impl FnMut(&[u8], &mut BufWriter<io::StdoutLock<'_>>) -> io::Result<()>,
) -> Result<()> {
    let mut keys = io::stdin().lock();
    let mut out = BufWriter::new(io::stdout().lock());
    let mut key = Vec::new();
    while keys.read_until(b'\n', &mut key).context("reading keys")? > 0 {
        answer(key.strip_suffix(b"\n").unwrap_or(&key), &mut out)?;
        key.clear();
    }
    Ok(out.flush()?)
}
