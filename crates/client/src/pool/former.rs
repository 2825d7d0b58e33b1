//! The lists before the present one, and who may still hold what has been written elsewhere since.
//!
//! A node that no longer owns a key keeps its copy of it, whether it left the list or other nodes came. When this process
//! writes such a key where it lives now, the key is put in doubt on every node that owned it before: one that is in the
//! list deletes it at once, one that is not, before it serves again. So a list that comes back (a lease that ran out, a
//! DNS server that forgot) brings no old value back. The price is one more lookup for each write and former list, and a
//! delete in the background for each write of a key that has moved.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::limits::FORMER_LISTS_MAX;
use crate::live::LiveNode;
use crate::node::{Address, NodeSpec};
use crate::ring::Ring;

/// A list, its ring, and the nodes by its indices.
#[derive(Clone)]
pub(super) struct List {
    pub(super) specs: Arc<[NodeSpec]>,
    pub(super) ring: Arc<Ring>,
    pub(super) nodes: Vec<Arc<LiveNode>>,
}

/// The latest lists before the present one, each once, the latest first.
#[derive(Default)]
pub(super) struct Former(Vec<List>);

impl Former {
    /// What was before a new list of `nodes` (by `specs`): `last`, and before it the lists of `self`. Where an address
    /// stands under another name now, its memory is the node's of that name.
    pub(super) fn followed_by(
        &self,
        last: List,
        specs: &[NodeSpec],
        nodes: &[Arc<LiveNode>],
    ) -> Self {
        let before = [last].into_iter().chain(self.0.iter().cloned());
        let mut lists: Vec<List> = before.filter(|list| *list.specs != *specs).collect();
        let present = nodes.iter().map(|node| (node.spec.address(), node));
        let present: HashMap<&Address, &Arc<LiveNode>> = present.collect();
        for node in lists.iter_mut().flat_map(|list| &mut list.nodes) {
            let same = present.get(node.spec.address());
            *node = Arc::clone(same.copied().unwrap_or(node));
        }
        // Of a list that is forgotten, the nodes that are away are never trusted again unless they are flushed.
        let forgotten = lists.split_off(FORMER_LISTS_MAX.min(lists.len()));
        let forgotten = forgotten.iter().flat_map(|list| &list.nodes);
        forgotten
            .filter(|node| !present.contains_key(node.spec.address()))
            .for_each(|node| node.lose_count());
        Self(lists)
    }

    /// A key is about to be written on `present`, or has been changed behind the cache.
    pub(super) fn note(&self, key: &Bytes, present: &Arc<LiveNode>) {
        for list in &self.0 {
            let node = &list.nodes[list.ring.node_for(key)];
            if !Arc::ptr_eq(node, present) {
                node.written_elsewhere(key);
            }
        }
    }
}
