//! Where a key lives: an immutable map from keys to the indices of a node list.
//!
//! A [`Ring`] is built once for a list of nodes and never changes; a new list makes a new ring. It is pure: the same
//! distribution, nodes and key give the same index on every machine and in every release.

mod continuum;
mod distribution;

use std::collections::HashSet;

use thiserror::Error;

pub use distribution::Distribution;

use crate::limits::NODES_MAX;
use crate::node::NodeSpec;
use continuum::Continuum;

/// Where each key lives among the nodes of one list.
#[derive(Clone, Debug)]
pub struct Ring {
    distribution: Distribution,
    labels: Vec<String>,
    continuum: Continuum,
}

/// Why no ring can be made of a list of nodes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RingError {
    /// The list has no node; keys would live nowhere.
    #[error("the list of nodes is empty")]
    Empty,
    /// The list is longer than [`NODES_MAX`].
    #[error("{0} nodes are more than the {NODES_MAX} that one pool may have")]
    TooMany(usize),
    /// Two nodes go by the same name or, without one, the same address; keys could live on either.
    #[error("the node `{0}` is listed twice: give each node a name of its own")]
    Duplicate(String),
}

impl Ring {
    /// The ring of `nodes`, whose order gives the indices that [`node_for`](Self::node_for) returns.
    ///
    /// # Errors
    /// Refuses a list that is empty, has more than [`NODES_MAX`] nodes, or the same name twice.
    pub fn new(distribution: Distribution, nodes: &[NodeSpec]) -> Result<Self, RingError> {
        let labels = labels(nodes)?;
        let continuum = match distribution {
            Distribution::Ketama => continuum::ketama(nodes),
        };
        Ok(Self {
            distribution,
            labels,
            continuum,
        })
    }

    /// The index of the node on which `key`, as sent to the node, lives.
    #[must_use]
    pub fn node_for(&self, key: &[u8]) -> usize {
        self.continuum.node_for(continuum::md5_word(key))
    }

    /// The rule that this ring keeps to.
    #[must_use]
    pub fn distribution(&self) -> Distribution {
        self.distribution
    }

    /// How many nodes share the keys; at least one.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.labels.len()
    }
}

/// What each node is called, after seeing that the list can be used.
fn labels(nodes: &[NodeSpec]) -> Result<Vec<String>, RingError> {
    match nodes.len() {
        0 => return Err(RingError::Empty),
        count if count > NODES_MAX => return Err(RingError::TooMany(count)),
        _ => {}
    }
    let labels: Vec<String> = nodes.iter().map(NodeSpec::label).collect();
    let mut seen = HashSet::new();
    match labels.iter().find(|label| !seen.insert(label.as_str())) {
        Some(twice) => Err(RingError::Duplicate(twice.clone())),
        None => Ok(labels),
    }
}
