//! The circle of points: each node has some, and a key lives on the node whose point comes next.
//!
//! The clients that have one differ in what a point is made from, how many a node has, and which point is next. Those
//! differences are the fields of [`Layout`]; the layouts themselves stand in `distribution`.

use md5::{Digest, Md5};
use sha1::Sha1;
use xxhash_rust::xxh3::xxh3_64;

use super::RingError;
use super::hash::{KeyHash, java, little_endian};
use crate::limits::{POINTS_MAX, PORT_DEFAULT};
use crate::node::{Address, NodeSpec};

/// Points in order of value.
#[derive(Clone, Debug)]
pub(super) struct Continuum {
    /// Value, and index of the node.
    points: Vec<(u32, u32)>,
    next: Next,
}

/// How a circle is laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// What stands before the number in the text that is hashed.
    pub(super) name: PointName,
    /// What stands between name and number.
    pub(super) separator: char,
    /// How often a node's name is hashed.
    pub(super) rounds: Rounds,
    /// What a hash gives.
    pub(super) points: Points,
    /// Which point a key belongs to.
    pub(super) next: Next,
}

/// What a node without a name of its own is called on the circle. A name of its own stands for all of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum PointName {
    /// The host, followed by the port unless that is 11211; a socket's path, followed by `:0`.
    Common,
    /// As above, but with a socket's path followed by `:` alone.
    Twemproxy,
    /// Host and port, whatever the port; a socket's path alone.
    WithPort,
    /// As above, behind a slash: what Java prints for an address.
    Slash,
    /// The host, a slash, host and port.
    Evcache,
}

/// How often a node's name is hashed, and so how many points it gets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rounds {
    /// So often, whatever the weights.
    Fixed(u32),
    /// So often for each unit of weight, so that a change of one node leaves the others' points alone.
    PerWeight(u32),
    /// 40 for a node of mean weight, in arithmetic rounded to 32 bits.
    Single40,
    /// 40 for a node of mean weight, in 64 bits.
    Double40,
    /// 160 for a node of mean weight, in 64 bits and with its products in dalli's order.
    Dalli160,
    /// 40 when all weights are 1, whatever that gives in 32 bits, else as [`Single40`](Self::Single40).
    Exact40,
}

/// What one hash of a name and a number gives.
#[derive(Clone, Copy, Debug)]
pub(super) enum Points {
    /// So many words of an MD5 digest, four at most, each least significant byte first.
    Md5Words(usize),
    /// The first word of a SHA-1 digest, most significant byte first.
    Sha1,
    /// One point.
    Hash(KeyHash),
    /// One point, as Java computes it.
    Java(KeyHash),
    /// The lower half of XXH3.
    Xxh3,
    /// The CRC-32 of host, a zero byte, port and the point before it. Only the number of rounds is taken from the rest.
    CrcChain,
}

/// Which point a key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The first at or behind its hash; of equal points, that of the node listed first.
    Behind,
    /// The same, but of equal points that of the node listed last.
    BehindOfListedLast,
    /// The last at or before its hash.
    Before,
}

impl Continuum {
    /// Lays the circle out for these nodes.
    pub(super) fn new(layout: Layout, nodes: &[NodeSpec]) -> Result<Self, RingError> {
        let weights = Weights::of(nodes);
        let rounds = nodes
            .iter()
            .map(|node| layout.rounds.of(node.weight(), &weights));
        let rounds: Vec<u64> = rounds.collect();
        let count = rounds.iter().sum::<u64>() * layout.points.per_round();
        if count > POINTS_MAX as u64 {
            return Err(RingError::TooManyPoints(count));
        }
        let mut points = Vec::with_capacity(count as usize);
        for ((node, rounds), index) in nodes.iter().zip(rounds).zip(0..) {
            layout.lay(node, rounds, |value| points.push((value, index)));
        }
        points.sort_unstable();
        if layout.next == Next::BehindOfListedLast {
            points.sort_by_key(|(value, index)| (*value, u32::MAX - index));
        }
        Ok(Self {
            points,
            next: layout.next,
        })
    }

    /// The node that a key of this hash belongs to.
    pub(super) fn node_for(&self, hash: u32) -> usize {
        let points = &self.points;
        let point = match self.next {
            Next::Behind | Next::BehindOfListedLast => points
                .get(points.partition_point(|(value, _)| *value < hash))
                .or(points.first()),
            Next::Before => points[..points.partition_point(|(value, _)| *value <= hash)]
                .last()
                .or(points.last()),
        };
        point.map_or(0, |(_, node)| *node as usize)
    }

    #[cfg(test)]
    pub(super) fn point_count(&self) -> usize {
        self.points.len()
    }
}

impl Layout {
    /// Gives `push` every point of a node.
    fn lay(&self, node: &NodeSpec, rounds: u64, mut push: impl FnMut(u32)) {
        if matches!(self.points, Points::CrcChain) {
            let start = chain_start(node);
            let mut value = 0;
            for _ in 0..rounds {
                let mut chain = start.clone();
                chain.update(&u32::to_le_bytes(value));
                value = chain.finalize();
                push(value);
            }
            return;
        }
        let name = self.name.of(node);
        for round in 0..rounds {
            let text = format!("{name}{}{round}", self.separator);
            let text = text.as_bytes();
            match self.points {
                Points::Md5Words(count) => {
                    let digest = Md5::digest(text);
                    digest
                        .chunks(4)
                        .take(count)
                        .map(little_endian)
                        .for_each(&mut push);
                }
                Points::Sha1 => push(little_endian(&Sha1::digest(text)).swap_bytes()),
                Points::Hash(hash) => push(hash.of(text)),
                Points::Java(hash) => push(java::spymemcached(hash, text)),
                Points::Xxh3 | Points::CrcChain => push(xxh3_64(text) as u32),
            }
        }
    }
}

