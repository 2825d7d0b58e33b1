//! memcached's options that this version does not serve, each refused by name.

use super::{OPT, Opt, Set};
use crate::refusal::Code;

pub(super) const OPTIONS: &[Opt] = &[
    Opt {
        short: Some('S'),
        long: "enable-sasl",
        doc: "SASL authentication, in memcached.",
        set: Set::Refused(
            Code::Usage,
            "SASL authentication is not served by this version",
        ),
        ..OPT
    },
    Opt {
        short: Some('Y'),
        long: "auth-file",
        value: "file",
        doc: "Authentication over the text protocol, in memcached.",
        set: Set::Refused(
            Code::Usage,
            "authentication over the text protocol is not served by this version",
        ),
        ..OPT
    },
    Opt {
        short: Some('e'),
        long: "memory-file",
        value: "file",
        doc: "Restart with a warm cache, in memcached.",
        set: Set::Refused(
            Code::Usage,
            "larderd never writes items to a file, so there is no restart with a warm cache",
        ),
        ..OPT
    },
];
