//! The sizes that pages are cut into.
//!
//! Sizes grow by 8 bytes, then by about 6 %, from 32 bytes to 4 KiB, each rounded so that a page is used to its end;
//! after them comes one class whose chunk is a whole page. With memcached's factor of 1.25 an item wastes a tenth of
//! its chunk on average, here 3 %; the finer steps are affordable because pages are small and move between classes
//! freely.

use crate::limits::{CHUNK_MAX, CHUNK_MIN, PAGE_BYTES_MIN};

/// What is told as the class of pages that no class has.
pub(crate) const NO_CLASS: u8 = 0;

/// A 1-based slab class id, as `stats slabs` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClassId(u8);

/// Number of classes, the whole-page class included; ids go from 1 to this.
pub(crate) const CLASS_COUNT: usize = 55;

/// Whether a slab class has this 1-based id.
pub fn is_class(id: u32) -> bool {
    ClassId::from_id(id).is_some()
}

/// The class whose chunk is a whole page.
pub(crate) const PAGE_CLASS: ClassId = ClassId(CLASS_COUNT as u8);

/// Of the classes that share a page; the last is [`CHUNK_MAX`].
const SIZES: [u32; CLASS_COUNT - 1] = sizes();
const BY_SIZE: [u8; CHUNK_MAX / 8 + 1] = by_size();

const fn sizes() -> [u32; CLASS_COUNT - 1] {
    let mut sizes = [0; CLASS_COUNT - 1];
    let mut size = CHUNK_MIN;
    let mut i = 0;
    loop {
        // The largest multiple of 8 of which as many fit in a page.
        size = PAGE_BYTES_MIN / (PAGE_BYTES_MIN / size) / 8 * 8;
        sizes[i] = size as u32;
        i += 1;
        if size == CHUNK_MAX {
            break;
        }
        let grown = (size * 106 / 100).div_ceil(8) * 8;
        size = if grown > size + 8 { grown } else { size + 8 };
    }
    assert!(
        i == sizes.len(),
        "CLASS_COUNT must be the number of sizes and one"
    );
    sizes
}

const fn by_size() -> [u8; CHUNK_MAX / 8 + 1] {
    let mut table = [0; CHUNK_MAX / 8 + 1];
    let mut class = 0;
    let mut eighth = 0;
    while eighth < table.len() {
        if (SIZES[class] as usize) < eighth * 8 {
            class += 1;
        }
        table[eighth] = class as u8 + 1;
        eighth += 1;
    }
    table
}

impl ClassId {
    /// The class with the smallest chunk that holds `size` bytes, for sizes up to [`CHUNK_MAX`].
    #[inline]
    pub(crate) fn for_size(size: usize) -> Self {
        Self(BY_SIZE[size.div_ceil(8)])
    }

    /// Bytes of one chunk, where pages have `page_bytes`.
    #[inline]
    pub(crate) fn chunk_size(self, page_bytes: usize) -> usize {
        SIZES
            .get(self.index())
            .map_or(page_bytes, |&size| size as usize)
    }

    /// Position in an array of all classes.
    #[inline]
    pub(crate) fn index(self) -> usize {
        self.0 as usize - 1
    }

    /// The 1-based id; 0, [`NO_CLASS`], is none's.
    pub(crate) fn id(self) -> u8 {
        self.0
    }

    /// The class with this 1-based id, if there is one.
    pub(crate) fn from_id(id: u32) -> Option<Self> {
        (1..=CLASS_COUNT as u32)
            .contains(&id)
            .then_some(Self(id as u8))
    }

    /// Every class, smallest chunk first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (1..=CLASS_COUNT as u8).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_grow_and_each_fits() {
        for pair in SIZES.windows(2) {
            assert!(pair[0] < pair[1]);
        }
        for size in 1..=CHUNK_MAX {
            let class = ClassId::for_size(size);
            assert!(class.chunk_size(PAGE_BYTES_MIN) >= size);
            if class.index() > 0 {
                assert!(
                    (SIZES[class.index() - 1] as usize) < size,
                    "a smaller class would do for {size}"
                );
            }
        }
    }

    #[test]
    fn little_is_lost_at_the_end_of_a_page() {
        for class in ClassId::all() {
            let lost = PAGE_BYTES_MIN % class.chunk_size(PAGE_BYTES_MIN);
            assert!(lost * 40 < PAGE_BYTES_MIN, "class {class:?} loses {lost}");
        }
    }
}
