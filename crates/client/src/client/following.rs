//! A client whose list of nodes changes while it works.

use std::sync::Weak;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Builder, Client, Inner};
use crate::client::BuildError;
use crate::discovery::{Discovery, NodeList};

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
        let mut lists = discovery.follow().await?;
        let nodes = lists.borrow_and_update().to_vec();
        self.nodes(nodes).build_with(Some(lists))
    }
}
