//! The background work for one node: probing it while it is down, and deleting the keys in doubt.
//!
//! A node that answers again is not asked yet. First it is left alone for a while, so that what stood in the buffers of
//! connections that we closed is carried out; then the keys in doubt are deleted on it, or all of it is flushed if they
//! were too many to remember; and only then it serves. A key that it refuses to delete stays in doubt alone; one that
//! refuses to be flushed (`-F`) serves again when it was restarted, and so is empty.
//!
//! The keeper is a task of the runtime of the call that first needed it. When that runtime ends, the next call begins
//! another on its own.

use std::future::pending;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::journal::Note;
use super::{Ask, LiveNode, NodeState};
use crate::conn::{Conn, Fault};
use crate::limits::COMMANDS_MAX;
use crate::wire::{Admin, Answer, Command, Kind, Verb};

/// The next thing to do for a node.
enum Work {
    Probe(Instant),
    Mend,
    Nothing,
}

/// The keeper's task; when it ends, with its runtime, the next call begins another.
struct Keeper(Weak<LiveNode>);

impl Drop for Keeper {
    fn drop(&mut self) {
        let Some(node) = self.0.upgrade() else { return };
        node.is_kept.store(false, Ordering::Relaxed);
        let gone = Fault::soft("its runtime was shut down while it was probed");
        node.change_health(|health, now| {
            if health.state() == NodeState::Probing {
                health.probe_failed(&gone, now, 0.0);
            }
        });
    }
}

/// Works until the node is dropped.
async fn keep(keeper: Keeper, wake: Arc<Notify>) {
    let Keeper(node) = &keeper;
    loop {
        let work = match node.upgrade() {
            Some(node) => node.next_work(),
            None => return,
        };
        let until = async {
            match work {
                Work::Probe(at) => sleep_until(at).await,
                Work::Mend => {}
                Work::Nothing => pending().await,
            }
        };
        tokio::select! {
            () = wake.notified() => continue,
            () = until => {}
        }
        let Some(node) = node.upgrade() else { return };
        match work {
            Work::Probe(_) => node.probe().await,
            Work::Mend => node.mend().await,
            Work::Nothing => {}
        }
    }
}

impl LiveNode {
    /// Sets the keeper to work, unless it is, or there is no runtime here: then the next call does.
    pub(super) fn keep(self: &Arc<Self>) {
        if self.is_kept.load(Ordering::Relaxed) {
            return;
        }
        if let Ok(runtime) = Handle::try_current()
            && !self.is_kept.swap(true, Ordering::Relaxed)
        {
            runtime.spawn(keep(Keeper(Arc::downgrade(self)), Arc::clone(&self.wake)));
        }
    }

    fn next_work(&self) -> Work {
        if self.is_retired.load(Ordering::Relaxed) {
            return Work::Nothing;
        }
        let health = self.health();
        if let Some(at) = health.probe_at() {
            return Work::Probe(at);
        }
        drop(health);
        match self.journal.is_empty() {
            false => Work::Mend,
            true => Work::Nothing,
        }
    }

