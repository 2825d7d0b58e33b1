//! Who watches, and how lines get to them.

use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, unbounded};
use larder_protocol::text::{Stream, Streams};

use super::Journal;
use super::journal::Batch;
use crate::limits::WATCHERS_MAX;
use crate::shared::{Lendable, Number, Shared};

/// All watchers of the process, and the sequence of the lines' numbers.
#[derive(Default)]
pub(crate) struct Watchers {
    feeds: Lendable<Arc<[Arc<Feed>]>>,
    /// How many these are.
    count: Number,
    gids: Number,
}

/// Most bytes of the line that tells how many lines were lost: `skipped=` and a number of 64 bits.
const SKIPPED_LEN_MAX: usize = "skipped=\n".len() + 20;

/// What workers see of a watcher.
pub(crate) struct Feed {
    streams: Streams,
    /// Lines with this number or a lower one are from before it began.
    began: u64,
    /// Their text is never more than the workers' journals may hold, see `worker_logbuf_size`.
    batches: Sender<Arc<Batch>>,
    /// The worker that serves it, and how that is woken.
    worker: usize,
    waker: Arc<mio::Waker>,
    /// 1 once the worker was woken and has not taken the batches yet.
    woken: Number,
}

/// A watcher, as its connection has it.
pub(crate) struct Watcher {
    feed: Arc<Feed>,
    batches: Receiver<Arc<Batch>>,
    /// Lines that it lost since it was last told.
    skipped: u64,
}

/// What came of a drain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drained {
    /// Lines that were sent.
    pub(crate) sent: u64,
    /// Lines for which the watcher's buffer had no room.
    pub(crate) skipped: u64,
}

/// Why there is no new watcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoWatcher {
    /// There are as many as there may be.
    TooMany,
    /// The list is just being changed: to be tried again.
    Busy,
}

impl Watchers {
    /// A number for a line.
    pub(super) fn next_gid(&self) -> u64 {
        self.gids.add(1) + 1
    }

    /// Those who watch now. `None` if the list is just being changed.
    pub(super) fn feeds(&self) -> Option<Arc<[Arc<Feed>]>> {
        self.feeds.borrow().map(|feeds| Arc::clone(&feeds))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.count.get()
    }

    /// Adds a watcher to those of the process, which the worker of this journal serves.
    pub(crate) fn add(
        shared: &Shared,
        streams: Streams,
        server: &Journal<'_>,
    ) -> Result<Watcher, NoWatcher> {
        let watchers = &shared.watchers;
        let mut feeds = watchers.feeds.borrow().ok_or(NoWatcher::Busy)?;
        if feeds.len() >= WATCHERS_MAX {
            return Err(NoWatcher::TooMany);
        }
        let (sender, batches) = unbounded();
        let feed = Arc::new(Feed {
            streams,
            began: watchers.next_gid(),
            batches: sender,
            worker: server.worker,
            waker: Arc::clone(&server.waker),
            woken: Number::default(),
        });
        *feeds = feeds.iter().chain([&feed]).map(Arc::clone).collect();
        watchers.changed(shared, &feeds);
        Ok(Watcher {
            feed,
            batches,
            skipped: 0,
        })
    }

    /// Takes a watcher out. False if the list is just being changed.
    pub(crate) fn remove(shared: &Shared, feed: &Arc<Feed>) -> bool {
        let watchers = &shared.watchers;
        let Some(mut feeds) = watchers.feeds.borrow() else {
            return false;
        };
        let others = feeds.iter().filter(|other| !Arc::ptr_eq(other, feed));
        *feeds = others.map(Arc::clone).collect();
        watchers.changed(shared, &feeds);
        true
    }

    /// Lets everybody know what is watched now.
    fn changed(&self, shared: &Shared, feeds: &[Arc<Feed>]) {
        self.count.set(feeds.len() as u64);
        let streams = feeds.iter().map(|feed| feed.streams);
        let observers = &shared.globals.observers;
        observers.set_streams(streams.fold(Streams::NONE, Streams::and));
        shared.watching_changed();
    }
}

impl Feed {
    /// Gives a worker's batch to the watcher. The worker of this number sees to its own watchers in the same turn.
    pub(super) fn offer(&self, batch: &Arc<Batch>, worker: usize) {
        // A watcher that has left is about to be taken out of the list.
        if self.batches.send(Arc::clone(batch)).is_err() || worker == self.worker {
            return;
        }
        if self.woken.swap(1) == 0
            && let Err(error) = self.waker.wake()
        {
            log::error!("a worker cannot be woken for its watchers: {error}");
        }
    }

    /// Whether the watcher is to see a line.
    fn wants(&self, gid: u64, stream: Stream) -> bool {
        gid > self.began && self.streams.has(stream)
    }
}

impl Watcher {
    /// What workers see of it.
    pub(crate) fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// Takes the batches that have come and appends their lines to `out`, in the order of their gids, up to `bytes_max`.
    /// `may_see` is asked for each line.
    pub(crate) fn drain(
        &mut self,
        out: &mut Vec<u8>,
        bytes_max: usize,
        may_see: impl Fn(&[u8]) -> bool,
    ) -> Drained {
        // First this, then the batches: whoever comes between wakes again. Not by `set`, which does not see what was sent
        // by whoever found the worker woken: his batch could be missed here, and nobody wake for it.
        self.feed.woken.swap(0);
        let batches: Vec<Arc<Batch>> = self.batches.try_iter().collect();
        let all = batches.iter().flat_map(|batch| batch.lines());
        let mut lines: Vec<(u64, &[u8])> = all
            .filter(|&(gid, stream, line)| self.feed.wants(gid, stream) && may_see(line))
            .map(|(gid, _, line)| (gid, line))
            .collect();
        lines.sort_unstable_by_key(|&(gid, _)| gid);
        let dropped = batches.iter().map(|batch| batch.dropped(self.feed.streams));
        self.skipped += dropped.sum::<u64>();
        let mut drained = Drained::default();
        for (_, line) in lines {
            // Before anything is worded: who does not read costs less than who does.
            if out.len() + SKIPPED_LEN_MAX + line.len() > bytes_max {
                self.skipped += 1;
                drained.skipped += 1;
                continue;
            }
            let told = match self.skipped {
                0 => String::new(),
                skipped => format!("skipped={skipped}\n"),
            };
            make_room(out, told.len() + line.len(), bytes_max);
            out.extend_from_slice(told.as_bytes());
            out.extend_from_slice(line);
            self.skipped = 0;
            drained.sent += 1;
        }
        drained
    }
}

/// The key that a line tells of, encoded as it stands there.
pub(crate) fn key_in(line: &[u8]) -> Option<&[u8]> {
    const BEFORE: &[u8] = b" key=";
    let at = line.windows(BEFORE.len()).position(|part| part == BEFORE)?;
    line[at + BEFORE.len()..].split(|&byte| byte == b' ').next()
}

/// Makes room for `more` bytes, by doubling as a Vec does but not beyond `bytes_max`.
fn make_room(out: &mut Vec<u8>, more: usize, bytes_max: usize) {
    let needed = out.len() + more;
    if needed > out.capacity() {
        let wanted = (2 * out.capacity()).min(bytes_max).max(needed);
        out.reserve_exact(wanted - out.len());
    }
}
