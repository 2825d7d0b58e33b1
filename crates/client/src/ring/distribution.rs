//! The rules by which keys are spread over nodes, under the names of the clients that keep to them.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::hash::{HashError, KeyHash, LIBMEMCACHED, SPYMEMCACHED, TWEMPROXY};

/// How keys are spread over nodes. All clients of one pool must keep to the same rule, with the same names of nodes, to
/// the byte; who changes the rule moves most keys.
///
/// Its text form is a name, some with a hash behind a colon: see [`Distribution::PRESETS`].
///
/// Weights count on [`Ketama`](Self::Ketama) and its relatives, [`Rendezvous`](Self::Rendezvous),
/// [`Dense`](Self::Dense), [`Dalli`](Self::Dalli), [`PerlFast`](Self::PerlFast),
/// [`TwemproxyModula`](Self::TwemproxyModula), [`PythonMemcached`](Self::PythonMemcached) and
/// [`Gomemcache`](Self::Gomemcache) (whose users list a server several times). The others ignore them, as those clients
/// do. Without a weight every node has 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Distribution {
    /// The common ring: libmemcached's `KETAMA_WEIGHTED`, php-memcached's `OPT_LIBKETAMA_COMPATIBLE`, pylibmc's
    /// `ketama_weighted`, twemproxy's `distribution: ketama` with `hash: md5`; npm memcached's default but for rounding.
    ///
    /// - A node has 160 points, made from its name, or its host and port *as written*; port 11211 is left out.
    /// - 32-bit rounding leaves 156 of them with 25, 47, 50, 55, 61, 71, 94 and 100 equal nodes.
    /// - libmemcached aborts the whole process above 100 servers. This ring does not, but a pool that is shared with it
    ///   must stay below.
    #[default]
    Ketama,
    /// For pools that only this client uses, of more than some 50 nodes: 2,560 points for each unit of weight. Balance
    /// within some 5 %, and a change moves only what it must.
    Dense,
    /// For pools that only this client uses, of up to some 50 nodes: perfect balance, and a change moves only what it
    /// must. Every look-up asks every node's score.
    Rendezvous,
    /// libmemcached's, php-memcached's and pylibmc's default with `one_at_a_time`: the hash modulo the number of nodes,
    /// in the order of the list. Moves nearly everything at any change.
    LibmemcachedModula(KeyHash),
    /// The same with `SORT_HOSTS`: in the order of host and port.
    LibmemcachedModulaSorted(KeyHash),
    /// libmemcached's `KETAMA` and `DISTRIBUTION_CONSISTENT`, php-memcached's `DISTRIBUTION_CONSISTENT` and its session
    /// handler, pylibmc's `ketama`: 100 points a node, of the hash that was set when the servers were added. As soon as
    /// one weight is above 1 it is laid out like [`Ketama`](Self::Ketama), without a word.
    LibmemcachedKetama {
        /// The hash of the points.
        points: KeyHash,
        /// The hash of keys: another one if it was set after the servers.
        keys: KeyHash,
    },
    /// libmemcached's `KETAMA_WEIGHTED` with another hash of keys set after it.
    LibmemcachedKetamaWeighted(KeyHash),
    /// libmemcached's `CONSISTENT_KETAMA_SPY`, which agrees with no spymemcached of today.
    LibmemcachedSpy(KeyHash),
    /// The same after `KETAMA_WEIGHTED`.
    LibmemcachedSpyWeighted,
    /// twemproxy's `distribution: ketama`; its default hash is `fnv1a_64`. With `md5` this is the common ring; with
    /// `crc` (its `crc32`) every key lives on one node.
    TwemproxyKetama(KeyHash),
    /// twemproxy's `distribution: modula`. Unlike libmemcached's it counts weights, and goes by the order of the nodes'
    /// names, whatever the order of the list: shorter ones first.
    TwemproxyModula(KeyHash),
    /// npm memcached's default: the common ring in 64-bit arithmetic, which loses points with 7, 14, 28, 49, 56 and 98
    /// equal nodes.
    NpmMemcached,
    /// npm memcached with hashring's `compatibility: 'hash_ring'`.
    NpmHashRing,
    /// python-memcached, Cache::Memcached and libmemcached's `modula` with `crc`: 15 bits of CRC-32 modulo the sum of
    /// the weights.
    PythonMemcached,
    /// pymemcache's `HashClient`, whose keys are text: rendezvous by host and port, the port always in it.
    Pymemcache,
    /// The same, given its keys as Python bytes, which go elsewhere than the same keys as text.
    PymemcacheBytes,
    /// dalli, and with it Rails. It replaces keys that are too long, which this client refuses.
    Dalli,
    /// gomemcache's default selector: CRC-32 of the first 256 bytes modulo the sum of the weights.
    Gomemcache,
    /// emcache.
    Emcache,
    /// memjs.
    Memjs,
    /// spymemcached's default: Java's `String.hashCode` modulo the number of nodes.
    SpymemcachedDefault,
    /// spymemcached's `ArrayModNodeLocator` with another hash.
    SpymemcachedModula(KeyHash),
    /// spymemcached's `KetamaNodeLocator`, `KetamaConnectionFactory` when the hash is `md5`. Its names of nodes are
    /// `host:port` only if it was given IP addresses; a host `cache-1` needs `name=cache-1/10.0.0.1:11211` here, the
    /// address being what Java resolved.
    SpymemcachedKetama(KeyHash),
    /// Cache::Memcached::Fast with so many `ketama_points`; with 160 also nginx's `hash KEY consistent`.
    PerlFast(u16),
    /// mcrouter's `HashRoute`, by place in the list.
    Mcrouter,
    /// mcrouter's `HashRoute` with `hash_func: Crc32`.
    McrouterCrc32,
    /// memcached's proxy: jump hash of XXH3, by place in the list.
    MemcachedProxy,
    /// Its `dist_ring_hash` without options.
    MemcachedProxyRing,
    /// Its `dist_ring_hash` with `omode=ketama` and `hash=mcp.dist_ring_hash.hash`.
    MemcachedProxyKetama,
    /// The same without `hash=`: the keys go by XXH3 still.
    MemcachedProxyKetamaXxh3,
    /// Its `dist_ring_hash` with `omode=twemproxy` and `hash=mcp.dist_ring_hash.hash`: the common ring, but never rounded.
    MemcachedProxyTwemproxy,
    /// Its `dist_ring_hash` with `omode=evcache` and `hash=mcp.dist_ring_hash.hash`.
    MemcachedProxyEvcache,
}

