//! `watch`: the lines against Debian's memcached, what it refuses, watchers that are slow, many, or gone.

#[path = "../support/mod.rs"]
mod support;

mod oracle;
mod refusals;
mod slow;
mod store;
mod watcher;
