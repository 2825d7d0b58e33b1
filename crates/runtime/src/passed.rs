//! Listening sockets that another process has opened and passed on.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

/// An open socket that listens.
#[derive(Debug)]
pub enum Passed {
    /// TCP's.
    Tcp(TcpListener),
    /// A Unix stream's.
    Unix(UnixListener),
}

impl Passed {
    /// The TCP address it is bound to.
    pub fn tcp_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    /// The path of a Unix socket's file, or its abstract name behind an `@`.
    pub fn unix_path(&self) -> Option<PathBuf> {
        let Self::Unix(listener) = self else {
            return None;
        };
        let addr = listener.local_addr().ok()?;
        let name = addr.as_abstract_name();
        let name = name.map(|name| format!("@{}", String::from_utf8_lossy(name)).into());
        addr.as_pathname().map(PathBuf::from).or(name)
    }

    fn fd(&self) -> i32 {
        match self {
            Self::Tcp(listener) => listener.as_raw_fd(),
            Self::Unix(listener) => listener.as_raw_fd(),
        }
    }
}

/// The same socket, and not one bound to the same address.
impl PartialEq for Passed {
    fn eq(&self, other: &Self) -> bool {
        self.fd() == other.fd()
    }
}

impl Eq for Passed {}
