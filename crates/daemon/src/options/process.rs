//! Options about the process: configuration, background, user, files, logging; and those that only print.

use super::{Act, OPT, Opt, Set};

pub(super) const OPTIONS: &[Opt] = &[
    Opt {
        short: Some('d'),
        long: "daemon",
        doc: "Goes to the background once it listens; what prevents the start, a pid file that cannot be written \
              included, is still told to the terminal and by the exit code. Changes to the directory / (not with -r) and closes the standard streams (not with -v).",
        set: Set::Switch(|settings| settings.background = true),
        ..OPT
    },
    Opt {
        short: Some('u'),
        long: "user",
        value: "name",
        sample: "memcache",
        doc: "User to go on as, when started by root; nobody when not given. Taken on before any socket is opened.",
        set: Set::Value(|settings, text| {
            settings.user = Some(text.trim().to_owned());
            Ok(())
        }),
        ..OPT
    },
    Opt {
        short: Some('P'),
        long: "pidfile",
        value: "file",
        sample: "/run/larderd/larderd.pid",
        doc: "File to write the process id to, as the user of -u. Removed at the end only with -d, and if it still \
              names this process.",
        set: Set::Value(|settings, text| {
            settings.pidfile = Some(text.trim().into());
            Ok(())
        }),
        ..OPT
    },
    Opt {
        short: Some('v'),
        long: "verbose",
        row: "verbosity",
        doc: "Logs more to the standard error: -v what happens, -vv also details of it, -vvv everything. The variable \
              RUST_LOG (larderd=debug), where it is set, decides instead.",
        set: Set::Switch(|settings| settings.verbosity += 1),
        ..OPT
    },
    Opt {
        short: Some('r'),
        long: "enable-coredumps",
        doc: "Raises the limit of core files as far as the system allows.",
        set: Set::Switch(|settings| settings.coredumps = true),
        ..OPT
    },
    Opt {
        short: Some('o'),
        long: "extended",
        value: "list",
        sample: "idle_timeout=300s",
        doc: "Suboptions, separated by commas; see below.",
        set: Set::List(super::extended::apply),
        ..OPT
    },
    Opt {
        long: "config",
        value: "file",
        sample: "/etc/memcached.conf",
        doc: "Reads options from a file, one a line: -m 64, or memory-limit 64; # begins a comment. What the command \
              line gives wins.",
        set: Set::Act(Act::Config),
        ..OPT
    },
    Opt {
        long: "check-config",
        doc: "Judges the options and the configuration file, says all that is wrong with them, each with its line, \
              and exits: with 0 when they are good, else as a start would, by the first fault: 1 is a bad value, 64 \
              options that do not go together, 67 an unknown user, 71 what the system denies.",
        set: Set::Act(Act::CheckConfig),
        ..OPT
    },
    Opt {
        long: "sample-config",
        doc: "Prints memcached.conf.example, a configuration file that documents every option, and exits.",
        set: Set::Act(Act::SampleConfig),
        ..OPT
    },
    Opt {
        short: Some('h'),
        long: "help",
        doc: "Prints this help and exits.",
        set: Set::Act(Act::Help),
        ..OPT
    },
    Opt {
        short: Some('i'),
        long: "license",
        doc: "Prints the licence and exits.",
        set: Set::Act(Act::License),
        ..OPT
    },
    Opt {
        short: Some('V'),
        long: "version",
        doc: "Prints the version and exits.",
        set: Set::Act(Act::Version),
        ..OPT
    },
];
