//! Programs in other languages that do their whole round against a server.

use std::net::SocketAddr;
use std::time::Duration;

use super::process::Tool;

/// Debian's Python with the clients that scripts/clients installs.
pub(crate) const VENV_PYTHON: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/target/clients/venv/bin/python"
);

/// A users file's line. The password is not the first thing that comes to mind of who cuts at blanks or colons.
pub(crate) const ANN: &str = "ann:a b:c\n";

/// Has a client from PyPI say that it is the user of [`ANN`], over TLS where `ca` is the path of an authority's certificate.
pub(crate) fn auth_round(client: &str, server: SocketAddr, ca: &str, limit: Duration) {
    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/auth");
    let port = server.port().to_string();
    let args = [
        "-B",
        "auth_round.py",
        client,
        "127.0.0.1",
        &port,
        "ann",
        "a b:c",
        ca,
    ];
    let said = Tool::check_in(FOLDER, VENV_PYTHON, &args, limit);
    assert!(said.contains("whole round done"), "{said}");
}
