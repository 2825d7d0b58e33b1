//! Frames of the binary protocol: requests made, replies read.

use super::conn::Conn;

/// Bytes of a frame's header.
pub(crate) const HEADER_LEN: usize = 24;

/// A request. What is not said is empty, or 0.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Frame<'a> {
    pub(crate) opcode: u8,
    pub(crate) extras: &'a [u8],
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) opaque: u32,
    pub(crate) cas: u64,
}

impl Frame<'_> {
    /// Nothing but a header.
    pub(crate) fn bare(opcode: u8) -> Self {
        Self {
            opcode,
            ..Self::default()
        }
    }

    /// As it is sent.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let body_len = self.extras.len() + self.key.len() + self.value.len();
        let mut bytes = vec![0x80, self.opcode];
        bytes.extend((self.key.len() as u16).to_be_bytes());
        bytes.extend([self.extras.len() as u8, 0, 0, 0]);
        bytes.extend((body_len as u32).to_be_bytes());
        bytes.extend(self.opaque.to_be_bytes());
        bytes.extend(self.cas.to_be_bytes());
        bytes.extend([self.extras, self.key, self.value].concat());
        bytes
    }
}

/// A request as it is sent: opcode, CAS unique, extras, key and value.
pub(crate) fn frame(
    opcode: u8,
    cas: u64,
    extras: &[u8],
    key: impl AsRef<[u8]>,
    value: &[u8],
) -> Vec<u8> {
    Frame {
        extras,
        key: key.as_ref(),
        value,
        cas,
        ..Frame::bare(opcode)
    }
    .bytes()
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) opcode: u8,
    pub(crate) status: u16,
    pub(crate) opaque: u32,
    pub(crate) cas: u64,
    pub(crate) extras: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

impl Reply {
    /// The next one that comes.
    pub(crate) fn read(conn: &mut Conn) -> Self {
        let head = conn.exactly(HEADER_LEN);
        assert_eq!(head[0], 0x81, "no reply begins so: {head:02x?}");
        let number = |from: usize, to: usize| {
            let bytes = head[from..to].iter();
            bytes.fold(0, |number: u64, &byte| number << 8 | u64::from(byte))
        };
        let (key_len, extras_len) = (number(2, 4) as usize, usize::from(head[4]));
        let mut extras = conn.exactly(number(8, 12) as usize);
        let mut key = extras.split_off(extras_len);
        let value = key.split_off(key_len);
        Self {
            opcode: head[1],
            status: number(6, 8) as u16,
            opaque: number(12, 16) as u32,
            cas: number(16, 24),
            extras,
            key,
            value,
        }
    }

    /// A reply's body, whatever its parts.
    pub(crate) fn body(&self) -> Vec<u8> {
        [&self.extras[..], &self.key, &self.value].concat()
    }
}
