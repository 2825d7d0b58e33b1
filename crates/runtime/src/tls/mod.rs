//! TLS in flight: certificates and rules read from files (`config`), one connection's side of it (`session`), and
//! whose certificate a client has (`names`).
//!
//! Nothing in here touches a socket: `socket` hands the records over and sends what comes back.

mod config;
mod names;
mod session;

pub use config::{ClientCert, TlsConfigs, TlsError, TlsLoader, TlsOptions};
pub(crate) use names::names_in;
pub(crate) use session::{ENCRYPT_BYTES, Fault, TlsSession};