/// A name that is no distribution's, or what stands behind its colon is not for it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DistributionError {
    /// No distribution has this name.
    #[error("`{0}` is no distribution; `ketama` is the one that most clients share")]
    Name(String),
    /// The hash behind the colon does not exist.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The client of that name has no such hash, so nobody's keys could be found by it.
    #[error("`{distribution}` has no hash `{hash}`; it has {has}")]
    NoSuchHash {
        /// The distribution's name.
        distribution: &'static str,
        /// The hash that was asked for.
        hash: String,
        /// Those that may be asked for.
        has: String,
    },
    /// Something behind a colon that this distribution does not take.
    #[error("`{0}` takes nothing behind `:{1}`")]
    Extra(&'static str, String),
    /// The number of points is none, or out of bounds.
    #[error("`{0}` is no number of points: expected 1 to 65535")]
    Points(String),
}

/// One of the named distributions.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name, to which a hash can be added behind a colon where [`hashes`](Self::hashes) are listed.
    pub name: &'static str,
    /// What it stands for without more.
    pub distribution: Distribution,
    /// The hashes that can stand behind its name.
    pub hashes: &'static [KeyHash],
}

const fn preset(name: &'static str, distribution: Distribution) -> Preset {
    with_hashes(name, distribution, &[])
}

const fn with_hashes(
    name: &'static str,
    distribution: Distribution,
    hashes: &'static [KeyHash],
) -> Preset {
    Preset {
        name,
        distribution,
        hashes,
    }
}

use Distribution as D;
use KeyHash::{Fnv64a, Md5, OneAtATime};

const CONSISTENT: D = D::LibmemcachedKetama {
    points: OneAtATime,
    keys: OneAtATime,
};

