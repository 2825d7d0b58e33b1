//! What the store promises, seen from outside: memory within `-m`, no failed write while something can be evicted,
//! expired items gone by themselves, a limit that can be lowered, and values of half a gigabyte.

#[path = "../support/mod.rs"]
mod support;

mod filler;
mod large_value;
mod leaving;
mod limit;
mod shifting;
