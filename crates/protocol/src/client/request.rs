//! Classic text commands, written onto the end of the caller's buffer.
//!
//! Keys must have passed [`super::check_key`]: the encoders copy what they are given. An exptime is the raw number of
//! the wire: 0 for never, up to 30 days as seconds from now, beyond that as a Unix time, negative for "expired".

use crate::text::reply::CRLF;
use crate::text::{Store, StoreVerb};

/// `get <key>*`
pub fn get(out: &mut Vec<u8>, keys: &[&[u8]]) {
    key_line(out, b"get", keys);
}

/// `gets <key>*`: as `get`, with CAS uniques.
pub fn gets(out: &mut Vec<u8>, keys: &[&[u8]]) {
    key_line(out, b"gets", keys);
}

/// `gat <exptime> <key>*`: get, and give the items a new exptime.
pub fn gat(out: &mut Vec<u8>, exptime: i32, keys: &[&[u8]]) {
    out.extend_from_slice(b"gat ");
    decimal(out, exptime);
    key_line(out, b"", keys);
}

/// `gats <exptime> <key>*`: as `gat`, with CAS uniques.
pub fn gats(out: &mut Vec<u8>, exptime: i32, keys: &[&[u8]]) {
    out.extend_from_slice(b"gats ");
    decimal(out, exptime);
    key_line(out, b"", keys);
}

/// The name of a storage command.
fn name(verb: StoreVerb) -> &'static [u8] {
    match verb {
        StoreVerb::Set => b"set ",
        StoreVerb::Add => b"add ",
        StoreVerb::Replace => b"replace ",
        StoreVerb::Append => b"append ",
        StoreVerb::Prepend => b"prepend ",
        StoreVerb::Cas => b"cas ",
    }
}

/// `<verb> <key> <flags> <exptime> <bytes>[ <cas>]`, without the data block: the caller appends the value and a CRLF, or
/// sends them from where they lie.
pub fn store_line(out: &mut Vec<u8>, store: Store<'_>) {
    out.extend_from_slice(name(store.verb));
    out.extend_from_slice(store.key);
    out.push(b' ');
    decimal(out, store.flags);
    out.push(b' ');
    decimal(out, store.exptime);
    out.push(b' ');
    decimal(out, store.value_len);
    if store.verb == StoreVerb::Cas {
        out.push(b' ');
        decimal(out, store.cas);
    }
    if store.noreply {
        out.extend_from_slice(b" noreply");
    }
    out.extend_from_slice(CRLF);
}

/// `incr <key> <delta>`
pub fn incr(out: &mut Vec<u8>, key: &[u8], delta: u64) {
    key_and_number(out, b"incr ", key, delta);
}

/// `decr <key> <delta>`
pub fn decr(out: &mut Vec<u8>, key: &[u8], delta: u64) {
    key_and_number(out, b"decr ", key, delta);
}

/// `touch <key> <exptime>`
pub fn touch(out: &mut Vec<u8>, key: &[u8], exptime: i32) {
    key_and_number(out, b"touch ", key, exptime);
}

/// `delete <key>`
pub fn delete(out: &mut Vec<u8>, key: &[u8]) {
    out.extend_from_slice(b"delete ");
    out.extend_from_slice(key);
    out.extend_from_slice(CRLF);
}

/// `flush_all`, now.
pub fn flush_all(out: &mut Vec<u8>) {
    out.extend_from_slice(b"flush_all\r\n");
}

/// `version`
pub fn version(out: &mut Vec<u8>) {
    out.extend_from_slice(b"version\r\n");
}

/// `stats`, or one of its groups: words without control bytes.
pub fn stats(out: &mut Vec<u8>, group: &str) {
    out.extend_from_slice(b"stats");
    if !group.is_empty() {
        out.push(b' ');
        out.extend_from_slice(group.as_bytes());
    }
    out.extend_from_slice(CRLF);
}

/// `config get cluster`: the nodes, asked of a server with discovery.
pub fn config_get_cluster(out: &mut Vec<u8>) {
    out.extend_from_slice(b"config get cluster\r\n");
}

/// A user and a password to a server that asks for them: a `set` of which only the value counts, answered `STORED` or
/// `CLIENT_ERROR authentication failure`. The user must have no blank in it.
///
/// A server that asks for none takes it for a `set`. So the item is one that is expired at once, under a key of nobody's:
/// the password stays nowhere, and nobody's item is lost.
pub fn authenticate(out: &mut Vec<u8>, user: &str, password: &str) {
    out.extend_from_slice(b"set larder:auth 0 -1 ");
    decimal(out, user.len() + 1 + password.len());
    out.extend_from_slice(CRLF);
    out.extend_from_slice(user.as_bytes());
    out.push(b' ');
    out.extend_from_slice(password.as_bytes());
    out.extend_from_slice(CRLF);
}

fn key_line(out: &mut Vec<u8>, name: &[u8], keys: &[&[u8]]) {
    out.extend_from_slice(name);
    for key in keys {
        out.push(b' ');
        out.extend_from_slice(key);
    }
    out.extend_from_slice(CRLF);
}

fn key_and_number(out: &mut Vec<u8>, name: &[u8], key: &[u8], number: impl itoa::Integer) {
    out.extend_from_slice(name);
    out.extend_from_slice(key);
    out.push(b' ');
    decimal(out, number);
    out.extend_from_slice(CRLF);
}

pub(super) fn decimal(out: &mut Vec<u8>, n: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}
