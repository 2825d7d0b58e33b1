//! How an item lies in its chunk: header, client flags if any, key, value; nothing is stored twice.
//!
//! ```text
//! item  | use 1 | key length 1 | marks 1 | - 1 | exptime 4 | accessed 4 | value length 4 | CAS unique 8 | key | [flags 4] | value |
//! head  | the same, but in place of the value: the number of its chain, 4                                     |
//! piece | use 1 |      begin 3              | next 4    | chain 4    | length 4       | room, bytes of the value, room        |
//! ```
//!
//! A value that fits no chunk makes a *chunked item*: its head and a chain of pieces (see `chain`). All numbers are
//! little-endian; fields are read and written in place, so there is no decoded copy to keep in step.

use crate::chunk::ChunkId;
use crate::limits::{CHUNK_MAX, KEY_MAX};

/// Bytes of an item's header.
pub(crate) const HEADER: usize = 24;
/// Bytes of a piece's header.
pub(crate) const PIECE_HEADER: usize = 16;
/// Bytes that a chunked item's head has in place of the value.
pub(crate) const CHAIN: usize = 4;

const _: () = assert!(
    HEADER + 4 + KEY_MAX + CHAIN <= CHUNK_MAX,
    "a head fits in one chunk"
);

const USE: usize = 0;
const KEY_LEN: usize = 1;
const MARKS: usize = 2;
const EXPTIME: usize = 4;
const ACCESSED: usize = 8;
const VALUE_LEN: usize = 12;
const CAS: usize = 16;
const BEGIN: usize = 1;
const NEXT: usize = 4;
const CHAIN_NUMBER: usize = 8;
const LEN: usize = 12;

/// Seconds since shortly before the process started; 0 as an exptime means never.
pub type RelTime = u32;

/// What a chunk is used for: the two lowest bits of its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChunkState {
    /// Nothing; part of its page's free list.
    Free,
    /// An item that the index knows.
    Item,
    /// Part of a chunked item's value, or of a value on its way in.
    Piece,
    /// A chunked item that the index no longer knows, kept for those who are reading it.
    Orphan,
}

const STATE: u8 = 0b0000_0011;
/// How often the item was fetched since eviction last looked, up to 3.
const HEAT: u8 = 0b0000_1100;
const HEAT_ONE: u8 = 0b0000_0100;
const HAS_FLAGS: u8 = 0b0001_0000;
const CHUNKED: u8 = 0b0010_0000;
const PINNED: u8 = 0b0100_0000;
const FETCHED: u8 = 0b1000_0000;

/// Marks of the meta commands, see `meta`.
pub(crate) const WON: u8 = 0b0000_0001;
pub(crate) const STALE: u8 = 0b0000_0010;
pub(crate) const BINARY_KEY: u8 = 0b0000_0100;
/// A value that is on its way in is to replace this one, see `pending`.
pub(crate) const OUTDATED: u8 = 0b0000_1000;

/// The four bytes at a place that is known when compiling, within a front of known length: no check is left.
#[inline(always)]
fn field<const AT: usize, const LEN: usize>(front: &[u8; LEN]) -> u32 {
    u32::from_le_bytes([front[AT], front[AT + 1], front[AT + 2], front[AT + 3]])
}

#[inline]
fn set_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// A chunk's first bytes and the rest.
#[inline(always)]
fn split<const LEN: usize>(chunk: &[u8]) -> (&[u8; LEN], &[u8]) {
    chunk
        .split_first_chunk()
        .expect("invariant: a chunk is longer than a header (CHUNK_MIN)")
}

/// The state of the chunk whose bytes these are.
#[inline]
pub(crate) fn state(chunk: &[u8]) -> ChunkState {
    match chunk[USE] & STATE {
        0 => ChunkState::Free,
        1 => ChunkState::Item,
        2 => ChunkState::Piece,
        _ => ChunkState::Orphan,
    }
}

/// Marks the chunk as free and links it to the next free chunk of its page.
pub(crate) fn set_free(chunk: &mut [u8], next: u16) {
    chunk[USE] = ChunkState::Free as u8;
    chunk[2..4].copy_from_slice(&next.to_le_bytes());
}