/// The CRC-32 so far of what all links of a node's chain begin with.
fn chain_start(node: &NodeSpec) -> crc32fast::Hasher {
    let mut start = crc32fast::Hasher::new();
    let (host, port) = match (node.name(), node.address()) {
        (Some(name), _) => (name, String::new()),
        (None, Address::Tcp { host, port }) => (host.as_str(), port.to_string()),
        (None, Address::Unix(path)) => (path.as_str(), String::new()),
    };
    start.update(host.as_bytes());
    start.update(&[0]);
    start.update(port.as_bytes());
    start
}

impl PointName {
    /// What the node is called on the circle.
    pub(super) fn of(self, node: &NodeSpec) -> String {
        let (host, port) = match (node.name(), node.address()) {
            (Some(name), _) => return name.to_owned(),
            (None, Address::Unix(path)) => {
                return match self {
                    Self::Common => format!("{path}:0"),
                    Self::Twemproxy => format!("{path}:"),
                    Self::WithPort | Self::Slash | Self::Evcache => path.clone(),
                };
            }
            (None, Address::Tcp { host, port }) => (host, *port),
        };
        match self {
            Self::Common | Self::Twemproxy if port == PORT_DEFAULT => host.clone(),
            Self::Common | Self::Twemproxy | Self::WithPort => format!("{host}:{port}"),
            Self::Slash => format!("/{host}:{port}"),
            Self::Evcache => format!("{host}/{host}:{port}"),
        }
    }
}

impl Points {
    fn per_round(self) -> u64 {
        match self {
            Self::Md5Words(count) => count as u64,
            _ => 1,
        }
    }
}

/// What a node's share is a share of.
struct Weights {
    total: u32,
    count: u32,
    all_one: bool,
}

impl Weights {
    fn of(nodes: &[NodeSpec]) -> Self {
        Self {
            total: nodes.iter().map(NodeSpec::weight).sum(),
            count: nodes.len() as u32,
            all_one: nodes.iter().all(|node| node.weight() == 1),
        }
    }
}

impl Rounds {
    fn of(self, weight: u32, weights: &Weights) -> u64 {
        let (total, count) = (weights.total, weights.count);
        match self {
            Self::Fixed(rounds) => u64::from(rounds),
            Self::PerWeight(rounds) => u64::from(rounds) * u64::from(weight),
            Self::Exact40 if weights.all_one => 40,
            Self::Single40 | Self::Exact40 => single(weight, total, count),
            Self::Double40 => {
                let share = f64::from(weight) / f64::from(total);
                (share * 40.0 * f64::from(count)).floor() as u64
            }
            Self::Dalli160 => {
                let points = u64::from(count) * 160 * u64::from(weight);
                (points as f64 / f64::from(total)).floor() as u64
            }
        }
    }
}

/// Forty rounds of a node's share of the nodes, every step rounded to 32 bits, as libmemcached and twemproxy have it.
/// With 25, 47, 50, 55, 61, 71, 94 or 100 equal nodes that loses one round; the loss is part of the common ring.
fn single(weight: u32, total: u32, count: u32) -> u64 {
    let share = weight as f32 / total as f32;
    (share * 160.0 / 4.0 * count as f32 + 1e-10).floor() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short_counts(rounds: Rounds) -> Vec<u32> {
        let is_short = |count: &u32| {
            let weights = Weights {
                total: *count,
                count: *count,
                all_one: true,
            };
            rounds.of(1, &weights) < 40
        };
        (1..=100).filter(is_short).collect()
    }

    #[test]
    fn rounding_loses_a_round_at_some_counts() {
        let single = short_counts(Rounds::Single40);
        assert_eq!(single, [25, 47, 50, 55, 61, 71, 94, 100]);
        let double = short_counts(Rounds::Double40);
        assert_eq!(double, [7, 14, 28, 49, 56, 98]);
        assert!(short_counts(Rounds::Exact40).is_empty());
    }

    #[test]
    fn libmemcached_has_as_many_points() {
        let counts = include_str!("../../tests/vectors/libmemcached-points-by-server-count.csv");
        let layout = Layout {
            name: PointName::Common,
            separator: '-',
            rounds: Rounds::Single40,
            points: Points::Md5Words(4),
            next: Next::Behind,
        };
        let mut nodes = Vec::new();
        for line in counts.lines().skip(1) {
            nodes.push(
                format!("10.1.0.{}", nodes.len() + 1)
                    .parse()
                    .expect("a node"),
            );
            let circle = Continuum::new(layout, &nodes).expect("a circle");
            let ours = format!("{},{}", nodes.len(), circle.point_count());
            assert!(line.starts_with(&format!("{ours},")), "{line}: {ours}");
        }
        assert_eq!(nodes.len(), 100);
    }
}
