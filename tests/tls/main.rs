//! TLS in flight: who gets in and who does not, what goes over it, certificates that are replaced, and tools that speak it.

#[path = "../support/mod.rs"]
mod support;

mod authority;
mod client;
mod entrance;
mod identity;
mod openssl;
mod rotation;
mod tools;
mod traffic;
