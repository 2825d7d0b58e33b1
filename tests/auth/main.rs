//! Who may come in by a name and a password: over the text protocol, by SASL, with clients that others
//! made; and how those fare who may not.

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code, reason = "the commands alone are looked at here")]
#[path = "../compatibility/names.rs"]
mod names;

mod binary;
mod changes;
mod clients;
mod files;
mod places;
mod rights;
mod strangers;
mod table;
mod text;
mod users;
