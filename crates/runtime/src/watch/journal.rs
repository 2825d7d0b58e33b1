//! What one worker writes for watchers, until it is handed to them.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use larder_protocol::text::{Stream, Streams};

use super::{Entry, Watchers};
use crate::clock::Clock;
use crate::shared::{LateCounts, Number, Shared, WorkerCounters};
use crate::snapshot::Counter;

/// A worker's journal. It belongs to that worker alone; what it has handed on is shared and unchanging.
pub(crate) struct Journal<'a> {
    /// The worker, and how it is woken: its own watchers' feeds need that.
    pub(super) worker: usize,
    pub(super) waker: Arc<mio::Waker>,
    counters: &'a WorkerCounters,
    /// Bytes that may wait to be taken by watchers, here and in batches (`worker_logbuf_size`).
    bytes_max: usize,
    lines: RefCell<Lines>,
    /// Bytes of batches that some watcher has not taken yet.
    on_their_way: Arc<Number>,
    /// Counts of `stats detail` that are to be made at the end of the turn.
    pub(crate) late_counts: LateCounts,
    /// The worker is to run its errands at the end of its turn: lines to hand over, and all else that does not come up in
    /// every turn. One flag for all, so that a turn looks at one.
    pub(crate) errands: Cell<bool>,
}

/// What is written and not handed over.
#[derive(Default)]
struct Lines {
    text: Vec<u8>,
    lines: Vec<Line>,
    dropped: Dropped,
}

/// A line in a batch's text.
struct Line {
    gid: u64,
    stream: Stream,
    at: Range<usize>,
}

/// Lines that were not written, by stream.
#[derive(Clone, Copy, Default)]
struct Dropped([u64; STREAMS]);

const STREAMS: usize = Stream::Sysevents as usize + 1;

/// Some lines of one worker, in the order of their gids.
pub(crate) struct Batch {
    text: Vec<u8>,
    lines: Vec<Line>,
    dropped: Dropped,
    on_their_way: Arc<Number>,
}

impl<'a> Journal<'a> {
    /// An empty one.
    pub(crate) fn new(
        worker: usize,
        waker: Arc<mio::Waker>,
        counters: &'a WorkerCounters,
        bytes_max: usize,
    ) -> Self {
        Self {
            worker,
            waker,
            counters,
            bytes_max,
            lines: RefCell::default(),
            on_their_way: Arc::default(),
            late_counts: LateCounts::default(),
            errands: Cell::new(false),
        }
    }

    /// How its worker is woken.
    pub(crate) fn waker(&self) -> Arc<mio::Waker> {
        Arc::clone(&self.waker)
    }

    /// Writes a line, if anybody watches its stream.
    pub(crate) fn note(&self, shared: &Shared, clock: &Clock, entry: &Entry<'_>) {
        if shared.globals.observers.streams().has(entry.stream()) {
            self.write(&shared.watchers, clock.unix_time(), entry);
        }
    }

    /// Counts lines of a stream that could not be written, if anybody watches it.
    pub(crate) fn leave_out(&self, shared: &Shared, stream: Stream, count: u64) {
        if count > 0 && shared.globals.observers.streams().has(stream) {
            self.drop_lines(stream, count);
        }
    }

    /// Writes a line with the next gid, or drops it if there is no room. `unix` is the present, in Unix time.
    fn write(&self, watchers: &Watchers, unix: Duration, entry: &Entry<'_>) {
        self.errands.set(true);
        let Lines {
            text,
            lines,
            dropped,
        } = &mut *self.lines.borrow_mut();
        let (stream, start) = (entry.stream(), text.len());
        let waiting = self.on_their_way.get() as usize;
        let has_room = |len: usize| waiting + len <= self.bytes_max;
        if has_room(start) {
            let gid = watchers.next_gid();
            // memcached does not fill the fraction up with zeros.
            let (s, us) = (unix.as_secs(), unix.subsec_micros());
            // Writing into memory does not fail.
            let _ = writeln!(text, "ts={s}.{us} gid={gid} {entry}");
            let at = start..text.len();
            if has_room(at.end) {
                lines.push(Line { gid, stream, at });
                return self.counters.add(Counter::LogWorkerWritten, 1);
            }
            text.truncate(start);
        }
        dropped.0[stream as usize] += 1;
        self.counters.add(Counter::LogWorkerDropped, 1);
    }

    fn drop_lines(&self, stream: Stream, count: u64) {
        self.errands.set(true);
        self.lines.borrow_mut().dropped.0[stream as usize] += count;
        self.counters.add(Counter::LogWorkerDropped, count);
    }

    /// Hands what was written to the watchers. If the list of them is just being changed it stays until the next turn.
    pub(crate) fn hand_over(&self, watchers: &Watchers) {
        let mut lines = self.lines.borrow_mut();
        if lines.lines.is_empty() && lines.dropped.is_empty() {
            return;
        }
        let Some(feeds) = watchers.feeds() else {
            self.errands.set(true);
            return;
        };
        let Lines {
            text,
            lines,
            dropped,
        } = std::mem::take(&mut *lines);
        self.on_their_way.add(text.len() as u64);
        let batch = Arc::new(Batch {
            text,
            lines,
            dropped,
            on_their_way: Arc::clone(&self.on_their_way),
        });
        for feed in feeds.iter() {
            feed.offer(&batch, self.worker);
        }
    }
}

impl Batch {
    /// Each line's gid, stream and text.
    pub(super) fn lines(&self) -> impl Iterator<Item = (u64, Stream, &[u8])> {
        let text = |line: &Line| &self.text[line.at.clone()];
        self.lines
            .iter()
            .map(move |line| (line.gid, line.stream, text(line)))
    }

    /// How many lines of these streams are missing before this batch.
    pub(super) fn dropped(&self, streams: Streams) -> u64 {
        let all = [
            Stream::Fetchers,
            Stream::Mutations,
            Stream::Evictions,
            Stream::Connevents,
            Stream::Deletions,
            Stream::Sysevents,
        ];
        let wanted = all.into_iter().filter(|&stream| streams.has(stream));
        wanted.map(|stream| self.dropped.0[stream as usize]).sum()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.on_their_way.take(self.text.len() as u64);
    }
}

impl Dropped {
    fn is_empty(&self) -> bool {
        self.0 == [0; STREAMS]
    }
}
