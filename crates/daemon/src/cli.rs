//! The command line, as memcached's getopt reads it: short options cluster and take glued values, long ones take `=`
//! or the next word and may be abbreviated. Words that are no options are refused, where memcached ignores them.
//!
//! Reading it twice keeps it simple: first what was typed ([`Given`]), which a configuration file's lines are read
//! into as well; then what it means, by the table in `options`.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config_file;
use crate::options::{self, Act, Opt, Set};
use crate::refusal::{Refusal, Refusals};
use crate::settings::Settings;

/// The clap id of words that are no options.
const WORDS: &str = "words";

/// The one word that is no option and means something, if it comes first.
const HASH_PASSWORD: &str = "hash-password";

/// An option as typed.
#[derive(Clone)]
pub(crate) struct Given {
    /// Its row in the table.
    pub(crate) option: &'static Opt,
    /// Its value, for those that take one.
    pub(crate) value: Option<String>,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Print one of the texts and exit.
    Print(Act),
    /// Make a line of the users file for this user and exit.
    HashPassword(String),
    /// Judge these settings beyond what has been refused of them, and exit.
    Check(Box<Settings>, Vec<Refusal>),
    /// Serve with these settings.
    Serve(Box<Settings>),
}

/// Reads the command line, and the configuration file that it names, down to settings and all that is wrong with them. A
/// command line that cannot be taken apart into options is refused at once: nobody knows what the rest would be.
pub(crate) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Request, Refusals> {
    let args: Vec<OsString> = args.into_iter().collect();
    if args.get(1).is_some_and(|word| word == HASH_PASSWORD) {
        return match args.get(2).and_then(|user| user.to_str()) {
            Some(user) if args.len() == 3 && !user.starts_with('-') => {
                Ok(Request::HashPassword(user.to_owned()))
            }
            _ => Err(Refusal::value(
                "hash-password needs the name of the user, and nothing else: it asks for the password, or reads it \
                 from a pipe, and prints a line for the users file (-Y)",
            )
            .into()),
        };
    }
    let Typed { given, words } = parse(args)?;
    let asks_for = |act: Act| given.iter().any(|given| given.asks_for(act));
    let texts = [Act::Help, Act::Version, Act::License, Act::SampleConfig];
    if let Some(act) = texts.into_iter().find(|act| asks_for(*act)) {
        return Ok(Request::Print(act));
    }
    let (mut settings, mut refusals) = (Box::<Settings>::default(), Vec::new());
    let files = given.iter().filter(|given| given.asks_for(Act::Config));
    for path in files.filter_map(|given| given.value.as_deref()) {
        refusals.extend(config_file::apply(path, &given, &mut settings));
    }
    settings.places.enter_command_line();
    for given in &given {
        refusals.extend(given.apply(&mut settings));
    }
    // A script's variable that is empty means nothing.
    let words = words.iter().filter(|word| !word.trim().is_empty());
    refusals.extend(words.map(|word| stray(word)));
    refusals.extend(settings.judge());
    settings.anchor_paths();
    Ok(match asks_for(Act::CheckConfig) || !refusals.is_empty() {
        true => Request::Check(settings, refusals),
        false => Request::Serve(settings),
    })
}

fn stray(word: &str) -> Refusal {
    Refusal::value(match word {
        HASH_PASSWORD => format!("{word} must be the first word after larderd"),
        _ => format!("`{word}` is no option, and nothing takes it as a value: take it out"),
    })
}

impl Given {
    fn asks_for(&self, act: Act) -> bool {
        matches!(self.option.set, Set::Act(own) if own == act)
    }

    /// Puts the option into force, or says all that is wrong with it.
    pub(crate) fn apply(&self, settings: &mut Settings) -> Vec<Refusal> {
        self.option
            .apply(&self.option.name(), self.value.as_deref(), settings)
    }
}

/// What was typed, taken apart.
pub(crate) struct Typed {
    /// The options; repetitions of one keep their order.
    pub(crate) given: Vec<Given>,
    /// Words that are neither options nor values.
    pub(crate) words: Vec<String>,
}

/// Takes `args` apart, whose first word is the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Typed, Refusal> {
    let matches = command()
        .try_get_matches_from(args)
        .map_err(|error| unreadable(&error))?;
    let given = options::all().flat_map(|option| given(option, &matches));
    let words = matches.get_many::<String>(WORDS).into_iter().flatten();
    Ok(Typed {
        given: given.collect(),
        words: words.cloned().collect(),
    })
}

fn given(option: &'static Opt, matches: &ArgMatches) -> Vec<Given> {
    let id = option.id();
    if !option.takes_value() {
        let count = usize::from(matches.get_count(id));
        return vec![
            Given {
                option,
                value: None
            };
            count
        ];
    }
    let values = matches.get_many::<String>(id).into_iter().flatten();
    values
        .map(|value| Given {
            option,
            value: Some(value.clone()),
        })
        .collect()
}

