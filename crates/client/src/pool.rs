//! A ring and its nodes, as one value: a call sees the list before a change or after it, never half of each.

use std::sync::Arc;

use crate::error::Error;
use crate::gutter::Gutter;
use crate::join::join_all;
use crate::live::LiveNode;
use crate::node::NodeSpec;
use crate::ring::{Ring, RingError, Routing};
use crate::settings::Settings;
use crate::wire::{Answer, Command};

/// The nodes of one list.
pub(crate) struct Pool {
    pub(crate) ring: Ring,
    pub(crate) nodes: Vec<Arc<LiveNode>>,
    gutter: Option<Arc<Gutter>>,
}

impl Pool {
    /// The pool of `specs`. A node that was in `before` under the same name and address keeps its connections, its
    /// health and its keys in doubt.
    pub(crate) fn new(
        specs: &[NodeSpec],
        routing: &Routing,
        settings: &Arc<Settings>,
        gutter: Option<&Arc<Gutter>>,
        before: Option<&Self>,
    ) -> Result<Self, RingError> {
        let ring = Ring::with_routing(routing, specs)?;
        let kept = |spec: &NodeSpec| {
            let nodes = &before?.nodes;
            let is_same = |node: &&Arc<LiveNode>| {
                *node.label == *spec.label() && node.spec.address() == spec.address()
            };
            nodes.iter().find(is_same).cloned()
        };
        let nodes = specs.iter().map(|spec| {
            kept(spec).unwrap_or_else(|| {
                LiveNode::new(spec.clone(), Arc::clone(settings), gutter.cloned())
            })
        });
        Ok(Self {
            ring,
            nodes: nodes.collect(),
            gutter: gutter.cloned(),
        })
    }

    pub(crate) fn node_for(&self, key: &[u8]) -> &Arc<LiveNode> {
        &self.nodes[self.ring.node_for(key)]
    }

    /// One command, where its key lives.
    pub(crate) async fn ask(&self, command: Command) -> Result<Answer, Error> {
        let node = self.node_for(&command.key);
        let Some(gutter) = &self.gutter else {
            return one(node.ask(vec![command]).await, node);
        };
        match one(node.ask(vec![command.clone()]).await, node) {
            Err(away) if away.is_away() => gutter.stand_in(node, command, away).await,
            answer => answer,
        }
    }

    /// Commands of one kind, each where its key lives: all nodes side by side, the answers in the order of the commands.
    pub(crate) async fn ask_many(&self, commands: Vec<Command>) -> Vec<Result<Answer, Error>> {
        let mut by_node: Vec<(Vec<usize>, Vec<Command>)> =
            vec![Default::default(); self.nodes.len()];
        let count = commands.len();
        for (index, command) in commands.into_iter().enumerate() {
            let (indices, commands) = &mut by_node[self.ring.node_for(&command.key)];
            indices.push(index);
            commands.push(command);
        }
        let asked = self.nodes.iter().zip(by_node);
        let asked = asked.filter(|(_, (indices, _))| !indices.is_empty());
        let asked = asked.map(|(node, (indices, commands))| async move {
            indices.into_iter().zip(self.ask_node(node, commands).await)
        });
        let mut answers: Vec<_> = join_all(asked.collect())
            .await
            .into_iter()
            .flatten()
            .collect();
        debug_assert_eq!(answers.len(), count);
        answers.sort_unstable_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    async fn ask_node(
        &self,
        node: &Arc<LiveNode>,
        commands: Vec<Command>,
    ) -> Vec<Result<Answer, Error>> {
        let Some(gutter) = &self.gutter else {
            return node.ask(commands).await;
        };
        let answers = node.ask(commands.clone()).await;
        let answers = commands.into_iter().zip(answers);
        let answers = answers.map(|(command, answer)| async move {
            match answer {
                Err(away) if away.is_away() => gutter.stand_in(node, command, away).await,
                answer => answer,
            }
        });
        join_all(answers.collect()).await
    }
}

/// The answer to the one command that was asked.
fn one(mut answers: Vec<Result<Answer, Error>>, node: &LiveNode) -> Result<Answer, Error> {
    answers.pop().unwrap_or_else(|| {
        Err(Error::InDoubt {
            node: Arc::clone(&node.label),
        })
    })
}
