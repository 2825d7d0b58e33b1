//! A ring and its nodes, as one value: a call sees the list before a change or after it, never half of each.
//!
//! Keys that a change moves are watched ([`former`]): a node that gets a key back, or comes back itself, gives out
//! nothing that this process wrote elsewhere meanwhile. Such keys are remembered with those in doubt, up to the same
//! bound; a node of which more would have to be remembered is flushed when the list changes next. What a node held
//! before this process first knew it, and what other processes write by lists of their own, no process can know.

mod former;

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::error::Error;
use crate::gutter::Gutter;
use crate::join::join_all;
use crate::limits::{NODES_MAX, RETIRED_JOURNALS_MAX};
use crate::live::LiveNode;
use crate::node::NodeSpec;
use crate::ring::{Ring, RingError, Routing};
use crate::settings::Settings;
use crate::wire::{Answer, Command};
use former::{Former, List};

/// The nodes of one list.
pub(crate) struct Pool {
    pub(crate) specs: Arc<[NodeSpec]>,
    pub(crate) ring: Arc<Ring>,
    pub(crate) nodes: Vec<Arc<LiveNode>>,
    former: Former,
    /// Nodes that have left, the latest first, for as long as something on them may be in doubt, or they are of a former
    /// list: one that comes back has kept its memory.
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
            let new = || LiveNode::new(spec.clone(), Arc::clone(settings), gutter.cloned());
            serving(spec, &known, new)
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
        let former = before.map(|before| {
            let last = List {
                specs: Arc::clone(&before.specs),
                ring: Arc::clone(&before.ring),
                nodes: before.nodes.clone(),
            };
            before.former.followed_by(last, specs, &nodes)
        });
        if let (Some(gutter), Some(before)) = (gutter, before) {
            for node in &before.nodes {
                let is_owner = |key: &[u8]| Arc::ptr_eq(&nodes[ring.node_for(key)], node);
                gutter.doubt_copies(node, |key| !is_owner(key));
            }
        }
        Ok(Self {
            specs: specs.into(),
            ring: ring.into(),
            nodes,
            former: former.unwrap_or_default(),
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

    /// The nodes of the list, and then those of the gutter.
    pub(crate) fn with_gutter(&self) -> impl Iterator<Item = &Arc<LiveNode>> {
        let gutter = self.gutter.iter().flat_map(|gutter| &gutter.nodes);
        self.nodes.iter().chain(gutter)
    }

    pub(crate) fn node_for(&self, key: &[u8]) -> &Arc<LiveNode> {
        &self.nodes[self.ring.node_for(key)]
    }

    /// Has a key deleted wherever it may be, before anybody reads it there.
    pub(crate) fn doubt(&self, key: &Bytes) {
        let node = self.node_for(key);
        self.former.note(key, node);
        node.doubt(key);
    }

    /// Whether `before` has this key on another node.
    pub(crate) fn has_moved(&self, key: &[u8], before: &Self) -> bool {
        !Arc::ptr_eq(self.node_for(key), before.node_for(key))
    }

    /// A command is about to be sent to `node`.
    fn note_former(&self, command: &Command, node: &Arc<LiveNode>) {
        if command.verb.kind().changes_value() {
            self.former.note(&command.key, node);
        }
    }

    /// One command, where its key lives.
    pub(crate) async fn ask(&self, command: Command) -> Result<Answer, Error> {
        let node = self.node_for(&command.key);
        self.note_former(&command, node);
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
            let owner = self.ring.node_for(&command.key);
            self.note_former(&command, &self.nodes[owner]);
            let (indices, commands) = &mut by_node[owner];
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

/// The node of `spec`, to be asked from now on: the one of `known` that it was before, or a `new` one.
fn serving(
    spec: &NodeSpec,
    known: &[&Arc<LiveNode>],
    new: impl Fn() -> Arc<LiveNode>,
) -> Arc<LiveNode> {
    let of_address = known.iter().copied();
    let of_address = of_address.filter(|node| node.spec.address() == spec.address());
    let (same, renamed): (Vec<_>, Vec<_>) =
        of_address.partition(|node| *node.label == *spec.label());
    let node = same.first().map_or_else(new, |node| Arc::clone(node));
    node.serve();
    // The same memory under other names: what is in doubt there is on this node.
    for other in renamed.into_iter().filter(|other| other.is_in_doubt()) {
        node.journal.distrust();
        other.journal.forget_all(Instant::now());
    }
    node
}

/// The answer to the one command that was asked.
fn one(mut answers: Vec<Result<Answer, Error>>, node: &LiveNode) -> Result<Answer, Error> {
    answers.pop().unwrap_or_else(|| {
        Err(Error::InDoubt {
            node: Arc::clone(&node.label),
        })
    })
}
