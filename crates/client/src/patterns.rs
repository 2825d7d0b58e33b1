//! What people come to a cache for: reading through it, writing through it, sessions, namespaces, locks.
//!
//! All are made of the verbs that every server has; where meta commands do better, they are used.

mod fetch;
mod flight;
mod lock;
mod namespace;
mod session;
mod ticket;
#[cfg(any(feature = "json", feature = "postcard"))]
mod typed;
mod write_through;

#[cfg(feature = "blocking")]
pub(crate) use fetch::something;
pub use fetch::{Fetch, FetchError};
pub(crate) use flight::Flights;
pub use lock::Lock;
pub use namespace::Namespace;
pub use session::{Session, SessionStore};
#[cfg(feature = "blocking")]
pub(crate) use ticket::Begun;
#[cfg(any(feature = "json", feature = "postcard"))]
pub use typed::Typed;
pub use write_through::WriteError;
