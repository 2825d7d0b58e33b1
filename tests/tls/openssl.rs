//! Certificates that openssl makes, with keys of every form; chains; and openssl's client at the wrong port.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Secrets, Server, Tool, wait_until};
use crate::tools::s_client;

const LIMIT: Duration = Duration::from_secs(60);

/// What openssl makes, and those of it that a server may read.
struct Made {
    folder: TempDir,
    files: Secrets,
}

impl Made {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let files = Secrets::new();
        Self { folder, files }
    }

    fn openssl(&self, command: &str) {
        let args: Vec<&str> = command.split_whitespace().collect();
        let folder = self.folder.path().to_str().expect("a plain name");
        Tool::check_in(folder, "openssl", &args, LIMIT);
    }

    /// A key of this kind and a certificate of its own for this machine.
    fn self_signed(&self, kind: &str) {
        self.openssl(&format!("genpkey {kind} -out key.pem"));
        self.openssl(
            "req -x509 -new -key key.pem -out cert.pem -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1",
        );
    }

    /// Hands a file over to the server.
    fn install(&self, name: &str) -> PathBuf {
        let bytes = fs::read(self.folder.path().join(name)).expect("openssl made it");
        self.files.write(name, bytes);
        self.files.path(name)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// What `-o` names the files by.
    fn options(&self, chain: &str, key: &str) -> String {
        let (chain, key) = (self.install(chain), self.install(key));
        format!(
            "ssl_chain_cert={},ssl_key={}",
            chain.display(),
            key.display()
        )
    }

    /// Whether s_client comes in, by each version, to a server with these files.
    fn is_served(&self, options: &str, ca: &str, own: &str) -> [bool; 2] {
        let server = Server::larderd(&["-Z", "-o", options]);
        ["-tls1_2", "-tls1_3"].map(|version| {
            let options = format!("{version} {own}");
            let said = s_client(&server.name(), &self.path(ca), &options, r"mn\r\nquit\r\n");
            said.status.success() && said.output.contains("MN")
        })
    }
}

#[test]
fn keys_of_every_form_are_read() {
    let forms = [
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:2048", ""),
        (
            "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
            "rsa -traditional -in key.pem",
        ),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", ""),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
            "ec -in key.pem",
        ),
        ("-algorithm ED25519", ""),
        (
            "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
            "pkcs8 -topk8 -nocrypt -outform DER -in key.pem",
        ),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
            "ec -outform DER -in key.pem",
        ),
    ];
    for (kind, form) in forms {
        let made = Made::new();
        made.self_signed(kind);
        let mut key = "key.pem";
        if !form.is_empty() {
            key = "key";
            made.openssl(&format!("{form} -out key"));
        }
        let mut options = made.options("cert.pem", key);
        if form.contains("DER") {
            options += ",ssl_keyformat=2";
        }
        assert_eq!(
            made.is_served(&options, "cert.pem", ""),
            [true; 2],
            "{kind} {form}"
        );
    }
}

#[test]
fn a_key_with_a_password_is_refused_in_a_sentence() {
    let made = Made::new();
    made.self_signed("-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    made.openssl("pkcs8 -topk8 -passout pass:secret -in key.pem -out locked.pem");
    let options = made.options("cert.pem", "locked.pem");
    let args = [
        "-u",
        "root",
        "--check-config",
        "-p",
        "-1",
        "-Z",
        "-o",
        &options,
    ];
    let refused = Tool::run(env!("CARGO_BIN_EXE_larderd"), &args, LIMIT);
    assert_eq!(refused.status.code(), Some(64), "{}", refused.output);
    assert!(
        refused.output.contains("Error loading the key: "),
        "{}",
        refused.output
    );
    assert!(refused.output.contains("locked.pem"), "{}", refused.output);
}

#[test]
fn chains_lead_to_the_authority_both_ways() {
    let made = Made::new();
    let key = "-nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256";
    made.openssl(&format!(
        "req -x509 {key} -keyout root.key -out root.pem -days 2 -subj /CN=root"
    ));
    let extensions = [
        ("middle.ext", "basicConstraints=critical,CA:TRUE\n"),
        ("leaf.ext", "subjectAltName=IP:127.0.0.1\n"),
    ];
    for (name, text) in extensions {
        fs::write(made.folder.path().join(name), text).expect("a file");
    }
    for (name, signer, extension) in [
        ("middle", "root", "middle"),
        ("server", "middle", "leaf"),
        ("client", "middle", "leaf"),
    ] {
        made.openssl(&format!(
            "req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        made.openssl(&format!(
            "x509 -req -in {name}.csr -CA {signer}.pem -CAkey {signer}.key -CAcreateserial -out {name}.pem -days 2 -extfile {extension}.ext"
        ));
    }
    let text = |name: &str| fs::read_to_string(made.path(name)).expect("openssl made it");
    for name in ["server", "client"] {
        let chain = text(&format!("{name}.pem")) + &text("middle.pem");
        fs::write(made.path(&format!("{name}.chain")), chain).expect("a file");
    }
    let ca = made.install("root.pem").display().to_string();
    let options = made.options("server.chain", "server.key");
    let options = format!("{options},ssl_ca_cert={ca},ssl_verify_mode=2");
    let own = |chain: &str| {
        let (cert, key) = (made.path("client.pem"), made.path("client.key"));
        format!("-cert {cert} -key {key} {chain}")
    };
    let whole = own(&format!("-cert_chain {}", made.path("client.chain")));
    assert_eq!(made.is_served(&options, "root.pem", &whole), [true; 2]);
    // Without the one between, nobody leads from the client to the root.
    assert_eq!(made.is_served(&options, "root.pem", &own("")), [false; 2]);
    assert_eq!(made.is_served(&options, "root.pem", ""), [false; 2]);
}

#[test]
fn at_a_plain_port_it_is_ended_and_told_of() {
    let made = Made::new();
    made.self_signed("-algorithm ED25519");
    let ca = made.path("cert.pem");
    let server = Server::larderd(&[]);
    for version in ["-tls1", "-tls1_2", "-tls1_3"] {
        let options = format!("{version} -cipher DEFAULT@SECLEVEL=0");
        let said = s_client(&server.name(), &ca, &options, r"mn\r\n");
        assert!(!said.output.contains("MN"), "{version}: {}", said.output);
    }
    wait_until(LIMIT, "the log", || {
        let log = server.log();
        log.matches("speaks TLS; this port is for plain text; closed")
            .count()
            == 3
    });
    assert_eq!(server.connect().ask("mn"), "MN");
}
