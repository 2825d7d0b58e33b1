//! Two servers at equal resident memory: the peer with its `-m`, ours with the largest that takes no more.

use anyhow::{Result, bail};

use super::trace::Trace;
use super::{Figures, ReplayArgs, replayed};
use crate::server::Spec;

/// The peer's figures and ours.
pub(super) fn at_equal_memory(
    args: &ReplayArgs,
    trace: &Trace,
    ours: &Spec,
    peer: &Spec,
    memory_mb: u64,
) -> Result<[Figures; 2]> {
    let theirs = replayed(args, trace, peer, memory_mb)?;
    let resident = theirs.resident_bytes;
    let best = largest(resident, |memory_mb| {
        let figures = replayed(args, trace, ours, memory_mb)?;
        Ok((figures.resident_bytes, figures))
    })?;
    match best {
        Some(best) => Ok([theirs, best]),
        None => bail!(
            "{} takes more resident memory with -m 1 than {} with -m {memory_mb}",
            ours.name,
            peer.name
        ),
    }
}

/// What `run` gives for the largest whole number of megabytes with which it takes at most `resident` bytes. Each
/// trial is a whole replay, so the next is aimed at by the slope, of which little is to be expected but that resident
/// memory grows with -m by about as much until everything fits. An -m above the peer's resident memory is not tried: it
/// would be kept below what it allows only because everything fits, and then more changes nothing.
fn largest<T>(resident: u64, mut run: impl FnMut(u64) -> Result<(u64, T)>) -> Result<Option<T>> {
    let megabytes = |bytes: u64| bytes >> 20;
    let mut best = None;
    // With `under` it fits, with `over` it does not or makes no difference.
    let (mut under, mut over) = (0, megabytes(resident) + 2);
    let mut next = megabytes(resident).saturating_sub(4).max(1);
    while under + 1 < over {
        let (taken, result) = run(next)?;
        if taken <= resident {
            under = next;
            best = Some(result);
            next += megabytes(resident - taken).max(1);
        } else {
            over = next;
            next = next.saturating_sub(megabytes(taken - resident) + 1);
        }
        next = next.clamp(under + 1, (over - 1).max(under + 1));
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::largest;

    /// Resident memory as a constant and a share of -m, up to where everything fits.
    fn found(resident_mb: u64, constant: u64, percent: u64, fits: u64) -> (Option<u64>, usize) {
        let mut trials = 0;
        let best = largest(resident_mb << 20, |memory| {
            trials += 1;
            Ok((
                (constant << 20) + ((memory.min(fits) * percent) << 20) / 100,
                memory,
            ))
        });
        (best.unwrap(), trials)
    }

    #[test]
    fn the_largest_that_fits_is_found_in_few_trials() {
        for (resident, constant, percent, expected) in [
            (33, 5, 100, 28),
            (33, 0, 100, 33),
            (70, 9, 105, 58),
            (20, 2, 50, 36),
        ] {
            let (best, trials) = found(resident, constant, percent, 1000);
            assert_eq!(
                best,
                Some(expected.min(resident + 1)),
                "{resident} {constant} {percent}"
            );
            assert!(
                trials <= 5,
                "{trials} trials for {resident} {constant} {percent}"
            );
        }
        assert_eq!(found(10, 20, 100, 1000).0, None);
    }
}
