//! The texts that larderd prints, all from the table of options: help, version, licence, and the example of a
//! configuration file.

use std::fmt::Write as _;

use crate::daemon::MEMCACHED_VERSION;
use crate::options::extended::suboptions;
use crate::options::{Act, GROUPS, Opt, Set};

/// Columns of the help text, and of the example file.
const WIDTH: usize = 100;

/// The column where an option's documentation begins in the help text.
const INDENT: usize = 32;

const LICENSE: &str = "\
larderd is licensed under either of the Apache License, Version 2.0
(https://www.apache.org/licenses/LICENSE-2.0) or the MIT license
(https://opensource.org/license/mit), at your option. It comes without any warranty.
";

const SAMPLE_HEADER: &str = "\
# A configuration file for larderd, with every option that may stand in one.
#
# `larderd --config <this file>` reads it; `larderd --check-config --config <this file>` only judges it. One option a
# line, by letter as on the command line (-m 64) or by its long name (memory-limit 64); # begins a comment. What the
# command line gives wins over the file. Sizes and times take units: 64m, 1g, 300s, 5m.
#
# Each option below is commented out and shows a value other than its default. `larderd --sample-config` prints this
# file.
";

/// What an option that asks for a text prints.
pub(crate) fn text(act: Act) -> String {
    match act {
        Act::Version => version(),
        Act::License => LICENSE.to_owned(),
        Act::SampleConfig => sample_config(),
        Act::Help | Act::CheckConfig | Act::Config => help(),
    }
}

fn version() -> String {
    format!(
        "larderd {} (memcached {MEMCACHED_VERSION})\n",
        env!("CARGO_PKG_VERSION")
    )
}

fn help() -> String {
    let mut text = version();
    for (heading, options) in GROUPS {
        let _ = write!(text, "\n{heading}:\n");
        for option in *options {
            describe(option, &usage(option), &mut text);
        }
    }
    text.push_str("\nSuboptions of -o:\n");
    for option in suboptions() {
        describe(option, &suboption_usage(option), &mut text);
    }
    text
}

/// `-m, --memory-limit=<num>`.
fn usage(option: &Opt) -> String {
    let letter = option.short.map(|short| format!("-{short}"));
    let long = (!option.long.is_empty()).then(|| format!("--{}", option.long));
    let names: Vec<_> = letter.into_iter().chain(long).collect();
    let separator = if option.long.is_empty() { " " } else { "=" };
    match option.takes_value() {
        true => format!("{}{separator}<{}>", names.join(", "), option.value),
        false => names.join(", "),
    }
}

fn suboption_usage(option: &Opt) -> String {
    match option.takes_value() {
        true => format!("{}=<{}>", option.long, option.value),
        false => option.long.to_owned(),
    }
}

/// One option's lines in the help text: the usage in the first column, the documentation in the second.
fn describe(option: &Opt, usage: &str, text: &mut String) {
    let lines = wrap(&documentation(option), WIDTH - INDENT);
    let mut first = format!("  {usage}");
    if first.len() + 2 > INDENT {
        let _ = writeln!(text, "{first}");
        first.clear();
    }
    for line in lines {
        let _ = writeln!(text, "{first:INDENT$}{line}");
        first.clear();
    }
}

/// What it does, its default, and why it is refused if it is.
fn documentation(option: &Opt) -> String {
    let mut text = option.doc.to_owned();
    if !option.default.is_empty() {
        let _ = write!(text, " (default: {})", option.default);
    }
    if let Set::Refused(_, why) = option.set {
        let _ = write!(text, " Refused: {why}.");
    }
    text
}

fn sample_config() -> String {
    let mut text = SAMPLE_HEADER.to_owned();
    for (heading, options) in GROUPS {
        let _ = write!(text, "\n# ---- {heading} ----\n");
        for option in options
            .iter()
            .filter(|option| !matches!(option.set, Set::Act(_)))
        {
            let name = match option.short {
                Some(short) => format!("-{short}"),
                None => option.long.to_owned(),
            };
            sample(
                option,
                &usage(option),
                &format!("{name} {}", option.sample),
                &mut text,
            );
        }
    }
    text.push_str("\n# ---- Suboptions of -o, also several with commas between them ----\n");
    for option in suboptions() {
        let line = match option.takes_value() {
            true => format!("-o {}={}", option.long, option.sample),
            false => format!("-o {}", option.long),
        };
        sample(option, &suboption_usage(option), &line, &mut text);
    }
    text
}

/// One option's lines in the example file; those that are refused have no line to uncomment.
fn sample(option: &Opt, usage: &str, line: &str, text: &mut String) {
    let mut words = format!("{usage}: {}", documentation(option));
    if !option.row.is_empty() {
        let _ = write!(words, " In stats settings: {}.", option.row);
    }
    text.push('\n');
    for words in wrap(&words, WIDTH - 2) {
        let _ = writeln!(text, "# {words}");
    }
    if !matches!(option.set, Set::Refused(..)) {
        let _ = writeln!(text, "#{}", line.trim_end());
    }
}

/// Breaks a text into lines of at most `width` characters.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("a vector that began with one line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options;

    /// The example that lies in the repository.
    const EXAMPLE: &str = include_str!("../../../memcached.conf.example");

    #[test]
    fn the_example_file_is_what_the_program_prints() {
        assert_eq!(
            EXAMPLE,
            sample_config(),
            "print it anew: larderd --sample-config > memcached.conf.example"
        );
    }

    #[test]
    fn help_names_every_option() {
        let text = help();
        for option in options::all() {
            assert!(text.contains(&usage(option)), "{}", usage(option));
        }
        for option in suboptions() {
            assert!(text.contains(&suboption_usage(option)), "{}", option.long);
        }
    }

    #[test]
    fn lines_fit() {
        for text in [help(), sample_config()] {
            let long = text.lines().find(|line| line.len() > WIDTH + 20);
            assert_eq!(long, None);
        }
    }

    #[test]
    fn the_version_names_memcacheds() {
        assert!(version().starts_with("larderd ") && version().ends_with(" (memcached 1.6.45)\n"));
    }
}
