//! The client against real servers: memcached and larderd, from outside.

#[cfg(feature = "blocking")]
mod blocking;
mod cancel;
mod failure;
#[cfg(feature = "fake")]
mod fake;
mod following;
#[cfg(feature = "fake")]
mod overtaken;
mod patterns;
#[cfg(feature = "fake")]
mod recovery;
mod scripted;
mod secured;
mod server;
#[cfg(feature = "tls")]
mod tls;
mod values;
mod verbs;