/// The next free chunk of the page.
pub(crate) fn next_free(chunk: &[u8]) -> u16 {
    u16::from_le_bytes([chunk[2], chunk[3]])
}

/// What a new item is made of, but for its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) flags: u32,
    pub(crate) exptime: RelTime,
    pub(crate) cas: u64,
    pub(crate) value_len: u32,
    pub(crate) now: RelTime,
}

/// Bytes in front of the value: header, client flags if any, key.
#[inline]
pub(crate) fn front_len(key_len: usize, flags: u32) -> usize {
    HEADER + if flags == 0 { 0 } else { 4 } + key_len
}

/// An item, to be read.
#[derive(Clone, Copy)]
pub(crate) struct Item<'a> {
    front: &'a [u8; HEADER],
    /// Client flags if any, key, value.
    rest: &'a [u8],
}

impl<'a> Item<'a> {
    /// The item in this chunk.
    #[inline(always)]
    pub(crate) fn new(chunk: &'a [u8]) -> Self {
        let (front, rest) = split(chunk);
        Self { front, rest }
    }
    #[inline]
    fn has(self, mark: u8) -> bool {
        self.front[USE] & mark != 0
    }
    #[inline]
    pub(crate) fn state(self) -> ChunkState {
        state(self.front)
    }
    #[inline]
    pub(crate) fn chunked(self) -> bool {
        self.has(CHUNKED)
    }
    #[inline]
    pub(crate) fn pinned(self) -> bool {
        self.has(PINNED)
    }
    #[inline]
    pub(crate) fn fetched(self) -> bool {
        self.has(FETCHED)
    }
    #[inline]
    pub(crate) fn marks(self) -> u8 {
        self.front[MARKS]
    }
    #[inline]
    pub(crate) fn heat(self) -> u8 {
        (self.front[USE] & HEAT) >> 2
    }
    #[inline]
    pub(crate) fn exptime(self) -> RelTime {
        field::<EXPTIME, HEADER>(self.front)
    }
    /// Whether the item's time is over.
    #[inline]
    pub(crate) fn expired(self, now: RelTime) -> bool {
        let exptime = self.exptime();
        exptime != 0 && exptime <= now
    }
    #[inline]
    pub(crate) fn accessed(self) -> RelTime {
        field::<ACCESSED, HEADER>(self.front)
    }
    #[inline]
    pub(crate) fn value_len(self) -> u32 {
        field::<VALUE_LEN, HEADER>(self.front)
    }
    #[inline]
    pub(crate) fn cas(self) -> u64 {
        let (low, high) = (
            field::<CAS, HEADER>(self.front),
            field::<{ CAS + 4 }, HEADER>(self.front),
        );
        u64::from(high) << 32 | u64::from(low)
    }
    /// Whether it has this CAS unique; 0 is any.
    #[inline]
    pub(crate) fn has_cas(self, unique: u64) -> bool {
        unique == 0 || unique == self.cas()
    }
    #[inline]
    pub(crate) fn flags(self) -> u32 {
        if self.has(HAS_FLAGS) {
            field::<0, 4>(split(&self.rest[self.key_len()..]).0)
        } else {
            0
        }
    }
    #[inline]
    fn key_len(self) -> usize {
        self.front[KEY_LEN] as usize
    }
    #[inline]
    pub(crate) fn key(self) -> &'a [u8] {
        &self.rest[..self.key_len()]
    }
    /// The 32 bytes that the key begins, in a chunk that has as many.
    #[inline]
    pub(crate) fn key_block(self) -> Option<&'a [u8; 32]> {
        self.rest.first_chunk()
    }
    /// Where in the rest the value, or a chunked item's chain, begins.
    #[inline]
    fn value_start(self) -> usize {
        self.key_len() + if self.has(HAS_FLAGS) { 4 } else { 0 }
    }
    /// Where in the chunk the value, or a chunked item's chain, begins.
    #[inline]
    pub(crate) fn front_len(self) -> usize {
        HEADER + self.value_start()
    }
    /// The value of an item that is not chunked.
    #[inline]
    pub(crate) fn value(self) -> &'a [u8] {
        let start = self.value_start();
        &self.rest[start..start + self.value_len() as usize]
    }
    /// The number of a chunked item's chain.
    pub(crate) fn chain(self) -> usize {
        field::<0, 4>(split(&self.rest[self.value_start()..]).0) as usize
    }
    /// Bytes that the item asks for: header, client flags, key and value.
    #[inline]
    pub(crate) fn size(self) -> usize {
        self.front_len() + self.value_len() as usize
    }
}

