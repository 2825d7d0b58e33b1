//! Who comes in regularly, and from where. They do not wait for what others at their address get wrong, as long as that is
//! little: else guesses at their passwords could be tried without delay.

use std::collections::HashMap;

use crate::address::Address;
use crate::limits::{GUESSES_MAX, REGULARS_MAX};

/// From where somebody comes in, none being a Unix socket, and the user's name.
pub(super) type Regular = (Option<Address>, Box<[u8]>);

/// All of them, and how many wrong passwords each has been tried with since.
#[derive(Default)]
pub(super) struct Regulars(HashMap<Regular, u32>);

impl Regulars {
    /// Takes note of somebody who has come in, as others do.
    pub(super) fn insert(&mut self, regular: Regular) {
        if self.0.len() >= REGULARS_MAX && !self.contains(&regular) {
            self.0.clear();
        }
        self.0.insert(regular, 0);
    }

    pub(super) fn contains(&self, regular: &Regular) -> bool {
        self.0.contains_key(regular)
    }

    /// Takes note of a password that was not known of somebody who is one. After too many it is no longer one.
    pub(super) fn guessed(&mut self, regular: &Regular) {
        if let Some(guesses) = self.0.get_mut(regular) {
            *guesses += 1;
            if *guesses == GUESSES_MAX {
                self.0.remove(regular);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regular(number: u32) -> Regular {
        let address = Address::of(Some((number.to_be_bytes(), 1).into()));
        (address, b"ann"[..].into())
    }

    #[test]
    fn few_guesses_change_nothing_and_many_do() {
        let mut regulars = Regulars::default();
        regulars.insert(regular(1));
        regulars.insert(regular(2));
        for round in 0..2 {
            for _ in 0..GUESSES_MAX {
                assert!(regulars.contains(&regular(1)), "round {round}");
                regulars.guessed(&regular(1));
            }
            assert!(!regulars.contains(&regular(1)) && regulars.contains(&regular(2)));
            regulars.guessed(&regular(1));
            assert!(!regulars.contains(&regular(1)));
            // Whoever comes in as others do begins anew.
            regulars.insert(regular(1));
        }
    }

    #[test]
    fn no_more_are_kept_than_may_be() {
        let mut regulars = Regulars::default();
        for number in 0..2 * REGULARS_MAX as u32 {
            regulars.insert(regular(number));
            assert!(regulars.contains(&regular(number)));
        }
        assert!(regulars.0.len() <= REGULARS_MAX);
    }
}
