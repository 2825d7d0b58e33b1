//! The client against real servers: memcached and larderd, from outside.

mod cancel;
mod failure;
mod following;
mod patterns;
mod server;
mod verbs;
