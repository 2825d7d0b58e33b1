//! Several frequent lines that came together, on one connection or on several: all are recognised first, then their items
//! are warmed, then each is carried out as if it had come alone.
//!
//! Looking for one item after the other, the processor waits for memory each time; so it waits once for all. A shard is
//! borrowed for that one time more, in which nothing is compared, copied or changed.

use std::borrow::{Borrow, BorrowMut};

use arrayvec::ArrayVec;
use larder_protocol::text::{Frequent, frequent, frequent_get, frequent_set};

use super::allowed::Allowed;
use super::session::State;
use super::text::Used;
use super::{Session, Spot, Turn, site};
use crate::gate::Word;

/// Most lines of one connection that are recognised ahead.
const AHEAD: usize = 16;
const _: () = assert!(AHEAD < u32::BITS as usize, "a bit for each line");

/// Most connections whose lines are recognised together.
pub(crate) const CONNS_TOGETHER: usize = 8;
const _: () = assert!(CONNS_TOGETHER < u32::BITS as usize, "a bit for each line");

/// A line that was recognised, its bytes, and where to look for its key.
struct Ahead<'a> {
    line: Frequent<'a>,
    /// The line, with its data block.
    whole: &'a [u8],
    spot: Spot,
}

type Lines<'a> = ArrayVec<Ahead<'a>, AHEAD>;

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
        let mut lines = Lines::new();
        self.recognise_all(&mut lines, input, *commands_left);
        self.carry_out_lines(&mut lines, session, out, commands_left)
    }

    /// The same up to the first line that its client may not do: that is judged and answered when it comes to be the first.
    #[inline(always)]
    pub(super) fn several_allowed(
        &self,
        session: &mut Session,
        input: &[u8],
        out: &mut Vec<u8>,
        commands_left: &mut u32,
    ) -> Used {
        let pass = session.pass.as_deref();
        let Some(allowed) = pass.and_then(|pass| Allowed::to(pass, input)) else {
            return (0, None);
        };
        let mut lines = Lines::new();
        let left = *commands_left;
        if allowed.long {
            self.recognise_allowed::<{ Word::LEN_MAX }>(&mut lines, input, left, &allowed);
        } else {
            self.recognise_allowed::<{ Word::SHORT_MAX }>(&mut lines, input, left, &allowed);
        }
        self.carry_out_lines(&mut lines, session, out, commands_left)
    }

    /// Recognises the frequent lines at the front of the input. This, its twin, what sets are recognised by and what carries
    /// lines out are functions of their own because each alone has registers enough: in one a get 16 deep took 10 instructions
    /// more, and 45 with rights.
    #[inline(never)]
    fn recognise_all<'i>(&self, lines: &mut Lines<'i>, input: &'i [u8], commands_left: u32) {
        self.recognise(lines, input, commands_left, frequent_get, frequent_set);
    }

    /// The same up to the first that is not allowed.
    #[inline(never)]
    fn recognise_allowed<'i, const N: usize>(
        &self,
        lines: &mut Lines<'i>,
        input: &'i [u8],
        commands_left: u32,
        allowed: &Allowed<'_>,
    ) {
        let get = |rest| frequent_get(rest).filter(|_| allowed.get.cover_that_of::<N>(rest));
        let set = |rest| frequent_set(rest).filter(|_| allowed.set.cover_that_of::<N>(rest));
        self.recognise(lines, input, commands_left, get, set);
    }

    /// Takes gets as long as there are any, then sets, and so on.
    #[inline(always)]
    fn recognise<'i>(
        &self,
        lines: &mut Lines<'i>,
        input: &'i [u8],
        commands_left: u32,
        get: impl Fn(&'i [u8]) -> Option<Frequent<'i>>,
        set: impl Fn(&'i [u8]) -> Option<Frequent<'i>>,
    ) {
        let most = AHEAD.min(commands_left as usize);
        let mut rest = input;
        loop {
            rest = self.recognise_each(lines, most, rest, &get);
            if lines.len() == most || !rest.starts_with(b"set ") {
                return;
            }
            let before = lines.len();
            rest = self.recognise_sets(lines, most, rest, &set);
            if lines.len() == before {
                return;
            }
        }
    }

    /// [`Self::recognise_each`] where it is not on the way of gets.
    #[inline(never)]
    fn recognise_sets<'i>(
        &self,
        lines: &mut Lines<'i>,
        most: usize,
        rest: &'i [u8],
        set: impl Fn(&'i [u8]) -> Option<Frequent<'i>>,
    ) -> &'i [u8] {
        self.recognise_each(lines, most, rest, set)
    }

    /// Recognises lines as long as there is another; returns what is left of the input.
    #[inline(always)]
    fn recognise_each<'i>(
        &self,
        lines: &mut Lines<'i>,
        most: usize,
        mut rest: &'i [u8],
        another: impl Fn(&'i [u8]) -> Option<Frequent<'i>>,
    ) -> &'i [u8] {
        while lines.len() < most
            && let Some(line) = another(rest)
            && let Some((whole, behind)) = rest.split_at_checked(line.end())
        {
            let spot = self.spot(line.key(whole));
            lines.push(Ahead { line, whole, spot });
            rest = behind;
        }
        rest
    }

    /// Carries out lines that were recognised, one after another.
    #[inline(never)]
    fn carry_out_lines(
        &self,
        lines: &mut Lines<'_>,
        session: &mut Session,
        out: &mut Vec<u8>,
        commands_left: &mut u32,
    ) -> Used {
        self.warm(lines);
        let mut used = 0;
        for Ahead { line, whole, spot } in lines {
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
