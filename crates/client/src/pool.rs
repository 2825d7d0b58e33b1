//! A ring and its nodes, as one value: a call sees the list before a change or after it, never half of each.

use std::sync::Arc;

use crate::error::Error;
use crate::gutter::Gutter;
use crate::join::join_all;
use crate::limits::{NODES_MAX, RETIRED_JOURNALS_MAX};
use crate::live::LiveNode;
use crate::node::NodeSpec;
use crate::ring::{Ring, RingError, Routing};
use crate::settings::Settings;
use crate::wire::{Answer, Command};

/// The nodes of one list.
pub(crate) struct Pool {
    pub(crate) ring: Ring,
    pub(crate) nodes: Vec<Arc<LiveNode>>,
    /// Nodes that have left, the latest first, for as long as something on them may be in doubt: one that comes back
    /// has kept its memory, and must not give out what was written elsewhere since.
    retired: Vec<Arc<LiveNode>>,
    gutter: Option<Arc<Gutter>>,
}

impl Pool {
    /// The pool of `specs`. A node that was in `before`, or had left it, under the same name and address keeps its
    /// connections, its health and its keys in doubt.
    pub(crate) fn new(
        specs: &[NodeSpec],
        routing: &Routing,
        settings: &Arc<Settings>,
        gutter: Option<&Arc<Gutter>>,
        before: Option<&Self>,
    ) -> Result<Self, RingError> {
        let ring = Ring::with_routing(routing, specs)?;
        let known: Vec<&Arc<LiveNode>> = before.map(Self::known).unwrap_or_default();
        let nodes = specs.iter().map(|spec| {
            let is_same = |node: &&&Arc<LiveNode>| node.spec.address() == spec.address();
            let mut of_address = known.iter().filter(is_same);
            if let Some(node) = of_address.clone().find(|node| *node.label == *spec.label()) {
                node.serve();
                return Arc::clone(node);
            }
            let node = LiveNode::new(spec.clone(), Arc::clone(settings), gutter.cloned());
            // The same memory under another name.
            if of_address.any(|node| node.is_in_doubt()) {
                node.journal.distrust();
            }
            node
        });
        let nodes: Vec<Arc<LiveNode>> = nodes.collect();
        let has_left = |node: &&&Arc<LiveNode>| !nodes.iter().any(|stays| Arc::ptr_eq(stays, node));
        let retired = known.iter().filter(has_left);
        let retired: Vec<Arc<LiveNode>> = retired
            .take(NODES_MAX)
            .map(|node| Arc::clone(node))
            .collect();
        for (index, node) in retired.iter().enumerate() {
            node.retire(index < RETIRED_JOURNALS_MAX);
        }
        Ok(Self {
            ring,
            nodes,
            retired,
            gutter: gutter.cloned(),
        })
    }

    /// The nodes of the list, and those that have left it and still matter: nobody but this pool may hold one that does
    /// not, since its calls may yet fail.
    fn known(&self) -> Vec<&Arc<LiveNode>> {
        let matters = |node: &&Arc<LiveNode>| Arc::strong_count(node) > 1 || node.is_in_doubt();
        let retired = self.retired.iter().filter(matters);
        self.nodes.iter().chain(retired).collect()
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
