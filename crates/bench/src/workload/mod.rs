//! What is stored and what is asked: keys, values, their sizes and their popularity.
//!
//! Everything here follows from an item's number, its id: the key is the id in digits, the length of its value is
//! drawn from the id, and the value's bytes are drawn from id and length. So whoever reads a value back can check
//! every byte of it without having kept anything, and every server is given the same data.

mod asking;
mod data;
mod mix;
mod normal;
mod popularity;
mod random;
mod requests;
mod sizes;

pub(crate) use asking::Asking;
pub(crate) use data::{Data, KeyNames, value_matches};
pub(crate) use mix::Mix;
pub(crate) use popularity::Popularity;
pub(crate) use random::Random;
pub(crate) use requests::{Picks, Requests};
pub(crate) use sizes::ValueSizes;
