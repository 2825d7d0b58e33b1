//! The text protocol, from outside: cut into reads in every way, and against a twin.

mod lines;
mod meta;
mod split;
mod twin;
