//! A pool in memory, for an application's tests.
//!
//! It stands below the client, where sockets are otherwise: the [`Client`] that it gives is the real one, with its ring,
//! time limits, health and keys in doubt, and the nodes are tasks at the other end of pipes in memory. So an application
//! is tested with the very type that it uses, and a fault does to it what it does in production.

mod node;
mod store;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::DuplexStream;

use crate::client::{BuildError, Builder, Client};
use crate::conn::transport::{Connecting, Stream, Transport};
use crate::node::{Address, NodeSpec};
use node::Node;

/// Room in each direction of a connection, in bytes: about what a socket has.
const PIPE_LEN: usize = 64 << 10;

/// A pool in memory. Cheap to clone; all clones are the same pool.
///
/// Its clock stands still, and goes by [`Self::advance`]: items expire by it. Time limits and probes go by tokio's clock,
/// which a test may pause.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// use std::time::Duration;
/// use larder_client::{Fake, FakeFault, Ttl};
///
/// let fake = Fake::new(["a", "b", "c"].map(|node| node.parse().expect("a node")));
/// let cache = fake.client()?;
/// cache.set("user:7", "Ada", Ttl::secs(60)).await?;
/// fake.advance(Duration::from_secs(61));
/// assert!(cache.get("user:7").await?.is_none());
///
/// fake.hurt(&cache.node_for("user:7"), FakeFault::Refuses);
/// assert!(cache.get("user:7").await.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fake {
    nodes: Arc<[Node]>,
}

/// What is wrong with a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FakeFault {
    /// Connections end, and new ones are refused: a process that is gone, but for its memory ([`Fake::restart`]).
    Refuses,
    /// Connections stay and new ones come about, and nothing is answered. What was sent meanwhile is carried out when
    /// the node is well again, as by a machine that stood still.
    Hangs,
    /// Each command is carried out, and the connection ends in place of the reply.
    LosesReplies,
    /// Each command is answered with `SERVER_ERROR` and these words, and not carried out.
    Answers(String),
}

impl Fake {
    /// A pool of these nodes, all empty and well.
    #[must_use]
    pub fn new(nodes: impl IntoIterator<Item = NodeSpec>) -> Self {
        Self {
            nodes: nodes.into_iter().map(Node::new).collect(),
        }
    }

    /// A client of the pool.
    ///
    /// # Errors
    /// No ring can be made of the nodes: there are none, or two of one name.
    pub fn client(&self) -> Result<Client, BuildError> {
        self.builder().build()
    }

    /// A client of the pool with settings of its own. The nodes speak meta commands in the clear: neither TLS, nor
    /// credentials, nor [`Builder::classic`] go with them. Other nodes than the pool's refuse connections. For a client
    /// with a gutter, make a pool of all nodes, and say by [`Builder::nodes`] and [`Builder::gutter`] which are which.
    #[must_use]
    pub fn builder(&self) -> Builder {
        let nodes = self.nodes.iter().map(|node| node.spec().clone());
        Builder::over(Arc::new(self.clone())).nodes(nodes)
    }

    /// Lets the items' clock go on.
    pub fn advance(&self, time: Duration) {
        self.nodes.iter().for_each(|node| node.advance(time));
    }

    /// Hurts a node, by the name that [`Client::node_for`] gives it. Another name is none of the pool's, and changes
    /// nothing.
    pub fn hurt(&self, node: &str, fault: FakeFault) {
        self.with(node, |node| node.set(Some(fault)));
    }

    /// Makes a node well again.
    pub fn heal(&self, node: &str) {
        self.with(node, |node| node.set(None));
    }

    /// Ends a node's connections, and starts it empty and well.
    pub fn restart(&self, node: &str) {
        self.with(node, Node::restart);
    }

    fn with(&self, name: &str, change: impl FnOnce(&Node)) {
        let named = |node: &&Node| node.spec().label() == name;
        self.nodes
            .iter()
            .find(named)
            .map(change)
            .unwrap_or_default();
    }
}

impl Transport for Fake {
    fn connect<'a>(&'a self, address: &'a Address) -> Connecting<'a> {
        Box::pin(async move {
            let at = |node: &&Node| node.spec().address() == address;
            let node = self.nodes.iter().find(at);
            let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
            let (near, far) = tokio::io::duplex(PIPE_LEN);
            node.ok_or_else(refused)?.accept(far)?;
            Ok(Box::new(near) as Box<dyn Stream>)
        })
    }
}

impl Stream for DuplexStream {
    /// What was written is in the other end's pipe already.
    fn discard_unsent(&self) {}
}
