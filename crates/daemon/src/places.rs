//! Where each option was given: the configuration file's line, for refusals of what only shows when options are seen
//! together or by the system. The command line needs no place.

use std::collections::{BTreeMap, BTreeSet};

use crate::refusal::Refusal;

/// The places of options, by their keys in the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Places {
    /// What is being read: `file:line`, or nothing for the command line.
    reading: String,
    /// For each option the places where it was given, in order.
    given: BTreeMap<&'static str, Vec<String>>,
    /// Options whose value is none, and has been refused.
    bad: BTreeSet<&'static str>,
}

impl Places {
    /// Says that what follows stands on this line of this file.
    pub(crate) fn enter(&mut self, path: &str, line: usize) {
        self.reading = format!("{path}:{line}");
    }

    /// Says that what follows stands on the command line.
    pub(crate) fn enter_command_line(&mut self) {
        self.reading.clear();
    }

    /// Notes that an option stands here, and whether its value is good.
    pub(crate) fn note(&mut self, option: &'static str, good: bool) {
        let places = self.given.entry(option).or_default();
        places.push(self.reading.clone());
        if !good {
            self.bad.insert(option);
        }
    }

    /// Whether none of these options has been refused already: only then can they be judged together.
    pub(crate) fn are_good(&self, options: &[&str]) -> bool {
        !options.iter().any(|option| self.bad.contains(option))
    }

    /// The refusal with the place in front where the first of these options stands that a file gives.
    pub(crate) fn put(&self, refusal: Refusal, options: &[&str]) -> Refusal {
        let last = |option: &&str| self.given.get(*option).and_then(|places| places.last());
        let mut places = options.iter().filter_map(last);
        in_front(places.find(|place| !place.is_empty()), refusal)
    }

    /// The same for an option that may be repeated, and its use of this number, from 0.
    pub(crate) fn put_nth(&self, refusal: Refusal, option: &str, number: usize) -> Refusal {
        let places = self.given.get(option);
        in_front(places.and_then(|places| places.get(number)), refusal)
    }
}

fn in_front(place: Option<&String>, refusal: Refusal) -> Refusal {
    match place.filter(|place| !place.is_empty()) {
        Some(place) => refusal.at(place),
        None => refusal,
    }
}
