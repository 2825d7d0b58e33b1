//! Files that hold secrets: who may read them, and whether they have changed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The bits of a mode that let anybody read.
const OTHERS_READ: u32 = 0o004;

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

/// Refuses a file that anybody may read. One that is not there is found out by whoever reads it.
pub(crate) fn check(path: &Path) -> Result<(), String> {
    let Ok(file) = fs::metadata(path) else {
        return Ok(());
    };
    match file.mode() & OTHERS_READ {
        0 => Ok(()),
        _ => Err(format!(
            "anybody may read it (mode {:04o}): take that right away (chmod o-r), or give -o \
             allow_world_readable_secrets",
            file.mode() & 0o7777
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_anybody_may_read_is_no_secret() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let with_mode = |mode| {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).expect("chmod");
            check(file.path())
        };
        assert_eq!(with_mode(0o600), Ok(()));
        assert_eq!(with_mode(0o640), Ok(()));
        assert!(with_mode(0o644).is_err_and(|why| why.contains("(mode 0644)")));
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
