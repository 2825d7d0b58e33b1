//! README's tables of what is compatible, held to account: every command, flag, option and statistic of memcached
//! 1.6.45 stands there once, and a running larderd is as the table says.
//!
//! What memcached has is written down here, in `names`; whether larderd serves it is read from README's third column.
//! So whoever serves something new, or no longer, changes that word and nothing else.

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod files;
mod flags;
mod names;
mod options;
mod statistics;
mod table;

use std::collections::BTreeSet;

use table::Table;

/// Fails with all that is not as README says.
#[track_caller]
fn report(faults: &[String]) {
    assert!(
        faults.is_empty(),
        "{} names of README's tables are not as they say:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn every_name_of_memcacheds_stands_in_readme_once() {
    let table = Table::read();
    let theirs: BTreeSet<(String, String)> = names::all().collect();
    let ours: BTreeSet<(String, String)> = table.names().collect();
    let missing = theirs.difference(&ours);
    let missing = missing.map(|(kind, name)| format!("`{name}` ({kind}) is missing"));
    let unknown = ours.difference(&theirs);
    let unknown = unknown.map(|(kind, name)| format!("`{name}` ({kind}) is none of memcached's"));
    report(&missing.chain(unknown).collect::<Vec<_>>());
}
