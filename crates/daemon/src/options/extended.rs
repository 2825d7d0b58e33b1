//! The suboptions of `-o`: `name` or `name=value`, separated by commas.

use super::{OPT, Opt, Set, limits, secure};
use crate::refusal::Refusal;
use crate::settings::{Extended, Settings};
use crate::units::{KIB, MIB, SECOND, decimal, number, size, size32, time};

/// What a suboption with a value does.
pub(super) type SetValue = fn(&mut Settings, &str) -> Result<(), Refusal>;

/// Puts a list of suboptions into force, from left to right, or says what is wrong with each that cannot be.
pub(super) fn apply(settings: &mut Settings, list: &str) -> Vec<Refusal> {
    let words = list.split(',').map(str::trim);
    let words = words.filter(|word| !word.is_empty());
    words
        .flat_map(|word| {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            match suboptions().find(|option| option.long == name) {
                Some(option) => option.apply(name, value, settings),
                None => vec![illegal(name)],
            }
        })
        .collect()
}

/// The refusal of a suboption that is not in the table; whole families of memcached's are refused by their prefix.
fn illegal(name: &str) -> Refusal {
    let families = [
        (
            "ext_",
            "larderd never writes items to a file, so there is no external storage",
        ),
        (
            "slab_automove_freeratio",
            "it belongs to memcached's external storage, which larderd has not",
        ),
        ("proxy_", "larderd is no proxy"),
    ];
    let family = families.iter().find(|(prefix, _)| name.starts_with(prefix));
    match family {
        Some((_, why)) => Refusal::value(*why).at(name),
        None => Refusal::value(format!(
            "Illegal suboption \"{name}\"; `larderd --help` lists those there are"
        )),
    }
}

/// A suboption without a value.
const fn switch(
    long: &'static str,
    row: &'static str,
    doc: &'static str,
    set: fn(&mut Settings),
) -> Opt {
    Opt {
        long,
        row,
        doc,
        set: Set::Switch(set),
        ..OPT
    }
}

/// One that changes nothing here beyond what `stats` shows.
const fn inert_switch(
    long: &'static str,
    row: &'static str,
    doc: &'static str,
    set: fn(&mut Settings),
) -> Opt {
    Opt {
        effect: false,
        ..switch(long, row, doc, set)
    }
}

