//! Options that say what clients may take: time, buffers, connections.

use super::Opt;
use super::extended::{assign, value};
use crate::limits::{INPUT_MAX_RANGE, OUTPUT_MAX_RANGE};
use crate::refusal::Refusal;
use crate::units::{KIB, SECOND, number, size, time};

/// The suboptions of `-o`.
pub(super) const SUBOPTIONS: &[Opt] = &[
    value(
        ["request_timeout", "time", "60", "20s"],
        "",
        "How long a request may take to come in once it has begun, in seconds or with a unit; a second more for each \
         KiB of it that has come, so that a slow upload may end. 0 is no limit.",
        |s, text| assign(&mut s.client_limits.request_timeout_s, time(text, SECOND)),
    ),
    value(
        ["input_max", "size", "4096", "64k"],
        "",
        "Bytes of a command line that are kept of one connection while its end has not come, in kilobytes or with a \
         unit, from 2k to 4m; whose line is longer is closed. Only lines of get and gets may be longer than 2k at all.",
        |s, text| {
            assign(
                &mut s.client_limits.input_max,
                bounded(text, INPUT_MAX_RANGE),
            )
        },
    ),
    value(
        ["output_max", "size", "128", "32k"],
        "",
        "Bytes of replies that wait for one connection to read them before its next command is carried out, in \
         kilobytes or with a unit, from 4k to 64m. One reply more of up to 64k may lie on top.",
        |s, text| {
            assign(
                &mut s.client_limits.output_max,
                bounded(text, OUTPUT_MAX_RANGE),
            )
        },
    ),
    value(
        ["conns_per_address", "num", "0", "100"],
        "",
        "Most connections at once from one address, of IPv6 from one network of 64 bits; more are answered as those \
         beyond -c. Loopback counts as any address, Unix sockets have none. 0 is no limit.",
        |s, text| {
            assign(
                &mut s.client_limits.conns_per_address,
                number(text, 0..=1_000_000),
            )
        },
    ),
    value(
        ["conns_per_user", "num", "0", "100"],
        "",
        "Most connections at once that are in as one user of -Y; whoever is one too many is told so and closed. 0 is no \
         limit.",
        |s, text| {
            assign(
                &mut s.client_limits.conns_per_user,
                number(text, 0..=1_000_000),
            )
        },
    ),
    value(
        ["admin_conns", "num", "3", "10"],
        "",
        "How many of -c are kept for admins, half at most: when no more are left, only users of -Y with the right admin \
         are let in, others are told so and closed. A user without rights of its own is an admin, too.",
        |s, text| {
            assign(
                &mut s.client_limits.admin_conns,
                number(text, 0..=1_000_000),
            )
        },
    ),
];

/// A size within a range, a plain number in kilobytes.
fn bounded(text: &str, (least, most): (u64, u64)) -> Result<usize, Refusal> {
    let bytes = size(text, KIB)?;
    if (least..=most).contains(&bytes) {
        return Ok(bytes as usize);
    }
    Err(Refusal::value(format!(
        "`{}` is not from {}k to {}k",
        text.trim(),
        least / KIB,
        most / KIB
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_held_to_their_range() {
        assert_eq!(bounded("64", (4 * KIB, 128 * KIB)), Ok(64 << 10));
        assert_eq!(bounded("128k", (4 * KIB, 128 * KIB)), Ok(128 << 10));
        for text in ["3", "1m", "4000b"] {
            let refusal = bounded(text, (4 * KIB, 128 * KIB)).expect_err(text);
            assert_eq!(refusal.sentence, format!("`{text}` is not from 4k to 128k"));
        }
        assert!(bounded("x", INPUT_MAX_RANGE).is_err());
    }
}
