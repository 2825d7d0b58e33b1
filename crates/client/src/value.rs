//! What is stored and what comes back: bytes, client flags, and the item's version.

use bytes::Bytes;

/// The version of an item. It changes with every store; to be given back to [`crate::Client::cas`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CasUnique(pub u64);

/// An item as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The value.
    pub data: Bytes,
    /// The client flags, a number that the server keeps and does not look at.
    pub flags: u32,
    /// The item's version. Of an item that came from the gutter it is 0, which no item has.
    pub cas: CasUnique,
}

/// When a value is to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreIf {
    /// In any case.
    Always,
    /// If there is no item: `add`.
    Absent,
    /// If there is an item: `replace`.
    Present,
    /// If the item is still the one that was read, by [`Value::cas`]: `cas`.
    Unchanged(CasUnique),
}

/// How a conditional store ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stored {
    /// It is stored.
    Stored,
    /// The condition of `add`, `replace`, `append` or `prepend` did not hold.
    NotStored,
    /// `cas`: the item has changed since it was read.
    Exists,
    /// `cas`: the item is gone.
    NotFound,
}

impl Stored {
    /// Whether it is stored.
    #[must_use]
    pub fn is_stored(self) -> bool {
        self == Self::Stored
    }
}

/// Bytes that can be stored. Those that are owned are not copied on the way.
pub trait IntoBytes {
    /// The bytes.
    fn into_bytes(self) -> Bytes;
}

impl IntoBytes for Bytes {
    fn into_bytes(self) -> Bytes {
        self
    }
}

impl IntoBytes for Vec<u8> {
    fn into_bytes(self) -> Bytes {
        self.into()
    }
}

impl IntoBytes for String {
    fn into_bytes(self) -> Bytes {
        self.into()
    }
}

impl<T: AsRef<[u8]> + ?Sized> IntoBytes for &T {
    fn into_bytes(self) -> Bytes {
        Bytes::copy_from_slice(self.as_ref())
    }
}
