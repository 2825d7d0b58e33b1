//! The way of a line of the log to the standard error: through a bounded queue and a thread of its own.
//!
//! Whoever reads the standard error may be slow, or stopped, and a write to it then blocks. Nothing in a worker may
//! block, so workers only put lines into the queue (env_logger's own lock is held for no longer than that takes); when it
//! is full they are dropped, and the next line that finds room tells how many. Until the thread is started, which cannot
//! be before the fork of `-d`, lines are written where they arise.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use crossbeam::channel::{self, Receiver, Sender};

use crate::limits::{LOG_FLUSH_MAX, LOG_LINES_MAX};
use crate::refusal::Refusal;

enum Entry {
    Line {
        /// Lines that were dropped just before it.
        lost: u64,
        bytes: Vec<u8>,
    },
    /// To be answered when all before it is written.
    Flush(Sender<()>),
}

/// To the thread that writes, once it is started.
static QUEUE: OnceLock<Sender<Entry>> = OnceLock::new();

/// Starts the thread that writes; from now on nobody else does.
pub(crate) fn start() -> Result<(), Refusal> {
    let (sender, entries) = channel::bounded(LOG_LINES_MAX);
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_all(&entries, io::stderr()))
        .map_err(|error| {
            Refusal::system(format!("the thread of the log cannot be started: {error}"))
        })?;
    QUEUE.get_or_init(|| sender);
    Ok(())
}

/// Writes entries as they come, until nobody can send any more.
fn write_all(entries: &Receiver<Entry>, mut out: impl Write) {
    for entry in entries {
        match entry {
            // Where nobody reads it, there is nobody to tell.
            Entry::Line { lost, bytes } => {
                if lost > 0 {
                    _ = writeln!(
                        out,
                        "larderd: {lost} lines of the log were lost here, since nobody read them"
                    );
                }
                _ = out.write_all(&bytes);
            }
            Entry::Flush(written) => _ = written.try_send(()),
        }
    }
}

/// Waits until what was logged so far is written, but at most `limit` for room in the queue and for the writing.
pub(crate) fn flush(limit: Duration) {
    if let Some(queue) = QUEUE.get() {
        flush_queue(queue, limit);
    }
}

/// Whether it came to its end in time changes nothing for the caller: nobody is left to be told.
fn flush_queue(queue: &Sender<Entry>, limit: Duration) {
    let (written, is_written) = channel::bounded(1);
    if queue.send_timeout(Entry::Flush(written), limit).is_ok() {
        _ = is_written.recv_timeout(limit);
    }
}

/// Writes a line that is no event, as it is. Waits a little for room; not for workers.
pub(crate) fn line(line: &str) {
    let bytes = line.as_bytes().to_vec();
    match QUEUE.get() {
        Some(queue) => _ = queue.send_timeout(Entry::Line { lost: 0, bytes }, LOG_FLUSH_MAX),
        None => _ = io::stderr().write_all(&bytes),
    }
}

/// What env_logger writes its lines to: one call of `write` for each.
#[derive(Default)]
pub(crate) struct ToQueue {
    lost: u64,
}

impl ToQueue {
    /// Puts the line into the queue; without one, writes it.
    fn pass_on(&mut self, queue: Option<&Sender<Entry>>, line: &[u8]) {
        let Some(queue) = queue else {
            _ = io::stderr().write_all(line);
            return;
        };
        let (lost, bytes) = (self.lost, line.to_vec());
        self.lost = match queue.try_send(Entry::Line { lost, bytes }) {
            Ok(()) => 0,
            Err(_) => lost + 1,
        };
    }
}

impl Write for ToQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.pass_on(QUEUE.get(), line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_lost_and_told() {
        let (queue, entries) = channel::bounded(2);
        let mut to_queue = ToQueue::default();
        for line in ["1\n", "2\n", "3\n", "4\n"] {
            to_queue.pass_on(Some(&queue), line.as_bytes());
        }
        let mut out = Vec::new();
        thread::scope(|scope| {
            let writer = scope.spawn(|| write_all(&entries, &mut out));
            flush_queue(&queue, Duration::from_secs(10));
            to_queue.pass_on(Some(&queue), b"5\n");
            drop(queue);
            writer.join().expect("it does not panic");
        });
        let told = "larderd: 2 lines of the log were lost here, since nobody read them\n";
        assert_eq!(String::from_utf8_lossy(&out), format!("1\n2\n{told}5\n"));
    }

    #[test]
    fn a_flush_waits_for_what_came_before_it() {
        let (queue, entries) = channel::bounded(2);
        ToQueue::default().pass_on(Some(&queue), b"before\n");
        let mut out = Vec::new();
        thread::scope(|scope| {
            let writer = scope.spawn(|| write_all(&entries, &mut out));
            flush_queue(&queue, Duration::from_secs(10));
            drop(queue);
            writer.join().expect("it does not panic");
        });
        assert_eq!(out, b"before\n");
    }

    #[test]
    fn a_flush_that_nobody_answers_comes_back() {
        let (queue, _entries) = channel::bounded(1);
        flush_queue(&queue, Duration::from_millis(1));
        // Now the queue is full, too.
        flush_queue(&queue, Duration::from_millis(1));
    }
}
