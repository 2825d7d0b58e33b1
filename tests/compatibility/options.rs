//! Options: whether larderd takes them, whether it says that they have no effect, and that bad values end it with
//! memcached's exit code.

use std::time::Duration;

use crate::files::Files;
use crate::names::{OPTIONS, SUBOPTIONS};
use crate::report;
use crate::support::Tool;
use crate::table::{Table, Verdict};

const LARDERD: &str = env!("CARGO_BIN_EXE_larderd");

/// How long a program may take to judge its options.
const LIMIT: Duration = Duration::from_secs(20);

/// What larderd says of options that it takes and that do nothing.
const WITHOUT_EFFECT: &str = "accepted without effect: ";

/// memcached's exit code for an option that it does not serve (EX_USAGE), and for most that it cannot read.
const NOT_SERVED: [i32; 2] = [64, 1];

/// Lets larderd judge these words, and compares with what README says of the name.
fn judge(verdict: Verdict, name: &str, words: &[&str]) -> Option<String> {
    let judged = Tool::run(LARDERD, &[&["--check-config"], words].concat(), LIMIT);
    let code = judged.status.code().expect("no signal ended it");
    let named = |words: &str| judged.output.contains(&format!("{words}{name}"));
    let right = match verdict {
        Verdict::Same | Verdict::Different => code == 0 && !named(WITHOUT_EFFECT),
        Verdict::Shown => code == 0 && named(WITHOUT_EFFECT),
        Verdict::NotYet | Verdict::Refused => NOT_SERVED.contains(&code) && named(""),
        Verdict::Idle => false,
    };
    (!right).then(|| {
        format!(
            "{words:?} is {verdict:?} in README, and larderd ends with {code}: {}",
            judged.output
        )
    })
}

#[test]
fn letters_and_long_names_are_taken() {
    let table = Table::read();
    let files = Files::make();
    let mut faults = Vec::new();
    for ([letter, long], good, _) in OPTIONS {
        let beside = files.beside(letter);
        let beside = beside.iter().map(String::as_str);
        let mut short = vec![*letter, *good];
        short.truncate(if good.is_empty() { 1 } else { 2 });
        short.extend(beside.clone());
        let verdict = table.verdict("option", letter);
        faults.extend(judge(verdict, letter, &short));
        if !long.is_empty() {
            assert_eq!(
                verdict,
                table.verdict("option", long),
                "{letter} and {long}"
            );
            let word = match good.is_empty() {
                true => (*long).to_owned(),
                false => format!("{long}={good}"),
            };
            let words: Vec<&str> = [word.as_str()].into_iter().chain(beside).collect();
            faults.extend(judge(verdict, letter, &words));
        }
    }
    report(&faults);
}

#[test]
fn suboptions_are_taken() {
    let table = Table::read();
    let mut faults = Vec::new();
    for (name, good, _) in SUBOPTIONS {
        let word = suboption(name, good);
        faults.extend(judge(table.verdict("-o", name), name, &["-o", &word]));
    }
    report(&faults);
}

fn suboption(name: &str, value: &str) -> String {
    match value.is_empty() {
        true => name.to_owned(),
        false => format!("{name}={value}"),
    }
}

/// Every bad value: the name as README has it, the words of the command line, and memcached's exit code.
fn bad_values() -> impl Iterator<Item = (&'static str, &'static str, [String; 2], i32)> {
    let options = OPTIONS.iter().flat_map(|([letter, _], _, bad)| {
        let words = |value: &str| [(*letter).to_owned(), value.to_owned()];
        bad.iter()
            .map(move |(value, code)| ("option", *letter, words(value), *code))
    });
    let suboptions = SUBOPTIONS.iter().flat_map(|(name, _, bad)| {
        let words = |value: &str| ["-o".to_owned(), suboption(name, value)];
        bad.iter()
            .map(move |(value, code)| ("-o", *name, words(value), *code))
    });
    options.chain(suboptions)
}

#[test]
fn bad_values_end_larderd_and_memcached_alike() {
    let table = Table::read();
    let mut faults = Vec::new();
    for (kind, name, [option, value], code) in bad_values() {
        // memcached refuses root before it judges options.
        let words = ["-u", "nobody", option.as_str(), value.as_str()];
        let mut programs = vec!["memcached"];
        if table.verdict(kind, name).is_served() {
            programs.push(LARDERD);
        }
        for program in programs {
            let ended = Tool::run(program, &words, LIMIT);
            if ended.status.code() != Some(code) {
                let output = ended.output;
                faults.push(format!(
                    "{program} {option} {value}: {}: {output}",
                    ended.status
                ));
            }
        }
    }
    report(&faults);
}
