//! What of a key decides where it lives: all of it, or less.

use thiserror::Error;

use super::distribution::Distribution;

/// How keys find their node, apart from the list of nodes.
///
/// ```
/// # use larder_client::{Distribution, KeyTag, Ring, Routing};
/// # let nodes = ["a", "b", "c"].map(|node| node.parse().expect("a node"));
/// let routing = Routing::new(Distribution::Ketama)
///     .with_tag(KeyTag::between(b'{', b'}'))
///     .with_unhashed_prefix("app1:");
/// let ring = Ring::with_routing(&routing, &nodes)?;
/// assert_eq!(ring.node_for(b"app1:cart:{user7}"), ring.node_for(b"session:{user7}"));
/// # Ok::<(), larder_client::RingError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    distribution: Distribution,
    tag: KeyTag,
    unhashed_prefix: Vec<u8>,
}

/// Which part of a key is hashed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyTag {
    /// All of it.
    #[default]
    Whole,
    /// What stands between the first `open` and the first `close` behind it. twemproxy's `hash_tag`.
    Between {
        /// What it begins behind.
        open: u8,
        /// What it ends before; may be the same as `open`.
        close: u8,
        /// What is hashed of a key with nothing between the two: that nothing (memcached's proxy), or the whole key
        /// (twemproxy).
        takes_empty: bool,
    },
    /// What stands before the first of these, or all. The `stop` filter of memcached's proxy.
    Before(Vec<u8>),
}

/// A text that is no key tag.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no hash tag: expected two bytes, as in `{{}}`")]
pub struct KeyTagError(String);

impl KeyTag {
    /// twemproxy's `hash_tag`: the part between the two bytes, if there is one and it is not empty.
    #[must_use]
    pub fn between(open: u8, close: u8) -> Self {
        Self::Between {
            open,
            close,
            takes_empty: false,
        }
    }

    /// The part of `key` that is hashed.
    fn part<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Whole => key,
            Self::Between {
                open,
                close,
                takes_empty,
            } => {
                let between = || {
                    let start = key.iter().position(|byte| byte == open)? + 1;
                    let len = key[start..].iter().position(|byte| byte == close)?;
                    (len > 0 || *takes_empty).then(|| &key[start..start + len])
                };
                between().unwrap_or(key)
            }
            Self::Before(stop) if stop.is_empty() => key,
            Self::Before(stop) => {
                let mut windows = key.windows(stop.len());
                let at = windows.position(|window| window == stop);
                at.map_or(key, |at| &key[..at])
            }
        }
    }
}

impl std::str::FromStr for KeyTag {
    type Err = KeyTagError;

    fn from_str(text: &str) -> Result<Self, KeyTagError> {
        match *text.as_bytes() {
            [open, close] => Ok(Self::between(open, close)),
            _ => Err(KeyTagError(text.to_owned())),
        }
    }
}

impl Routing {
    /// Whole keys, spread by `distribution`.
    #[must_use]
    pub fn new(distribution: Distribution) -> Self {
        Self {
            distribution,
            ..Self::default()
        }
    }

    /// Hashes only a part of each key.
    #[must_use]
    pub fn with_tag(mut self, tag: KeyTag) -> Self {
        self.tag = tag;
        self
    }

    /// Leaves this prefix, where a key has it, out of the hash: what libmemcached does with its namespace unless
    /// `HASH_WITH_PREFIX_KEY` is set, and pymemcache with its `key_prefix`. twemproxy, dalli and npm memcached hash the
    /// whole key.
    #[must_use]
    pub fn with_unhashed_prefix(mut self, prefix: impl Into<Vec<u8>>) -> Self {
        self.unhashed_prefix = prefix.into();
        self
    }

    /// The rule by which keys are spread.
    #[must_use]
    pub fn distribution(&self) -> Distribution {
        self.distribution
    }

    /// The part of `key` that is hashed.
    pub(super) fn part<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        let key = key
            .strip_prefix(self.unhashed_prefix.as_slice())
            .unwrap_or(key);
        self.tag.part(key)
    }
}

impl From<Distribution> for Routing {
    fn from(distribution: Distribution) -> Self {
        Self::new(distribution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tag: &KeyTag, key: &str, part: &str) {
        let routing = Routing::default().with_tag(tag.clone());
        assert_eq!(routing.part(key.as_bytes()), part.as_bytes(), "{key}");
    }

    #[test]
    fn tags() {
        let braces: KeyTag = "{}".parse().expect("a tag");
        check(&braces, "a{b}c", "b");
        check(&braces, "a{b}c}", "b");
        check(&braces, "}a{b}", "b");
        check(&braces, "a{{b}c", "{b");
        check(&braces, "a{}c{d}", "a{}c{d}");
        check(&braces, "a{b", "a{b");
        check(&braces, "", "");
        check(&KeyTag::between(b'$', b'$'), "a$b$c$", "b");
        let proxy = KeyTag::Between {
            open: b'{',
            close: b'}',
            takes_empty: true,
        };
        check(&proxy, "a{}c", "");
        let stop = KeyTag::Before(b"|#|".to_vec());
        check(&stop, "a|#|b|#|c", "a");
        check(&stop, "a|#b", "a|#b");
        check(&KeyTag::Before(Vec::new()), "a", "a");
        assert!("{".parse::<KeyTag>().is_err());
    }

    #[test]
    fn a_prefix_is_left_out_where_it_is() {
        let routing = Routing::default().with_unhashed_prefix("app1:");
        assert_eq!(routing.part(b"app1:k"), b"k");
        assert_eq!(routing.part(b"app2:k"), b"app2:k");
    }
}
