//! The configuration file: one option a line, `-m 64` as in Debian's memcached.conf, or `memory-limit 64`; `#` begins
//! a comment. The command line wins over it.

use std::ffi::OsString;
use std::fs;

use crate::cli::{Given, parse};
use crate::options::Set;
use crate::refusal::{Code, Refusal, Refusals};
use crate::settings::Settings;

/// A line of Debian's file that its start script reads; our log goes to the standard error.
const LOGFILE: &str = "logfile";

/// Puts a file's lines into force, except for options that the command line gives itself. Names every bad line.
pub(crate) fn apply(
    path: &str,
    command_line: &[Given],
    settings: &mut Settings,
) -> Result<(), Refusals> {
    let bytes = fs::read(path)
        .map_err(|error| Refusal::value(format!("cannot be read: {error}")).at(path))?;
    // A comment may be in any encoding.
    let text = String::from_utf8_lossy(&bytes);
    let wins = |given: &Given| {
        command_line
            .iter()
            .any(|own| own.option.id() == given.option.id() && own.option.long != "extended")
    };
    let mut bad_lines = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let outcome = read_line(line, settings).and_then(|given| {
            let mut unused = Settings::default();
            given.iter().try_for_each(|given| match wins(given) {
                // What is overruled must still be right.
                true => given.apply(&mut unused),
                false => given.apply(settings),
            })
        });
        if let Err(refusal) = outcome {
            bad_lines.push(refusal.at(format_args!("{path}:{number}")));
        }
    }
    match bad_lines.is_empty() {
        true => Ok(()),
        false => Err(Refusals(bad_lines)),
    }
}

/// The options on one line: none, one, or a cluster of letters.
fn read_line(line: &str, settings: &mut Settings) -> Result<Vec<Given>, Refusal> {
    let line = without_comment(line);
    if line.is_empty() {
        return Ok(Vec::new());
    }
    if line.contains(char::REPLACEMENT_CHARACTER) {
        return Err(Refusal::value("is not in UTF-8").at(line));
    }
    let (name, value) = split(line);
    if name == LOGFILE {
        settings.without_effect.push(LOGFILE.to_owned());
        return Ok(Vec::new());
    }
    let dashed = match name.starts_with('-') {
        true => name.to_owned(),
        false => format!("--{name}"),
    };
    let words = ["larderd", &dashed].into_iter().chain(value);
    let given = parse(words.map(OsString::from))?;
    if let Some(act) = given
        .iter()
        .find(|given| matches!(given.option.set, Set::Act(_)))
    {
        return Err(Refusal::value("belongs on the command line").at(act.option.name()));
    }
    match (value, given.last()) {
        (Some(value), Some(last)) if last.value.as_deref() != Some(value) => {
            Err(Refusal::value(format!("takes no value, but `{value}` follows")).at(name))
        }
        (_, None) => Err(Refusal::new(
            Code::Value,
            format!("`{line}` is not an option"),
        )),
        _ => Ok(given),
    }
}

/// The line up to a `#` that begins it or follows a blank.
fn without_comment(line: &str) -> &str {
    let starts = line.match_indices('#').map(|(at, _)| at);
    let comment = starts.into_iter().find(|at| {
        line[..*at]
            .chars()
            .next_back()
            .is_none_or(char::is_whitespace)
    });
    line[..comment.unwrap_or(line.len())].trim()
}

