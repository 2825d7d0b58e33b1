//! Commands for every node of the pool.

use std::sync::Arc;

use super::{Client, odd};
use crate::error::Error;
use crate::join::join_all;
use crate::live::{LiveNode, NodeState};
use crate::wire::{Admin, Answer};

/// What one node said.
pub type NodeResult<T> = (String, Result<T, Error>);

/// How a node stands with this client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeStatus {
    /// The node's name, else its address.
    pub node: String,
    /// Whether it is asked.
    pub state: NodeState,
    /// Requests that wait for its reply.
    pub in_flight: usize,
}

impl Client {
    /// Empties every node, and those of the gutter, which come last in the result.
    pub async fn flush(&self) -> Vec<NodeResult<()>> {
        let pool = self.inner.pool.load_full();
        ask_nodes(pool.with_gutter(), Admin::Flush, |answer| match answer {
            Answer::Done(_) => Ok(()),
            other => Err(other),
        })
        .await
    }

    /// The version that each node says.
    pub async fn versions(&self) -> Vec<NodeResult<String>> {
        let pool = self.inner.pool.load_full();
        ask_nodes(pool.nodes.iter(), Admin::Version, |answer| match answer {
            Answer::Text(version) => Ok(version),
            other => Err(other),
        })
        .await
    }

    /// The rows of `stats`, or of one of its groups such as `items`; "" for the general ones.
    pub async fn stats(&self, group: &str) -> Vec<NodeResult<Vec<(String, String)>>> {
        // A group's name is a few words; anything else would begin another command.
        let group: String = group.chars().filter(|c| !c.is_control()).collect();
        let pool = self.inner.pool.load_full();
        ask_nodes(
            pool.nodes.iter(),
            Admin::Stats(group),
            |answer| match answer {
                Answer::Rows(rows) => Ok(rows),
                Answer::Done(_) => Ok(Vec::new()),
                other => Err(other),
            },
        )
        .await
    }

    /// How each node stands with this client.
    #[must_use]
    pub fn node_states(&self) -> Vec<NodeStatus> {
        let pool = self.inner.pool.load();
        let status = pool.nodes.iter().map(|node| NodeStatus {
            node: node.label.to_string(),
            state: node.state(),
            in_flight: node.in_flight(),
        });
        status.collect()
    }
}

/// Asks each of these nodes. `judge` gives an answer back that is none to what was asked.
async fn ask_nodes<'a, T>(
    nodes: impl Iterator<Item = &'a Arc<LiveNode>>,
    admin: Admin,
    judge: impl Fn(Answer) -> Result<T, Answer>,
) -> Vec<NodeResult<T>> {
    let asked = nodes.map(|node| {
        let (node, admin) = (Arc::clone(node), &admin);
        async move { (node.label.to_string(), node.ask_node(admin).await) }
    });
    let results = join_all(asked.collect()).await.into_iter();
    let judged = results.map(|(node, answer)| {
        let result =
            answer.and_then(|answer| judge(answer).map_err(|other| odd(&format!("{other:?}"))));
        (node, result)
    });
    judged.collect()
}
