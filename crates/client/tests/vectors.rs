//! Every decision of every other client that was recorded (`vectors/README.md`) is ours under that client's name.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use larder_client::{Distribution, KeyTag, NodeSpec, Ring, Routing};
use serde_json::Value;

/// What a column needs besides its distribution.
#[derive(Clone, Copy, PartialEq)]
enum With {
    Nothing,
    /// A hash tag.
    Tag(&'static str),
    /// Keys sent with a prefix that is not hashed.
    UnhashedPrefix(&'static str),
    /// Keys sent with a prefix that is hashed. Where both together are longer than the 250 bytes that a key may have,
    /// libmemcached takes 0 for the hash; such a key is never sent, and its cells are not compared.
    HashedPrefix(&'static str),
    /// Nodes called by what they resolve back to.
    Host(&'static str),
    /// Keys hashed whole, where the client itself would have hashed a part of some; those are not compared.
    WholeKeys,
    /// The list in reverse order, the index being that in the sorted list.
    Reversed,
}

use With::{HashedPrefix, Host, Nothing, Reversed, Tag, UnhashedPrefix, WholeKeys};

#[rustfmt::skip]
const COLUMNS: &[(&str, &str, With)] = &[
    ("dalli-weighted", "dalli", Nothing),
    ("dalli", "rails", Nothing),
    ("emcache", "emcache", Nothing),
    ("gomemcache", "gomemcache", Nothing),
    ("libmemcached-configstring-consistent-comma-md5", "libmemcached-ketama", Nothing),
    ("libmemcached-configstring-md5-consistent", "libmemcached-ketama:md5", Nothing),
    ("libmemcached-ketama-default", "libmemcached-ketama", Nothing),
    ("libmemcached-ketama-md5-port11211", "libmemcached-ketama:md5", Nothing),
    ("libmemcached-ketama-md5-servers-first", "libmemcached-ketama:md5", Nothing),
    ("libmemcached-ketama-md5-set-last", "libmemcached-ketama:one_at_a_time:md5", Nothing),
    ("libmemcached-ketama-md5", "libmemcached-ketama:md5", Nothing),
    ("libmemcached-ketama-spy-md5", "libmemcached-spy:md5", Nothing),
    ("libmemcached-ketama-spy-weighted", "libmemcached-spy-weighted", Nothing),
    ("libmemcached-ketama-weighted-8", "ketama", Nothing),
    ("libmemcached-ketama-weighted-equal-n100", "ketama", Nothing),
    ("libmemcached-ketama-weighted-equal-n49", "ketama", Nothing),
    ("libmemcached-ketama-weighted-equal-n61", "ketama", Nothing),
    ("libmemcached-ketama-weighted-equal-port11211", "ketama", Nothing),
    ("libmemcached-ketama-weighted-equal", "ketama", Nothing),
    ("libmemcached-ketama-weighted-keyhash-fnv1a_64", "libmemcached-ketama-weighted:fnv1a_64", Nothing),
    ("libmemcached-ketama-weighted-mixed-ports", "ketama", Nothing),
    ("libmemcached-ketama-weighted-namespace-hashed", "ketama", HashedPrefix("app1:")),
    ("libmemcached-ketama-weighted-namespace", "ketama", UnhashedPrefix("app1:")),
    ("libmemcached-ketama-weighted", "ketama", Nothing),
    ("libmemcached-ketama-weights-implied", "libmemcached-ketama", Nothing),
    ("libmemcached-modula-crc", "libmemcached-modula:crc", Nothing),
    ("libmemcached-modula-default", "libmemcached-modula", Nothing),
    ("libmemcached-modula-fnv1a_32", "libmemcached-modula:fnv1a_32", Nothing),
    ("libmemcached-modula-fnv1a_64", "libmemcached-modula:fnv1a_64", Nothing),
    ("libmemcached-modula-md5", "libmemcached-modula:md5", Nothing),
    ("libmemcached-modula-sort-hosts", "libmemcached-modula-sorted", Reversed),
    ("memcached-proxy-jump-xxh3", "memcached-proxy", Nothing),
    ("memcached-proxy-ring-default", "memcached-proxy-ring", Nothing),
    ("memcached-proxy-ring-evcache", "memcached-proxy-evcache", Nothing),
    ("memcached-proxy-ring-ketama-port11211", "memcached-proxy-ketama", Nothing),
    ("memcached-proxy-ring-ketama-xxh3keys", "memcached-proxy-ketama-xxh3", Nothing),
    ("memcached-proxy-ring-ketama", "memcached-proxy-ketama", Nothing),
    ("memcached-proxy-ring-twemproxy-port11211", "memcached-proxy-twemproxy", Nothing),
    ("node-memcached-default", "npm-memcached", Nothing),
    ("node-memcached-noketama", "npm-hash_ring", Nothing),
    ("node-memcached-ring-mixed", "npm-memcached", Nothing),
    ("node-memcached-ring-n14", "npm-memcached", Nothing),
    ("node-memcached-ring-n25", "npm-memcached", Nothing),
    ("node-memcached-ring-n3", "npm-memcached", Nothing),
    ("node-memcached-ring-n49", "npm-memcached", Nothing),
    ("node-memcached-ring-n5", "npm-memcached", Nothing),
    ("node-memcached-ring-n7", "npm-memcached", Nothing),
    ("node-memcached-ring-noport", "npm-memcached", Nothing),
    ("node-memcached-ring-port11211", "npm-memcached", Nothing),
    ("node-memcached-weighted", "npm-memcached", Nothing),
    ("perl-fast-ketama0", "cache-memcached", Nothing),
    ("perl-fast-ketama150", "perl-fast:150", Nothing),
    ("perl-fast-ketama160", "nginx-consistent", Nothing),
    ("php-memcached-consistent-then-libketama", "php-libketama", Nothing),
    ("php-memcached-consistent-weighted", "php-consistent", Nothing),
    ("php-memcached-consistent", "php-sessions", Nothing),
    ("php-memcached-default-weighted", "php-default", Nothing),
    ("php-memcached-default", "php-default", Nothing),
    ("php-memcached-libketama-options-last", "php-libketama", Nothing),
    ("php-memcached-libketama-then-consistent", "libmemcached-ketama:md5", Nothing),
    ("php-memcached-libketama-weighted", "php-libketama", Nothing),
    ("php-memcached-libketama", "php-libketama", Nothing),
    ("pylibmc-default", "pylibmc", Nothing),
    ("pylibmc-hash-md5-ketama", "libmemcached-ketama:md5", Nothing),
    ("pylibmc-ketama-and-ketama_weighted", "pylibmc-ketama_weighted", Nothing),
    ("pylibmc-ketama-hash-md5", "libmemcached-ketama:md5", Nothing),
    ("pylibmc-ketama", "pylibmc-ketama", Nothing),
    ("pylibmc-ketama_weighted-and-ketama", "pylibmc-ketama_weighted", Nothing),
    ("pylibmc-ketama_weighted", "pylibmc-ketama_weighted", Nothing),
    ("pymemcache-hashclient-bytes-keys", "pymemcache-bytes", Nothing),
    ("pymemcache-hashclient-prefix", "pymemcache", UnhashedPrefix("app1:")),
    ("pymemcache-hashclient", "pymemcache", Nothing),
    ("python-memcached", "python-memcached", Nothing),
    ("spymemcached-consistent-fnv1a_64", "spymemcached-ketama:fnv1a_64", Nothing),
    ("spymemcached-default", "spymemcached", Nothing),
    ("spymemcached-ketama-libmemcached-names-weighted", "spymemcached-ketama", Host("localhost")),
    ("spymemcached-ketama-libmemcached-names", "spymemcached-ketama", Host("localhost")),
    ("spymemcached-ketama-weighted", "spymemcached-ketama", Nothing),
    ("spymemcached-ketama", "spymemcached-ketama", Nothing),
    ("spymemcached-mod-crc_hash", "spymemcached-modula:crc", Nothing),
    ("spymemcached-mod-fnv1_32_hash", "spymemcached-modula:fnv1_32", Nothing),
    ("spymemcached-mod-fnv1_64_hash", "spymemcached-modula:fnv1_64", Nothing),
    ("spymemcached-mod-fnv1a_32_hash", "spymemcached-modula:fnv1a_32", Nothing),
    ("spymemcached-mod-fnv1a_64_hash", "spymemcached-modula:fnv1a_64", Nothing),
    ("spymemcached-mod-ketama_hash", "spymemcached-modula:md5", Nothing),
    ("spymemcached-mod-native_hash", "spymemcached", Nothing),
    ("twemproxy-ketama-crc16", "twemproxy-ketama:crc16", Nothing),
    ("twemproxy-ketama-crc32", "twemproxy-ketama:crc32", Nothing),
    ("twemproxy-ketama-crc32a", "twemproxy-ketama:crc32a", Nothing),
    ("twemproxy-ketama-fnv1_32", "twemproxy-ketama:fnv1_32", Nothing),
    ("twemproxy-ketama-fnv1_64", "twemproxy-ketama:fnv1_64", Nothing),
    ("twemproxy-ketama-fnv1a_32", "twemproxy-ketama:fnv1a_32", Nothing),
    ("twemproxy-ketama-fnv1a_64-hash_tag-same", "twemproxy-ketama", Tag("$$")),
    ("twemproxy-ketama-fnv1a_64-hash_tag", "twemproxy-ketama", Tag("{}")),
    ("twemproxy-ketama-fnv1a_64-names-weighted", "twemproxy-ketama", Nothing),
    ("twemproxy-ketama-fnv1a_64-names", "twemproxy-ketama", Nothing),
    ("twemproxy-ketama-fnv1a_64-weighted", "twemproxy-ketama", Nothing),
    ("twemproxy-ketama-fnv1a_64", "twemproxy-ketama:fnv1a_64", Nothing),
    ("twemproxy-ketama-hsieh", "twemproxy-ketama:hsieh", Nothing),
    ("twemproxy-ketama-jenkins", "twemproxy-ketama:jenkins", Nothing),
    ("twemproxy-ketama-md5-mixed-ports", "twemproxy-ketama:md5", Nothing),
    ("twemproxy-ketama-md5-weighted", "ketama", Nothing),
    ("twemproxy-ketama-md5", "ketama", Nothing),
    ("twemproxy-ketama-murmur", "twemproxy-ketama:murmur", Nothing),
    ("twemproxy-ketama-one_at_a_time", "twemproxy-ketama:one_at_a_time", Nothing),
    ("twemproxy-modula-fnv1a_64", "twemproxy-modula", Nothing),
    ("twemproxy-modula-one_at_a_time-weighted", "twemproxy-modula:one_at_a_time", Nothing),
    ("twemproxy-modula-one_at_a_time", "twemproxy-modula:one_at_a_time", Nothing),
    ("mcrouter-ch3_1", "mcrouter", WholeKeys),
    ("mcrouter-ch3_2", "mcrouter", WholeKeys),
    ("mcrouter-ch3_3", "mcrouter", WholeKeys),
    ("mcrouter-ch3_4", "mcrouter", WholeKeys),
    ("mcrouter-ch3_5", "mcrouter", WholeKeys),
    ("mcrouter-ch3_7", "mcrouter", WholeKeys),
    ("mcrouter-ch3_8", "mcrouter", WholeKeys),
    ("mcrouter-ch3_10", "mcrouter", WholeKeys),
    ("mcrouter-ch3_11", "mcrouter", WholeKeys),
    ("mcrouter-ch3_16", "mcrouter", WholeKeys),
    ("mcrouter-ch3_100", "mcrouter", WholeKeys),
    ("mcrouter-ch3_1000", "mcrouter", WholeKeys),
    ("mcrouter-crc32_mod5", "mcrouter-crc32", WholeKeys),
];

/// The cells of one column, and how many of its keys are on another node here.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    same: usize,
    different: usize,
}

#[test]
fn every_column_is_reproduced() {
    let sets = sets();
    let (names, rows) = table();
    assert_eq!(
        names.len(),
        COLUMNS.len(),
        "every column has its distribution"
    );
    let mut faults = Vec::new();
    let mut total = 0;
    for (column, name) in names.iter().enumerate() {
        let (_, distribution, with) = COLUMNS
            .iter()
            .find(|(known, ..)| known == name)
            .unwrap_or_else(|| panic!("{name} has no distribution"));
        let cells = rows
            .iter()
            .map(|(key, cells)| (key.as_slice(), cells[column].as_str()));
        let tally = compare(&sets[name], distribution, *with, cells);
        total += tally.same;
        if tally.different > 0 {
            faults.push(format!("{name}: {tally:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    println!("{total} of {total} decisions are the same");
    assert!(total > 136_000, "all the cells were compared: {total}");
}

fn compare<'a>(
    set: &Value,
    distribution: &str,
    with: With,
    cells: impl Iterator<Item = (&'a [u8], &'a str)>,
) -> Tally {
    let distribution: Distribution = distribution.parse().expect("a distribution");
    let mut nodes = nodes(set, with);
    let mut routing = Routing::new(distribution);
    let mut prefix = "";
    match with {
        Tag(tag) => routing = routing.with_tag(tag.parse::<KeyTag>().expect("a tag")),
        UnhashedPrefix(unhashed) => {
            prefix = unhashed;
            routing = routing.with_unhashed_prefix(unhashed);
        }
        HashedPrefix(hashed) => prefix = hashed,
        Reversed => nodes.reverse(),
        Host(_) | WholeKeys | Nothing => {}
    }
    let ring = Ring::with_routing(&routing, &nodes).expect("a ring");
    let mut tally = Tally::default();
    for (key, cell) in cells {
        let wire = [prefix.as_bytes(), key].concat();
        let is_too_long = matches!(with, HashedPrefix(_)) && wire.len() > 250;
        let has_part = key.starts_with(b"/") || key.windows(3).any(|three| three == b"|#|");
        if cell.is_empty() || is_too_long || (with == WholeKeys && has_part) {
            continue;
        }
        let index = ring.node_for(&wire);
        let index = if with == Reversed {
            nodes.len() - 1 - index
        } else {
            index
        };
        match index.to_string() == cell {
            true => tally.same += 1,
            false => {
                tally.different += 1;
            }
        }
    }
    tally
}

fn nodes(set: &Value, with: With) -> Vec<NodeSpec> {
    if let Some(places) = set["places"].as_u64() {
        let node = |place| format!("node-{place}").parse().expect("a node");
        return (0..places).map(node).collect();
    }
    let listed = set["nodes"].as_array().expect("nodes").iter();
    let node = |node: &Value| {
        let text = node.as_str().expect("a node");
        let text = match with {
            Host(host) => text.replace("127.0.0.1", host),
            _ => text.to_owned(),
        };
        text.parse().expect("a node")
    };
    listed.map(node).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn sets() -> BTreeMap<String, Value> {
    let text = fs::read_to_string(folder().join("sets.json")).expect("the sets");
    serde_json::from_str(&text).expect("the sets are JSON")
}

/// A key, and the cells of its line.
type Row = (Vec<u8>, Vec<String>);

/// The columns' names, and the lines.
fn table() -> (Vec<String>, Vec<Row>) {
    let text = fs::read_to_string(folder().join("key-to-server.csv")).expect("the vectors");
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
    let names = lines.next().expect("a head").skip(1).collect();
    let row = |mut cells: std::iter::Map<_, _>| {
        let key: String = cells.next().expect("a key");
        (hex::decode(key).expect("hexadecimal"), cells.collect())
    };
    (names, lines.map(row).collect())
}
