//! `-P`: the file that names the process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// Writes the file by way of a temporary one, so that nobody reads half of it. Where it cannot be written the daemon
/// serves nevertheless, as memcached does.
pub(crate) fn write(path: &Path) {
    if let Some(pid) = running(path) {
        log::warn!(
            "-P {}: the file names a process that is running ({pid}); it is overwritten",
            path.display()
        );
    }
    let temporary = beside(path, ".tmp");
    let written = fs::write(&temporary, format!("{}\n", process::id()))
        .and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        log::warn!("-P {}: cannot be written: {error}", path.display());
    }
}

/// Removes the file at the end.
pub(crate) fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        log::warn!("-P {}: cannot be removed: {error}", path.display());
    }
}

/// The file's name with something after it.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The process that an older file names, if it lives and is not this one.
fn running(path: &Path) -> Option<i32> {
    let pid: i32 = fs::read_to_string(path).ok()?.trim().parse().ok()?;
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
        write(&path);
        let text = fs::read_to_string(&path).expect("the file");
        assert_eq!(text, format!("{}\n", process::id()));
        assert!(!beside(&path, ".tmp").exists());
        remove(&path);
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
