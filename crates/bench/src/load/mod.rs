//! The load generator: a number of connections on one loop per thread, closed or open.
//!
//! Every subcommand that sends requests in bulk describes them as a [`Run`] and gets a [`Tally`] back: `load` itself,
//! the filling and the measuring of `compare`, `instructions` and `fill`. There is one loop, in `worker`.
//!
//! *Closed*: each connection sends as many requests as the depth says, waits for all of their replies, and sends the
//! next. *Open*: requests are due at given times whether or not the server keeps up; one that cannot be sent when it is
//! due waits, and its latency is counted from when it was due, so a stall of the server is seen by all the requests
//! that fall into it (what is called avoiding coordinated omission).

pub(crate) mod command;
mod conn;
mod pace;
mod progress;
mod run;
mod tally;
mod worker;

pub(crate) use command::{Tolerate, judge, positive};
pub(crate) use progress::{Progress, note};
pub(crate) use run::{Arrivals, Plan, Run, Until};
pub(crate) use tally::Latency;
