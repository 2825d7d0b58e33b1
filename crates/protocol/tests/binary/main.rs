//! The binary protocol, from outside: frame by frame, cut into reads in every way, and against a twin.

mod commands;
mod frames;
mod replies;
mod split;
mod twin;
