//! Rules that number the nodes by their place in the list: a key's hash gives a place, and names do not matter.
//!
//! All of them move most keys when a node other than the last is removed: keep its place, and give it another address.

use super::continuum::PointName;
use crate::node::{Address, NodeSpec};

/// Places in a list, shared out by remainder.
#[derive(Clone, Debug)]
pub(super) struct Remainder {
    /// The node, and the sum of the weights up to it and with it.
    ends: Vec<(usize, u64)>,
}

/// Which place is whose.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// As in the list.
    Listed,
    /// By host and port.
    Address,
    /// By twemproxy's name of the node, the shorter one first; the list's order does not matter to it.
    Twemproxy,
}

impl Order {
    fn of(self, nodes: &[NodeSpec]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..nodes.len()).collect();
        match self {
            Self::Listed => {}
            Self::Address => order.sort_by_key(|index| match nodes[*index].address() {
                Address::Tcp { host, port } => (host.clone(), *port),
                Address::Unix(path) => (path.clone(), 0),
            }),
            Self::Twemproxy => order.sort_by_key(|index| {
                let name = PointName::Twemproxy.of(&nodes[*index]);
                (name.len(), name)
            }),
        }
        order
    }
}

impl Remainder {
    /// The nodes in this order, each at one place, or at as many as its weight says.
    pub(super) fn new(nodes: &[NodeSpec], order: Order, is_weighted: bool) -> Self {
        let mut sum = 0;
        let end = |index: usize| {
            sum += if is_weighted {
                u64::from(nodes[index].weight())
            } else {
                1
            };
            (index, sum)
        };
        Self {
            ends: order.of(nodes).into_iter().map(end).collect(),
        }
    }

    pub(super) fn node_for(&self, hash: u32) -> usize {
        let total = self.ends.last().map_or(1, |(_, end)| *end);
        let place = u64::from(hash) % total;
        let at = self.ends.partition_point(|(_, end)| *end <= place);
        self.ends.get(at).map_or(0, |(node, _)| *node)
    }
}

/// Lamping and Veach's jump hash: of `count` places the one that `hash` jumps to last.
pub(super) fn jump(mut hash: u64, count: u32) -> usize {
    let (mut place, mut next) = (0, 0);
    while next < i64::from(count) {
        place = next;
        hash = hash.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let ratio = (1u64 << 31) as f64 / ((hash >> 33) + 1) as f64;
        next = ((place + 1) as f64 * ratio) as i64;
    }
    place as usize
}

/// mcrouter's furc: it walks down a binary tree of at least `count` leaves, a bit of the key's hash at each branch, and
/// tries again where it ends behind the last place.
pub(super) fn furc(key: &[u8], count: u32) -> usize {
    /// Bits of two branches of one walk lie so far apart, and so often is it tried.
    const STRIDE: usize = 23;
    const TRIES: usize = 32;
    if count <= 1 {
        return 0;
    }
    let mut bits = Bits::new(key);
    let mut depth = (32 - (count - 1).leading_zeros()) as usize;
    let mut at = depth;
    for _ in 0..TRIES {
        while !bits.get(at) {
            depth -= 1;
            if depth == 0 {
                return 0;
            }
            at = depth;
        }
        at += STRIDE;
        let mut place = 1;
        for _ in 1..depth {
            place = place << 1 | usize::from(bits.get(at));
            at += STRIDE;
        }
        if place < count as usize {
            return place;
        }
    }
    0
}

/// Bits without end from a key: MurmurHash64A of it, then of that, and so on.
struct Bits<'a> {
    key: &'a [u8],
    words: Vec<u64>,
}

const FURC_SEED: u64 = 4_193_360_111;
const MURMUR_64: u64 = 0xc6a4_a793_5bd1_e995;

impl<'a> Bits<'a> {
    fn new(key: &'a [u8]) -> Self {
        Self {
            key,
            words: Vec::new(),
        }
    }

    fn get(&mut self, at: usize) -> bool {
        while self.words.len() <= at / 64 {
            let word = match self.words.last() {
                None => murmur_64a(self.key),
                Some(word) => murmur_64a(&word.to_le_bytes()),
            };
            self.words.push(word);
        }
        self.words[at / 64] >> (at % 64) & 1 == 1
    }
}

/// Austin Appleby's MurmurHash64A with mcrouter's seed.
fn murmur_64a(bytes: &[u8]) -> u64 {
    let word = |bytes: &[u8]| {
        let bytes = bytes.iter().rev();
        bytes.fold(0, |value, byte| value << 8 | u64::from(*byte))
    };
    let words = bytes.chunks_exact(8);
    let tail = words.remainder();
    let start = FURC_SEED ^ (bytes.len() as u64).wrapping_mul(MURMUR_64);
    let mut hash = words.fold(start, |hash, eight| {
        let k = word(eight).wrapping_mul(MURMUR_64);
        let k = (k ^ k >> 47).wrapping_mul(MURMUR_64);
        (hash ^ k).wrapping_mul(MURMUR_64)
    });
    if !tail.is_empty() {
        hash = (hash ^ word(tail)).wrapping_mul(MURMUR_64);
    }
    hash = (hash ^ hash >> 47).wrapping_mul(MURMUR_64);
    hash ^ hash >> 47
}

/// The part of a key that mcrouter routes by: without a leading `/region/cluster/`, and up to `|#|`.
pub(super) fn mcrouter_part(key: &[u8]) -> &[u8] {
    let behind_prefix = || {
        let rest = key.strip_prefix(b"/")?;
        let mut slashes = rest.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let (second, _) = slashes.nth(1)?;
        rest.get(second + 1..)
    };
    let key = behind_prefix().unwrap_or(key);
    let stop = key.windows(3).position(|three| three == b"|#|");
    stop.map_or(key, |stop| &key[..stop])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As nutcracker 0.5.0 shares keys over these servers, written in any order.
    #[test]
    fn twemproxy_goes_by_names() {
        for (listed, expected) in [
            (&["h;name=b", "h;name=aa", "h;name=c"], ["b", "c", "aa"]),
            (&["h;name=B", "h;name=a", "h;name=C"], ["B", "C", "a"]),
            (
                &["10.0.0.10:1", "10.0.0.9:1", "10.0.0.100:1"],
                ["10.0.0.9:1", "10.0.0.10:1", "10.0.0.100:1"],
            ),
            // The port that every memcached has is no part of the name.
            (
                &["127.8.8.2:9999", "127.8.8.1:11211", "h:11211"],
                ["h:11211", "127.8.8.1:11211", "127.8.8.2:9999"],
            ),
        ] {
            let nodes = listed.map(|node| node.parse::<NodeSpec>().expect("a node"));
            let order = Order::Twemproxy.of(&nodes);
            let names: Vec<String> = order.into_iter().map(|i| nodes[i].label()).collect();
            assert_eq!(names, expected);
        }
    }
}
