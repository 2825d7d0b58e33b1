//! The oracle: the same bytes to Debian's memcached and to larderd, and the replies compared to the byte, CAS
//! uniques included, since both take them from one sequence for the whole process.
//!
//! Three ways: written scripts in one piece, the same scripts cut in two at every byte, and random command streams, text
//! and binary.

#[path = "../support/mod.rs"]
mod support;

mod conns;
mod frames;
mod meta;
mod pair;
mod random;
mod script;

use pair::Pair;
use script::Script;
use support::{Ended, show};

/// Every file of `scripts/` for servers that are started as they come, by its subject.
const FILES: &[(&str, &str)] = &[
    ("storage", include_str!("scripts/storage.txt")),
    ("retrieval", include_str!("scripts/retrieval.txt")),
    ("arithmetic", include_str!("scripts/arithmetic.txt")),
    ("delete-touch", include_str!("scripts/delete-touch.txt")),
    ("lines", include_str!("scripts/lines.txt")),
    ("refusals", include_str!("scripts/refusals.txt")),
    ("noreply", include_str!("scripts/noreply.txt")),
    ("admin", include_str!("scripts/admin.txt")),
    ("upkeep", include_str!("scripts/upkeep.txt")),
    ("meta", include_str!("scripts/meta.txt")),
    ("differences", include_str!("scripts/differences.txt")),
    (
        "meta-differences",
        include_str!("scripts/meta-differences.txt"),
    ),
];

/// The file for servers that forbid what can be forbidden.
const RESTRICTED: (&str, &str) = ("restricted", include_str!("scripts/restricted.txt"));

/// At most this many bytes are sent for one script's cuts; long scripts are cut at fewer places, evenly spread.
const CUT_BYTES_MAX: usize = 100_000;
/// But at this many places at least.
const CUTS_MIN: usize = 5;

/// Every file's scripts, and how to start the servers for them.
fn files() -> impl Iterator<Item = (fn() -> Pair, Vec<Script>)> {
    let all = FILES.iter().map(|file| (Pair::start as fn() -> Pair, file));
    let all = all.chain([(Pair::restricted as fn() -> Pair, &RESTRICTED)]);
    all.map(|(start, (file, text))| (start, script::parse(file, text)))
}

#[test]
fn scripts_in_one_piece() {
    let mut failures = Vec::new();
    for (start, scripts) in files() {
        let pair = start();
        for script in &scripts {
            pair.clear();
            failures.extend(judge(&pair, script, &[&script.send]));
        }
    }
    report(&failures);
}

#[test]
fn scripts_cut_at_every_byte() {
    let mut failures = Vec::new();
    for (start, scripts) in files() {
        let pair = start();
        for script in scripts.iter().filter(|script| !script.whole) {
            let len = script.send.len();
            let count = (CUT_BYTES_MAX / len).max(CUTS_MIN).min(len);
            let cuts = (1..len).step_by(len.div_ceil(count));
            failures.extend(
                cuts.map(|at| script.send.split_at(at))
                    .find_map(|(head, tail)| {
                        pair.clear();
                        judge(&pair, script, &[head, tail])
                    }),
            );
        }
    }
    report(&failures);
}

/// Sends one script in the given pieces; a text when larderd's answer is wrong.
fn judge(pair: &Pair, script: &Script, pieces: &[&[u8]]) -> Option<String> {
    let ours = pair.larderd(pieces, script.end());
    let right = match &script.because {
        None => pair.memcached(pieces, script.end()),
        Some(_) => script.right_answer(),
    };
    let right_as_declared = right.ended
        == if script.closes {
            Ended::Closed
        } else {
            Ended::Found
        };
    assert!(
        right_as_declared,
        "{}: memcached answers {right}",
        script.name
    );
    (ours != right).then(|| {
        let cut = if pieces.len() > 1 {
            format!(" (cut at {})", pieces[0].len())
        } else {
            String::new()
        };
        let sent = show(&script.send);
        format!(
            "{}{cut}\n  sent     {sent}\n  expected {right}\n  larderd  {ours}",
            script.name
        )
    })
}

fn report(failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// The list of differences stays honest: what memcached here answers like 1.6.45 is no difference.
#[test]
fn differences_are_differences() {
    for (start, scripts) in files() {
        let pair = start();
        for script in scripts.iter().filter(|script| script.because.is_some()) {
            pair.clear();
            let theirs = pair.memcached(&[&script.send], script.end());
            let needless = theirs == script.right_answer();
            assert!(!needless, "{}: memcached answers the same", script.name);
        }
    }
}

#[test]
fn states_of_connections() {
    conns::states_are_alike();
}

#[test]
fn random_streams() {
    random::run();
}

#[test]
fn random_meta_streams() {
    meta::random_streams();
}

#[test]
fn random_frames() {
    frames::random_streams();
}

#[test]
fn statistics_by_frames() {
    frames::statistics();
}

#[test]
fn frames_that_close() {
    frames::closing();
}

#[test]
fn a_frame_that_is_too_long() {
    frames::too_long();
}
