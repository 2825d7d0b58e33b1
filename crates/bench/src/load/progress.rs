//! The line a second that shows a run is alive, on stderr.
//!
//! Threads hand in what they counted since the last time, once a second and at their end; so the histograms are locked
//! a few times a second and never on the way of a request.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::tally::Tally;

/// How much a run says while it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Progress {
    /// Nothing.
    Quiet,
    /// A line each second.
    Lines,
}

impl Progress {
    /// Lines when asked for, or when somebody is looking.
    pub(crate) fn lines_if(asked: bool) -> Self {
        if asked || std::io::stderr().is_terminal() {
            Self::Lines
        } else {
            Self::Quiet
        }
    }
}

/// Says what is being measured now, if somebody is looking: some measurements take minutes.
pub(crate) fn note(text: impl std::fmt::Display) {
    if std::io::stderr().is_terminal() {
        eprintln!("{text}");
    }
}

/// Where threads hand in what they counted.
pub(crate) struct Shared {
    tally: Mutex<Tally>,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            tally: Mutex::new(Tally::new()),
        }
    }

    /// Moves a thread's counts here.
    pub(crate) fn hand_in(&self, tally: &mut Tally) {
        // A thread that panicked ends the run anyway; its counts are no worse for it.
        self.tally
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .add(tally);
        tally.clear();
    }

    fn take_out(&self) -> Tally {
        let mut tally = self
            .tally
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let taken = tally.clone();
        tally.clear();
        taken
    }
}

/// Waits until all threads have let go of the sending side of `ended`, printing meanwhile; returns the sum.
pub(crate) fn watch(shared: &Shared, ended: &Receiver<()>, progress: Progress) -> Tally {
    let mut total = Tally::new();
    let start = Instant::now();
    let mut last = start;
    for second in 1u32.. {
        let next = start + Duration::from_secs(1) * second;
        let wait = next.saturating_duration_since(Instant::now());
        if matches!(
            ended.recv_timeout(wait),
            Err(RecvTimeoutError::Disconnected)
        ) {
            break;
        }
        let interval = shared.take_out();
        if progress == Progress::Lines {
            print_line(second, &interval, last.elapsed());
        }
        last = Instant::now();
        total.add(&interval);
    }
    total.add(&shared.take_out());
    total
}

fn print_line(second: u32, interval: &Tally, elapsed: Duration) {
    let all = interval.all();
    let rate = all.count() as f64 / elapsed.as_secs_f64();
    eprintln!(
        "{second:>4} s  {rate:>10.0} requests/s   p50 {:>8.1} µs   p99 {:>8.1} µs   max {:>8.1} µs   {} misses   {} wrong",
        all.quantile_us(0.5),
        all.quantile_us(0.99),
        all.max_us(),
        interval.misses,
        interval.faults + interval.refused,
    );
}