    async fn probe(self: &Arc<Self>) {
        self.change_health(|health, _| health.probe_begins());
        let outcome = match self.connect().await {
            Ok(conn) => self.put_in_order(Arc::new(conn)).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = outcome {
            self.change_health(|health, now| health.probe_failed(&fault, now, fastrand::f64()));
        }
    }

    /// Sees to it that a node that answers holds nothing older than it should, and lets it serve.
    async fn put_in_order(self: &Arc<Self>, conn: Arc<Conn>) -> Result<(), Fault> {
        if !self.journal.is_empty() {
            sleep(self.settings.settle).await;
        }
        // What is noted from now on was never sent. It is deleted while the node serves, so that many writers that fail
        // meanwhile cannot keep it from serving.
        let until = Instant::now();
        if self.journal.has_overflowed() {
            self.empty(&conn).await?;
            self.journal.closes();
            if let Some(gutter) = &self.gutter {
                gutter.flush().await;
            }
            self.journal.forget_all(until);
        }
        loop {
            let notes = self.journal.noted(until, COMMANDS_MAX);
            if notes.is_empty() {
                break;
            }
            let commands = deletes(&notes);
            let answers = self
                .over(&conn, &Ask::Keys(&commands), Kind::Delete)
                .await?;
            let done = answers.iter().map(|answer| refused(answer).is_none());
            self.forget_done(notes, commands, done.collect()).await;
        }
        self.slots[0].fill(conn);
        self.change_health(|health, now| health.restored(now));
        Ok(())
    }

    /// Empties the node; or sees that it was started anew, empty: since keys came to be in doubt, or since it first refused.
    async fn empty(&self, conn: &Conn) -> Result<(), Fault> {
        let answers = self.over(conn, &Ask::Node(&Admin::Flush), Kind::Ok).await?;
        let Some(text) = answers.iter().find_map(refused) else {
            return Ok(());
        };
        let stats = Admin::Stats(String::new());
        let answers = self.over(conn, &Ask::Node(&stats), Kind::Stats).await?;
        let run = Run::of(&answers);
        let since = self.journal.overflowed_since();
        let doubted_s = since.map_or(0, |since| since.elapsed().as_secs());
        let mut seen = self
            .refused_in
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(run) = &run
            && (run.is_younger_than(doubted_s)
                || seen.as_ref().is_some_and(|seen| run.is_after(seen)))
        {
            *seen = None;
            return Ok(());
        }
        *seen = run;
        Err(Fault::hard(format!(
            "more of its keys are in doubt than can be remembered, and it refuses to be flushed ({text}); restart it"
        )))
    }

    /// One request over a connection that is not yet the node's.
    async fn over(&self, conn: &Conn, ask: &Ask<'_>, kind: Kind) -> Result<Vec<Answer>, Fault> {
        let limit = self.settings.call_timeout;
        let (done, answers) = tokio::sync::oneshot::channel();
        let gone = || Fault::soft("the connection ended while the node was put in order");
        let request = self.request(ask, kind, conn, None, done);
        conn.send(request).map_err(|_| gone())?;
        match tokio::time::timeout(limit, answers).await {
            Err(_) => {
                let fault = Fault::soft("no answer while the node was put in order");
                conn.abort(fault.clone());
                Err(fault)
            }
            Ok(Err(_)) => Err(gone()),
            Ok(Ok(answers)) => answers,
        }
    }

    /// Forgets the keys that were deleted, when the gutter has no copy of them any more. Those of which the node refused
    /// to delete what it has stay in doubt, and wait again.
    async fn forget_done(&self, notes: Vec<Note>, commands: Vec<Command>, done: Vec<bool>) {
        self.journal.closes();
        if let Some(gutter) = &self.gutter {
            gutter.delete(&commands).await;
        }
        let (deleted, failed): (Vec<_>, Vec<_>) =
            notes.into_iter().zip(done).partition(|(_, done)| *done);
        let deleted: Vec<Note> = deleted.into_iter().map(|(note, _)| note).collect();
        self.journal.forget(&deleted);
        self.journal
            .note(failed.into_iter().map(|((key, _), _)| key));
    }

    /// Deletes the keys in doubt on a node that serves. As with one that was down, it must first have answered, since
    /// those keys were noted, and then have been left alone for a while.
    async fn mend(self: &Arc<Self>) {
        if self.journal.has_overflowed() {
            return self.failed(&Fault::hard(
                "more writes have no known end than can be remembered",
            ));
        }
        let until = Instant::now();
        let answered = self.ask_node(&Admin::Version).await;
        sleep(self.settings.settle).await;
        if answered.is_err() {
            return;
        }
        loop {
            let notes = self.journal.noted(until, COMMANDS_MAX);
            if notes.is_empty() {
                return;
            }
            let commands = deletes(&notes);
            let results = self.ask_trusted(commands.clone()).await;
            let done = results.iter().map(Result::is_ok).collect();
            self.forget_done(notes, commands, done).await;
        }
    }
}

/// Why the server did not do what it was asked, in its own words.
fn refused(answer: &Answer) -> Option<&str> {
    match answer {
        Answer::Refused(text) => Some(text),
        _ => None,
    }
}

/// One run of a server, by its `stats`: from its start to its end.
#[derive(Debug)]
pub(super) struct Run {
    pid: String,
    uptime_s: u64,
}

impl Run {
    fn of(answers: &[Answer]) -> Option<Self> {
        let Some(Answer::Rows(rows)) = answers.first() else {
            return None;
        };
        let row = |of: &str| {
            let found = rows.iter().find(|(name, _)| name == of);
            found.map(|(_, value)| value.clone())
        };
        Some(Self {
            pid: row("pid")?,
            uptime_s: row("uptime")?.parse().ok()?,
        })
    }

    /// Whether the server was started in the last so many seconds. Its uptime may be one behind.
    const fn is_younger_than(&self, seconds: u64) -> bool {
        self.uptime_s.saturating_add(2) <= seconds
    }

    /// Whether the server was started anew since `seen`. In containers it has the same pid each time.
    fn is_after(&self, seen: &Self) -> bool {
        self.pid != seen.pid || self.uptime_s < seen.uptime_s
    }
}

fn deletes(notes: &[Note]) -> Vec<Command> {
    notes
        .iter()
        .map(|(key, _)| Command {
            key: key.clone(),
            verb: Verb::Delete { cas: None },
        })
        .collect()
}
