//! memcached's options that this version does not serve, each refused by name.

use super::{OPT, Opt, Set};
use crate::refusal::Code;

pub(super) const OPTIONS: &[Opt] = &[Opt {
    short: Some('e'),
    long: "memory-file",
    value: "file",
    doc: "Restart with a warm cache, in memcached.",
    set: Set::Refused(
        Code::Usage,
        "larderd never writes items to a file, so there is no restart with a warm cache",
    ),
    ..OPT
}];
