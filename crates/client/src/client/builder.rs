//! How a client is made.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio::sync::watch;

use super::following::Following;
use super::{Client, Inner, url};
use crate::conn::Credentials;
use crate::conn::transport::{Sockets, Transport};
use crate::discovery::{DiscoveryError, NodeList};
use crate::gutter::Gutter;
use crate::limits::{WAIT_MAX, WAIT_MIN};
use crate::node::{NodeError, NodeSpec};
use crate::observe::Observer;
use crate::patterns::Flights;
use crate::pool::Pool;
use crate::ring::{Distribution, DistributionError, RingError, Routing};
use crate::settings::Settings;

/// Why no client can be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A node's description is wrong.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// No ring can be made of the nodes.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// There is no such rule of distribution.
    #[error(transparent)]
    Distribution(#[from] DistributionError),
    /// No server can know such a user: memcached reads the name up to the first blank.
    #[error("the user's name is empty or has a blank in it")]
    User,
    /// There can be no TLS.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] crate::conn::TlsError),
    /// The nodes cannot be found.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The system gives no thread to a client for programmes without async.
    #[cfg(feature = "blocking")]
    #[error("no thread for the client: {0}")]
    Runtime(std::io::Error),
    /// The URL is not one, or has something in it that is not known.
    #[error("{0}")]
    Url(String),
}

/// A client's settings before there is a client.
pub struct Builder {
    nodes: Vec<NodeSpec>,
    routing: Option<Routing>,
    gutter: Option<(Vec<NodeSpec>, Duration)>,
    pub(super) settings: Settings,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// Settings as they are without any: the common ring, 200 ms to connect, 300 ms for a call.
    #[must_use]
    pub fn new() -> Self {
        Self::over(Arc::new(Sockets))
    }

    /// As [`Self::new`], with connections of another kind.
    pub(crate) fn over(transport: Arc<dyn Transport>) -> Self {
        Self {
            nodes: Vec::new(),
            routing: None,
            gutter: None,
            settings: Settings::new(transport),
        }
    }

