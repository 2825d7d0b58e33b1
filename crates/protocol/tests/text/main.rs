//! The text protocol, from outside: cut into reads in every way, and against a twin.

mod lines;
mod split;
mod twin;