/// The table of options in clap's terms.
fn command() -> Command {
    let words = Arg::new(WORDS).action(ArgAction::Append).num_args(0..);
    Command::new("larderd")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .infer_long_args(true)
        .args(options::all().map(arg))
        .arg(words)
}

fn arg(option: &'static Opt) -> Arg {
    let mut arg = Arg::new(option.id());
    if let Some(short) = option.short {
        arg = arg.short(short);
    }
    if !option.long.is_empty() {
        arg = arg.long(option.long);
    }
    if option.takes_value() {
        // The next word is the value whatever it looks like: `-p -1`.
        arg.action(ArgAction::Append).allow_hyphen_values(true)
    } else {
        arg.action(ArgAction::Count)
    }
}

/// clap's error in one sentence of ours.
fn unreadable(error: &clap::Error) -> Refusal {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    // "--port <port>" or "--daemon...": what follows the name is clap's own.
    let name = context(ContextKind::InvalidArg);
    let name = name.split([' ', '=', '.']).next().unwrap_or(name);
    let sentence = match error.kind() {
        ErrorKind::UnknownArgument => format!("{name}: {}", unknown(name)),
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8".to_owned(),
        ErrorKind::TooManyValues => format!("{name}: takes no value"),
        _ => format!("{name}: needs a value"),
    };
    Refusal::value(format!("{sentence}; `larderd --help` lists the options"))
}

