//! Decisions out of a fuzzer's bytes: what is the same in two inputs decides the same in both.

/// The bytes that are left. When there are none, the first choice is always taken.
pub struct Dice<'a> {
    bytes: &'a [u8],
    /// Whether text commands ask for their replies, all of them.
    pub loud: bool,
    /// Whether clients may choose CAS uniques.
    pub chooses_cas: bool,
}

/// Lengths of values: of one chunk, of several, and of more than one borrow copies; the last is too long.
const LENS: &[usize] = &[
    0, 1, 9, 60, 500, 3_000, 4_030, 4_096, 5_000, 16_383, 16_384, 40_000, 65_536, 65_537, 70_000,
    140_000, 300_000, 600_000, 1_048_000, 1_048_576,
];

/// Values that are numbers, or nearly.
const NUMBERS: &[&str] = &[
    "0",
    "9",
    "10",
    "99",
    "12345",
    " 12",
    "12 x",
    "00012",
    "abc",
    "-5",
    "1.5",
    "12\n",
    "18446744073709551615",
    "18446744073709551616",
];

const KEYS: &[&[u8]] = &[b"a", b"b", b"n", b"m", b"key:1", b"k\x01\t", &[b'l'; 250]];

/// Keys that only frames can have.
const FRAME_KEYS: &[&[u8]] = &[b"with a blank", b"two\nlines"];

impl<'a> Dice<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            loud: false,
            chooses_cas: true,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        byte
    }

    /// A number below `n`, which is at most 256.
    pub fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    pub fn key(&mut self) -> &'static [u8] {
        self.pick(KEYS)
    }

    /// A key of the binary protocol's.
    pub fn frame_key(&mut self) -> &'static [u8] {
        if self.once_in(6) {
            self.pick(FRAME_KEYS)
        } else {
            self.key()
        }
    }

    pub fn flags(&mut self) -> u32 {
        self.pick(&[0, 0, 1, u32::MAX])
    }

    /// A CAS unique: few are given out, so that one of them is soon met.
    pub fn cas(&mut self) -> u64 {
        u64::from(self.byte() / 2)
    }

    pub fn delta(&mut self) -> u64 {
        self.pick(&[0, 1, 7, 95, 1_000_000, u64::MAX])
    }

    pub fn value(&mut self) -> Vec<u8> {
        let choice = usize::from(self.byte());
        if choice < 128 {
            return NUMBERS[choice % NUMBERS.len()].into();
        }
        let len = LENS[choice % LENS.len()];
        let from = self.below(26);
        let text = b"abcdefghijklmnopqrstuvwxyz".repeat(len / 26 + 2);
        text[from..from + len].to_vec()
    }
}