/// A suboption with a value: its name, what the value is called, default and sample.
pub(super) const fn value(
    [long, value, default, sample]: [&'static str; 4],
    row: &'static str,
    doc: &'static str,
    set: SetValue,
) -> Opt {
    Opt {
        long,
        value,
        default,
        sample,
        row,
        doc,
        set: Set::Value(set),
        ..OPT
    }
}

/// One that changes nothing here beyond what `stats` shows.
const fn inert(
    names: [&'static str; 4],
    row: &'static str,
    doc: &'static str,
    set: SetValue,
) -> Opt {
    Opt {
        effect: false,
        ..value(names, row, doc, set)
    }
}

const SHOWN: &str = "Accepted and shown; it tunes nothing here.";
const ACCEPTED: &str = "Accepted; it tunes nothing here.";

/// Every suboption.
pub(crate) fn suboptions() -> impl Iterator<Item = &'static Opt> {
    SUBOPTIONS
        .iter()
        .chain(limits::SUBOPTIONS)
        .chain(secure::SUBOPTIONS)
}

/// Those that are not about who may come in: first those that do something.
const SUBOPTIONS: &[Opt] = &[
    switch(
        "maxconns_fast",
        "",
        "At the limit of connections, answers new ones with an error and closes them (the default).",
        |s| s.extended.maxconns_fast = true,
    ),
    switch(
        "no_maxconns_fast",
        "maxconns_fast",
        "At the limit of connections, leaves new ones waiting in the kernel's queue.",
        |s| s.extended.maxconns_fast = false,
    ),
    value(
        ["idle_timeout", "time", "0", "300s"],
        "idle_timeout",
        "Closes connections that sent no command for so long, in seconds or with a unit (300s, 5m). 0 is never.",
        |s, text| assign(&mut s.extended.idle_timeout_s, time(text, SECOND)),
    ),
    value(
        ["watcher_logbuf_size", "size", "256", "512"],
        "watcher_logbuf_size",
        "KiB of lines that wait to be sent to one watcher; more are skipped, and it is told.",
        |s, text| assign(&mut s.extended.watcher_logbuf_bytes, size32(text, KIB)),
    ),
    value(
        ["worker_logbuf_size", "size", "64", "128"],
        "worker_logbuf_size",
        "KiB of lines of one worker that wait to be taken by watchers; more are dropped.",
        |s, text| assign(&mut s.extended.worker_logbuf_bytes, size32(text, KIB)),
    ),
    switch(
        "track_sizes",
        "track_sizes",
        "Counts items by size, for stats sizes.",
        |s| s.extended.track_sizes = true,
    ),
    switch(
        "modern",
        "",
        "Accepted; it has been the default since memcached 1.5.",
        |_| {},
    ),
    switch(
        "no_modern",
        "lru_segmented",
        "The defaults of memcached 1.4 as far as they are shown, and no_maxconns_fast.",
        |s| s.extended.leave_modern(),
    ),
    inert(
        ["read_buf_mem_limit", "size", "0", "64"],
        "read_buf_mem_limit",
        "Accepted and shown; each connection's buffers are bounded anyway.",
        |s, text| assign(&mut s.extended.read_buf_mem_limit, size(text, MIB)),
    ),
    inert(
        ["hashpower", "num", "", "20"],
        "hashpower_init",
        "Accepted and shown, from 12 to 32; the index grows in small steps by itself.",
        |s, text| assign(&mut s.extended.hashpower_init, number(text, 12..=32)),
    ),
    inert_switch(
        "no_hashexpand",
        "",
        "Accepted; the index always grows with its items.",
        |_| {},
    ),
    inert(
        ["hash_algorithm", "name", "murmur3", "xxh3"],
        "hash_algorithm",
        "Accepted and shown: jenkins, murmur3 or xxh3. Keys are hashed with a secret that is new in each process.",
        |s, text| assign(&mut s.extended.hash_algorithm, hash_algorithm(text)),
    ),
    inert_switch(
        "lru_crawler",
        "",
        "Accepted; the crawler always runs.",
        |s| s.extended.tunables.lru_crawler = true,
    ),
    switch(
        "no_lru_crawler",
        "lru_crawler",
        "Serves no crawls and dumps until lru_crawler enable; what has expired is taken back nevertheless.",
        |s| s.extended.tunables.lru_crawler = false,
    ),
    inert(
        ["lru_crawler_sleep", "time", "100", "1000"],
        "lru_crawler_sleep",
        "Accepted and shown, up to 1000000 microseconds.",
        |s, text| {
            assign(
                &mut s.extended.tunables.lru_crawler_sleep_us,
                crawler_sleep(text),
            )
        },
    ),
    inert(
        ["lru_crawler_tocrawl", "num", "0", "1000"],
        "lru_crawler_tocrawl",
        SHOWN,
        |s, text| {
            assign(
                &mut s.extended.tunables.lru_crawler_tocrawl,
                number(text, 0..=u32::MAX),
            )
        },
    ),
    inert_switch(
        "lru_maintainer",
        "",
        "Accepted; eviction has no thread of its own here.",
        |s| s.extended.lru_maintainer = true,
    ),
    switch(
        "no_lru_maintainer",
        "lru_maintainer_thread",
        "Refuses lru mode and temp_ttl, and leaves the maintainer's rows out of stats.",
        |s| {
            s.extended.lru_maintainer = false;
            s.extended.tunables.lru_segmented = false;
        },
    ),
    inert(
        ["hot_lru_pct", "num", "20", "30"],
        "hot_lru_pct",
        "Accepted and shown, from 1 to 79.",
        |s, text| assign(&mut s.extended.tunables.hot_lru_pct, number(text, 1..=79)),
    ),
    inert(
        ["warm_lru_pct", "num", "40", "30"],
        "warm_lru_pct",
        "Accepted and shown, from 1 to 79.",
        |s, text| assign(&mut s.extended.tunables.warm_lru_pct, number(text, 1..=79)),
    ),
    inert(
        ["hot_max_factor", "num", "0.2", "0.3"],
        "hot_max_factor",
        SHOWN,
        |s, text| assign(&mut s.extended.tunables.hot_max_factor, positive(text)),
    ),
    inert(
        ["warm_max_factor", "num", "2.0", "3.0"],
        "warm_max_factor",
        SHOWN,
        |s, text| assign(&mut s.extended.tunables.warm_max_factor, positive(text)),
    ),
    inert(
        ["temporary_ttl", "time", "", "30s"],
        "temporary_ttl",
        "Accepted and shown, in seconds or with a unit.",
        |s, text| {
            s.extended.tunables.temp_lru = true;
            assign(&mut s.extended.tunables.temporary_ttl_s, time(text, SECOND))
        },
    ),
    inert_switch(
        "slab_reassign",
        "",
        "Accepted; pages always move to the slab classes that need them.",
        |s| s.extended.slab_reassign = true,
    ),
    switch(
        "no_slab_reassign",
        "slab_reassign",
        "Refuses slabs reassign and leaves its rows out of stats; pages move by themselves nevertheless.",
        |s| s.extended.slab_reassign = false,
    ),
    Opt {
        set: Set::ValueOr("1", |s, text| {
            assign(&mut s.extended.tunables.slab_automove, number(text, 0..=2))
        }),
        ..inert(
            ["slab_automove", "num", "1", "2"],
            "slab_automove",
            "Accepted and shown, from 0 to 2.",
            |_, _| Ok(()),
        )
    },
    inert_switch("no_slab_automove", "slab_automove", SHOWN, |s| {
        s.extended.tunables.slab_automove = 0;
    }),
    inert(
        ["slab_automove_ratio", "num", "0.8", "0.9"],
        "slab_automove_ratio",
        SHOWN,
        |s, text| assign(&mut s.extended.tunables.slab_automove_ratio, share(text)),
    ),
    inert(
        ["slab_automove_window", "num", "10", "60"],
        "slab_automove_window",
        "Accepted and shown, from 3 to 1800.",
        |s, text| {
            assign(
                &mut s.extended.tunables.slab_automove_window_s,
                number(text, 3..=1800),
            )
        },
    ),
    inert(
        ["slab_sizes", "a-b-c", "", "100-200-400"],
        "",
        "Accepted; the slab classes are fixed here.",
        slab_sizes,
    ),
    inert(
        ["slab_chunk_max", "size", "512", "256"],
        "slab_chunk_max",
        "Accepted and shown, in kilobytes or with a unit.",
        |s, text| assign(&mut s.extended.slab_chunk_max, size32(text, KIB)),
    ),
    inert_switch(
        "no_chunked_items",
        "",
        "Accepted; large items always span chunks.",
        |_| {},
    ),
    inert(
        ["tail_repair_time", "time", "", "3600s"],
        "tail_repair_time",
        "Accepted and shown, from 10 seconds on.",
        |s, text| assign(&mut s.extended.tail_repair_time_s, tail_repair_time(text)),
    ),
    inert_switch("inline_ascii_resp", "", ACCEPTED, |_| {}),
    inert_switch("no_inline_ascii_resp", "", ACCEPTED, |_| {}),
    Opt {
        set: Set::ValueOr("0", |_, _| Ok(())),
        ..inert(
            ["resp_obj_mem_limit", "size", "", "64"],
            "",
            "Accepted, with any value or none; in memcached, too, it has no effect any more.",
            |_, _| Ok(()),
        )
    },
    inert_switch("drop_privileges", "", ACCEPTED, |_| {}),
    inert_switch("no_drop_privileges", "", ACCEPTED, |_| {}),
    switch(
        "relaxed_privileges",
        "",
        "The same as allow_world_readable_secrets.",
        |s| s.allow_world_readable_secrets = true,
    ),
    inert(
        ["sock_cookie_id", "num", "", "1"],
        "",
        ACCEPTED,
        |_, text| number(text, 0..=u32::MAX).map(drop),
    ),
];

impl Extended {
    /// memcached's `no_modern`.
    fn leave_modern(&mut self) {
        self.slab_chunk_max = MIB as u32;
        self.slab_reassign = false;
        self.tunables.slab_automove = 0;
        self.maxconns_fast = false;
        self.tunables.lru_segmented = false;
        self.hash_algorithm = "jenkins";
        self.tunables.lru_crawler = false;
        self.lru_maintainer = false;
    }
}

pub(super) fn assign<T>(place: &mut T, value: Result<T, Refusal>) -> Result<(), Refusal> {
    *place = value?;
    Ok(())
}

fn positive(text: &str) -> Result<f64, Refusal> {
    let factor = decimal(text)?;
    if factor > 0.0 {
        return Ok(factor);
    }
    Err(Refusal::value(format!(
        "`{}` is not greater than 0",
        text.trim()
    )))
}

/// A part of a whole.
fn share(text: &str) -> Result<f64, Refusal> {
    let share = positive(text)?;
    if share <= 1.0 {
        return Ok(share);
    }
    Err(Refusal::value(format!(
        "`{}` is greater than 1",
        text.trim()
    )))
}

fn hash_algorithm(text: &str) -> Result<&'static str, Refusal> {
    let known = ["jenkins", "murmur3", "xxh3"];
    let found = known.into_iter().find(|name| *name == text.trim());
    found
        .ok_or_else(|| Refusal::value(format!("`{}` is not jenkins, murmur3 or xxh3", text.trim())))
}

