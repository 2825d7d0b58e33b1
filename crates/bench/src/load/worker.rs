//! One thread of the load generator: its loop.
//!
//! A turn waits for readiness, reads and checks what came, and writes the requests that follow. What decides when a
//! request is sent is all that differs between the closed loop and the open one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::{Events, Poll, Token};

use super::conn::Conn;
use super::pace::Pace;
use super::progress::Shared;
use super::run::Plan;
use super::tally::Tally;
use crate::replies::Check;
use crate::workload::{Data, Requests};

/// Replies read at once: enough for 16 gets of a few kilobytes.
const READ_BUFFER_BYTES: usize = 256 * 1024;
/// How often the loop wakes when nothing happens, to see whether it should end.
const IDLE: Duration = Duration::from_millis(50);
const TIMER: Token = Token(usize::MAX);

/// A thread's connections and what it sends on them.
pub(crate) struct Worker {
    poll: Poll,
    conns: Vec<Conn>,
    data: Data,
    check: Check,
    depth: usize,
    requests: Requests,
    pace: Option<Pace>,
    deadline: Option<Duration>,
    patience: Duration,
    tally: Tally,
    /// Open loop: connections with room for a request, one entry for each request there is room for.
    room: VecDeque<usize>,
    /// Open loop: connections with requests to be written this turn.
    touched: Vec<usize>,
}

impl Worker {
    pub(crate) fn new(
        plan: &Plan,
        data: Data,
        conns: usize,
        requests: Requests,
        pace: Option<Pace>,
        deadline: Option<Duration>,
    ) -> Result<Self> {
        let poll = Poll::new().context("cannot make a loop")?;
        let mut connected = Vec::with_capacity(conns);
        for index in 0..conns {
            let mut conn = Conn::new(plan.endpoint.connect_for_loop()?);
            conn.socket().register(poll.registry(), Token(index))?;
            connected.push(conn);
        }
        if let Some(pace) = &pace {
            pace.register(poll.registry(), TIMER)?;
        }
        Ok(Self {
            poll,
            conns: connected,
            data,
            check: plan.check,
            depth: plan.depth,
            requests,
            pace,
            deadline,
            patience: plan.patience,
            tally: Tally::new(),
            room: (0..plan.depth).flat_map(|_| 0..conns).collect(),
            touched: Vec::new(),
        })
    }

    /// Runs until there is nothing more to send and everything was answered, or until another thread has failed.
    pub(crate) fn run(
        mut self,
        start: Instant,
        shared: &Shared,
        failed: &AtomicBool,
    ) -> Result<()> {
        let result = self.turns(start, shared, failed);
        if result.is_err() {
            failed.store(true, Ordering::Relaxed);
        }
        shared.hand_in(&mut self.tally);
        result
    }

    fn turns(&mut self, start: Instant, shared: &Shared, failed: &AtomicBool) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; READ_BUFFER_BYTES];
        let mut handed_in = Duration::ZERO;
        let mut heard = Duration::ZERO;
        self.begin(start)?;
        while !self.is_done() && !failed.load(Ordering::Relaxed) {
            match self.poll.poll(&mut events, Some(IDLE)) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                result => result.context("cannot wait for the server")?,
            }
            for event in &events {
                if event.token() != TIMER {
                    self.turn_of(event.token().0, &mut buffer, start)?;
                }
            }
            let now = start.elapsed();
            if !events.is_empty() {
                heard = now;
            } else if now - heard > self.patience
                && self.conns.iter().any(|conn| conn.waiting() > 0)
            {
                bail!(
                    "the server has not answered for {} s",
                    self.patience.as_secs()
                );
            }
            self.send_due(now)?;
            if now - handed_in >= Duration::from_millis(500) {
                shared.hand_in(&mut self.tally);
                handed_in = now;
            }
        }
        Ok(())
    }

    fn begin(&mut self, start: Instant) -> Result<()> {
        if self.pace.is_some() {
            return self.send_due(start.elapsed());
        }
        for index in 0..self.conns.len() {
            self.send_batch(index, start)?;
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.requests.are_over() && self.conns.iter().all(|conn| conn.waiting() == 0)
    }

    /// One connection's part of a turn.
    fn turn_of(&mut self, index: usize, buffer: &mut [u8], start: Instant) -> Result<()> {
        let conn = &mut self.conns[index];
        let before = conn.waiting();
        if before > 0 {
            conn.flush()?;
            conn.read(&self.data, self.check, buffer, &mut self.tally, || {
                nanos(start.elapsed())
            })?;
        }
        if self.pace.is_some() {
            let answered = before - self.conns[index].waiting();
            self.room.extend(std::iter::repeat_n(index, answered));
            return Ok(());
        }
        if self.conns[index].waiting() == 0 {
            self.send_batch(index, start)
        } else {
            Ok(())
        }
    }

    /// Closed loop: the next requests of a connection whose last were all answered.
    fn send_batch(&mut self, index: usize, start: Instant) -> Result<()> {
        let now = start.elapsed();
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            self.requests.stop();
        }
        let conn = &mut self.conns[index];
        for _ in 0..self.depth {
            if !conn.push(&mut self.requests, &self.data, nanos(now)) {
                break;
            }
        }
        conn.flush()
    }

    /// Open loop: the requests that are due and find a connection with room.
    fn send_due(&mut self, now: Duration) -> Result<()> {
        let Some(pace) = &mut self.pace else {
            return Ok(());
        };
        if let Some(deadline) = self.deadline
            && now >= deadline
            && !self.requests.are_over()
        {
            self.requests.stop();
            self.tally.unsent += pace.due_until(nanos(deadline));
        }
        while !self.requests.are_over() && pace.due_ns() <= nanos(now) {
            let Some(index) = self.room.pop_front() else {
                break;
            };
            if self.conns[index].push(&mut self.requests, &self.data, pace.due_ns()) {
                self.touched.push(index);
            }
            pace.advance();
        }
        if !self.requests.are_over() && !self.room.is_empty() {
            pace.arm(nanos(now))?;
        }
        while let Some(index) = self.touched.pop() {
            self.conns[index].flush()?;
        }
        Ok(())
    }
}

fn nanos(time: Duration) -> u64 {
    time.as_nanos() as u64
}
