//! The circle of points: each node has some, and a key lives on the node whose point comes next.

use md5::{Digest, Md5};

use crate::limits::PORT_DEFAULT;
use crate::node::{Address, NodeSpec};

/// Points of a node of mean weight, and how many of them one digest gives.
const POINTS_PER_NODE: f32 = 160.0;
const POINTS_PER_DIGEST: f32 = 4.0;

/// Points in order of value, ties in order of the nodes.
#[derive(Clone, Debug)]
pub(super) struct Continuum {
    points: Vec<(u32, u32)>,
}

impl Continuum {
    fn new(mut points: Vec<(u32, u32)>) -> Self {
        points.sort_unstable();
        Self { points }
    }

    /// The node of the first point at or behind `hash`, or of the lowest when there is none.
    pub(super) fn node_for(&self, hash: u32) -> usize {
        let at = self.points.partition_point(|(value, _)| *value < hash);
        let point = self.points.get(at).or_else(|| self.points.first());
        point.map_or(0, |(_, node)| *node as usize)
    }
}

/// The common ring's circle.
pub(super) fn ketama(nodes: &[NodeSpec]) -> Continuum {
    let total = nodes.iter().map(NodeSpec::weight).sum::<u32>() as f32;
    let mut points = Vec::new();
    for (node, index) in nodes.iter().zip(0..) {
        let name = common_name(node);
        for round in 0..rounds(node.weight() as f32, total, nodes.len() as f32) {
            let digest = Md5::digest(format!("{name}-{round}"));
            let words = digest.chunks_exact(4);
            points.extend(words.map(|word| (little_endian(word), index)));
        }
    }
    Continuum::new(points)
}

/// How many digests a node gets. Every step is rounded to 32 bits, as libmemcached and twemproxy have it: with 25, 47,
/// 50, 55, 61, 71, 94 or 100 equal nodes that loses one digest of 40, and the loss is part of the common ring.
fn rounds(weight: f32, total: f32, count: f32) -> u32 {
    (weight / total * POINTS_PER_NODE / POINTS_PER_DIGEST * count + 1e-10).floor() as u32
}

/// What the points of a node are made from: its name, else the address as written, without memcached's own port.
fn common_name(node: &NodeSpec) -> String {
    match (node.name(), node.address()) {
        (Some(name), _) => name.to_owned(),
        (None, Address::Tcp { host, port }) if *port == PORT_DEFAULT => host.clone(),
        (None, Address::Tcp { host, port }) => format!("{host}:{port}"),
        (None, Address::Unix(path)) => format!("{path}:0"),
    }
}

/// The first four bytes of a key's MD5 digest, least significant first.
pub(super) fn md5_word(key: &[u8]) -> u32 {
    little_endian(&Md5::digest(key)[..4])
}

fn little_endian(word: &[u8]) -> u32 {
    word.iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_loses_a_digest_at_eight_counts() {
        let short = (1..=100u8).filter(|count| {
            let count = f32::from(*count);
            rounds(1.0, count, count) < 40
        });
        assert_eq!(short.collect::<Vec<_>>(), [25, 47, 50, 55, 61, 71, 94, 100]);
    }
}
