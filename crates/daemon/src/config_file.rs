//! The configuration file: one option a line, `-m 64` as in Debian's memcached.conf, or `memory-limit 64`; `#` begins
//! a comment. The command line wins over it.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;

use crate::cli::{Given, parse};
use crate::limits::CONFIG_FILE_MAX;
use crate::options::{self, Set};
use crate::refusal::{Code, Refusal};
use crate::settings::Settings;

/// A line of Debian's file that its start script reads; our log goes to the standard error.
const LOGFILE: &str = "logfile";

/// Puts a file's lines into force, except for options that the command line gives itself, or says what is wrong with each
/// that cannot be.
pub(crate) fn apply(path: &str, command_line: &[Given], settings: &mut Settings) -> Vec<Refusal> {
    let text = match read(path) {
        Ok(text) => text,
        Err(why) => return vec![Refusal::value(why).at(path)],
    };
    let wins = |given: &Given| {
        command_line
            .iter()
            .any(|own| own.option.id() == given.option.id() && own.option.long != "extended")
    };
    let mut bad_lines = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        settings.places.enter(path, number);
        let refusals = match read_line(line, settings) {
            Ok(given) => given
                .iter()
                .flat_map(|given| match wins(given) {
                    // What is overruled must still be right.
                    true => given.apply(&mut Settings::default()),
                    false => given.apply(settings),
                })
                .collect(),
            Err(refusal) => vec![refusal],
        };
        let placed = refusals
            .into_iter()
            .map(|refusal| refusal.at(format_args!("{path}:{number}")));
        bad_lines.extend(placed);
    }
    bad_lines
}

