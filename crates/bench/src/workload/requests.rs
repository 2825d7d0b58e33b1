//! The stream of requests that one thread sends: which verb, which keys, until there are no more to send.

use std::ops::Range;

use super::asking::Asking;
use super::data::Data;
use super::mix::Mix;
use super::popularity::{Popularity, Zipf};
use super::random::Random;
use crate::replies::Expected;

/// How keys are picked.
#[derive(Clone, Debug)]
pub(crate) enum Picks {
    /// Each id of a range once, in order; when it is exhausted, the stream ends.
    InOrder(Range<u64>),
    /// Any of so many, as popular as they are.
    Random { keys: u64, popularity: Popularity },
}

impl Picks {
    /// The part of thread `index` of `threads`; a range is cut, a random choice is the same for all.
    pub(crate) fn part(&self, index: u64, threads: u64) -> Self {
        match self {
            Self::InOrder(range) => {
                let length = range.end - range.start;
                Self::InOrder(
                    range.start + length * index / threads
                        ..range.start + length * (index + 1) / threads,
                )
            }
            random @ Self::Random { .. } => random.clone(),
        }
    }
}

enum Picker {
    InOrder(Range<u64>),
    Uniform(u64),
    Zipf(Zipf),
}

impl Picker {
    fn new(picks: Picks) -> Self {
        match picks {
            Picks::InOrder(range) => Self::InOrder(range),
            Picks::Random {
                keys,
                popularity: Popularity::Uniform,
            } => Self::Uniform(keys),
            Picks::Random {
                keys,
                popularity: Popularity::Zipf(theta),
            } => Self::Zipf(Zipf::new(keys, theta)),
        }
    }

    fn pick(&mut self, random: &mut Random) -> Option<u64> {
        match self {
            Self::InOrder(range) => range.next(),
            Self::Uniform(keys) => Some(random.below(*keys)),
            Self::Zipf(zipf) => Some(zipf.draw(random)),
        }
    }
}

/// A thread's stream of requests.
pub(crate) struct Requests {
    picker: Picker,
    mix: Mix,
    asking: Asking,
    random: Random,
    /// How many are still to be sent; never reached when time is what ends the run.
    left: u64,
}

impl Requests {
    pub(crate) fn new(
        picks: Picks,
        mix: Mix,
        asking: Asking,
        seed: u64,
        limit: Option<u64>,
    ) -> Self {
        Self {
            picker: Picker::new(picks),
            mix,
            asking,
            random: Random::new(seed),
            left: limit.unwrap_or(u64::MAX),
        }
    }

    /// No more after those that were sent.
    pub(crate) fn stop(&mut self) {
        self.left = 0;
    }

    pub(crate) fn are_over(&self) -> bool {
        self.left == 0
    }

    /// Appends the next request to `out` and notes what must come back; false when there is none.
    pub(crate) fn next(
        &mut self,
        data: &Data,
        sent_ns: u64,
        out: &mut Vec<u8>,
        expected: &mut Expected,
    ) -> bool {
        if self.left == 0 {
            return false;
        }
        let Some(id) = self.picker.pick(&mut self.random) else {
            self.left = 0;
            return false;
        };
        self.left -= 1;
        if self.mix.next_is_set(&mut self.random) {
            data.write_set(id, out);
            expected.push_set(sent_ns);
        } else {
            let (picker, random) = (&mut self.picker, &mut self.random);
            let more = (1..self.asking.keys()).map_while(|_| picker.pick(random));
            let ids = std::iter::once(id).chain(more);
            self.asking.write(ids, data, sent_ns, out, expected);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{KeyNames, ValueSizes};

    #[test]
    fn a_range_is_cut_without_gaps() {
        let whole = Picks::InOrder(3..20);
        let mut next = 3;
        for index in 0..5 {
            let Picks::InOrder(part) = whole.part(index, 5) else {
                panic!("a range stays a range")
            };
            assert_eq!(part.start, next);
            next = part.end;
        }
        assert_eq!(next, 20);
    }

    #[test]
    fn gets_of_several_keys_end_with_the_range() {
        let data = Data {
            keys: KeyNames::Padded(3),
            sizes: ValueSizes::Fixed(1),
        };
        let mut requests = Requests::new(Picks::InOrder(0..5), Mix::GETS, Asking::Get(2), 1, None);
        let (mut out, mut expected) = (Vec::new(), Expected::default());
        while requests.next(&data, 0, &mut out, &mut expected) {}
        assert_eq!(out, b"get k00 k01\r\nget k02 k03\r\nget k04\r\n");
        assert_eq!(expected.len(), 3);
        assert!(requests.are_over());
    }

    #[test]
    fn gets_in_other_protocols() {
        let data = Data {
            keys: KeyNames::Padded(3),
            sizes: ValueSizes::Fixed(1),
        };
        let mut frame = b"\x80\x0c\0\x03\0\0\0\0\0\0\0\x03".to_vec();
        frame.extend([0; 12]);
        frame.extend(b"k07");
        for (asking, bytes) in [
            (Asking::Meta("v f t"), &b"mg k07 v f t\r\n"[..]),
            (Asking::Getk, &frame),
        ] {
            let mut requests = Requests::new(Picks::InOrder(7..8), Mix::GETS, asking, 1, None);
            let (mut out, mut expected) = (Vec::new(), Expected::default());
            assert!(requests.next(&data, 0, &mut out, &mut expected));
            assert_eq!((&out[..], expected.len()), (bytes, 1));
        }
    }
}
