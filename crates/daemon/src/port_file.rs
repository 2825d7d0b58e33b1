//! `MEMCACHED_PORT_FILENAME`: the file that tells whoever started the daemon which ports it has.

use std::env;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use crate::pidfile::beside;
use crate::privileges;

/// Writes the file if the variable asks for it and there are ports to tell. Where it cannot be written the daemon
/// serves nevertheless, as memcached does.
pub(crate) fn write(addresses: &[SocketAddr]) {
    let Some(path) = env::var_os("MEMCACHED_PORT_FILENAME") else {
        return;
    };
    let path = Path::new(&path);
    if addresses.is_empty() {
        return;
    }
    if let Err(error) = write_to(path, addresses) {
        log::warn!(
            "MEMCACHED_PORT_FILENAME {}: {}",
            path.display(),
            privileges::explain(format!("cannot be written: {error}"))
        );
    }
}

/// One line a socket, by way of another file, so that nobody reads half of it.
fn write_to(path: &Path, addresses: &[SocketAddr]) -> io::Result<()> {
    let lines: String = addresses
        .iter()
        .map(|address| {
            let family = if address.is_ipv4() { "INET" } else { "INET6" };
            format!("TCP {family}: {}\n", address.port())
        })
        .collect();
    let temporary = beside(path, ".lck");
    fs::write(&temporary, lines)?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_socket() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ports");
        let addresses = [
            "127.0.0.1:5".parse().expect("v4"),
            "[::1]:6".parse().expect("v6"),
        ];
        write_to(&path, &addresses).expect("written");
        let text = fs::read_to_string(&path).expect("the file");
        assert_eq!(text, "TCP INET: 5\nTCP INET6: 6\n");
        assert!(!beside(&path, ".lck").exists());
    }
}
