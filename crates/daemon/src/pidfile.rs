//! `-P`: the file that names the process.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{AccessFlags, Pid, access};

use crate::privileges;
use crate::refusal::Refusal;
use crate::settings::Settings;

/// A file that can be written: its name is free, and a temporary one lies beside it.
pub(crate) struct PidFile {
    path: PathBuf,
    temporary: File,
}

impl PidFile {
    /// Sees to it that the file can be written, as long as there is somebody to tell: with `-d`, where nobody will be, that it
    /// cannot is a refusal. Otherwise the daemon serves nevertheless, as memcached does, and warns.
    pub(crate) fn prepare(settings: &Settings) -> Result<Option<Self>, Refusal> {
        let Some(path) = &settings.pidfile else {
            return Ok(None);
        };
        if let Some(pid) = running(path) {
            log::warn!(
                "-P {}: the file names a process that is running ({pid}); it is overwritten",
                path.display()
            );
        }
        match Self::make_room(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if settings.background => Err(refused(path, &error, settings)),
            Err(error) => {
                log::warn!("{}", unwritable(path, &error));
                Ok(None)
            }
        }
    }

    /// The refusal that a start would end with, as far as it shows without writing anything.
    pub(crate) fn check(settings: &Settings) -> Option<Refusal> {
        let path = settings
            .pidfile
            .as_deref()
            .filter(|_| settings.background)?;
        let denied = access(
            folder(path).unwrap_or(Path::new(".")),
            AccessFlags::W_OK | AccessFlags::X_OK,
        )
        .err()?;
        Some(refused(path, &denied.into(), settings))
    }

    fn make_room(path: &Path) -> io::Result<Self> {
        remove_if_there(path)?;
        let temporary = beside(path, TEMPORARY);
        remove_if_there(&temporary)?;
        Ok(Self {
            path: path.to_owned(),
            temporary: File::create_new(temporary)?,
        })
    }

    /// Writes the file, by way of the temporary one, so that nobody reads half of it.
    pub(crate) fn write(&mut self) {
        let written = writeln!(self.temporary, "{}", process::id())
            .and_then(|()| fs::rename(beside(&self.path, TEMPORARY), &self.path));
        if let Err(error) = written {
            log::warn!("{}", unwritable(&self.path, &error));
        }
    }

    /// Removes the file at the end, if it still names this process and not one that was started since.
    pub(crate) fn remove(&self) {
        if named_in(&self.path).and_then(|pid| u32::try_from(pid).ok()) != Some(process::id()) {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            log::warn!("-P {}: cannot be removed: {error}", self.path.display());
        }
    }
}

fn refused(path: &Path, error: &io::Error, settings: &Settings) -> Refusal {
    let refusal = Refusal::system(unwritable(path, error));
    settings.places.put(refusal, &["pidfile"])
}

fn unwritable(path: &Path, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "; make its folder, for the user that larderd goes on as",
        _ => "",
    };
    let path = path.display();
    privileges::explain(format!("-P {path}: cannot be written: {error}{advice}"))
}

/// What the temporary file's name ends with.
const TEMPORARY: &str = ".tmp";

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The file's name with something after it.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The folder that a path lies in; none if it names no file.
pub(crate) fn folder(path: &Path) -> Option<&Path> {
    match path.parent()? {
        here if here.as_os_str().is_empty() => Some(Path::new(".")),
        folder => Some(folder),
    }
}

/// The process that the file names.
fn named_in(path: &Path) -> Option<i32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The process that an older file names, if it lives and is not this one.
fn running(path: &Path) -> Option<i32> {
    let pid = named_in(path)?;
    let lives = pid > 1 && matches!(kill(Pid::from_raw(pid), None), Ok(()) | Err(Errno::EPERM));
    (lives && pid.unsigned_abs() != process::id()).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_whole_and_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("larderd.pid");
        let prepared = PidFile::prepare(&Settings {
            pidfile: Some(path.clone()),
            ..Settings::default()
        });
        let mut file = prepared.expect("no refusal").expect("a file");
        file.write();
        let text = fs::read_to_string(&path).expect("the file");
        assert_eq!(text, format!("{}\n", process::id()));
        assert!(!beside(&path, TEMPORARY).exists());
        fs::write(&path, "1\n").expect("another's");
        file.remove();
        assert!(path.exists(), "it is another's by now");
        fs::write(&path, text).expect("its own");
        file.remove();
        assert!(!path.exists());
    }

    #[test]
    fn only_living_processes_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("larderd.pid");
        let parent = std::os::unix::process::parent_id();
        let table = [
            (parent.to_string(), (parent > 1).then_some(parent as i32)),
            (process::id().to_string(), None),
            (i32::MAX.to_string(), None),
            ("-1".to_owned(), None),
            ("x".to_owned(), None),
        ];
        for (text, expected) in table {
            fs::write(&path, &text).expect("a file");
            assert_eq!(running(&path), expected, "{text}");
        }
        fs::remove_file(&path).expect("the file");
        assert_eq!(running(&path), None);
    }
}
