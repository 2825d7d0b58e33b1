//! Files that are read anew while the daemon serves: on SIGHUP, when a client asks, and by themselves when they change.
//!
//! One thread reads, one time after another, so that what was read last is in force. The folders of the files are
//! watched rather than the files: editors and Kubernetes replace files, or the links to them. Not all changes are told
//! that way (what a link leads to may lie elsewhere, or on another machine), so it looks at the files now and then, too.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use crossbeam::channel::{self, Receiver, Sender};
use larder_runtime::TlsError;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::limits::{FILES_LOOK, FILES_SETTLE};
use crate::pidfile::folder;
use crate::refusal::Refusal;
use crate::secret::{self, Stamp};
use crate::systemd;
use crate::tls::Certs;
use crate::users::Users;

/// What is read anew.
#[derive(Clone)]
pub(crate) struct Files {
    pub(crate) certs: Option<Arc<Certs>>,
    pub(crate) users: Option<Arc<Users>>,
}

/// Why to read.
enum Reason {
    Signal,
    /// A client waits for the outcome.
    Asked(Sender<Result<(), TlsError>>),
}

/// How the thread is told.
#[derive(Clone)]
pub(crate) struct Reloads(Sender<Reason>);

impl Reloads {
    /// Starts the thread, if there is anything to read.
    pub(crate) fn start(files: Files) -> Result<Option<Self>, Refusal> {
        if files.certs.is_none() && files.users.is_none() {
            return Ok(None);
        }
        let (sender, reasons) = channel::unbounded();
        // One that waits to be looked into stands for all.
        let (changed, changes) = channel::bounded(1);
        let run = move || {
            // It watches as long as it lives. Without one nobody tells of changes, but somebody could.
            let _watcher = watch(&files.paths(), changed.clone());
            files.serve(&reasons, &changes);
        };
        let thread = thread::Builder::new().name("reload".to_owned()).spawn(run);
        match thread {
            Ok(_) => Ok(Some(Self(sender))),
            Err(error) => Err(Refusal::system(format!(
                "the thread that reads files anew cannot be started: {error}"
            ))),
        }
    }

    /// Reads everything.
    pub(crate) fn signal(&self) {
        // The thread lives as long as the process.
        let _ = self.0.send(Reason::Signal);
    }

    /// Reads now, and waits for the outcome.
    pub(crate) fn ask(&self) -> Result<(), TlsError> {
        let (sender, outcome) = channel::bounded(1);
        let _ = self.0.send(Reason::Asked(sender));
        outcome.recv().unwrap_or(Ok(()))
    }
}

/// Watches the folders of those of `paths` that can be seen. `None` if that cannot be, which is logged.
fn watch(paths: &[&Path], changed: Sender<()>) -> Option<RecommendedWatcher> {
    let on_event = move |event: notify::Result<notify::Event>| {
        // That a file is read changes nothing, and the thread does so itself.
        if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
            let _ = changed.try_send(());
        }
    };
    let seen = paths.iter().filter(|path| secret::stamp(path).is_some());
    let folders: BTreeSet<&Path> = seen.filter_map(|path| folder(path)).collect();
    let watcher = notify::recommended_watcher(on_event).and_then(|mut watcher| {
        for folder in folders {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
        }
        Ok(watcher)
    });
    watcher
        .inspect_err(|error| {
            log::warn!(
                "changes of files are noticed after {FILES_LOOK:?} only, since their folders cannot be watched ({error})"
            );
        })
        .ok()
}

impl Files {
    /// Tells which files the user that root has gone on as cannot read again.
    pub(crate) fn warn_of_unreadable(&self, user: &str) {
        for path in self.paths() {
            if let Err(error) = File::open(path) {
                let path = path.display();
                log::warn!(
                    "{path} was read by root, and {user} cannot read it: a change of it needs a restart ({error})"
                );
            }
        }
    }

    fn paths(&self) -> Vec<&Path> {
        let certs = self.certs.iter().flat_map(|certs| certs.paths());
        certs
            .chain(self.users.iter().map(|users| users.path()))
            .collect()
    }

    /// Reads when there is a reason. A change is waited out for a moment, since a pair of files is not written at once;
    /// other files of the same folders put that off no longer.
    fn serve(&self, reasons: &Receiver<Reason>, changes: &Receiver<()>) {
        let (mut seen, mut settled) = (Vec::new(), channel::never());
        let look_again = channel::tick(FILES_LOOK);
        loop {
            let stamps: Vec<Stamp> = self.paths().into_iter().map(secret::stamp).collect();
            // At first, too: what has changed since the start, before the folders were watched, was told by nobody.
            if stamps != seen {
                (seen, settled) = (stamps, channel::after(FILES_SETTLE));
            }
            channel::select! {
                recv(look_again) -> _ => {}
                recv(changes) -> _ => {}
                recv(reasons) -> reason => match reason {
                    Err(_) => return,
                    Ok(Reason::Signal) => {
                        systemd::reloading();
                        self.read(false);
                        systemd::reloaded();
                    }
                    Ok(Reason::Asked(outcome)) => {
                        let read = self.certs.as_ref().map_or(Ok(()), |certs| certs.reload());
                        let _ = outcome.send(read);
                    }
                },
                recv(settled) -> _ => {
                    settled = channel::never();
                    self.read(true);
                }
            }
        }
    }

    /// Reads them, or those that have changed. The outcome is logged there.
    fn read(&self, only_changed: bool) {
        if let Some(certs) = &self.certs
            && (!only_changed || certs.files_changed())
        {
            _ = certs.reload();
        }
        if let Some(users) = &self.users
            && (!only_changed || users.file_changed())
        {
            users.reload();
        }
    }
}
