//! What each distribution does with a list of nodes and with a key: the one place where the clients' rules stand side
//! by side.

use xxhash_rust::xxh3::xxh3_64;

use super::RingError;
use super::continuum::{Continuum, Layout, Next, PointName, Points, Rounds};
use super::distribution::Distribution;
use super::hash::{KeyHash, java, md5_word};
use super::position::{self, Order, Remainder};
use super::rendezvous::{Rendezvous, Score};
use crate::node::NodeSpec;

/// gomemcache hashes no more of a key.
const GOMEMCACHE_KEY_LEN_MAX: usize = 256;

/// A distribution made for a list of nodes.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// A circle of points.
    Circle(Continuum, Keys),
    /// Places by remainder.
    Remainder(Remainder, Keys),
    /// The highest score.
    Rendezvous(Rendezvous),
    /// Jump hash over so many places.
    Jump(u32),
    /// mcrouter's furc over so many places.
    Furc(u32),
}

/// How a key is hashed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keys {
    Hash(KeyHash),
    Spymemcached(KeyHash),
    JavaString,
    Memjs,
    Xxh3,
    Gomemcache,
    McrouterCrc32,
}

impl Keys {
    fn of(self, key: &[u8]) -> u32 {
        match self {
            Self::Hash(KeyHash::Md5) => md5_word(key),
            Self::Hash(hash) => hash.of(key),
            Self::Spymemcached(hash) => java::spymemcached(hash, key),
            Self::JavaString => java::string_hash(key),
            Self::Memjs => java::string_hash(key).cast_signed().unsigned_abs(),
            Self::Xxh3 => xxh3_64(key) as u32,
            Self::Gomemcache => crc32fast::hash(&key[..key.len().min(GOMEMCACHE_KEY_LEN_MAX)]),
            Self::McrouterCrc32 => crc32fast::hash(position::mcrouter_part(key)) & 0x7fff_ffff,
        }
    }
}

/// The common ring's circle, which the others are told by their differences from.
const COMMON: Layout = Layout {
    name: PointName::Common,
    separator: '-',
    rounds: Rounds::Single40,
    points: Points::Md5Words(4),
    next: Next::Behind,
};

const MD5: Keys = Keys::Hash(KeyHash::Md5);
const CRC32: Keys = Keys::Hash(KeyHash::Crc32a);

impl Rule {
    /// The rule of `distribution` for these nodes.
    pub(super) fn new(distribution: Distribution, nodes: &[NodeSpec]) -> Result<Self, RingError> {
        if let Some((layout, keys)) = circle(distribution, nodes) {
            return Ok(Self::Circle(Continuum::new(layout, nodes)?, keys));
        }
        if let Some((keys, is_weighted)) = remainder(distribution) {
            let order = match distribution {
                Distribution::LibmemcachedModulaSorted(_) => Order::Address,
                Distribution::TwemproxyModula(_) => Order::Twemproxy,
                _ => Order::Listed,
            };
            let places = Remainder::new(nodes, order, is_weighted);
            return Ok(Self::Remainder(places, keys));
        }
        let score = match distribution {
            Distribution::MemcachedProxy => return Ok(Self::Jump(nodes.len() as u32)),
            Distribution::Mcrouter => return Ok(Self::Furc(nodes.len() as u32)),
            Distribution::Pymemcache => Score::Pymemcache,
            Distribution::PymemcacheBytes => Score::PymemcacheBytes,
            Distribution::Emcache => Score::Emcache,
            _ => Score::Larder,
        };
        Ok(Self::Rendezvous(Rendezvous::new(score, nodes)))
    }

    /// The index of the node that `key` belongs to.
    pub(super) fn node_for(&self, key: &[u8]) -> usize {
        match self {
            Self::Circle(circle, keys) => circle.node_for(keys.of(key)),
            Self::Remainder(places, keys) => places.node_for(keys.of(key)),
            Self::Rendezvous(nodes) => nodes.node_for(key),
            Self::Jump(count) => position::jump(xxh3_64(key), *count),
            Self::Furc(count) => position::furc(position::mcrouter_part(key), *count),
        }
    }
}