/// The option, and the value after blanks or, for a long one, after `=`.
fn split(line: &str) -> (&str, Option<&str>) {
    let short = line.starts_with('-') && !line.starts_with("--");
    let ends = |c: char| c.is_whitespace() || (c == '=' && !short);
    let Some(at) = line.find(ends) else {
        return (line, None);
    };
    let value = line[at..].trim_start();
    let value = match short {
        true => value,
        false => value.strip_prefix('=').unwrap_or(value).trim_start(),
    };
    (&line[..at], Some(value).filter(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::help;
    use crate::options::extended::suboptions;
    use crate::options::{self, Act, Opt};

    /// Reads `text` as a file, beside options of the command line.
    fn read(text: impl AsRef<[u8]>, command_line: &str) -> Result<Settings, Refusals> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("conf");
        fs::write(&path, text).expect("a file");
        let words = ["larderd"]
            .into_iter()
            .chain(command_line.split_whitespace());
        let given = parse(words.map(OsString::from)).expect("a good command line");
        let mut settings = Settings::default();
        apply(&path.to_string_lossy(), &given, &mut settings)?;
        given
            .iter()
            .try_for_each(|given| given.apply(&mut settings))?;
        Ok(settings)
    }

    #[test]
    fn forms_of_a_line() {
        let table = [
            "-m 65",
            "-m65",
            "  -m   65  ",
            "-m\t65",
            "memory-limit 65",
            "memory-limit=65",
            "memory-limit = 65m",
            "--memory-limit 65",
            "--memory-limit=65",
            "memory-l 65",
            "-m 65 # a comment",
            "# a comment\n\n   # another\n-m 65\r\n",
        ];
        for text in table {
            let settings =
                read(text, "").unwrap_or_else(|refusals| panic!("{text:?}: {refusals:?}"));
            assert_eq!(settings.memory_limit, 65 << 20, "{text:?}");
        }
    }

    #[test]
    fn a_comment_may_be_in_any_encoding_and_an_option_not() {
        let settings = read(b"# caf\xe9\n-m 65\n", "").expect("a good file");
        assert_eq!(settings.memory_limit, 65 << 20);
        let refusals = read(b"-m 65\n-P /run/caf\xe9\n", "")
            .expect_err("a bad file")
            .0;
        let refusal = refusals[0].to_string();
        assert!(
            refusal.contains("conf:2: ") && refusal.ends_with("is not in UTF-8"),
            "{refusal}"
        );
    }

    #[test]
    fn debians_file_is_understood() {
        let text = "-d\nlogfile /var/log/memcached.log\n# -v\n-m 64\n-p 11211\n-u memcache\n-l 127.0.0.1\n\
                    # -c 1024\n-P /var/run/memcached/memcached.pid\n";
        let settings = read(text, "").expect("a good file");
        assert!(settings.background && settings.verbosity == 0);
        assert_eq!(settings.user.as_deref(), Some("memcache"));
        assert_eq!(settings.listen, ["127.0.0.1"]);
        assert_eq!(settings.without_effect, ["logfile"]);
    }

    #[test]
    fn the_command_line_wins() {
        let text = "-m 65\n-l 127.0.0.1\n-vvv\n-o idle_timeout=5,track_sizes\n-p 5";
        let settings = read(text, "-m 66 -l ::1 -v -o idle_timeout=6").expect("a good file");
        assert_eq!(settings.memory_limit, 66 << 20);
        assert_eq!(settings.listen, ["::1"]);
        assert_eq!(settings.verbosity, 1);
        assert_eq!(settings.extended.idle_timeout_s, 6);
        assert!(settings.extended.track_sizes);
        assert_eq!(settings.port, Some(5));
    }

    #[test]
    fn every_bad_line_is_named_with_its_number() {
        let text = "-m x\n\n# fine\n-p 5\n-d yes\nnonsense 5\n-x\n-e /x\n-m 64 -p 5\nconfig other\n-V\n--\n-o foo";
        let refusals = read(text, "-m 65").expect_err("a bad file").0;
        let places: Vec<_> = refusals
            .iter()
            .map(|refusal| {
                refusal
                    .sentence
                    .split_once("/conf:")
                    .expect("the file's name")
                    .1
            })
            .collect();
        let expected = [
            "1: -m: `x` is not a size",
            "5: -d: takes no value, but `yes` follows",
            "6: --nonsense: unknown option",
            "7: -x: unknown option",
            "8: -e: larderd never writes items",
            "9: -m: `64 -p 5` is not a size",
            "10: --config: belongs on the command line",
            "11: -V: belongs on the command line",
            "12: `--` is not an option",
            "13: -o: Illegal suboption \"foo\"",
        ];
        assert_eq!(places.len(), expected.len(), "{places:?}");
        for (place, beginning) in places.iter().zip(expected) {
            assert!(place.starts_with(beginning), "{place}");
        }
    }

    #[test]
    fn every_line_of_the_example_is_good() {
        let example = help::text(Act::SampleConfig);
        let lines = example.lines().filter_map(|line| line.strip_prefix('#'));
        let lines: Vec<_> = lines.filter(|line| line.starts_with('-')).collect();
        let served = |option: &&Opt| !matches!(option.set, Set::Act(_) | Set::Refused(..));
        let options = options::all().filter(served).count();
        assert_eq!(lines.len(), options + suboptions().count());
        for line in lines {
            let outcome = read(line, "");
            assert!(outcome.is_ok(), "{line}: {outcome:?}");
        }
    }
}