impl Distribution {
    /// Every distribution by name; of two names for one, the first is what it prints as.
    #[rustfmt::skip]
    pub const PRESETS: &[Preset] = &[
        preset("ketama", Self::Ketama),
        preset("dense", Self::Dense),
        preset("rendezvous", Self::Rendezvous),
        with_hashes("libmemcached-modula", Self::LibmemcachedModula(OneAtATime), LIBMEMCACHED),
        with_hashes("libmemcached-modula-sorted", Self::LibmemcachedModulaSorted(OneAtATime), LIBMEMCACHED),
        with_hashes("libmemcached-ketama", CONSISTENT, LIBMEMCACHED),
        with_hashes("libmemcached-ketama-weighted", Self::LibmemcachedKetamaWeighted(Md5), LIBMEMCACHED),
        with_hashes("libmemcached-spy", Self::LibmemcachedSpy(OneAtATime), LIBMEMCACHED),
        preset("libmemcached-spy-weighted", Self::LibmemcachedSpyWeighted),
        with_hashes("twemproxy-ketama", Self::TwemproxyKetama(Fnv64a), TWEMPROXY),
        with_hashes("twemproxy-modula", Self::TwemproxyModula(Fnv64a), TWEMPROXY),
        preset("npm-memcached", Self::NpmMemcached),
        preset("npm-hash_ring", Self::NpmHashRing),
        preset("python-memcached", Self::PythonMemcached),
        preset("pymemcache", Self::Pymemcache),
        preset("pymemcache-bytes", Self::PymemcacheBytes),
        preset("dalli", Self::Dalli),
        preset("gomemcache", Self::Gomemcache),
        preset("emcache", Self::Emcache),
        preset("memjs", Self::Memjs),
        preset("spymemcached", Self::SpymemcachedDefault),
        with_hashes("spymemcached-modula", Self::SpymemcachedModula(Md5), SPYMEMCACHED),
        with_hashes("spymemcached-ketama", Self::SpymemcachedKetama(Md5), SPYMEMCACHED),
        preset("perl-fast", Self::PerlFast(160)),
        preset("mcrouter", Self::Mcrouter),
        preset("mcrouter-crc32", Self::McrouterCrc32),
        preset("memcached-proxy", Self::MemcachedProxy),
        preset("memcached-proxy-ring", Self::MemcachedProxyRing),
        preset("memcached-proxy-ketama", Self::MemcachedProxyKetama),
        preset("memcached-proxy-ketama-xxh3", Self::MemcachedProxyKetamaXxh3),
        preset("memcached-proxy-twemproxy", Self::MemcachedProxyTwemproxy),
        preset("memcached-proxy-evcache", Self::MemcachedProxyEvcache),
        // Other clients' names for the same.
        preset("php-default", Self::LibmemcachedModula(OneAtATime)),
        preset("php-libketama", Self::Ketama),
        preset("php-consistent", CONSISTENT),
        preset("php-sessions", CONSISTENT),
        preset("pylibmc", Self::LibmemcachedModula(OneAtATime)),
        preset("pylibmc-ketama", CONSISTENT),
        preset("pylibmc-ketama_weighted", Self::Ketama),
        preset("cache-memcached", Self::PythonMemcached),
        preset("nginx-consistent", Self::PerlFast(160)),
        preset("rails", Self::Dalli),
    ];

    /// This distribution with its hash of keys, and of points if it has two, replaced.
    fn with_hash(self, hash: KeyHash) -> Self {
        match self {
            Self::LibmemcachedModula(_) => Self::LibmemcachedModula(hash),
            Self::LibmemcachedModulaSorted(_) => Self::LibmemcachedModulaSorted(hash),
            Self::LibmemcachedKetama { .. } => Self::LibmemcachedKetama {
                points: hash,
                keys: hash,
            },
            Self::LibmemcachedKetamaWeighted(_) => Self::LibmemcachedKetamaWeighted(hash),
            Self::LibmemcachedSpy(_) => Self::LibmemcachedSpy(hash),
            Self::TwemproxyKetama(_) => Self::TwemproxyKetama(hash),
            Self::TwemproxyModula(_) => Self::TwemproxyModula(hash),
            Self::SpymemcachedModula(_) => Self::SpymemcachedModula(hash),
            Self::SpymemcachedKetama(_) => Self::SpymemcachedKetama(hash),
            without => without,
        }
    }

    /// The preset that this is, hashes and numbers of points apart.
    fn preset(self) -> Option<&'static Preset> {
        let kind = std::mem::discriminant(&self);
        let mut presets = Self::PRESETS.iter();
        presets.find(|preset| std::mem::discriminant(&preset.distribution) == kind)
    }

    /// The hash that keys go by, where the distribution lets one choose.
    fn hash(self) -> Option<KeyHash> {
        match self {
            Self::LibmemcachedModula(hash)
            | Self::LibmemcachedModulaSorted(hash)
            | Self::LibmemcachedKetama { keys: hash, .. }
            | Self::LibmemcachedKetamaWeighted(hash)
            | Self::LibmemcachedSpy(hash)
            | Self::TwemproxyKetama(hash)
            | Self::TwemproxyModula(hash)
            | Self::SpymemcachedModula(hash)
            | Self::SpymemcachedKetama(hash) => Some(hash),
            _ => None,
        }
    }

    /// Sees that the client of this name has these hashes and points.
    pub(super) fn judge(self) -> Result<(), DistributionError> {
        let Some(preset) = self.preset() else {
            return Ok(());
        };
        let points = match self {
            Self::LibmemcachedKetama { points, .. } => Some(points),
            Self::PerlFast(0) => return Err(DistributionError::Points("0".to_owned())),
            _ => None,
        };
        let mut hashes = [self.hash(), points].into_iter().flatten();
        match hashes.find(|hash| !preset.hashes.contains(hash)) {
            Some(hash) => Err(DistributionError::NoSuchHash {
                distribution: preset.name,
                hash: hash.to_string(),
                has: preset.hash_names(),
            }),
            None => Ok(()),
        }
    }
}

