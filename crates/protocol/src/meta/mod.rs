//! The meta commands, server's side: `mg`, `ms`, `md`, `ma`, `me`, and flags that say what each is to do and to tell.
//!
//! They are lines of the text protocol, and [`text::decode`](crate::text::decode) gives them as
//! [`Command::Meta`](crate::text::Command::Meta). [`plain_get`] reads the most frequent one without a search for its
//! end; [`reply`] writes the answers.

mod base64;
mod command;
mod flags;
mod parse;
mod plain;
pub mod reply;

pub use base64::RAW_KEY_MAX;
pub(crate) use base64::put_binary_key;
pub use command::{Arith, Command, Request, Set};
pub use flags::{Flags, Letters};
pub(crate) use parse::{arith, debug, delete, get, set};
pub use plain::{PlainGet, plain_get};