/// An item's chunk, to be changed.
pub(crate) struct ItemMut<'a>(pub(crate) &'a mut [u8]);

impl ItemMut<'_> {
    /// Writes header, key and client flags; the value's bytes are left for the caller. Returns where they begin.
    #[inline]
    pub(crate) fn write_front(&mut self, head: &Head<'_>, chunked: bool) -> usize {
        let mut marks = ChunkState::Item as u8;
        if head.flags != 0 {
            marks |= HAS_FLAGS;
        }
        if chunked {
            marks |= CHUNKED;
        }
        let mut front = [0; HEADER];
        front[USE] = marks;
        front[KEY_LEN] = head.key.len() as u8;
        front[EXPTIME..EXPTIME + 4].copy_from_slice(&head.exptime.to_le_bytes());
        front[ACCESSED..ACCESSED + 4].copy_from_slice(&head.now.to_le_bytes());
        front[VALUE_LEN..VALUE_LEN + 4].copy_from_slice(&head.value_len.to_le_bytes());
        front[CAS..CAS + 8].copy_from_slice(&head.cas.to_le_bytes());
        self.0[..HEADER].copy_from_slice(&front);
        let at = HEADER + head.key.len();
        self.0[HEADER..at].copy_from_slice(head.key);
        if head.flags == 0 {
            return at;
        }
        set_u32(self.0, at, head.flags);
        at + 4
    }

    /// Counts a fetch: eviction will see it, and when it was.
    #[inline]
    pub(crate) fn fetch(&mut self, now: RelTime) {
        if let Some(front) = self.0.first_chunk_mut::<HEADER>() {
            let marks = front[USE];
            let hottest = marks & HEAT == HEAT;
            front[USE] = if hottest { marks } else { marks + HEAT_ONE } | FETCHED;
            front[ACCESSED..ACCESSED + 4].copy_from_slice(&now.to_le_bytes());
        }
    }
    #[inline]
    pub(crate) fn set_accessed(&mut self, now: RelTime) {
        set_u32(self.0, ACCESSED, now);
    }
    /// Carries over how warm the item was, when it is written anew or moved.
    pub(crate) fn set_heat(&mut self, heat: u8, fetched: bool) {
        let kept = self.0[USE] & !(HEAT | FETCHED);
        self.0[USE] = kept | (heat << 2) | if fetched { FETCHED } else { 0 };
    }
    /// Eviction looked and went on.
    pub(crate) fn cool(&mut self) {
        if self.0[USE] & HEAT != 0 {
            self.0[USE] -= HEAT_ONE;
        }
    }
    pub(crate) fn set_exptime(&mut self, exptime: RelTime) {
        set_u32(self.0, EXPTIME, exptime);
    }
    pub(crate) fn set_marks(&mut self, marks: u8) {
        self.0[MARKS] = marks;
    }
    /// The value is another one: nobody has fetched it, nobody has won it, and it is not stale.
    pub(crate) fn renew(&mut self) {
        self.0[USE] &= !FETCHED;
        self.0[MARKS] &= BINARY_KEY;
    }
    pub(crate) fn set_cas(&mut self, cas: u64) {
        self.0[CAS..CAS + 8].copy_from_slice(&cas.to_le_bytes());
    }
    pub(crate) fn set_value_len(&mut self, value_len: u32) {
        set_u32(self.0, VALUE_LEN, value_len);
    }
    pub(crate) fn set_pinned(&mut self, pinned: bool) {
        if pinned {
            self.0[USE] |= PINNED;
        } else {
            self.0[USE] &= !PINNED;
        }
    }
    /// Taken out of the index while somebody still reads it.
    pub(crate) fn set_orphan(&mut self) {
        self.0[USE] |= ChunkState::Orphan as u8;
    }
    pub(crate) fn set_chain(&mut self, chain: usize) {
        let at = Item::new(self.0).front_len();
        set_u32(self.0, at, chain as u32);
    }
    /// The whole chunk behind the front: the value and the room behind it.
    #[inline]
    pub(crate) fn value_room(&mut self) -> &mut [u8] {
        let at = Item::new(self.0).front_len();
        &mut self.0[at..]
    }
}