/// The circle and the hash of keys of those distributions that have one.
fn circle(distribution: Distribution, nodes: &[NodeSpec]) -> Option<(Layout, Keys)> {
    use Distribution as D;
    let libmemcached = libmemcached_circle(distribution, nodes);
    libmemcached
        .or_else(|| proxy_circle(distribution))
        .or_else(|| {
            let layout = |rounds, points| Layout {
                rounds,
                points,
                ..COMMON
            };
            Some(match distribution {
                D::Dense => (layout(Rounds::PerWeight(640), COMMON.points), MD5),
                D::NpmMemcached => (layout(Rounds::Double40, COMMON.points), MD5),
                D::NpmHashRing => (layout(Rounds::Double40, Points::Md5Words(3)), MD5),
                D::PerlFast(points) => {
                    let rounds = Rounds::PerWeight(u32::from(points));
                    (layout(rounds, Points::CrcChain), CRC32)
                }
                D::Dalli => (DALLI, CRC32),
                D::SpymemcachedKetama(hash) => (spymemcached(hash), Keys::Spymemcached(hash)),
                _ => return None,
            })
        })
}

/// The common ring, and those of libmemcached and twemproxy.
fn libmemcached_circle(distribution: Distribution, nodes: &[NodeSpec]) -> Option<(Layout, Keys)> {
    use Distribution as D;
    let hundred = |hash| Layout {
        rounds: Rounds::Fixed(100),
        points: Points::Hash(hash),
        ..COMMON
    };
    let named = |name, layout| Layout { name, ..layout };
    let is_weighted = nodes.iter().any(|node| node.weight() > 1);
    Some(match distribution {
        D::Ketama => (COMMON, MD5),
        D::LibmemcachedKetama { keys, .. } if is_weighted => (COMMON, Keys::Hash(keys)),
        D::LibmemcachedKetama { points, keys } => (hundred(points), Keys::Hash(keys)),
        D::LibmemcachedKetamaWeighted(keys) => (COMMON, Keys::Hash(keys)),
        D::LibmemcachedSpy(hash) => (named(PointName::Slash, hundred(hash)), Keys::Hash(hash)),
        D::LibmemcachedSpyWeighted => (named(PointName::Slash, COMMON), MD5),
        D::TwemproxyKetama(hash) => (named(PointName::Twemproxy, COMMON), Keys::Hash(hash)),
        _ => return None,
    })
}

/// Those of memcached's proxy, which never rounds.
fn proxy_circle(distribution: Distribution) -> Option<(Layout, Keys)> {
    use Distribution as D;
    let forty = |name| Layout {
        name,
        rounds: Rounds::Fixed(40),
        ..COMMON
    };
    Some(match distribution {
        D::MemcachedProxyRing => {
            let (rounds, points) = (Rounds::Fixed(160), Points::Xxh3);
            let layout = forty(PointName::WithPort);
            (
                Layout {
                    rounds,
                    points,
                    ..layout
                },
                Keys::Xxh3,
            )
        }
        D::MemcachedProxyKetama => (forty(PointName::WithPort), MD5),
        D::MemcachedProxyKetamaXxh3 => (forty(PointName::WithPort), Keys::Xxh3),
        D::MemcachedProxyTwemproxy => (forty(PointName::Common), MD5),
        D::MemcachedProxyEvcache => (forty(PointName::Evcache), MD5),
        _ => return None,
    })
}

const DALLI: Layout = Layout {
    name: PointName::WithPort,
    separator: ':',
    rounds: Rounds::Dalli160,
    points: Points::Sha1,
    next: Next::Before,
};

/// spymemcached's circle: the common ring's for MD5, one point a round for other hashes. Of equal points its map keeps
/// the one put in last.
fn spymemcached(hash: KeyHash) -> Layout {
    let (rounds, points) = match hash {
        KeyHash::Md5 => (Rounds::Exact40, Points::Md5Words(4)),
        other => (Rounds::Fixed(160), Points::Java(other)),
    };
    Layout {
        name: PointName::WithPort,
        rounds,
        points,
        next: Next::BehindOfListedLast,
        ..COMMON
    }
}

/// The hash of keys of those distributions that go by remainder, and whether they count weights.
fn remainder(distribution: Distribution) -> Option<(Keys, bool)> {
    use Distribution as D;
    Some(match distribution {
        D::LibmemcachedModula(hash) | D::LibmemcachedModulaSorted(hash) => {
            (Keys::Hash(hash), false)
        }
        D::TwemproxyModula(hash) => (Keys::Hash(hash), true),
        D::PythonMemcached => (Keys::Hash(KeyHash::Crc), true),
        D::Gomemcache => (Keys::Gomemcache, true),
        D::Memjs => (Keys::Memjs, false),
        D::SpymemcachedDefault => (Keys::JavaString, false),
        D::SpymemcachedModula(hash) => (Keys::Spymemcached(hash), false),
        D::McrouterCrc32 => (Keys::McrouterCrc32, false),
        _ => return None,
    })
}
