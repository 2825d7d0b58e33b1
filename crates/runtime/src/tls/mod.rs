//! TLS in flight: certificates and rules read from files (`config`), and one connection's side of it (`session`).
//!
//! Nothing in here touches a socket: `socket` hands the records over and sends what comes back.

mod config;
mod session;

pub use config::{ClientCert, TlsConfigs, TlsError, TlsLoader, TlsOptions};
pub(crate) use session::{ENCRYPT_BYTES, Fault, TlsSession};