    /// Takes nodes and settings from a URL: `memcache://[user:password@]node,node…[?name=value&…]`.
    ///
    /// A node is what [`NodeSpec`] reads, a socket's path too (`memcache:///run/cache.sock`). The names are `dist` (a
    /// distribution's name), `timeout_ms`, `connect_timeout_ms`, `conns` (connections to each node), `classic` (alone:
    /// [`Self::classic`]), and with the feature `tls` also `tls` (alone: nodes that the system trusts) and `tls_ca` (the
    /// path of a PEM file: nodes whose certificates one in it has signed). Bytes of the user, the password and that path
    /// that mean something in a URL are written as `%` and two hexadecimal digits.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn url(self, url: &str) -> Result<Self, BuildError> {
        url::apply(self, url)
    }

    /// The nodes, in an order that counts for some distributions.
    #[must_use]
    pub fn nodes(mut self, nodes: impl IntoIterator<Item = NodeSpec>) -> Self {
        self.nodes = nodes.into_iter().collect();
        self
    }

    /// How keys find their node: a [`Distribution`], or a [`Routing`] that says more. [`Distribution::Ketama`], the
    /// common ring, if it is not said.
    #[must_use]
    pub fn routing(mut self, routing: impl Into<Routing>) -> Self {
        self.routing = Some(routing.into());
        self
    }

    /// Nodes that stand in for those that are away, and how long what is stored there may live: some tens of seconds.
    /// Nothing else ever stands in for a node. Counts, CAS and conditional stores are not taken there: they would fork.
    #[must_use]
    pub fn gutter(mut self, nodes: impl IntoIterator<Item = NodeSpec>, ttl_cap: Duration) -> Self {
        self.gutter = Some((nodes.into_iter().collect(), ttl_cap));
        self
    }

    /// The longest that a call waits for one node, connecting included; 300 ms if it is not said. A node that was not
    /// asked since it failed costs no waiting at all.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.settings.call_timeout = limit.min(WAIT_MAX);
        self
    }

    /// The longest that connecting takes; 200 ms if it is not said.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.settings.connect_timeout = limit.min(WAIT_MAX);
        self
    }

    /// Requests that may wait for one node's replies; 4096 if it is not said. Beyond them calls fail at once.
    #[must_use]
    pub fn in_flight_max(mut self, count: usize) -> Self {
        self.settings.in_flight_max = count.clamp(1, IN_FLIGHT_LIMIT);
        self
    }

    /// Connections to each node; one if it is not said, which serves any number of tasks. A key always goes over the
    /// same one.
    #[must_use]
    pub fn conns_per_node(mut self, count: usize) -> Self {
        self.settings.conns_per_node = count.clamp(1, CONNS_LIMIT);
        self
    }

    /// A user and a password for every node, given as the first words on each connection: memcached's `-Y`. They go over
    /// the wire as they are; use TLS.
    #[must_use]
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.settings.credentials = Some(Credentials {
            user: user.into(),
            password: password.into(),
        });
        self
    }

    /// Only classic commands, for proxies that end a connection at the first meta command. Servers without meta commands
    /// are found out by themselves.
    #[must_use]
    pub fn classic(mut self) -> Self {
        self.settings.is_classic = true;
        self
    }

    /// Values longer than `len` bytes are stored as an LZ4 block if that is shorter: those of every store but `append` and
    /// `prepend`, which are refused then, since nothing can be put before or behind such a block. Clients of this crate
    /// with this feature read them, whether they were told to compress or not; others see client flags of which the
    /// upper half is 0x4c5a, and the block behind its unpacked length in four bytes, little-endian. Values whose own
    /// flags need more than 16 bits stay as they are.
    #[cfg(feature = "compression")]
    #[must_use]
    pub fn compress_above(mut self, len: usize) -> Self {
        self.settings.pack_above = Some(len);
        self
    }

    /// TLS to every node that is not on a Unix socket. The connect timeout is for its handshake, too.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: crate::conn::Tls) -> Self {
        self.settings.transport = Arc::new(tls);
        self
    }

    /// Who hears what happens.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.settings.observer = Some(observer);
        self
    }

    /// How long a node that answers again is left alone before it serves, if writes to it have no known end; 1 s if it
    /// is not said, and a millisecond at least. It is the time for which a write in its buffers may stand there after it
    /// answers again.
    #[must_use]
    pub fn settle(mut self, wait: Duration) -> Self {
        self.settings.settle = wait.clamp(WAIT_MIN, WAIT_MAX);
        self
    }

    /// How many keys without a known end are remembered for each node; beyond them the node is flushed before it serves.
    #[must_use]
    pub fn journal_keys_max(mut self, count: usize) -> Self {
        self.settings.journal_keys_max = count;
        self
    }

    /// The shortest and the longest wait between probes of a node that is down; 1 s and 30 s if it is not said,
    /// and a millisecond at least.
    #[must_use]
    pub fn probe_waits(mut self, first: Duration, longest: Duration) -> Self {
        let first = first.clamp(WAIT_MIN, WAIT_MAX);
        self.settings.patience.wait_first = first;
        self.settings.patience.wait_max = longest.clamp(first, WAIT_MAX);
        self
    }

    /// The client. Nothing is connected yet.
    ///
    /// # Errors
    /// No ring can be made of the nodes.
    pub fn build(self) -> Result<Client, BuildError> {
        self.build_with(None)
    }

    /// The client, and what brings it other lists of nodes.
    pub(super) fn build_with(
        self,
        lists: Option<watch::Receiver<NodeList>>,
    ) -> Result<Client, BuildError> {
        let user = self.settings.credentials.as_ref().map(|known| &known.user);
        if user.is_some_and(|user| user.is_empty() || user.contains(' ')) {
            return Err(BuildError::User);
        }
        let settings = Arc::new(self.settings);
        let routing = self
            .routing
            .unwrap_or_else(|| Routing::new(Distribution::Ketama));
        let gutter = match self.gutter {
            None => None,
            Some((nodes, ttl_cap)) => {
                let pool = Pool::new(&nodes, &routing, &settings, None, None)?;
                Some(Arc::new(Gutter {
                    ring: pool.ring,
                    nodes: pool.nodes,
                    ttl_cap,
                }))
            }
        };
        let pool = Pool::new(&self.nodes, &routing, &settings, gutter.as_ref(), None)?;
        let inner = Arc::new_cyclic(|inner| Inner {
            settings,
            routing,
            gutter,
            pool: ArcSwap::from_pointee(pool),
            changing: Mutex::default(),
            flights: Flights::default(),
            _following: lists.map(|lists| Following::begin(Weak::clone(inner), lists)),
        });
        Ok(Client { inner })
    }
}

/// More connections to one node only take from each other's pipelines.
const CONNS_LIMIT: usize = 64;
/// Far beyond what one node answers within any sensible timeout.
const IN_FLIGHT_LIMIT: usize = 1 << 20;
