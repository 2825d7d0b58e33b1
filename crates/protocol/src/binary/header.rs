//! The header that begins every frame, request and reply alike.

/// Bytes of a header.
pub const HEADER_LEN: usize = 24;

/// First byte of a request.
pub const REQUEST_MAGIC: u8 = 0x80;

/// First byte of a reply.
pub const REPLY_MAGIC: u8 = 0x81;

/// What a reply repeats of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// The [opcode](super::opcode) as sent; a quiet command keeps its own.
    pub opcode: u8,
    /// The client's own number, not looked at.
    pub opaque: u32,
}

/// What a request's header says, and we look at.
pub(super) struct Header {
    pub(super) echo: Echo,
    pub(super) key_len: u16,
    pub(super) extras_len: u8,
    /// Bytes of extras, key and value; a header may lie.
    pub(super) body_len: u32,
    pub(super) cas: u64,
}

impl Header {
    #[inline]
    pub(super) fn read(bytes: &[u8; HEADER_LEN]) -> Self {
        // Data type (5) and vbucket (6, 7) mean nothing to a cache.
        let [
            _,
            opcode,
            k0,
            k1,
            extras_len,
            _,
            _,
            _,
            b0,
            b1,
            b2,
            b3,
            o0,
            o1,
            o2,
            o3,
            cas @ ..,
        ] = *bytes;
        let opaque = u32::from_be_bytes([o0, o1, o2, o3]);
        Self {
            echo: Echo { opcode, opaque },
            key_len: u16::from_be_bytes([k0, k1]),
            extras_len,
            body_len: u32::from_be_bytes([b0, b1, b2, b3]),
            cas: u64::from_be_bytes(cas),
        }
    }

    /// Bytes of header, extras and key.
    #[inline]
    pub(super) fn head_len(&self) -> usize {
        HEADER_LEN + usize::from(self.extras_len) + usize::from(self.key_len)
    }

    /// Bytes of the value. `None` if the body is too short for extras and key: the header contradicts itself.
    #[inline]
    pub(super) fn value_len(&self) -> Option<u32> {
        self.body_len
            .checked_sub(u32::from(self.extras_len) + u32::from(self.key_len))
    }
}
