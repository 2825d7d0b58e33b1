//! What the tests of the binary protocol share: frames as a client writes them, and a client of `decode` that takes a
//! stream in pieces.

use larder_protocol::binary::opcode::*;
use larder_protocol::binary::{self, Command, Status};

/// A request; its lengths are those of its parts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) extras: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) opaque: u32,
    pub(crate) cas: u64,
}

impl Frame {
    pub(crate) fn new(opcode: u8, extras: &[u8], key: &[u8], value: &[u8]) -> Self {
        Self {
            opcode,
            extras: extras.to_vec(),
            key: key.to_vec(),
            value: value.to_vec(),
            opaque: 0xdead_beef,
            cas: 0,
        }
    }

    pub(crate) fn body_len(&self) -> u32 {
        u32::try_from(self.extras.len() + self.key.len() + self.value.len()).unwrap()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.saying(self.body_len())
    }

    /// The frame with a body length that need not be true.
    pub(crate) fn saying(&self, body_len: u32) -> Vec<u8> {
        let mut bytes = vec![0x80, self.opcode];
        bytes.extend(u16::try_from(self.key.len()).unwrap().to_be_bytes());
        bytes.push(u8::try_from(self.extras.len()).unwrap());
        // Data type and vbucket, which must not matter.
        bytes.extend([0x55, 0x66, 0x77]);
        bytes.extend(body_len.to_be_bytes());
        bytes.extend(self.opaque.to_be_bytes());
        bytes.extend(self.cas.to_be_bytes());
        for part in [&self.extras, &self.key, &self.value] {
            bytes.extend(part);
        }
        bytes
    }
}

/// A frame of the right shape for each opcode, and some of a wrong shape that do not close.
pub(crate) fn good() -> Vec<Frame> {
    let mut frames = Vec::new();
    // Opcodes, extras, key, value.
    let shapes: [[&[u8]; 4]; 8] = [
        [&[GET, GETQ, GETK, GETKQ, DELETE, DELETEQ], b"", b"key", b""],
        [
            &[SET, SETQ, ADD, ADDQ, REPLACE, REPLACEQ],
            b"flagtime",
            b"key",
            b"value",
        ],
        [
            &[APPEND, APPENDQ, PREPEND, PREPENDQ, SASL_AUTH, SASL_STEP],
            b"",
            b"PLAIN",
            b"\0u\0p",
        ],
        [
            &[INCREMENT, INCREMENTQ, DECREMENT, DECREMENTQ],
            b"deltadelinitinittime",
            b"counter",
            b"",
        ],
        [&[TOUCH, GAT, GATQ, GATK, GATKQ], b"time", b"key", b""],
        [&[FLUSH, FLUSHQ], b"time", b"", b""],
        [
            &[NOOP, VERSION, STAT, SASL_LIST_MECHS, FLUSH],
            b"",
            b"",
            b"",
        ],
        [
            &[VERBOSITY, 0x1f, 0x25, 0x30, 0xff],
            b"any",
            b"key",
            b"value",
        ],
    ];
    for [opcodes, extras, key, value] in shapes {
        for &opcode in opcodes {
            frames.push(Frame::new(opcode, extras, key, value));
        }
    }
    frames.push(Frame::new(STAT, b"", b"settings", b""));
    frames.push(Frame::new(SET, b"flagtime", b"empty", b""));
    frames.push(Frame::new(SET, b"flagtime", &[b'k'; 250], &[b'v'; 300]));
    frames
}

/// What came out of a stream, in the order it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A head, as `{:?}` shows the request.
    Head(String),
    /// A value, stored or dropped.
    Value(Vec<u8>),
    /// The connection is to be closed.
    Closed,
}

/// Reads a stream as a connection does: what is complete is taken off the front, the rest waits for more.
#[derive(Default)]
pub(crate) struct Reader {
    buf: Vec<u8>,
    value_len: Option<usize>,
    closed: bool,
    pub(crate) events: Vec<Event>,
}

impl Reader {
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
        while !self.closed && self.step() {}
    }

    /// Whether anything was taken off.
    fn step(&mut self) -> bool {
        if let Some(len) = self.value_len {
            if self.buf.len() < len {
                return false;
            }
            let value = self.buf.drain(..len).collect();
            self.events.push(Event::Value(value));
            self.value_len = None;
            return true;
        }
        match binary::decode(&self.buf) {
            Status::Incomplete { needed } => {
                assert!(needed > self.buf.len(), "{needed} bytes are there");
                return false;
            }
            Status::BadMagic => self.closed = true,
            Status::Complete { head_len, request } => {
                self.events.push(Event::Head(format!("{request:?}")));
                let (value_len, close) = what_follows(&request.command);
                self.value_len = (value_len > 0).then_some(value_len);
                self.closed = close;
                self.buf.drain(..head_len);
            }
        }
        if self.closed {
            self.events.push(Event::Closed);
        }
        !self.closed
    }
}

/// Bytes of the value behind a head, and whether the connection closes.
fn what_follows(command: &Command<'_>) -> (usize, bool) {
    match command {
        Command::Store(store) => (store.value_len as usize, false),
        Command::Sasl(sasl) => (sasl.data_len as usize, false),
        Command::Refused(refused) => (refused.swallow as usize, refused.close),
        Command::Quit => (0, true),
        _ => (0, false),
    }
}
