//! Servers that we start, measure and end, each by its own pid.

mod choice;
mod launch;
mod orphans;
pub(crate) mod proc;

pub(crate) use choice::Ours;
pub(crate) use launch::{Launch, Listening, Server, Spec, Wrapper};
pub(crate) use orphans::end_servers_with_us;
