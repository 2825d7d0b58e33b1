//! Several frequent lines that came together, on one connection or on several: all are recognised first, then their items
//! are warmed, then each is carried out as if it had come alone.
//!
//! Looking for one item after the other, the processor waits for memory each time; so it waits once for all. A shard is
//! borrowed for that one time more, in which nothing is compared, copied or changed.

use std::borrow::{Borrow, BorrowMut};

use arrayvec::ArrayVec;
use larder_protocol::text::{FREQUENT_KEY_AT, Frequent, frequent};

use super::session::{State, Wire};
use super::text::Used;
use super::{Session, Spot, Turn, site};
use crate::gate::{Act, Beginning, Rights, WORD};

/// Most lines of one connection that are recognised ahead.
const AHEAD: usize = 16;
const _: () = assert!(AHEAD < u32::BITS as usize, "a bit for each line");

/// Most connections whose lines are recognised together.
pub(crate) const CONNS_TOGETHER: usize = 8;
const _: () = assert!(CONNS_TOGETHER < u32::BITS as usize, "a bit for each line");

/// Leaves out the first line that its client may not do, and all behind it: that is judged and answered when it comes to
/// be the first.
#[inline(never)]
fn cut_to_rights(session: &Session, lines: &mut ArrayVec<Ahead<'_>, AHEAD>) {
    let Some(pass) = &session.pass else { return };
    let Some(rights) = pass.rights() else { return };
    // A stranger's set may be the handshake.
    let (get, set) = (
        rights.may(Act::Get),
        rights.may(Act::Set) && !pass.is_stranger(),
    );
    let allowed = match (get, set) {
        (true, true) => count_by_key(lines, rights, |_| true),
        _ => count_by_key(lines, rights, |line| match line {
            Frequent::Get { .. } => get,
            Frequent::Set { .. } => set,
        }),
    };
    if allowed < lines.len() {
        lines.truncate(allowed);
    }
}

/// How many lines come before the first that is not allowed.
#[inline(always)]
fn count_by_key(
    lines: &[Ahead<'_>],
    rights: &Rights,
    may: impl Fn(&Frequent<'_>) -> bool,
) -> usize {
    const AT: usize = FREQUENT_KEY_AT;
    match rights.beginning() {
        Beginning::Any => count(lines, may, |_| true),
        Beginning::Word(word) => count(lines, may, |line| match line.get(AT..AT + WORD) {
            Some(first) => word.is_in(first),
            None => rights.covers_short(&line[AT..]),
        }),
        Beginning::Several => count(lines, may, |line| rights.covers(&line[AT..])),
    }
}

/// By hand and by itself, since the compiler makes calls of `take_while`, and runs out of registers where there is more than
/// one such loop: a get 16 deep has some 17 instructions to spare for this.
#[inline(never)]
fn count(
    lines: &[Ahead<'_>],
    may: impl Fn(&Frequent<'_>) -> bool,
    covers: impl Fn(&[u8]) -> bool,
) -> usize {
    for (at, ahead) in lines.iter().enumerate() {
        if !(may(&ahead.line) && covers(ahead.whole)) {
            return at;
        }
    }
    lines.len()
}

/// A line that was recognised, its bytes, and where to look for its key.
struct Ahead<'a> {
    line: Frequent<'a>,
    /// The line, with its data block.
    whole: &'a [u8],
    spot: Spot,
}

impl Borrow<Spot> for Ahead<'_> {
    fn borrow(&self) -> &Spot {
        &self.spot
    }
}

impl BorrowMut<Spot> for Ahead<'_> {
    fn borrow_mut(&mut self) -> &mut Spot {
        &mut self.spot
    }
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
        if session.wire == Wire::Gated {
            cut_to_rights(session, &mut lines);
        }
        self.warm(&mut lines);
        let mut used = 0;
        for Ahead { line, whole, spot } in &lines {
            *commands_left -= 1;
            let (of_line, pause) = match line {
                Frequent::Get { key, line_len } => self.get_one::<{ site::SEVERAL }>(
                    session,
                    spot,
                    key.clone(),
                    *line_len,
                    whole,
                    out,
                ),
                Frequent::Set { set, line_len } => {
                    self.store_at::<false>(session, &set.store(), spot, *line_len, whole, out)
                }
            };
            used += of_line;
            let goes_on = matches!(session.state, State::Line) && !self.has_enough(out);
            if pause.is_some() || !goes_on {
                return (used, pause);
            }
        }
        (used, None)
    }

    /// Looks ahead for connections that each have sent something: for each, where to look for the key of its line, if it is
    /// one frequent line and no more.
    pub(crate) fn look_ahead<'i>(
        &self,
        inputs: impl Iterator<Item = &'i [u8]>,
    ) -> ArrayVec<Option<Spot>, CONNS_TOGETHER> {
        let mut spots = ArrayVec::<Spot, CONNS_TOGETHER>::new();
        let recognised = inputs.map(|input| {
            let line = frequent(input).filter(|line| line.end() == input.len())?;
            spots.push(self.spot(line.key(input)));
            Some(spots.len() - 1)
        });
        let recognised: ArrayVec<Option<usize>, CONNS_TOGETHER> = recognised.collect();
        if spots.len() > 1 {
            self.warm(&mut spots);
        }
        let spots = recognised.into_iter().map(|at| Some(*spots.get(at?)?));
        spots.collect()
    }

    /// Finds out where items probably are, and reads a little of each: shard by shard, each borrowed once. One that is
    /// taken is left out.
    fn warm<S: BorrowMut<Spot>>(&self, spots: &mut [S]) {
        let mut left = (1_u32 << spots.len()) - 1;
        while let Some(first) = spots.get(left.trailing_zeros() as usize) {
            let shard = first.borrow().shard;
            for (at, spot) in spots.iter().enumerate() {
                left &= !(u32::from(spot.borrow().shard == shard) << at);
            }
            let Some(lent) = self.shared.borrow(shard) else {
                continue;
            };
            let all = spots.iter_mut().map(S::borrow_mut);
            for spot in all.filter(|spot| spot.shard == shard) {
                spot.hint = lent.shard.hint(spot.hash);
            }
            let all = spots.iter().map(S::borrow);
            for spot in all.filter(|spot| spot.shard == shard) {
                lent.shard.warm(&spot.hint);
            }
        }
    }
}