/// The file's text. A comment may be in any encoding whose letters are bytes; what is no such text at all is not read as
/// one.
fn read(path: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(CONFIG_FILE_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > CONFIG_FILE_MAX {
        return Err(format!(
            "is longer than {CONFIG_FILE_MAX} bytes, and so no configuration file"
        ));
    }
    let marks = [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"];
    if marks.iter().any(|mark| bytes.starts_with(mark)) {
        return Err("begins with a byte order mark: save it as UTF-8 without one".to_owned());
    }
    let is_text = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace();
    if let Some(at) = bytes.iter().position(|byte| !is_text(byte)) {
        let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        return Err(format!(
            "is no text: line {line} holds the byte 0x{:02x}",
            bytes[at]
        ));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The options on one line: none, one, or a cluster of letters.
fn read_line(line: &str, settings: &mut Settings) -> Result<Vec<Given>, Refusal> {
    let line = without_comment(line);
    if line.is_empty() {
        return Ok(Vec::new());
    }
    if line.contains(char::REPLACEMENT_CHARACTER) {
        return Err(Refusal::value("the line is not in UTF-8"));
    }
    let (name, value) = split(line);
    if name == LOGFILE {
        settings.without_effect.push(LOGFILE.to_owned());
        return Ok(Vec::new());
    }
    if let Some(second) = value.and_then(second_option) {
        return Err(Refusal::value(format!(
            "`{second}` begins a second option: write one option a line"
        ))
        .at(name));
    }
    let dashed = match name.starts_with('-') {
        true => name.to_owned(),
        false => format!("--{name}"),
    };
    let words = ["larderd", &dashed].into_iter().chain(value);
    let given = parse(words.map(OsString::from))?.given;
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

/// The word of a value, other than its first, that looks like an option, by letter or by its long name. No value of ours has
/// such a word.
fn second_option(value: &str) -> Option<&str> {
    let is_option = |word: &str| {
        let dashed = word.strip_prefix('-');
        let by_letter = dashed.is_some_and(|rest| rest.starts_with(|c: char| !c.is_ascii_digit()));
        let name = word.split('=').next();
        by_letter
            || options::all().any(|option| !option.long.is_empty() && name == Some(option.long))
    };
    value
        .split_whitespace()
        .skip(1)
        .find(|word| is_option(word))
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
    use std::fs;

    use super::*;
    use crate::help;
    use crate::options::extended::suboptions;
    use crate::options::{Act, Opt};

    /// Reads `text` as a file, beside options of the command line.
    fn read(text: impl AsRef<[u8]>, command_line: &str) -> Result<Settings, Vec<Refusal>> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("conf");
        fs::write(&path, text).expect("a file");
        let words = ["larderd"]
            .into_iter()
            .chain(command_line.split_whitespace());
        let typed = parse(words.map(OsString::from)).expect("a good command line");
        let mut settings = Settings::default();
        let mut refusals = apply(&path.to_string_lossy(), &typed.given, &mut settings);
        settings.places.enter_command_line();
        for given in &typed.given {
            refusals.extend(given.apply(&mut settings));
        }
        match refusals.is_empty() {
            true => Ok(settings),
            false => Err(refusals),
        }
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
        let refusals = read(b"-m 65\n-P /run/caf\xe9\n", "").expect_err("a bad file");
        let refusal = refusals[0].to_string();
        assert!(
            refusal.contains("conf:2: ") && refusal.ends_with("is not in UTF-8"),
            "{refusal}"
        );
    }

    #[test]
    fn what_is_no_text_is_refused_as_a_whole_and_not_shown() {
        let table: [(&[u8], &str); 5] = [
            (b"\xef\xbb\xbf-m 65\n", "begins with a byte order mark"),
            (b"\xff\xfe-\0m\0", "begins with a byte order mark"),
            (b"-m 65\n\x1b[31m", "is no text: line 2 holds the byte 0x1b"),
            (b"\x7fELF\x02\0\0\0\nnonsense\n", "is no text: line 1"),
            (&[b'#'; CONFIG_FILE_MAX as usize + 1], "is longer than"),
        ];
        for (text, why) in table {
            let refusals = read(text, "").expect_err(why);
            let told: Vec<String> = refusals.iter().map(Refusal::to_string).collect();
            assert!(told.len() == 1 && told[0].contains(why), "{told:?}");
            assert!(!told[0].contains(|c: char| c.is_control()), "{told:?}");
        }
    }

    #[test]
    fn clashes_are_at_the_line_that_can_be_changed() {
        let text = "-t 2\n-I 40m\n-Z\n-o ssl_verify_mode=1\n-o ssl_chain_cert=/x\n";
        let table: [(&str, &[&str]); 2] = [
            (
                "",
                &[
                    "/conf:2: -I 40m is",
                    "/conf:3: -Z needs",
                    "/conf:4: -o ssl_verify",
                ],
            ),
            // The command line has no lines.
            (
                "-I 50m -o ssl_key=/x -o ssl_verify_mode=0",
                &["-I 50m is more"],
            ),
        ];
        for (command_line, expected) in table {
            let clashes = read(text, command_line).expect("each is good").judge();
            assert_eq!(clashes.len(), expected.len(), "{clashes:?}");
            for (clash, place) in clashes.iter().zip(expected) {
                assert!(clash.sentence.contains(place), "{clash}");
                assert_eq!(clash.sentence.contains("/conf:"), place.contains("/conf:"));
            }
        }
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
        let text = "-m x\n\n# fine\n-p 5\n-d yes\nnonsense 5\n-x\n-e /x\n-m 64 -p 5\nconfig other\n-V\n--\n-o foo,bar\n\
                    -s /x port 5\n-P /x -1";
        let refusals = read(text, "-m 65").expect_err("a bad file");
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
            "9: -m: `-p` begins a second option: write one option a line",
            "10: --config: belongs on the command line",
            "11: -V: belongs on the command line",
            "12: `--` is not an option",
            "13: -o: Illegal suboption \"foo\"",
            "13: -o: Illegal suboption \"bar\"",
            "14: -s: `port` begins a second option",
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
