//! Values that say where they belong, and random numbers that can be played again.

/// A small generator (splitmix64), so that a printed seed gives the same run everywhere.
pub(crate) struct Rng(u64);

impl Rng {
    /// The same numbers for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// `SEED` from the environment, else one from the clock, and says which, so that a failure can be replayed.
    pub(crate) fn seed(test: &str) -> u64 {
        let seed = match std::env::var("SEED") {
            Ok(text) => text.parse().expect("SEED is a number"),
            Err(_) => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(1, |d| d.as_nanos() as u64),
        };
        eprintln!("{test}: SEED={seed}");
        seed
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// One of them.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    /// True once in `n` times.
    pub(crate) fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Random bytes.
    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// A value of a given length that belongs to this key alone: a mixed-up value is seen, whatever its length.
pub(crate) fn value(key: &str, len: usize) -> Vec<u8> {
    let tag = format!("{key}#{len};");
    let mut text = tag.repeat(len / tag.len() + 1).into_bytes();
    text.truncate(len);
    text
}

/// An endless text of which any stretch can be made again: for values too large to be kept.
pub(crate) struct Pattern {
    rng: Rng,
}

impl Pattern {
    /// The text of this number.
    pub(crate) fn new(number: u64) -> Self {
        Self {
            rng: Rng::new(number),
        }
    }

    /// The next stretch of the text; `len` is a multiple of 8.
    pub(crate) fn take(&mut self, len: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(len);
        while out.len() < len {
            out.extend_from_slice(&self.rng.next().to_le_bytes());
        }
        out
    }
}
