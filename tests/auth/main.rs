//! Who may come in by a name and a password: over the text protocol, by SASL, and how those fare who may not.

#[path = "../support/mod.rs"]
mod support;

mod binary;
mod changes;
mod files;
mod strangers;
mod text;
mod users;
