//! Instructions, as valgrind's callgrind counts them.

use anyhow::{Context, Result};

use crate::server::Wrapper;

/// Starts the server in callgrind. Its file ends with the totals.
pub(super) fn wrapper() -> Wrapper {
    let words = [
        "valgrind",
        "--tool=callgrind",
        "--quiet",
        "--vgdb=no",
        "--collect-systime=no",
        "--callgrind-out-file={output}",
    ];
    Wrapper {
        words: words.map(str::to_owned).to_vec(),
        end: "\ntotals:",
    }
}

/// All instructions of the run that wrote this.
pub(super) fn read(output: &str) -> Result<u64> {
    total(output).context("callgrind wrote no total; was the server killed instead of ended?")
}

/// The first figure after `totals:` is Ir, the instructions read.
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("totals:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn the_totals_are_found() {
        let text = "version: 1\nevents: Ir sysCount\nsummary: 123 4\n\nfn=(1) main\n1 120\ntotals: 124 4\n";
        assert_eq!(total(text), Some(124));
        assert_eq!(total("events: Ir\nfn=(1) totals\n"), None);
    }
}
