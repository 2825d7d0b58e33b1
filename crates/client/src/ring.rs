//! Where a key lives: an immutable map from keys to the indices of a node list.
//!
//! A [`Ring`] is built once for a list of nodes and never changes; a new list makes a new ring. It is pure: the same
//! routing, nodes and key give the same index on every machine and in every release.

mod continuum;
mod distribution;
mod hash;
mod position;
mod rendezvous;
mod routing;
mod rule;

use std::collections::HashSet;

use thiserror::Error;

pub use distribution::{Distribution, DistributionError, Preset};
pub use hash::{HashError, KeyHash};
pub use routing::{KeyTag, KeyTagError, Routing};

use crate::limits::{MOVED_SAMPLE, NODES_MAX, POINTS_MAX};
use crate::node::NodeSpec;
use rule::Rule;

/// Where each key lives among the nodes of one list.
#[derive(Clone, Debug)]
pub struct Ring {
    routing: Routing,
    labels: Vec<String>,
    rule: Rule,
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
    /// The nodes' weights would give more points than [`POINTS_MAX`].
    #[error("{0} points on the ring are more than {POINTS_MAX}: use smaller weights")]
    TooManyPoints(u64),
    /// The distribution's client has no such hash.
    #[error(transparent)]
    Distribution(#[from] DistributionError),
}

impl Ring {
    /// The ring of `nodes` for whole keys, whose order gives the indices that [`node_for`](Self::node_for) returns.
    ///
    /// # Errors
    /// Refuses a list that is empty, has more than [`NODES_MAX`] nodes, the same label twice, or weights of more than
    /// [`POINTS_MAX`] points; and a distribution with a hash that its client does not have.
    pub fn new(distribution: Distribution, nodes: &[NodeSpec]) -> Result<Self, RingError> {
        Self::with_routing(&Routing::new(distribution), nodes)
    }

    /// The ring of `nodes` for the parts of keys that `routing` says.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_routing(routing: &Routing, nodes: &[NodeSpec]) -> Result<Self, RingError> {
        routing.distribution().judge()?;
        Ok(Self {
            routing: routing.clone(),
            labels: labels(nodes)?,
            rule: Rule::new(routing.distribution(), nodes)?,
        })
    }

    /// The index of the node on which `key`, as sent to the node, lives.
    #[must_use]
    pub fn node_for(&self, key: &[u8]) -> usize {
        self.rule.node_for(self.routing.part(key))
    }

    /// What the node of this index is called in the list: its name, else its address.
    #[must_use]
    pub fn label(&self, index: usize) -> Option<&str> {
        self.labels.get(index).map(String::as_str)
    }

    /// How keys find their node on this ring.
    #[must_use]
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// How many nodes share the keys; at least one.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.labels.len()
    }

    /// The share of keys, from 0 to 1, that would live on another node if the list were this one: what a change would
    /// cost in misses. Nodes are the same if their labels are. Found by trying [`MOVED_SAMPLE`] made-up keys, which is
    /// good to half a hundredth; for your own keys compare [`label`](Self::label)s.
    ///
    /// # Errors
    /// As [`new`](Self::new), for the new list.
    pub fn moved_fraction(&self, nodes: &[NodeSpec]) -> Result<f64, RingError> {
        let new = Self::with_routing(&self.routing, nodes)?;
        let is_moved = |number: &u32| {
            let key = format!("user:{number}:profile");
            let key = key.as_bytes();
            self.label(self.node_for(key)) != new.label(new.node_for(key))
        };
        let moved = (0..MOVED_SAMPLE).filter(is_moved).count();
        Ok(moved as f64 / f64::from(MOVED_SAMPLE))
    }
}

/// What each node is called, after seeing that the list can be used.
pub(crate) fn labels(nodes: &[NodeSpec]) -> Result<Vec<String>, RingError> {
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
