//! The section "The loops" as tests: clients that never read, dribble, promise, vanish or babble; ten thousand that say
//! nothing; and a server that is out of connections or out of descriptors. After and beside each of them another
//! client is served, the process lives, and its memory stays within its bounds.

#[path = "../support/mod.rs"]
mod support;

mod bystander;
mod greedy;
mod many;
mod rude;
mod steady;
mod together;
