//! A run: what it is to do, its threads, and the sum of what they counted.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::pace::Pace;
use super::progress::{Progress, Shared, watch};
use super::tally::Tally;
use super::worker::Worker;
use crate::cores;
use crate::endpoint::Endpoint;
use crate::replies::Check;
use crate::workload::{Asking, Data, Mix, Picks, Requests};

/// When a run ends, unless its keys are exhausted before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Until {
    /// After this time.
    Elapsed(Duration),
    /// After so many requests.
    Requests(u64),
    /// When each key of a range has been asked for.
    Exhausted,
}

/// How the requests of an open loop are spread over time.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
pub(crate) enum Arrivals {
    /// At equal distances.
    Even,
    /// As independent users would: exponentially distributed distances.
    Poisson,
}

/// How the requests are sent: the part that stays the same while what is asked changes.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) endpoint: Endpoint,
    pub(crate) conns: usize,
    /// Most requests under way on one connection.
    pub(crate) depth: usize,
    pub(crate) threads: usize,
    /// Requests per second of an open loop; without it the loop is closed.
    pub(crate) rate: Option<(f64, Arrivals)>,
    pub(crate) check: Check,
    /// The core all threads are to run on.
    pub(crate) core: Option<usize>,
    /// How long a server may be silent while requests wait.
    pub(crate) patience: Duration,
}

impl Plan {
    /// A closed loop that checks everything.
    pub(crate) fn closed(endpoint: Endpoint, conns: usize, depth: usize) -> Self {
        Self {
            endpoint,
            conns,
            depth,
            threads: 1,
            rate: None,
            check: Check::Full,
            core: None,
            patience: Duration::from_secs(10),
        }
    }
}

/// A plan and what is asked with it.
#[derive(Clone, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) data: &'a Data,
    pub(crate) picks: Picks,
    pub(crate) mix: Mix,
    pub(crate) asking: Asking,
    pub(crate) until: Until,
    pub(crate) seed: u64,
    pub(crate) progress: Progress,
}

/// What a run counted, and the time from its first request to its last reply.
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    pub(crate) elapsed: Duration,
}

impl Outcome {
    pub(crate) fn rate(&self) -> f64 {
        self.tally.requests() as f64 / self.elapsed.as_secs_f64()
    }
}

impl Run<'_> {
    /// Sets each of the first `keys` items once.
    pub(crate) fn filling<'a>(plan: &'a Plan, data: &'a Data, keys: u64) -> Run<'a> {
        Run {
            plan,
            data,
            picks: Picks::InOrder(0..keys),
            mix: Mix::SETS,
            asking: Asking::Get(1),
            until: Until::Exhausted,
            seed: 0,
            progress: Progress::Quiet,
        }
    }

    /// Connects, runs, and waits for the end. The first thread that fails stops the others.
    pub(crate) fn execute(&self) -> Result<Outcome> {
        let threads = self.plan.threads.min(self.plan.conns).max(1);
        let mut workers = Vec::new();
        for index in 0..threads {
            workers.push(self.worker(index as u64, threads as u64)?);
        }
        let (shared, failed) = (Arc::new(Shared::new()), Arc::new(AtomicBool::new(false)));
        let (alive, ended) = channel();
        let start = Instant::now();
        let handles: Vec<_> = workers
            .into_iter()
            .map(|worker| {
                let (shared, failed, alive, core) = (
                    shared.clone(),
                    failed.clone(),
                    alive.clone(),
                    self.plan.core,
                );
                thread::spawn(move || {
                    let _alive = alive;
                    if let Some(core) = core {
                        cores::stay_on(core)?;
                    }
                    worker.run(start, &shared, &failed)
                })
            })
            .collect();
        drop(alive);
        let tally = watch(&shared, &ended, self.progress);
        let elapsed = start.elapsed();
        for handle in handles {
            handle
                .join()
                .map_err(|_| anyhow!("a thread of the load generator panicked"))??;
        }
        Ok(Outcome { tally, elapsed })
    }

    fn worker(&self, index: u64, threads: u64) -> Result<Worker> {
        let part = |whole: u64| whole * (index + 1) / threads - whole * index / threads;
        let limit = match self.until {
            Until::Requests(count) => Some(part(count)),
            Until::Elapsed(_) | Until::Exhausted => None,
        };
        let seed = self.seed.wrapping_mul(1000).wrapping_add(index);
        let requests = Requests::new(
            self.picks.part(index, threads),
            self.mix,
            self.asking,
            seed,
            limit,
        );
        let pace = match self.plan.rate {
            Some((rate, arrivals)) => Some(Pace::new(
                rate / threads as f64,
                arrivals,
                index as f64 / threads as f64,
                seed,
            )?),
            None => None,
        };
        let deadline = match self.until {
            Until::Elapsed(time) => Some(time),
            Until::Requests(_) | Until::Exhausted => None,
        };
        Worker::new(
            self.plan,
            self.data.clone(),
            part(self.plan.conns as u64) as usize,
            requests,
            pace,
            deadline,
        )
    }
}
