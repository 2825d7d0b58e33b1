//! The client's side, from outside: cut into reads in every way, against the server's side, and any bytes at all.

mod replies;
mod requests;
mod split;
