//! Several frequent lines that came together: all are recognised first, then their items are warmed, then each is
//! carried out as if it had come alone.
//!
//! Looking for one item after the other, the processor waits for memory each time; so it waits once for all. A shard is
//! borrowed for that one time more, in which nothing is compared, copied or changed.

use arrayvec::ArrayVec;
use larder_protocol::text::{Frequent, frequent};

use super::session::State;
use super::text::Used;
use super::{Session, Spot, Turn};
use crate::limits::OUTPUT_HIGH;

/// Most lines recognised ahead.
const AHEAD: usize = 16;
const _: () = assert!(AHEAD < u32::BITS as usize, "a bit for each line");

/// A line that was recognised, its bytes, and where to look for its key.
struct Ahead<'a> {
    line: Frequent<'a>,
    /// The line, with its data block.
    whole: &'a [u8],
    spot: Spot,
}

impl Turn<'_> {
    /// Carries out the frequent lines at the front of the input, as far as they have come in whole.
    #[inline(never)]
    pub(super) fn several(
        &self,
        session: &mut Session,
        input: &[u8],
        out: &mut Vec<u8>,
        commands_left: &mut u32,
    ) -> Used {
        let mut lines = ArrayVec::<Ahead<'_>, AHEAD>::new();
        let most = AHEAD.min(*commands_left as usize);
        let mut rest = input;
        while lines.len() < most
            && let Some(line) = frequent(rest)
            && let Some((whole, behind)) = rest.split_at_checked(line.end())
        {
            let spot = self.spot(line.key(whole));
            lines.push(Ahead { line, whole, spot });
            rest = behind;
        }
        self.warm(&mut lines);
        let mut used = 0;
        for Ahead { line, whole, spot } in &lines {
            *commands_left -= 1;
            let (of_line, pause) = match line {
                Frequent::Get { key, line_len } => {
                    self.get_one::<3>(session, spot, key.clone(), *line_len, whole, out)
                }
                Frequent::Set { set, line_len } => {
                    self.store_at(session, &set.store(), spot, *line_len, whole, out)
                }
            };
            used += of_line;
            let goes_on = matches!(session.state, State::Line) && out.len() < OUTPUT_HIGH;
            if pause.is_some() || !goes_on {
                return (used, pause);
            }
        }
        (used, None)
    }

    /// Finds out where the lines' items probably are, and reads a little of each: shard by shard, each borrowed once. One
    /// that is taken is left out.
    fn warm(&self, lines: &mut [Ahead<'_>]) {
        let mut left = (1_u32 << lines.len()) - 1;
        while let Some(first) = lines.get(left.trailing_zeros() as usize) {
            let shard = first.spot.shard;
            for (at, line) in lines.iter().enumerate() {
                left &= !(u32::from(line.spot.shard == shard) << at);
            }
            let Some(lent) = self.shared.borrow(shard) else {
                continue;
            };
            let spots = lines.iter_mut().map(|line| &mut line.spot);
            for spot in spots.filter(|spot| spot.shard == shard) {
                spot.hint = lent.shard.hint(spot.hash);
            }
            let spots = lines.iter().map(|line| &line.spot);
            for spot in spots.filter(|spot| spot.shard == shard) {
                lent.shard.warm(&spot.hint);
            }
        }
    }
}
