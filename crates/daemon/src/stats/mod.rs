//! How `stats` words what the runtime counted: memcached's names, order and formats.
//!
//! A row that has no meaning here is printed with memcached's idle value, since monitoring tools look for it.

pub(crate) mod general;
pub(crate) mod items;
pub(crate) mod larder;
pub(crate) mod settings;
pub(crate) mod slabs;

#[cfg(test)]
pub(crate) mod testing;

/// memcached's idle value of a row that counts what does not exist here.
const NONE: u64 = 0;

/// memcached's words for a switch.
fn yes_no(on: bool) -> &'static str {
    if on { "yes" } else { "no" }
}
