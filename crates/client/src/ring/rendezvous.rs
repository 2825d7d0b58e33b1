//! Rendezvous: each node and key together give a score, and a key lives on the node with the highest.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::continuum::PointName;
use crate::node::{Address, NodeSpec};

/// How a node and a key give a score.
#[derive(Clone, Copy, Debug)]
pub(super) enum Score {
    /// XXH3 of the key, seeded with that of the node's label; weights divide its logarithm, so that only what a changed
    /// node gains or loses is moved.
    Larder,
    /// pymemcache's, of the key as text.
    Pymemcache,
    /// pymemcache's, of what Python prints for the key as bytes.
    PymemcacheBytes,
    /// emcache's, whose 640 different values tie often.
    Emcache,
}

/// The nodes as their scores see them.
#[derive(Clone, Debug)]
pub(super) struct Rendezvous {
    score: Score,
    nodes: Vec<Node>,
}

#[derive(Clone, Debug)]
struct Node {
    name: String,
    seed: u64,
    weight: f64,
}

impl Rendezvous {
    pub(super) fn new(score: Score, nodes: &[NodeSpec]) -> Self {
        let node = |node: &NodeSpec| {
            let name = match (score, node.name(), node.address()) {
                (Score::Emcache, None, Address::Tcp { host, port }) => format!("{host}{port}"),
                (Score::Larder, ..) => node.label(),
                _ => PointName::WithPort.of(node),
            };
            Node {
                seed: xxh3_64(name.as_bytes()),
                weight: f64::from(node.weight()),
                name,
            }
        };
        Self {
            score,
            nodes: nodes.iter().map(node).collect(),
        }
    }

    /// The node with the highest score for `key`.
    pub(super) fn node_for(&self, key: &[u8]) -> usize {
        match self.score {
            Score::Larder => self.highest(|node| {
                // A number above 0 and at most 1, of 53 bits, as many as a float holds.
                let hash = xxh3_64_with_seed(key, node.seed);
                let chance = ((hash >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
                chance.ln() / node.weight
            }),
            Score::Pymemcache => self.pymemcache(&latin(key)),
            Score::PymemcacheBytes => self.pymemcache(&python_bytes(key)),
            Score::Emcache => self.highest(|node| {
                let with_key = emcache(&[key, node.name.as_bytes()].concat());
                (with_key, emcache(node.name.as_bytes()))
            }),
        }
    }

    fn pymemcache(&self, key: &[u8]) -> usize {
        self.highest(|node| {
            let text = [&latin(node.name.as_bytes()), &b"-"[..], key].concat();
            (mur3::murmurhash3_x86_32(&text, 0), node.name.as_str())
        })
    }

    /// The first node of those with the highest score.
    fn highest<'a, T: PartialOrd>(&'a self, score: impl Fn(&'a Node) -> T) -> usize {
        let mut best = None;
        for (index, node) in self.nodes.iter().enumerate() {
            let own = score(node);
            if best.as_ref().is_none_or(|(_, highest)| own > *highest) {
                best = Some((index, own));
            }
        }
        best.map_or(0, |(index, _)| index)
    }
}

/// A text as pymemcache's hash reads it: of each character the lowest eight bits.
fn latin(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    text.chars().map(|c| u32::from(c) as u8).collect()
}

/// What Python prints for bytes, which pymemcache hashes when it is given its keys as such.
fn python_bytes(key: &[u8]) -> Vec<u8> {
    let quote = match key.contains(&b'\'') && !key.contains(&b'"') {
        true => b'"',
        false => b'\'',
    };
    let mut printed = vec![b'b', quote];
    for byte in key {
        match *byte {
            b'\\' => printed.extend(b"\\\\"),
            b'\t' => printed.extend(b"\\t"),
            b'\n' => printed.extend(b"\\n"),
            b'\r' => printed.extend(b"\\r"),
            byte if byte == quote => printed.extend([b'\\', byte]),
            byte @ b' '..=b'~' => printed.push(byte),
            byte => printed.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    printed.push(quote);
    printed
}

/// emcache's hash: it means to put four bytes of a MurmurHash3 together, but C's `|` and `<<` and the sign of `char`
/// leave of the upper three only whether they are negative.
fn emcache(bytes: &[u8]) -> u32 {
    let (low, _) = mur3::murmurhash3_x64_128(bytes, 0);
    let byte = |at: u32| i32::from((low >> (8 * at)) as i8).cast_unsigned();
    byte(3) & 0xff00_0000 | byte(2) & 0xffff_0000 | byte(1) & 0xffff_ff00 | byte(0)
}
