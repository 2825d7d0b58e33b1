//! Where the list of nodes comes from while the application runs.
//!
//! A [`Discovery`] is followed by a task of its own, which hands each new list on whole. The last list that was good
//! stands until a better one comes: a source that cannot be reached changes nothing, and neither does one that answers
//! with nothing. An empty list would make every key a miss, and its cause is nearly always the source.

mod dns;
mod elasticache;
#[cfg(feature = "etcd")]
mod etcd;
mod file;
mod text;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;

use crate::limits::{PERIOD_MAX, PERIOD_MIN};
use crate::node::{NodeError, NodeSpec};
use crate::ring::{self, RingError};
use dns::Name;
use elasticache::Cluster;
#[cfg(feature = "etcd")]
use etcd::Keys;
use file::File;

pub use dns::Dns;
pub(crate) use elasticache::Way;
pub use elasticache::{ElastiCache, Identity};
#[cfg(feature = "etcd")]
pub use etcd::Etcd;

/// The nodes of a pool, each list whole and never empty.
pub type NodeList = Arc<[NodeSpec]>;

/// Where the list of nodes comes from.
#[derive(Debug)]
#[non_exhaustive]
pub enum Discovery {
    /// It never changes.
    Static(Vec<NodeSpec>),
    /// A file with a node a line, empty lines and those that begin with `#` aside; followed as it is changed, by
    /// renaming another over it too. A file with a mistake in it is not used at all.
    File(PathBuf),
    /// What DNS has under a name.
    Dns(Dns),
    /// What a node of an ElastiCache cluster knows.
    ElastiCache(ElastiCache),
    /// What etcd has under a prefix of keys.
    #[cfg(feature = "etcd")]
    Etcd(Etcd),
    /// The application's own, from whatever it knows. Lists that no ring can be made of are passed over.
    Channel(watch::Receiver<Vec<NodeSpec>>),
}

/// Why a source has no list that can be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// The source could not be read or reached.
    #[error("{from}: {error}")]
    Io {
        /// The source: a file or an address.
        from: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// A node in the source is described wrongly.
    #[error("{from}: {error}")]
    Node {
        /// The source, with the line where it has lines.
        from: String,
        /// What is wrong with the node.
        error: NodeError,
    },
    /// No ring can be made of the list: it is empty, or names a node twice.
    #[error("{from}: {error}")]
    List {
        /// The source.
        from: String,
        /// What is wrong with the list.
        error: RingError,
    },
    /// The source answered with something else than a list.
    #[error("{from}: {problem}")]
    Answer {
        /// The source.
        from: String,
        /// What it answered.
        problem: String,
    },
}

impl Discovery {
    /// Reads the first list and begins to follow the source. The receiver always holds a list that a ring can be made
    /// of; the following ends with the last of its clones. Its `changed` fails once the list will never change again: a
    /// static one at once, the application's own when its sender is gone.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Without a first list there is nothing to begin with. Later failures are told by a warning, and the list that
    /// stands is kept.
    pub async fn follow(self) -> Result<watch::Receiver<NodeList>, DiscoveryError> {
        self.follow_over(Way::default()).await
    }

    /// As [`Self::follow`]; `way` leads to sources that are nodes themselves.
    pub(crate) async fn follow_over(
        self,
        way: Way,
    ) -> Result<watch::Receiver<NodeList>, DiscoveryError> {
        let mut source = match self {
            Self::Static(nodes) => return Ok(watch::channel(judged(nodes, &"the given list")?).1),
            Self::File(path) => Source::File(File::open(path)?),
            Self::Dns(dns) => Source::Dns(Box::new(Name::new(dns)?)),
            Self::ElastiCache(settings) => Source::ElastiCache(Cluster::new(settings, way)),
            #[cfg(feature = "etcd")]
            Self::Etcd(settings) => Source::Etcd(Box::new(Keys::new(settings)?)),
            Self::Channel(lists) => Source::Channel(lists),
        };
        let first = source.read().await?;
        let (sender, receiver) = watch::channel(judged(first, &source)?);
        tokio::spawn(async move {
            tokio::select! {
                () = sender.closed() => {}
                () = source.feed(&sender) => {}
            }
        });
        Ok(receiver)
    }
}

/// A source that is being followed.
enum Source {
    File(File),
    Dns(Box<Name>),
    ElastiCache(Cluster),
    #[cfg(feature = "etcd")]
    Etcd(Box<Keys>),
    Channel(watch::Receiver<Vec<NodeSpec>>),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.fmt(f),
            Self::Dns(name) => name.fmt(f),
            Self::ElastiCache(cluster) => cluster.fmt(f),
            #[cfg(feature = "etcd")]
            Self::Etcd(keys) => keys.fmt(f),
            Self::Channel(_) => f.write_str("the application's list"),
        }
    }
}

impl Source {
    /// The present list.
    async fn read(&mut self) -> Result<Vec<NodeSpec>, DiscoveryError> {
        match self {
            Self::File(file) => file.read(),
            Self::Dns(name) => name.read().await,
            Self::ElastiCache(cluster) => cluster.read().await,
            #[cfg(feature = "etcd")]
            Self::Etcd(keys) => keys.read().await,
            Self::Channel(lists) => Ok(lists.borrow_and_update().clone()),
        }
    }

    /// Waits until the list may have changed; false when it never will again.
    async fn change(&mut self) -> bool {
        match self {
            Self::File(file) => file.change().await,
            Self::Dns(name) => period(name.period()).await,
            Self::ElastiCache(cluster) => period(cluster.period()).await,
            #[cfg(feature = "etcd")]
            Self::Etcd(keys) => keys.change().await,
            Self::Channel(lists) => lists.changed().await.is_ok(),
        }
    }

    /// Hands on every list that can be used and is another than the last.
    async fn feed(&mut self, sender: &watch::Sender<NodeList>) {
        while self.change().await {
            let read = self.read().await;
            match read.and_then(|nodes| judged(nodes, self)) {
                Ok(nodes) => {
                    let is_new = sender.send_if_modified(|last| {
                        let is_new = *last != nodes;
                        last.clone_from(&nodes);
                        is_new
                    });
                    if is_new {
                        tracing::info!(source = %self, nodes = nodes.len(), "a new list of nodes");
                    }
                }
                Err(error) => tracing::warn!(%error, "the last list of nodes is kept"),
            }
        }
    }
}

/// Waits for about so long.
async fn period(period: Duration) -> bool {
    tokio::time::sleep(about(period)).await;
    true
}

/// So long, give or take a tenth: clients that were started together must not ask together for ever.
fn about(period: Duration) -> Duration {
    let period = period.clamp(PERIOD_MIN, PERIOD_MAX);
    period.mul_f64(0.9 + 0.2 * fastrand::f64())
}

/// The list, if a ring can be made of it.
fn judged(nodes: Vec<NodeSpec>, from: &impl fmt::Display) -> Result<NodeList, DiscoveryError> {
    match ring::labels(&nodes) {
        Ok(_) => Ok(nodes.into()),
        Err(error) => Err(DiscoveryError::List {
            from: from.to_string(),
            error,
        }),
    }
}
