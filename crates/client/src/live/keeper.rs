//! The background work for one node: probing it while it is down, and deleting the keys in doubt.
//!
//! A node that answers again is not asked yet. First it is left alone for a while, so that what stood in the buffers of
//! connections that we closed is carried out; then the keys in doubt are deleted on it, or all of it is flushed if they
//! were too many to remember; and only then it serves.

use std::future::pending;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::journal::Note;
use super::{Ask, LiveNode};
use crate::conn::{Conn, Fault};
use crate::error::Error;
use crate::limits::COMMANDS_MAX;
use crate::wire::{Admin, Answer, Command, Kind, Verb};

/// The next thing to do for a node.
enum Work {
    Probe(Instant),
    Mend,
    Nothing,
}

/// Works until the node is dropped.
async fn keep(node: Weak<LiveNode>, wake: Arc<Notify>) {
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
    /// Sets the keeper to work, once.
    pub(super) fn keep(self: &Arc<Self>) {
        if !self.is_kept.load(Ordering::Relaxed) && !self.is_kept.swap(true, Ordering::Relaxed) {
            tokio::spawn(keep(Arc::downgrade(self), Arc::clone(&self.wake)));
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
            self.over(&conn, &Ask::Node(&Admin::Flush), Kind::Ok)
                .await?;
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
            self.over(&conn, &Ask::Keys(&commands), Kind::Delete)
                .await?;
            self.journal.closes();
            if let Some(gutter) = &self.gutter {
                gutter.delete(&commands).await;
            }
            self.journal.forget(&notes);
        }
        self.slots[0].fill(conn);
        self.change_health(|health, now| health.restored(now));
        Ok(())
    }

    /// One request over a connection that is not yet the node's.
    async fn over(&self, conn: &Conn, ask: &Ask<'_>, kind: Kind) -> Result<(), Fault> {
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
            Ok(Ok(Err(fault))) => Err(fault),
            Ok(Ok(Ok(answers))) => {
                let refused = answers.into_iter().find_map(|answer| match answer {
                    Answer::Refused(text) => Some(text),
                    _ => None,
                });
                match refused {
                    Some(text) => Err(Fault::hard(format!("it could not be put in order: {text}"))),
                    None => Ok(()),
                }
            }
        }
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
        let notes = self.journal.noted(until, COMMANDS_MAX);
        let commands = deletes(&notes);
        let results = self.ask_trusted(commands.clone()).await;
        self.journal.closes();
        if let Some(gutter) = &self.gutter {
            gutter.delete(&commands).await;
        }
        let (done, failed): (Vec<_>, Vec<_>) = notes
            .into_iter()
            .zip(results)
            .partition(|(_, result)| result.is_ok());
        let deleted: Vec<Note> = done.into_iter().map(|(note, _)| note).collect();
        self.journal.forget(&deleted);
        let refused = failed.iter().find_map(|(_, result)| match result {
            Err(Error::Server { text, .. }) => Some(text),
            _ => None,
        });
        if let Some(text) = refused {
            self.failed(&Fault::hard(format!(
                "it could not be put in order: {text}"
            )));
        }
        // What failed waits again.
        self.journal
            .note(failed.into_iter().map(|((key, _), _)| key));
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
