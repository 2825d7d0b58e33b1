//! What a client tells an application's metrics.

use std::time::Duration;

use crate::live::NodeState;

/// How one command on one node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallOutcome {
    /// An item was found, or the command was done.
    Hit,
    /// There was no item, or the condition of a store did not hold.
    Miss,
    /// It failed.
    Error,
}

/// Hears what happens, on the task where it happens: count and return.
pub trait Observer: Send + Sync {
    /// A command on one key ended. `verb` is `get`, `set` (every store), `delete`, `incr` (and down) or `touch`; `elapsed`
    /// is that of its whole request.
    fn call(&self, node: &str, verb: &'static str, outcome: CallOutcome, elapsed: Duration) {
        let _ = (node, verb, outcome, elapsed);
    }

    /// A node's state changed.
    fn node_state(&self, node: &str, state: NodeState) {
        let _ = (node, state);
    }

    /// `fetch` could not ask the cache, and took the loader's value without storing it.
    fn fetch_without_cache(&self, node: Option<&str>) {
        let _ = node;
    }
}