fn crawler_sleep(text: &str) -> Result<u32, Refusal> {
    let micros = time(text, 1)?;
    if u64::from(micros) <= SECOND {
        return Ok(micros);
    }
    Err(Refusal::value(format!(
        "`{}` is more than a second (1000000)",
        text.trim()
    )))
}

fn tail_repair_time(text: &str) -> Result<u32, Refusal> {
    let seconds = time(text, SECOND)?;
    if seconds >= 10 {
        return Ok(seconds);
    }
    Err(Refusal::value(format!(
        "`{}` is less than 10 seconds",
        text.trim()
    )))
}

/// Sizes that grow, with dashes between them.
fn slab_sizes(_: &mut Settings, text: &str) -> Result<(), Refusal> {
    let sizes: Result<Vec<u32>, _> = text.trim().split('-').map(str::parse).collect();
    match sizes {
        Ok(sizes) if sizes.is_sorted() && sizes[0] > 0 => Ok(()),
        _ => Err(Refusal::usage(format!(
            "`{}` is not a list of growing sizes with dashes between them, such as 100-200-400",
            text.trim()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Code;

    fn after(list: &str) -> Result<Settings, Vec<Refusal>> {
        let mut settings = Settings::default();
        let refusals = apply(&mut settings, list);
        match refusals.is_empty() {
            true => Ok(settings),
            false => Err(refusals),
        }
    }

    #[test]
    fn lists_are_put_into_force_from_left_to_right() {
        let settings = after("no_lru_crawler,no_lru_maintainer,no_slab_reassign,lru_crawler");
        let settings = settings.expect("a good list");
        assert_eq!(
            settings.without_effect,
            ["lru_crawler"],
            "the others refuse commands"
        );

        let settings = after("no_maxconns_fast, idle_timeout=5m,,track_sizes,hashpower=16")
            .expect("a good list");
        assert!(!settings.extended.maxconns_fast && settings.extended.track_sizes);
        assert_eq!(settings.extended.idle_timeout_s, 300);
        assert_eq!(settings.without_effect, ["hashpower"]);

        let settings = after("no_modern,maxconns_fast,slab_automove").expect("a good list");
        assert!(settings.extended.maxconns_fast && !settings.extended.tunables.lru_crawler);
        assert_eq!(settings.extended.tunables.slab_automove, 1);
    }

    #[test]
    fn bad_lists_name_the_suboption() {
        let table = [
            ("foo", "Illegal suboption \"foo\""),
            ("idle_timeout", "idle_timeout: needs a value"),
            ("idle_timeout=x", "idle_timeout: `x` is not a time"),
            (
                "hashpower=11",
                "hashpower: `11` is not a number from 12 to 32",
            ),
            ("hashpower=33", "hashpower: "),
            ("slab_automove=3", "slab_automove: "),
            ("slab_automove_window=2", "slab_automove_window: "),
            (
                "lru_crawler_sleep=2s",
                "lru_crawler_sleep: `2s` is more than a second",
            ),
            ("tail_repair_time=9", "tail_repair_time: "),
            ("hot_lru_pct=80", "hot_lru_pct: "),
            ("hot_max_factor=0", "hot_max_factor: "),
            ("hash_algorithm=md5", "hash_algorithm: `md5` is not jenkins"),
            (
                "slab_automove_ratio=2",
                "slab_automove_ratio: `2` is greater",
            ),
            (
                "ext_path=/x:1G",
                "ext_path: larderd never writes items to a file",
            ),
            ("slab_automove_freeratio=0.1", "slab_automove_freeratio: "),
            ("proxy_config=x", "proxy_config: larderd is no proxy"),
            ("ssl_min_version=4", "ssl_min_version: "),
            ("ssl_key=", "ssl_key: needs the name of a file"),
        ];
        for (list, beginning) in table {
            let refusals = after(list).expect_err(list);
            let refusal = &refusals[0];
            assert!(refusal.sentence.starts_with(beginning), "{list}: {refusal}");
            assert_eq!(refusal.code, Code::Value, "{list}");
        }
    }

    #[test]
    fn each_bad_suboption_is_named() {
        let refusals = after("foo,idle_timeout=x,track_sizes,hashpower=11").expect_err("bad");
        let names = ["Illegal suboption \"foo\"", "idle_timeout: ", "hashpower: "];
        assert_eq!(refusals.len(), names.len(), "{refusals:?}");
        for (refusal, name) in refusals.iter().zip(names) {
            assert!(refusal.sentence.starts_with(name), "{refusal}");
        }
    }
}
