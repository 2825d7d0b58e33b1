//! Reads README's tables: each name with its verdict.
//!
//! Every table row with four cells below the heading counts: what kind of names these are, the names in code spans,
//! the verdict, and why it is not `same`.

use std::collections::BTreeMap;
use std::fs;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const HEADING: &str = "## What is compatible";

/// What larderd does with a name of memcached's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As memcached does.
    Same,
    /// Served, and not in every respect as memcached does.
    Different,
    /// Accepted, and shown where memcached shows it, without any effect.
    Shown,
    /// A statistic that is always at its idle value, since what it counts does not exist.
    Idle,
    /// Refused by this version.
    NotYet,
    /// Refused, and meant to be.
    Refused,
}

impl Verdict {
    fn of(words: &str) -> Option<Self> {
        Some(match words {
            "same" => Self::Same,
            "different" => Self::Different,
            "shown" => Self::Shown,
            "idle" => Self::Idle,
            "not yet" => Self::NotYet,
            "refused" => Self::Refused,
            _ => return None,
        })
    }

    /// Whether larderd answers it, accepts it or shows it.
    pub(crate) fn is_served(self) -> bool {
        !matches!(self, Self::NotYet | Self::Refused)
    }
}

/// All the rows.
pub(crate) struct Table {
    verdicts: BTreeMap<(String, String), Verdict>,
}

impl Table {
    /// Reads README, and fails the test when a row cannot be read or a name stands there twice.
    pub(crate) fn read() -> Self {
        let readme = fs::read_to_string(README).expect("README.md");
        let (_, below) = readme.split_once(HEADING).expect("the heading");
        let chapter = below.split("\n## ").next().expect("some text");
        let mut table = Self {
            verdicts: BTreeMap::new(),
        };
        for row in chapter.lines().filter(|line| line.starts_with("| ")) {
            let cells: Vec<&str> = row.trim_matches('|').split(" |").map(str::trim).collect();
            if let [kind, names, verdict, why] = cells[..]
                && kind != "of"
            {
                table.add(kind, names, verdict, why);
            }
        }
        table
    }

    fn add(&mut self, kind: &str, names: &str, words: &str, why: &str) {
        let verdict = Verdict::of(words).unwrap_or_else(|| panic!("no verdict: {words}"));
        assert!(
            verdict == Verdict::Same || !why.is_empty(),
            "README does not say why {names} is {words}"
        );
        let kind = kind.replace('`', "");
        // Between two code spans, and in front of the first, stands what is no name.
        let spans = names.split('`').skip(1).step_by(2);
        for name in spans.flat_map(|span| span.split(' ')) {
            let before = self
                .verdicts
                .insert((kind.clone(), name.to_owned()), verdict);
            assert!(before.is_none(), "`{name}` ({kind}) stands twice in README");
        }
    }

    /// Every kind and name.
    pub(crate) fn names(&self) -> impl Iterator<Item = (String, String)> {
        self.verdicts.keys().cloned()
    }

    /// What README says of a name; one that is missing fails the test.
    pub(crate) fn verdict(&self, kind: &str, name: &str) -> Verdict {
        let key = (kind.to_owned(), name.to_owned());
        let verdict = self.verdicts.get(&key).copied();
        verdict.unwrap_or_else(|| panic!("`{name}` ({kind}) is missing in README"))
    }
}