/// Why an option is not known: it is none, or the beginning of several.
fn unknown(name: &str) -> String {
    let long = name.strip_prefix("--").filter(|long| !long.is_empty());
    let all = options::all().map(|option| option.long);
    let begun = all.filter(|full| long.is_some_and(|long| full.starts_with(long)));
    let begun: Vec<String> = begun.map(|full| format!("--{full}")).collect();
    match begun.is_empty() {
        true => "unknown option".to_owned(),
        false => format!("ambiguous: {}", begun.join(" or ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Code;
    use crate::stats::settings::rows;

    fn words(line: &str) -> impl Iterator<Item = OsString> {
        ["larderd"]
            .into_iter()
            .chain(line.split(' '))
            .map(OsString::from)
    }

    fn settings(line: &str) -> Settings {
        match read(words(line)) {
            Ok(Request::Serve(settings)) => *settings,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn refusal(line: &str) -> Refusal {
        match read(words(line)) {
            Err(Refusals(mut all)) | Ok(Request::Check(_, mut all)) => all.remove(0),
            Ok(request) => panic!("{line}: {request:?}"),
        }
    }

    #[test]
    fn options_are_read_as_getopt_reads_them() {
        let table = [
            ("-p 5", "tcpport", "5"),
            ("-p5", "tcpport", "5"),
            ("-p -1", "tcpport", "-1"),
            ("--port=5", "tcpport", "5"),
            ("--port 5", "tcpport", "5"),
            ("--po 5", "tcpport", "5"),
            ("--memory-l=65", "maxbytes", "68157440"),
            ("-m65", "maxbytes", "68157440"),
            ("-m 1g", "maxbytes", "1073741824"),
            ("-p 5 -p 6", "tcpport", "6"),
            ("-vv", "verbosity", "2"),
            ("-v -v -v", "verbosity", "3"),
            ("-FXm65", "maxbytes", "68157440"),
            ("-FX", "dump_enabled", "no"),
            ("-U 5", "tcpport", "5"),
            ("-l 127.0.0.1 -l ::1", "inter", "127.0.0.1,::1"),
            ("-a 644", "umask", "644"),
            ("-M", "evictions", "off"),
            ("-C", "cas_enabled", "no"),
            ("-A", "shutdown_command", "yes"),
            ("-D /", "detail_enabled", "yes"),
            ("-B ascii", "binding_protocol", "ascii"),
            ("-B binary", "binding_protocol", "binary"),
            ("-I 2m", "item_size_max", "2097152"),
            ("-I 256k", "item_size_max", "262144"),
            (
                "-o idle_timeout=5,no_lru_crawler -o track_sizes",
                "track_sizes",
                "yes",
            ),
            ("-o idle_timeout=5 -o idle_timeout=1m", "idle_timeout", "60"),
            ("-s /run/x -p 0", "domain_socket", "/run/x"),
            ("-t 3", "num_threads", "3"),
        ];
        for (line, row, expected) in table {
            let rows = rows(&settings(line));
            let value = rows
                .into_iter()
                .find(|(name, _)| *name == row)
                .map(|(_, value)| value);
            assert_eq!(value.as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn blanks_before_a_value_are_skipped() {
        let args = ["larderd", "-m", "  65", "-p", " 5"].map(OsString::from);
        let Ok(Request::Serve(settings)) = read(args) else {
            panic!("refused");
        };
        assert_eq!((settings.memory_limit, settings.port), (65 << 20, Some(5)));
    }

    #[test]
    fn refusals_name_the_option_and_have_memcacheds_exit_code() {
        let table = [
            ("-x", Code::Value, "-x: unknown option"),
            ("--nonsense", Code::Value, "--nonsense: unknown option"),
            ("--daemon=yes", Code::Value, "--daemon: takes no value"),
            ("-p", Code::Value, "--port: needs a value"),
            ("--port", Code::Value, "--port: needs a value"),
            ("-p 70000", Code::Usage, "-p: `70000`"),
            ("-p x", Code::Usage, "-p: `x`"),
            ("-U 70000", Code::Usage, "-U: `70000`"),
            ("-p 0", Code::Usage, "-p 0 turns TCP off"),
            ("-m x", Code::Usage, "-m: `x` is not a size"),
            ("-m 1", Code::Usage, "-I 1m is more than half of -m 1m"),
            ("-m 9999999999999", Code::Value, "-m: "),
            ("-I 10", Code::Usage, "-I: `10` is not from 1k to 1g"),
            ("-I 2g -m 8g", Code::Usage, "-I: "),
            (
                "-I 40m",
                Code::Usage,
                "-I 40m is more than half of -m 64m: raise -m to at least 80m",
            ),
            ("-c 0", Code::Value, "-c: `0`"),
            ("-t 0", Code::Value, "-t: `0`"),
            ("-R 0", Code::Value, "-R: `0`"),
            ("-f 1", Code::Value, "-f: `1` is not greater than 1"),
            ("-n 0", Code::Value, "-n: `0`"),
            ("-N 0", Code::Value, "-N: `0`"),
            ("-a 8", Code::Value, "-a: `8`"),
            ("-B foo", Code::Usage, "-B: `foo`"),
            ("-B udp", Code::Usage, "-B: `udp` is not a protocol"),
            ("-S", Code::Usage, "-S needs -Y <file>"),
            ("-Z", Code::Usage, "-Z needs -o ssl_chain_cert=<file>"),
            ("-e /x", Code::Usage, "-e: larderd never writes items"),
            ("-o foo", Code::Value, "-o: Illegal suboption \"foo\""),
            ("-o hashpower", Code::Value, "-o: hashpower: needs a value"),
            (
                "-o hot_lru_pct=70",
                Code::Usage,
                "-o hot_lru_pct and warm_lru_pct",
            ),
            (
                "-o temporary_ttl=5,no_lru_maintainer",
                Code::Usage,
                "-o temporary_ttl needs",
            ),
            (
                "--config /nonexistent/file",
                Code::Value,
                "/nonexistent/file: cannot be read",
            ),
        ];
        refused(&table);
    }

    fn refused(table: &[(&str, Code, &str)]) {
        for (line, code, beginning) in table {
            let refusal = refusal(line);
            assert!(refusal.sentence.starts_with(beginning), "{line}: {refusal}");
            assert_eq!(refusal.code, *code, "{line}");
        }
    }

    #[test]
    fn refusals_say_what_was_meant_perhaps() {
        refused(&[
            (
                "--enable",
                Code::Value,
                "--enable: ambiguous: --enable-largepages or --enable-shutdown or",
            ),
            ("word -p 5", Code::Value, "`word` is no option"),
            ("-v -- -p", Code::Value, "`-p` is no option"),
            (
                "-v hash-password x",
                Code::Value,
                "hash-password must be the first",
            ),
            ("-m 0", Code::Usage, "-m 0 leaves no memory"),
            (
                "-c 1k",
                Code::Value,
                "-c: `1k` is not a number from 1 to 2147483647; it counts",
            ),
        ]);
    }

    #[test]
    fn texts_are_asked_for() {
        let table = [
            ("-h", Act::Help),
            ("--help -m x", Act::Help),
            ("-V", Act::Version),
            ("--version", Act::Version),
            ("-i", Act::License),
            ("--sample-config", Act::SampleConfig),
        ];
        for (line, expected) in table {
            let request = read(words(line));
            assert!(
                matches!(request, Ok(Request::Print(act)) if act == expected),
                "{line}: {request:?}"
            );
        }
        assert!(matches!(
            read(words("--check-config -m 65")),
            Ok(Request::Check(_, refusals)) if refusals.is_empty()
        ));
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let refusals = match read(words("-p x -c 0 -o foo,idle_timeout=x word -S -I 40m")) {
            Ok(Request::Check(_, refusals)) => refusals,
            other => panic!("{other:?}"),
        };
        let told: Vec<String> = refusals.iter().map(Refusal::to_string).collect();
        let beginnings = [
            "-p: `x`",
            "-c: `0`",
            "-o: Illegal",
            "-o: idle_timeout",
            "`word`",
            "-I 40m is more",
            "-S needs",
        ];
        assert_eq!(told.len(), beginnings.len(), "{told:?}");
        for (told, beginning) in told.iter().zip(beginnings) {
            assert!(told.starts_with(beginning), "{told}");
        }
    }

    #[test]
    fn what_has_no_effect_is_gathered() {
        let settings = settings("-L -o lru_crawler_sleep=5,no_hashexpand -m 65");
        let gathered: std::collections::BTreeSet<_> = settings.without_effect.into_iter().collect();
        assert_eq!(
            Vec::from_iter(gathered),
            ["-L", "lru_crawler_sleep", "no_hashexpand"]
        );
    }
}
