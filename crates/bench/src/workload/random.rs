//! Numbers that look random and are the same in every run: splitmix64 as a hash and as a generator.

/// The golden ratio as a 64-bit fraction: splitmix64's step.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The output of splitmix64 whose state was `x` before the call; as a function of `x` a good hash.
pub(crate) fn splitmix64(x: u64) -> u64 {
    let mut z = x.wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A generator for choosing keys; not for secrets.
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: splitmix64(seed),
        }
    }

    pub(crate) fn next(&mut self) -> u64 {
        let out = splitmix64(self.state);
        self.state = self.state.wrapping_add(STEP);
        out
    }

    /// Below `bound`, by multiplication instead of division; the bias is under 2^-32 for any number of keys we use.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// In [0, 1), 53 bits of it.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_matches_the_published_sequence() {
        // The first outputs for the seed 1234567, as in Rosetta Code's task on splitmix64.
        let mut state = 1_234_567u64;
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(splitmix64(state));
            state = state.wrapping_add(STEP);
        }
        assert_eq!(
            seen,
            [
                6457827717110365317,
                3203168211198807973,
                9817491932198370423
            ]
        );
    }

    #[test]
    fn below_stays_below_and_reaches_both_ends() {
        let mut random = Random::new(1);
        let seen: std::collections::HashSet<u64> = (0..1000).map(|_| random.below(7)).collect();
        assert_eq!(seen.len(), 7);
        assert!(seen.iter().all(|&n| n < 7));
    }
}
