//! Keeps the log readable when many clients do the same thing: each cause is logged so many times a second, and the
//! next line says how many were left out.

use larder_store::RelTime;

/// Lines of one cause in one second.
const LINES_PER_SECOND: u32 = 5;

/// What may be logged many times.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause {
    /// A connection broke a rule of the protocol and was closed.
    Refused,
    /// A connection was opened, closed or lost.
    Conn,
    /// No more connections were accepted for a while.
    Rest,
    /// The system refused something.
    System,
}

const CAUSES: usize = Cause::System as usize + 1;

/// One thread's count of lines.
#[derive(Default)]
pub(crate) struct Quota {
    second: RelTime,
    lines: [u32; CAUSES],
    left_out: [u64; CAUSES],
}

impl Quota {
    /// Whether a line of this cause may be logged now; if so, how many were left out before it.
    pub(crate) fn take(&mut self, cause: Cause, now: RelTime) -> Option<LeftOut> {
        if self.second != now {
            self.second = now;
            self.lines = [0; CAUSES];
        }
        let at = cause as usize;
        if self.lines[at] == LINES_PER_SECOND {
            self.left_out[at] += 1;
            return None;
        }
        self.lines[at] += 1;
        Some(LeftOut(std::mem::take(&mut self.left_out[at])))
    }
}

/// Lines that were not written; shown only if there were any.
pub(crate) struct LeftOut(u64);

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == 0 {
            Ok(())
        } else {
            write!(f, " ({} more of this kind were not logged)", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_told() {
        let mut quota = Quota::default();
        let logged = (0..20).filter_map(|_| quota.take(Cause::Conn, 7)).count();
        assert_eq!(logged, LINES_PER_SECOND as usize);
        assert!(quota.take(Cause::Refused, 7).is_some());
        let next = quota
            .take(Cause::Conn, 8)
            .map(|left_out| left_out.to_string());
        assert_eq!(
            next.as_deref(),
            Some(" (15 more of this kind were not logged)")
        );
    }
}
