//! Files that only the server may read, whoever it has become.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::User;
use tempfile::TempDir;

use super::process::is_root;

/// A folder of such files.
pub(crate) struct Secrets(TempDir);

impl Secrets {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        Self(folder)
    }

    /// Puts a file into the place of another, in one step.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let new = self.path(&format!("{name}.new"));
        fs::write(&new, text).expect("a file");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("chmod");
        if is_root() {
            // Whom a server that root started goes on as.
            let nobody = User::from_name("nobody").expect("users").expect("nobody");
            chown(&new, Some(nobody.uid.as_raw()), None).expect("chown");
        }
        fs::rename(&new, self.path(name)).expect("renamed");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }
}
