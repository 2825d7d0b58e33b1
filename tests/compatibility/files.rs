//! Files that some options cannot do without.

use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::support::Secrets;

/// A certificate with its key, and a users file.
pub(crate) struct Files(Secrets);

impl Files {
    pub(crate) fn make() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let secrets = Secrets::new();
        secrets.write("pair.pem", &(cert.pem() + &signing_key.serialize_pem()));
        secrets.write("users", "foo:bar\n");
        Self(secrets)
    }

    /// What must stand beside the option of this letter.
    pub(crate) fn beside(&self, letter: &str) -> Vec<String> {
        let path = |name: &str| self.0.path(name).display().to_string();
        match letter {
            "-Z" => {
                let pair = path("pair.pem");
                let files = format!("ssl_chain_cert={pair},ssl_key={pair}");
                vec!["-o".to_owned(), files]
            }
            // Of several -Y the last one counts.
            "-S" | "-Y" => vec!["-Y".to_owned(), path("users")],
            _ => Vec::new(),
        }
    }
}
