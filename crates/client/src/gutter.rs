//! The gutter: a small pool that stands in for nodes that are away, and the only one that ever does.
//!
//! What is stored there lives for a short while only. Keys written or deleted there are in the journal of the node that
//! was away, and are deleted in the gutter, too, before that node serves them again, or when another list gives them to
//! another node: so no copy is left that a later outage could bring back.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::error::Error;
use crate::join::join_all;
use crate::live::LiveNode;
use crate::ring::Ring;
use crate::ttl::Ttl;
use crate::wire::{Admin, Answer, Command, Fetching, Item, Verb};
use larder_protocol::client::meta::Mode;

/// A pool for keys whose node is away.
pub(crate) struct Gutter {
    pub(crate) ring: Arc<Ring>,
    pub(crate) nodes: Vec<Arc<LiveNode>>,
    pub(crate) ttl_cap: Duration,
}

/// A value on its way to the gutter. When it is there, or the caller was dropped, the node that is away hears of it.
struct StoodIn<'a> {
    key: Bytes,
    absent: &'a LiveNode,
}

impl Drop for StoodIn<'_> {
    fn drop(&mut self) {
        self.absent.journal.stood_in(&self.key);
    }
}

impl Gutter {
    /// Carries out a command in place of `absent`, whose error is `away`. What would fork (counts, CAS, a lock's `add`)
    /// is left to fail.
    pub(crate) async fn stand_in(
        &self,
        absent: &LiveNode,
        command: Command,
        away: Error,
    ) -> Result<Answer, Error> {
        let Some(command) = self.fitted(command) else {
            return Err(away);
        };
        let node = &self.nodes[self.ring.node_for(&command.key)];
        let stored = matches!(command.verb, Verb::Store(_)).then(|| StoodIn {
            key: command.key.clone(),
            absent,
        });
        let mut answers = node.ask(vec![command]).await;
        drop(stored);
        match answers.pop() {
            // This pool's CAS uniques mean nothing to the node; 0 matches nothing.
            Some(Ok(Answer::Item(item))) => Ok(Answer::Item(Item { cas: 0, ..item })),
            Some(Ok(answer)) => Ok(answer),
            // It may have come about there.
            Some(Err(error)) if error.maybe_applied() => Err(error),
            Some(Err(_)) | None => Err(away),
        }
    }

    fn fitted(&self, mut command: Command) -> Option<Command> {
        match &mut command.verb {
            // No placeholder: it could not be filled.
            Verb::Get(fetching) => *fetching = Fetching::default(),
            Verb::Delete { .. } => {}
            Verb::Store(storing) if storing.mode == Mode::Set && storing.cas.is_none() => {
                storing.exptime = self.capped(storing.exptime);
            }
            Verb::Store(_) | Verb::Arith(_) | Verb::Touch { .. } => return None,
        }
        Some(command)
    }

    fn capped(&self, exptime: i32) -> i32 {
        let now = SystemTime::now();
        let cap = Ttl::After(self.ttl_cap).exptime(now);
        let is_relative = (1..=60 * 60 * 24 * 30).contains(&exptime);
        match exptime {
            ..0 => exptime,
            _ if is_relative => exptime.min(cap),
            0 => cap,
            // A Unix time: sooner than the cap or not.
            _ => {
                let unix = now.duration_since(SystemTime::UNIX_EPOCH);
                let left = i64::from(exptime) - unix.map_or(0, |unix| unix.as_secs().cast_signed());
                if left < i64::from(cap) { exptime } else { cap }
            }
        }
    }

    /// Keys of `absent` live elsewhere from now on, those for which `has_moved` says so. What was stored here in its
    /// place must not stand in for their new nodes.
    pub(crate) fn doubt_copies(&self, absent: &LiveNode, has_moved: impl Fn(&[u8]) -> bool) {
        let Some(keys) = absent.journal.keys() else {
            return self.nodes.iter().for_each(|node| node.journal.distrust());
        };
        for key in keys.iter().filter(|key| has_moved(key)) {
            self.nodes[self.ring.node_for(key)].doubt(key);
        }
    }

    /// Deletes keys of a node that is about to serve again. A node of the gutter that cannot, remembers them itself.
    pub(crate) async fn delete(&self, commands: &[Command]) {
        let mut by_node = vec![Vec::new(); self.nodes.len()];
        for command in commands {
            by_node[self.ring.node_for(&command.key)].push(command.clone());
        }
        let asked = self.nodes.iter().zip(by_node);
        join_all(asked.map(|(node, commands)| node.ask(commands)).collect()).await;
    }

    /// Empties the gutter. A node that cannot, is not trusted until it was flushed.
    pub(crate) async fn flush(&self) {
        let flushes = self.nodes.iter().map(|node| async move {
            if node.ask_node(&Admin::Flush).await.is_err() {
                node.journal.distrust();
            }
        });
        join_all(flushes.collect()).await;
    }
}
