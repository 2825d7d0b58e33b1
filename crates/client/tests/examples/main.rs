//! The examples against what they are made for: real nodes, real databases, real browsers' requests.

mod db_cache;
mod postgres;
#[path = "../pool/server.rs"]
#[allow(
    dead_code,
    reason = "most ways to hurt a server are for the other tests"
)]
mod server;
mod web_sessions;
