//! The list of nodes in a file.
//!
//! Editors and Kubernetes do not write into a file but rename another over it, or a link on the way to it. So it is the
//! folder that is watched, and anything that happens in it is a reason to read the file again.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::DiscoveryError;
use crate::limits::{FILE_LEN_MAX, FILE_PERIOD, FILE_QUIET};
use crate::node::NodeSpec;

/// A file that is watched.
pub(super) struct File {
    path: PathBuf,
    changed: Arc<Notify>,
    /// Watches as long as it lives. Without one, the file is read now and then.
    _watcher: Option<notify::RecommendedWatcher>,
}

impl File {
    /// Begins to watch.
    pub(super) fn open(path: PathBuf) -> Result<Self, DiscoveryError> {
        let path = std::path::absolute(&path).map_err(|error| unreadable(&path, error))?;
        let changed = Arc::new(Notify::new());
        let watcher = match watch(&path, Arc::clone(&changed)) {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                let path = path.display();
                tracing::warn!(%error, %path, "no watch: the file is read now and then");
                None
            }
        };
        Ok(Self {
            path,
            changed,
            _watcher: watcher,
        })
    }

    /// The list that the file holds now.
    pub(super) fn read(&self) -> Result<Vec<NodeSpec>, DiscoveryError> {
        let text = bounded(&self.path).map_err(|error| unreadable(&self.path, error))?;
        let node = |(index, line): (usize, &str)| {
            line.parse().map_err(|error| DiscoveryError::Node {
                from: format!("{self}, line {}", index + 1),
                error,
            })
        };
        let lines = text.lines().map(str::trim).enumerate();
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        lines.map(node).collect()
    }

    /// Waits for something to happen in the folder, or for the period to be over.
    pub(super) async fn change(&self) -> bool {
        if timeout(FILE_PERIOD, self.changed.notified()).await.is_err() {
            return true;
        }
        // Until nothing has happened for a moment, or too much has.
        let quiet = async { while timeout(FILE_QUIET, self.changed.notified()).await.is_ok() {} };
        let _ = timeout(FILE_PERIOD, quiet).await;
        true
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

fn watch(path: &Path, changed: Arc<Notify>) -> notify::Result<notify::RecommendedWatcher> {
    let tell = move |event: notify::Result<notify::Event>| match event {
        // Our own reading of the file is no change of it.
        Ok(event) if event.kind.is_access() => {}
        Ok(_) | Err(_) => changed.notify_one(),
    };
    let mut watcher = notify::recommended_watcher(tell)?;
    let folder = path.parent().unwrap_or(path);
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// The file's text, if it is not too long to be a list of nodes.
fn bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = fs::File::open(path)?;
    file.take(FILE_LEN_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_LEN_MAX {
        let why = format!("more than {FILE_LEN_MAX} bytes are no list of nodes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(text)
}

fn unreadable(path: &Path, error: io::Error) -> DiscoveryError {
    DiscoveryError::Io {
        from: path.display().to_string(),
        error,
    }
}
