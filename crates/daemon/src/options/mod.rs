//! The one table of options: names, documentation, defaults, and what each does to the settings.
//!
//! The command line and the configuration file are read by it; `--help`, `memcached.conf.example` and the tests of
//! `stats settings` are printed or checked from it, so that they cannot disagree.

mod connections;
pub(crate) mod extended;
mod limits;
mod memory;
mod network;
mod process;
mod refused;
pub(crate) mod secure;

use crate::refusal::{Code, Refusal};
use crate::settings::Settings;

/// One option, or one suboption of `-o`.
pub(crate) struct Opt {
    /// The letter, where there is one. Suboptions have none.
    pub(crate) short: Option<char>,
    /// The long name, without dashes; empty for `-D`, which has none. For suboptions, the name.
    pub(crate) long: &'static str,
    /// What its value is called in `--help`; empty for a switch.
    pub(crate) value: &'static str,
    /// The default, as it would be typed; empty when there is none to type.
    pub(crate) default: &'static str,
    /// A value for the example file that differs from the default.
    pub(crate) sample: &'static str,
    /// The row of `stats settings` that shows it, if any.
    pub(crate) row: &'static str,
    /// What it does, in sentences.
    pub(crate) doc: &'static str,
    /// What it does to the settings.
    pub(crate) set: Set,
    /// Whether it does anything here beyond being shown.
    pub(crate) effect: bool,
}

/// What an option does.
pub(crate) enum Set {
    /// Turns something on or off.
    Switch(fn(&mut Settings)),
    /// Takes a value.
    Value(fn(&mut Settings, &str) -> Result<(), Refusal>),
    /// Takes a list of suboptions, each of which may be refused.
    List(fn(&mut Settings, &str) -> Vec<Refusal>),
    /// Takes a value, or stands for one when alone.
    ValueOr(&'static str, fn(&mut Settings, &str) -> Result<(), Refusal>),
    /// Is for the program that reads the options, and means nothing in a configuration file.
    Act(Act),
    /// Is not served, for the reason given in one sentence.
    Refused(Code, &'static str),
}

/// What larderd does instead of serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Prints the options.
    Help,
    /// Prints the licence.
    License,
    /// Prints the version.
    Version,
    /// Prints the documented example of a configuration file.
    SampleConfig,
    /// Judges the settings and exits.
    CheckConfig,
    /// Reads a configuration file first.
    Config,
}

/// What most options have in common; the tables say what differs.
const OPT: Opt = Opt {
    short: None,
    long: "",
    value: "",
    default: "",
    sample: "",
    row: "",
    doc: "",
    set: Set::Switch(|_| {}),
    effect: true,
};

/// A heading and the options under it.
pub(crate) type Group = (&'static str, &'static [Opt]);

/// All options in the order in which they are shown, suboptions of `-o` apart.
pub(crate) const GROUPS: &[Group] = &[
    ("Where it listens", network::OPTIONS),
    ("Memory", memory::OPTIONS),
    ("Connections and commands", connections::OPTIONS),
    ("Who may come in", secure::OPTIONS),
    ("The process", process::OPTIONS),
    ("Not served by this version", refused::OPTIONS),
];

impl Opt {
    /// Whether it takes a value.
    pub(crate) fn takes_value(&self) -> bool {
        !self.value.is_empty()
    }

    /// The name by which it is told to the user: `-m`, or `--config` where there is no letter.
    pub(crate) fn name(&self) -> String {
        match self.short {
            Some(short) => format!("-{short}"),
            None => format!("--{}", self.long),
        }
    }

    /// A key that no other option has: the long name, and a word for the only one that has none.
    pub(crate) fn id(&self) -> &'static str {
        match self.long {
            "" => "delimiter",
            long => long,
        }
    }

    /// Puts it into force, or says all that is wrong with it. `name` is how the user knows it.
    pub(crate) fn apply(
        &self,
        name: &str,
        value: Option<&str>,
        settings: &mut Settings,
    ) -> Vec<Refusal> {
        let missing = || Err(Refusal::value("needs a value"));
        let found = |outcome: Result<(), Refusal>| outcome.err().into_iter().collect();
        let refusals: Vec<Refusal> = match (&self.set, value) {
            (Set::Switch(set), _) => {
                set(settings);
                Vec::new()
            }
            (Set::Value(_) | Set::List(_), None) => found(missing()),
            (Set::Value(set), Some(value)) => found(set(settings, value)),
            (Set::List(set), Some(value)) => set(settings, value),
            (Set::ValueOr(alone, set), _) => found(set(settings, value.unwrap_or(alone))),
            (Set::Act(_), _) => Vec::new(),
            (Set::Refused(code, why), _) => vec![Refusal::new(*code, *why)],
        };
        if !self.effect {
            settings.without_effect.push(name.to_owned());
        }
        settings.places.note(self.id(), refusals.is_empty());
        let named = refusals.into_iter().map(|refusal| refusal.at(name));
        named.collect()
    }
}

/// Every option, suboptions apart.
pub(crate) fn all() -> impl Iterator<Item = &'static Opt> {
    GROUPS.iter().flat_map(|(_, options)| options.iter())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::stats::settings::rows;

    /// All options and suboptions, each with a function that gives it a value.
    fn everything() -> impl Iterator<Item = &'static Opt> {
        all().chain(extended::suboptions())
    }

    fn rows_after(option: &Opt, value: &str) -> Vec<(&'static str, String)> {
        let mut settings = Settings::default();
        let value = option.takes_value().then_some(value);
        let refusals = option.apply(option.long, value, &mut settings);
        assert_eq!(refusals, [], "{}", option.long);
        rows(&settings)
    }

    #[test]
    fn names_are_unique() {
        let mut seen = HashSet::new();
        for option in all() {
            assert!(
                option
                    .short
                    .is_none_or(|short| seen.insert(short.to_string()))
            );
            assert!(option.long.is_empty() || seen.insert(option.long.to_owned()));
        }
    }

    #[test]
    fn every_option_is_documented_in_sentences() {
        for option in everything() {
            assert!(
                option.doc.ends_with('.'),
                "{}: {:?}",
                option.long,
                option.doc
            );
            let served = !matches!(option.set, Set::Refused(..));
            assert_eq!(
                option.takes_value() && served,
                !option.sample.is_empty(),
                "{}",
                option.long
            );
        }
    }

    #[test]
    fn the_default_that_is_printed_is_the_one_in_force() {
        for option in everything().filter(|option| !option.default.is_empty()) {
            let typed = rows_after(option, option.default);
            assert_eq!(typed, rows(&Settings::default()), "{}", option.long);
        }
    }

    #[test]
    fn each_row_of_stats_settings_follows_its_option() {
        for option in everything().filter(|option| !option.row.is_empty()) {
            let before = rows(&Settings::default());
            let after = rows_after(option, option.sample);
            let changed: Vec<_> = before.iter().zip(&after).filter(|(a, b)| a != b).collect();
            let names: Vec<_> = changed.iter().map(|(before, _)| before.0).collect();
            let unchanged_by_design = option.sample == option.default;
            assert!(
                names.contains(&option.row) || unchanged_by_design,
                "{}: {names:?}",
                option.long
            );
        }
    }
}
