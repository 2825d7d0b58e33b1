//! Files that hold secrets: who may read and write them, and whether they have changed.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The bits of a mode that let anybody read, and that let others than the owner write: whoever writes the list of those
/// who may come in is in.
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o022;

/// By what a file is known to be another than before: device, inode, length, and when it was changed (seconds and
/// nanoseconds). Links are followed, since those are what is replaced in Kubernetes. `None` is a file that cannot be seen.
pub(crate) type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// What the file is now.
pub(crate) fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    Some((
        file.dev(),
        file.ino(),
        file.size(),
        file.ctime(),
        file.ctime_nsec(),
    ))
}

/// Whether files are others now than before, as far as all of them can be seen.
pub(crate) fn have_changed(before: &[Stamp], now: &[Stamp]) -> bool {
    now.iter().all(Option::is_some) && now != before
}

/// Refuses an open file that is no secret, so that what is judged is what is read.
pub(crate) fn check(file: &File) -> Result<(), String> {
    let mode = file.metadata().map_err(|error| error.to_string())?.mode();
    let whoever = match (mode & OTHERS_READ, mode & OTHERS_WRITE) {
        (0, 0) => return Ok(()),
        (_, 0) => "anybody may read it",
        (0, _) => "others than its owner may write it",
        (_, _) => "anybody may read it and others than its owner may write it",
    };
    Err(format!(
        "{whoever} (mode {:04o}): take that right away (chmod go-w,o-r), or give -o \
         allow_world_readable_secrets",
        mode & 0o7777
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_anybody_may_read_or_others_may_write_is_no_secret() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let with_mode = |mode| {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).expect("chmod");
            check(file.as_file())
        };
        for mode in [0o400, 0o600, 0o640, 0o440] {
            assert_eq!(with_mode(mode), Ok(()), "{mode:o}");
        }
        for (mode, words) in [
            (0o644, "anybody may read it (mode 0644)"),
            (0o660, "others than its owner may write it (mode 0660)"),
            (0o602, "others than its owner may write it (mode 0602)"),
            (0o666, "anybody may read it and others than its owner may"),
        ] {
            let why = with_mode(mode).expect_err(words);
            assert!(why.starts_with(words), "{why}");
        }
    }

    #[test]
    fn a_file_that_is_written_or_replaced_has_another_stamp() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        assert_eq!(stamp(&path), None);
        fs::write(&path, "a").expect("written");
        let first = stamp(&path);
        let other = folder.path().join("other");
        fs::write(&other, "b").expect("written");
        fs::rename(&other, &path).expect("replaced");
        let second = stamp(&path);
        assert!(first != second && second.is_some());
        fs::write(&path, "longer").expect("written");
        assert_ne!(stamp(&path), second);
    }
}
