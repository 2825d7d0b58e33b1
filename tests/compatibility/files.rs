//! Files that some options cannot do without.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

/// A folder with a certificate and its key, and a users file.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn make() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let folder = TempDir::new().expect("a folder");
        let pair = folder.path().join("pair.pem");
        let users = folder.path().join("users");
        fs::write(&pair, cert.pem() + &signing_key.serialize_pem()).expect("a file");
        fs::write(&users, "foo:bar\n").expect("a file");
        for file in [&pair, &users] {
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("chmod");
        }
        Self(folder)
    }

    /// What must stand beside the option of this letter.
    pub(crate) fn beside(&self, letter: &str) -> Vec<String> {
        match letter {
            "-Z" => {
                let pair = self.0.path().join("pair.pem").display().to_string();
                let files = format!("ssl_chain_cert={pair},ssl_key={pair}");
                vec!["-o".to_owned(), files]
            }
            // Of several -Y the last one counts.
            "-S" | "-Y" => {
                let users = self.0.path().join("users").display().to_string();
                vec!["-Y".to_owned(), users]
            }
            _ => Vec::new(),
        }
    }
}