/// A piece of a chunked item, to be read.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a>(pub(crate) &'a [u8]);

impl<'a> Piece<'a> {
    pub(crate) fn next(self) -> ChunkId {
        ChunkId(field::<NEXT, PIECE_HEADER>(split(self.0).0))
    }
    /// The number of the chain that the piece is part of.
    pub(crate) fn chain(self) -> usize {
        field::<CHAIN_NUMBER, PIECE_HEADER>(split(self.0).0) as usize
    }
    pub(crate) fn len(self) -> usize {
        field::<LEN, PIECE_HEADER>(split(self.0).0) as usize
    }
    /// Where in the room behind the header its bytes begin: so many still fit before them.
    pub(crate) fn begin(self) -> usize {
        // The byte before is another field.
        (field::<0, PIECE_HEADER>(split(self.0).0) >> 8) as usize
    }
    /// Where its bytes end.
    pub(crate) fn end(self) -> usize {
        self.begin() + self.len()
    }
    /// Bytes that still fit behind its own.
    pub(crate) fn room_behind(self) -> usize {
        self.0.len() - PIECE_HEADER - self.end()
    }
    /// Its bytes.
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.bytes_from(self.begin())
    }
    /// Its bytes from a place in its room on.
    pub(crate) fn bytes_from(self, place: usize) -> &'a [u8] {
        &self.0[PIECE_HEADER + place..PIECE_HEADER + self.end()]
    }
}

/// A piece of a chunked item, to be changed.
pub(crate) struct PieceMut<'a>(pub(crate) &'a mut [u8]);

impl PieceMut<'_> {
    /// Makes the chunk an empty piece of `chain`, with nothing behind it, to be filled from its end or its beginning.
    pub(crate) fn start(&mut self, chain: usize, from_end: bool) {
        self.0[USE] = ChunkState::Piece as u8;
        let room = self.0.len() - PIECE_HEADER;
        self.set_begin(if from_end { room } else { 0 });
        set_u32(self.0, NEXT, ChunkId::NONE.0);
        set_u32(self.0, CHAIN_NUMBER, chain as u32);
        set_u32(self.0, LEN, 0);
    }
    pub(crate) fn set_next(&mut self, next: ChunkId) {
        set_u32(self.0, NEXT, next.0);
    }
    fn set_begin(&mut self, begin: usize) {
        self.0[BEGIN..NEXT].copy_from_slice(&(begin as u32).to_le_bytes()[..NEXT - BEGIN]);
    }
    /// Takes as many of the first of `bytes` as fit behind its own; returns how many.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> usize {
        let piece = Piece(self.0);
        let (len, taken) = (piece.len(), bytes.len().min(piece.room_behind()));
        let at = PIECE_HEADER + piece.end();
        self.0[at..at + taken].copy_from_slice(&bytes[..taken]);
        set_u32(self.0, LEN, (len + taken) as u32);
        taken
    }
    /// Takes as many of the last of `bytes` as fit before its own; returns how many.
    pub(crate) fn prepend(&mut self, bytes: &[u8]) -> usize {
        let piece = Piece(self.0);
        let (len, taken) = (piece.len(), bytes.len().min(piece.begin()));
        let begin = piece.begin() - taken;
        let at = PIECE_HEADER + begin;
        self.0[at..at + taken].copy_from_slice(&bytes[bytes.len() - taken..]);
        self.set_begin(begin);
        set_u32(self.0, LEN, (len + taken) as u32);
        taken
    }
}
