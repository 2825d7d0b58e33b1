//! What share of the requests are sets, and how many keys a get asks for.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use super::random::Random;

/// So many sets to so many gets, written `1:10`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mix {
    sets: u64,
    gets: u64,
}

impl Mix {
    pub(crate) const GETS: Self = Self { sets: 0, gets: 1 };
    pub(crate) const SETS: Self = Self { sets: 1, gets: 0 };
    pub(crate) const ONE_SET_IN_TEN_GETS: Self = Self { sets: 1, gets: 10 };

    /// Whether the next request is a set. Drawn, not counted out: connections must not fall into step.
    pub(crate) fn next_is_set(self, random: &mut Random) -> bool {
        match (self.sets, self.gets) {
            (0, _) => false,
            (_, 0) => true,
            (sets, gets) => random.below(sets + gets) < sets,
        }
    }
}

impl FromStr for Mix {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (sets, gets) = text
            .split_once(':')
            .context("a mix is written SETS:GETS, for example 1:10")?;
        let number = |text: &str| {
            text.parse::<u32>()
                .with_context(|| format!("{text:?} is not a number"))
        };
        let mix = Self {
            sets: number(sets)?.into(),
            gets: number(gets)?.into(),
        };
        if mix.sets + mix.gets == 0 {
            bail!("a mix of no sets and no gets asks for nothing");
        }
        Ok(mix)
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.sets, self.gets) {
            (0, _) => write!(f, "gets only"),
            (_, 0) => write!(f, "sets only"),
            (sets, gets) => write!(f, "{sets} set to {gets} gets"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_the_share_it_names() {
        let mut random = Random::new(3);
        let mix: Mix = "1:10".parse().unwrap();
        let sets = (0..110_000)
            .filter(|_| mix.next_is_set(&mut random))
            .count();
        assert!((9_500..10_500).contains(&sets), "{sets} sets of 110,000");
        assert!(!Mix::GETS.next_is_set(&mut random) && Mix::SETS.next_is_set(&mut random));
        for wrong in ["0:0", "1", "a:1", "1:-1"] {
            assert!(wrong.parse::<Mix>().is_err(), "{wrong} should be refused");
        }
    }
}
