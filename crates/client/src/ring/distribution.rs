//! The rules by which keys are spread over nodes, under the names of the clients that keep to them.

/// How keys are spread over nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Distribution {
    /// The common ring: libmemcached's `KETAMA_WEIGHTED`, php-memcached's `OPT_LIBKETAMA_COMPATIBLE`, pylibmc's
    /// `ketama_weighted`, npm memcached's default, twemproxy's `distribution: ketama` with `hash: md5`.
    #[default]
    Ketama,
}
