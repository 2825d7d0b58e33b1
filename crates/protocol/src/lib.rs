//! Bytes to commands, and replies to bytes.
//!
//! *Job.* Decode what a client sent, in place: [`text`] lines or [`binary`] frames. A [`Status`](text::Status) borrows
//! the key from the caller's buffer, and nothing is allocated. Encode what the server answers, onto the end of the
//! caller's buffer. [`client`] is the other side: requests to bytes, and bytes to replies.
//!
//! *Owns* the grammar of memcached 1.6.45, with its limits and the text of every error, and nothing else.
//!
//! *Never* does I/O, asks for the time, knows the store, or panics, whatever the bytes are. What a number means (when
//! an item expires, whether `-F` forbids a flush) is the caller's; what a number *is* gets decided here.
//!
//! ```
//! use larder_protocol::text::{self, Command, Status};
//!
//! let buf = b"get apple pear\r\nversion\r\n";
//! let Status::Complete { line_len, command: Command::Get(get) } = text::decode(buf, 0) else {
//!     panic!("a whole line decodes");
//! };
//! let mut keys = Vec::new();
//! let mut at = get.keys_at;
//! while let Some((key, next)) = text::next_key(buf, at) {
//!     keys.push(&buf[key]);
//!     at = next;
//! }
//! assert_eq!(keys, [&b"apple"[..], b"pear"]);
//! assert!(matches!(
//!     text::decode(&buf[line_len..], 0),
//!     Status::Complete { command: Command::Version, .. }
//! ));
//! ```

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::cast_possible_truncation
    )
)]

pub mod binary;
pub mod client;
pub mod limits;
pub mod meta;
pub mod text;