impl Preset {
    fn hash_names(&self) -> String {
        let names: Vec<String> = self.hashes.iter().map(KeyHash::to_string).collect();
        names.join(", ")
    }

    /// This preset with what stands behind its name and a colon.
    fn with(&self, argument: &str) -> Result<Distribution, DistributionError> {
        let (first, second) = match argument.split_once(':') {
            Some((first, second)) => (first, Some(second)),
            None => (argument, None),
        };
        let distribution = match (self.distribution, second) {
            (Distribution::LibmemcachedKetama { .. }, Some(second)) => {
                Distribution::LibmemcachedKetama {
                    points: first.parse()?,
                    keys: second.parse()?,
                }
            }
            (Distribution::PerlFast(_), None) if self.name == "perl-fast" => {
                let points = first.parse().ok().filter(|points| *points > 0);
                let points = points.ok_or_else(|| DistributionError::Points(first.to_owned()))?;
                Distribution::PerlFast(points)
            }
            (distribution, None) if !self.hashes.is_empty() => {
                distribution.with_hash(first.parse()?)
            }
            _ => return Err(DistributionError::Extra(self.name, argument.to_owned())),
        };
        distribution.judge()?;
        Ok(distribution)
    }
}

impl FromStr for Distribution {
    type Err = DistributionError;

    fn from_str(text: &str) -> Result<Self, DistributionError> {
        let (name, argument) = match text.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        let preset = Self::PRESETS.iter().find(|preset| preset.name == name);
        let preset = preset.ok_or_else(|| DistributionError::Name(name.to_owned()))?;
        match argument {
            Some(argument) => preset.with(argument),
            None => Ok(preset.distribution),
        }
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.preset().map_or("", |preset| preset.name))?;
        match self {
            Self::LibmemcachedKetama { points, keys } if points != keys => {
                write!(f, ":{points}:{keys}")
            }
            Self::PerlFast(points) => write!(f, ":{points}"),
            _ => match self.hash() {
                Some(hash) => write!(f, ":{hash}"),
                None => Ok(()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: D, canonical: &str) {
        assert_eq!(text.parse(), Ok(expected));
        assert_eq!(expected.to_string(), canonical);
        assert_eq!(canonical.parse(), Ok(expected));
    }

    #[test]
    fn names_read_and_print() {
        check("ketama", D::Ketama, "ketama");
        check("rails", D::Dalli, "dalli");
        check("perl-fast:150", D::PerlFast(150), "perl-fast:150");
        let twemproxy = D::TwemproxyKetama(KeyHash::Crc);
        check("twemproxy-ketama:crc32", twemproxy, "twemproxy-ketama:crc");
        let mixed = D::LibmemcachedKetama {
            points: OneAtATime,
            keys: Md5,
        };
        let text = "libmemcached-ketama:one_at_a_time:md5";
        check(text, mixed, text);
        for preset in D::PRESETS {
            let printed = preset.distribution.to_string();
            assert_eq!(printed.parse(), Ok(preset.distribution), "{}", preset.name);
        }
    }

    #[test]
    fn what_no_client_has_is_refused() {
        let wrong = |text: &str| text.parse::<D>().expect_err(text).to_string();
        for (text, word) in [
            ("ketema", "no distribution"),
            ("", "no distribution"),
            ("ketama:md5", "takes nothing"),
            ("libmemcached-modula:sha1", "no hash: expected"),
            ("libmemcached-modula:crc16", "has no hash `crc16`"),
            ("twemproxy-ketama:md5:md5", "takes nothing"),
            ("perl-fast:0", "no number of points"),
            ("nginx-consistent:5", "takes nothing"),
        ] {
            let said = wrong(text);
            assert!(said.contains(word), "{text}: {said}");
        }
    }
}
