//! The client against real servers: memcached and larderd, from outside.

mod cancel;
mod failure;
mod patterns;
mod server;
mod verbs;
