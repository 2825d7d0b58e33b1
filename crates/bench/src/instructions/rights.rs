//! `larder-bench instructions --rights`: what it costs that a client may not do everything. Gets 16 deep are counted of
//! larderd without a users file, and with files that give all clients rights of one kind or another. They are given to those
//! who do not say who they are, who fare no better than others.

use anyhow::{Result, bail};

use super::{InstructionsArgs, WAYS, Way, instructions_of};
use crate::server::Spec;
use crate::table::Table;

/// What clients may do, and whether that is held to the limit.
const KINDS: [(&str, &str, bool); 5] = [
    ("any key", "", true),
    ("one prefix", "prefix=k", true),
    ("the second of two", "prefix=app: prefix=k", true),
    (
        "the last of nine",
        "prefix=a: prefix=b: prefix=c: prefix=d: prefix=e: prefix=f: prefix=g: prefix=h: prefix=k",
        false,
    ),
    ("one of 11 bytes", "prefix=k0000000000", false),
];

/// So few that hardly any share a place in the index: with more, a figure depends by 1 % on the hash's seed.
const KEYS: u64 = 2000;

/// Gets 16 deep.
const WAY: &Way = &WAYS[1];

/// Counts, prints a table, and judges: rights may take `limit` % more.
pub(super) fn run(args: &InstructionsArgs, larderd: &Spec, limit: f64) -> Result<()> {
    let args = &InstructionsArgs {
        keys: KEYS,
        ..args.clone()
    };
    let without = instructions_of(args, larderd, WAY)?;
    let mut table = Table::new(["clients' rights", "get 16 deep", "more"]);
    table.row([
        "no users file".to_owned(),
        format!("{without:.0}"),
        String::new(),
    ]);
    let mut over = Vec::new();
    for (name, prefixes, is_held) in KINDS {
        let users = format!("@default read,write {prefixes}\n");
        let with = instructions_of(args, &larderd.with_users(&users), WAY)?;
        let more = (with / without - 1.0) * 100.0;
        table.row([
            name.to_owned(),
            format!("{with:.0}"),
            format!("{more:.1} %"),
        ]);
        if is_held && more > limit {
            over.push(format!("{name}: {more:.1} % more"));
        }
    }
    print!("{table}");
    match over.is_empty() {
        true => println!("Rights take no more than {limit} % more."),
        false => bail!("rights take more than {limit} % more; {}", over.join(", ")),
    }
    Ok(())
}
