//! How many connections each of many may have at once. A connection holds its seat until it is closed, wherever that
//! happens; so nobody has to be told of it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Weak};

/// One connection's seat.
pub(crate) type Seat = Arc<()>;

/// Seats by whose they are.
pub(crate) struct Seats<K> {
    taken: HashMap<K, Weak<()>>,
    /// How many entries there may be before those without a seat are swept out.
    sweep_at: usize,
}

impl<K> Default for Seats<K> {
    fn default() -> Self {
        Self {
            taken: HashMap::new(),
            sweep_at: 64,
        }
    }
}

impl<K: Eq + Hash> Seats<K> {
    /// A seat for one connection more, if there are fewer than `most` of its owner's; `most` is at least 1.
    pub(crate) fn take(&mut self, owner: K, most: usize) -> Option<Seat> {
        self.sweep();
        let taken = self.taken.entry(owner).or_default();
        match taken.upgrade() {
            // The one in hand is none.
            Some(seat) => (taken.strong_count() <= most).then_some(seat),
            None => {
                let seat = Seat::default();
                *taken = Arc::downgrade(&seat);
                Some(seat)
            }
        }
    }

    /// Forgets who has no seat any more, when there are twice as many as were left the last time.
    fn sweep(&mut self) {
        if self.taken.len() >= self.sweep_at {
            self.taken.retain(|_, seat| seat.strong_count() > 0);
            self.sweep_at = (2 * self.taken.len()).max(64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_owner_has_so_many_seats_and_no_more() {
        let mut seats = Seats::default();
        let mut held: Vec<Seat> = (0..3).filter_map(|_| seats.take("a", 3)).collect();
        assert_eq!(held.len(), 3);
        assert!(seats.take("a", 3).is_none() && seats.take("b", 3).is_some());
        held.pop();
        assert!(seats.take("a", 3).is_some(), "one was given back");
        held.extend(seats.take("a", 3));
        assert!(seats.take("a", 3).is_none());
        held.clear();
        assert!(seats.take("a", 1).is_some());
    }

    #[test]
    fn owners_without_seats_are_forgotten() {
        let mut seats = Seats::default();
        for owner in 0..10_000 {
            assert!(seats.take(owner, 1).is_some());
        }
        assert!(seats.taken.len() <= 64, "{}", seats.taken.len());
        let held: Vec<_> = (0..1000).map(|owner| seats.take(owner, 1)).collect();
        assert!(held.iter().all(Option::is_some));
        assert!((0..1000).all(|owner| seats.take(owner, 1).is_none()));
    }
}
