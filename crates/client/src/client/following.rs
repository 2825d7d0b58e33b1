//! A client whose list of nodes changes while it works.

use std::sync::{Arc, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Builder, Client, Inner};
use crate::client::BuildError;
use crate::discovery::{Discovery, NodeList, Way};
use crate::node::NodeSpec;
use crate::pool::Pool;
use crate::ring::RingError;

impl Inner {
    pub(super) fn set_nodes(&self, nodes: &[NodeSpec]) -> Result<(), RingError> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, gutter) = (self.pool.load_full(), self.gutter.as_ref());
        let pool = Pool::new(nodes, &self.routing, &self.settings, gutter, Some(&before))?;
        self.pool.store(Arc::new(pool));
        Ok(())
    }

    /// Calls that began by the list `before` have ended. Keys that live elsewhere by now may have changed on a node that
    /// no longer owns them, after the others were told.
    pub(super) fn look_back<'a>(
        &self,
        before: &Arc<Pool>,
        keys: impl IntoIterator<Item = &'a Bytes>,
    ) {
        let now = self.pool.load();
        if !Arc::ptr_eq(&now, before) {
            let mut moved = keys.into_iter().filter(|key| now.has_moved(key, before));
            moved.by_ref().for_each(|key| now.doubt(key));
        }
    }
}

/// The task that brings new lists; it ends with this.
pub(super) struct Following(JoinHandle<()>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Following {
    /// Begins to hand each new list to the client, as long as there is one.
    pub(super) fn begin(client: Weak<Inner>, lists: watch::Receiver<NodeList>) -> Self {
        Self(tokio::spawn(follow(client, lists)))
    }
}

async fn follow(client: Weak<Inner>, mut lists: watch::Receiver<NodeList>) {
    while lists.changed().await.is_ok() {
        let nodes = NodeList::clone(&lists.borrow_and_update());
        let Some(client) = client.upgrade() else {
            return;
        };
        if let Err(error) = client.set_nodes(&nodes) {
            tracing::warn!(%error, "no ring can be made of the new list: the last one is kept");
        }
    }
}

impl Builder {
    /// A client of the nodes that `discovery` finds, now and later, in place of those given here. A call that has begun
    /// goes on with the list it began with, whole; nodes that are in the next list too keep their connections.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// No first list can be had, or no ring be made of it.
    pub async fn follow(self, discovery: Discovery) -> Result<Client, BuildError> {
        let way = Way {
            transport: Arc::clone(&self.settings.transport),
            credentials: self.settings.credentials.clone(),
        };
        let mut lists = discovery.follow_over(way).await?;
        let nodes = lists.borrow_and_update().to_vec();
        self.nodes(nodes).build_with(Some(lists))
    }
}
