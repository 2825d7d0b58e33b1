//! The client against real servers: memcached and larderd, from outside.

mod cancel;
mod failure;
mod server;
mod verbs;
