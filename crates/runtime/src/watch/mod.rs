//! `watch`: lines about what commands, connections and shards do, for connections that asked for them.
//!
//! ```text
//!  worker: a command is carried out ─> a line in its journal    nothing shared: the worker's own memory
//!            │ at the end of the turn: what was written, as one batch
//!            v
//!  the feed of each watcher: a channel of batches; wakes the worker that serves the watcher's connection
//!            │ in that worker's turn: lines in the order of their gid, those that the watcher wants
//!            v
//!  the connection's output, bounded
//! ```
//!
//! Nobody waits for anybody: a journal whose batches have not been taken yet is full at `worker_logbuf_size` and drops
//! lines, and a watcher whose socket does not take them loses what is beyond `watcher_logbuf_size`. Both are counted, and the
//! watcher is told before its next line. With nobody watching, none of this is reached: commands look at
//! [`Observers`], which they look at for `stats detail` anyway.

mod feed;
mod journal;
mod line;
mod observers;

pub(crate) use feed::{Drained, Feed, NoWatcher, Watcher, Watchers, key_in};
pub(crate) use journal::Journal;
pub(crate) use line::{Entry, Remote};
pub(crate) use observers::Observers;
