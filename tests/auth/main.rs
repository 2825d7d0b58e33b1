//! Who may come in by a name and a password: over the text protocol, by SASL, with clients that others
//! made; and how those fare who may not.

#[path = "../support/mod.rs"]
mod support;

mod binary;
mod changes;
mod clients;
mod files;
mod strangers;
mod text;
mod users;
