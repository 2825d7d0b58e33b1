//! What clients may take, and what becomes of those that take more: time for a request, room for lines and replies,
//! connections.

#[path = "../support/mod.rs"]
mod support;

mod buffers;
mod conns;
mod time;

use std::time::Duration;

use support::{Server, wait_until};

/// Longest that something may take that must happen.
const LIMIT: Duration = Duration::from_secs(60);

fn wait_for_log(server: &Server, words: &str) {
    wait_until(LIMIT, words, || server.log().contains(words));
}
