//! Options about threads, connections and the commands that they may send.

use larder_runtime::Protocol;

use super::{OPT, Opt, Set};
use crate::refusal::Refusal;
use crate::units::number;

/// The most workers: each has its own shard, and more of them than this only cut the memory into slivers.
const THREADS_MAX: usize = 1024;

pub(super) const OPTIONS: &[Opt] = &[
    Opt {
        short: Some('t'),
        long: "threads",
        value: "num",
        sample: "4",
        row: "num_threads",
        doc: "Worker threads, each with its own event loop. The default is the number of cores that the process may \
              use.",
        set: Set::Value(|settings, text| {
            settings.threads = number(text, 1..=THREADS_MAX)?;
            Ok(())
        }),
        ..OPT
    },
    Opt {
        short: Some('c'),
        long: "conn-limit",
        value: "num",
        default: "1024",
        sample: "4096",
        row: "maxconns",
        doc: "Most connections at once. The limit of open files is raised to what they need.",
        set: Set::Value(|settings, text| {
            settings.conn_limit = number(text, 1..=i32::MAX as u32)?;
            Ok(())
        }),
        ..OPT
    },
    Opt {
        short: Some('R'),
        long: "max-reqs-per-event",
        value: "num",
        default: "20",
        sample: "50",
        row: "reqs_per_event",
        doc: "Commands of one connection in a row before the others get their turn.",
        set: Set::Value(|settings, text| {
            settings.requests_per_turn = number(text, 1..=i32::MAX as u32)?;
            Ok(())
        }),
        ..OPT
    },
    Opt {
        short: Some('C'),
        long: "disable-cas",
        row: "cas_enabled",
        doc: "Gives items no CAS unique: gets answers 0, and cas never stores.",
        set: Set::Switch(|settings| settings.cas = false),
        ..OPT
    },
    Opt {
        short: Some('B'),
        long: "protocol",
        value: "name",
        default: "auto",
        sample: "ascii",
        row: "binding_protocol",
        doc: "Protocols to speak: ascii, binary or auto; with auto the first byte of each connection tells.",
        set: Set::Value(|settings, text| {
            settings.protocol = protocol(text)?;
            Ok(())
        }),
        ..OPT
    },
    Opt {
        short: Some('D'),
        value: "char",
        default: "",
        sample: "/",
        row: "stat_key_prefix",
        doc: "Character that ends a key's prefix for stats detail; turns that counting on as well. Without it the \
              character is a colon, and stats detail on turns the counting on.",
        set: Set::Value(|settings, text| {
            settings.prefix_delimiter = delimiter(text)?;
            settings.detail_enabled = true;
            Ok(())
        }),
        ..OPT
    },
    Opt {
        short: Some('A'),
        long: "enable-shutdown",
        row: "shutdown_command",
        doc: "Lets clients stop the daemon with the command shutdown.",
        set: Set::Switch(|settings| settings.shutdown_enabled = true),
        ..OPT
    },
    Opt {
        short: Some('F'),
        long: "disable-flush-all",
        row: "flush_enabled",
        doc: "Refuses the command flush_all.",
        set: Set::Switch(|settings| settings.flush_enabled = false),
        ..OPT
    },
    Opt {
        short: Some('X'),
        long: "disable-dumping",
        row: "dump_enabled",
        doc: "Refuses the commands that list keys.",
        set: Set::Switch(|settings| settings.dump_enabled = false),
        ..OPT
    },
    Opt {
        short: Some('W'),
        long: "disable-watch",
        doc: "Refuses the command watch.",
        set: Set::Switch(|settings| settings.watch_enabled = false),
        ..OPT
    },
    Opt {
        short: Some('N'),
        long: "napi-ids",
        value: "num",
        sample: "1",
        row: "num_napi_ids",
        doc: "Accepted and shown; new connections always go to the worker that has the fewest.",
        set: Set::Value(|settings, text| {
            settings.napi_ids = number(text, 1..=i32::MAX as u32)?;
            Ok(())
        }),
        effect: false,
        ..OPT
    },
];

fn protocol(text: &str) -> Result<Protocol, Refusal> {
    match text.trim() {
        "auto" => Ok(Protocol::Negotiated),
        "ascii" => Ok(Protocol::Text),
        "binary" => Ok(Protocol::Binary),
        other => Err(Refusal::usage(format!(
            "`{other}` is not a protocol: write auto, ascii or binary"
        ))),
    }
}

/// The first byte, whatever follows, as memcached has it; a blank may be meant.
fn delimiter(text: &str) -> Result<u8, Refusal> {
    text.bytes()
        .next()
        .ok_or_else(|| Refusal::value("needs the character that ends a key's prefix, such as :"))
}
