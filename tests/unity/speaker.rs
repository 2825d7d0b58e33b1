//! One connection that speaks one protocol, and the same questions in each of the three.

use crate::support::{Conn, Reply, Server, frame};

/// The protocols.
pub(crate) const PROTOCOLS: [Protocol; 3] = [Protocol::Text, Protocol::Meta, Protocol::Binary];

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Text,
    Meta,
    Binary,
}

/// An item as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) flags: u32,
    pub(crate) value: Vec<u8>,
    pub(crate) cas: u64,
}

/// What came of a compare-and-swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swapped {
    Stored,
    Exists,
    NotFound,
}

const GET: u8 = 0x00;
const SET: u8 = 0x01;
const ADD: u8 = 0x02;
const DELETE: u8 = 0x04;
const INCREMENT: u8 = 0x05;
const APPEND: u8 = 0x0e;
const TOUCH: u8 = 0x1c;

const SUCCESS: u16 = 0;
const NOT_FOUND: u16 = 1;
const EXISTS: u16 = 2;

/// A connection that speaks one protocol.
pub(crate) struct Speaker {
    pub(crate) protocol: Protocol,
    pub(crate) conn: Conn,
}

impl Speaker {
    pub(crate) fn new(server: &Server, protocol: Protocol) -> Self {
        let conn = server.connect();
        Self { protocol, conn }
    }

    fn reply(&mut self) -> Reply {
        Reply::read(&mut self.conn)
    }

    fn ask(&mut self, frame: &[u8]) -> Reply {
        self.conn.send(frame);
        self.reply()
    }

    /// A line and a data block, and the reply's line.
    fn tell(&mut self, line: &str, value: &[u8]) -> String {
        self.conn
            .send(&[line.as_bytes(), b"\r\n", value, b"\r\n"].concat());
        self.conn.line()
    }

    /// The bytes of a set, whose reply [`Self::stored`] reads.
    pub(crate) fn set_bytes(&self, key: &str, flags: u32, ttl: u32, value: &[u8]) -> Vec<u8> {
        let len = value.len();
        let line = match self.protocol {
            Protocol::Text => format!("set {key} {flags} {ttl} {len}\r\n"),
            Protocol::Meta => format!("ms {key} {len} F{flags} T{ttl}\r\n"),
            Protocol::Binary => {
                let extras = [flags.to_be_bytes(), ttl.to_be_bytes()].concat();
                return frame(SET, 0, &extras, key, value);
            }
        };
        [line.as_bytes(), value, b"\r\n"].concat()
    }

    /// Whether a set that was sent was stored.
    pub(crate) fn stored(&mut self) -> bool {
        match self.protocol {
            Protocol::Text => self.conn.line() == "STORED",
            Protocol::Meta => self.conn.line() == "HD",
            Protocol::Binary => self.reply().status == SUCCESS,
        }
    }

    pub(crate) fn set(&mut self, key: &str, flags: u32, ttl: u32, value: &[u8]) {
        let bytes = self.set_bytes(key, flags, ttl, value);
        self.conn.send(&bytes);
        assert!(self.stored(), "a set by {:?}", self.protocol);
    }

    /// The bytes of a fetch, whose reply [`Self::fetched`] reads.
    pub(crate) fn get_bytes(&self, key: &str) -> Vec<u8> {
        match self.protocol {
            Protocol::Text => format!("gets {key}\r\n").into_bytes(),
            Protocol::Meta => format!("mg {key} v f c\r\n").into_bytes(),
            Protocol::Binary => frame(GET, 0, &[], key, b""),
        }
    }

    /// What a fetch that was sent has found.
    pub(crate) fn fetched(&mut self) -> Option<Item> {
        match self.protocol {
            Protocol::Text => {
                let (head, value) = self.conn.value_of_reply()?;
                assert_eq!(self.conn.line(), "END");
                let words: Vec<&str> = head.split(' ').collect();
                Some(Item {
                    flags: words[2].parse().expect("client flags"),
                    value,
                    cas: words[4].parse().expect("a CAS unique"),
                })
            }
            Protocol::Meta => {
                let head = self.conn.line();
                if head == "EN" {
                    return None;
                }
                let words: Vec<&str> = head.split(' ').collect();
                let number = |word: &str| word.parse::<u64>().expect("a number");
                let mut value = self.conn.exactly(number(words[1]) as usize + 2);
                value.truncate(value.len() - 2);
                Some(Item {
                    flags: number(&words[2][1..]) as u32,
                    value,
                    cas: number(&words[3][1..]),
                })
            }
            Protocol::Binary => {
                let reply = self.reply();
                (reply.status == SUCCESS).then(|| Item {
                    flags: u32::from_be_bytes(reply.extras[..].try_into().expect("client flags")),
                    value: reply.value,
                    cas: reply.cas,
                })
            }
        }
    }

    pub(crate) fn get(&mut self, key: &str) -> Option<Item> {
        let bytes = self.get_bytes(key);
        self.conn.send(&bytes);
        self.fetched()
    }

    /// Gives an item a new time to live; false if there is none.
    pub(crate) fn touch(&mut self, key: &str, ttl: u32) -> bool {
        match self.protocol {
            Protocol::Text => self.conn.ask(&format!("touch {key} {ttl}")) == "TOUCHED",
            // Marks may stand behind the code.
            Protocol::Meta => self.conn.ask(&format!("mg {key} T{ttl}")).starts_with("HD"),
            Protocol::Binary => {
                let touch = frame(TOUCH, 0, &ttl.to_be_bytes(), key, b"");
                self.ask(&touch).status == SUCCESS
            }
        }
    }

    /// The bytes of a count, whose reply [`Self::counted`] reads. No item is made.
    pub(crate) fn incr_bytes(&self, key: &str, delta: u64) -> Vec<u8> {
        match self.protocol {
            Protocol::Text => format!("incr {key} {delta}\r\n").into_bytes(),
            Protocol::Meta => format!("ma {key} v D{delta}\r\n").into_bytes(),
            Protocol::Binary => {
                let numbers = [delta.to_be_bytes(), [0; 8]].concat();
                frame(INCREMENT, 0, &[&numbers[..], &[0xff; 4]].concat(), key, b"")
            }
        }
    }

    /// The number that a count came to.
    pub(crate) fn counted(&mut self) -> Option<u64> {
        let number = |text: String| text.parse().expect("a number");
        match self.protocol {
            Protocol::Text => Some(self.conn.line())
                .filter(|line| line != "NOT_FOUND")
                .map(number),
            Protocol::Meta => match self.conn.line().starts_with("VA ") {
                true => Some(number(self.conn.line())),
                false => None,
            },
            Protocol::Binary => {
                let reply = self.reply();
                let bytes = reply.value[..].try_into();
                (reply.status == SUCCESS).then(|| u64::from_be_bytes(bytes.expect("a number")))
            }
        }
    }

    pub(crate) fn incr(&mut self, key: &str, delta: u64) -> Option<u64> {
        let bytes = self.incr_bytes(key, delta);
        self.conn.send(&bytes);
        self.counted()
    }

    pub(crate) fn cas(&mut self, key: &str, flags: u32, value: &[u8], unique: u64) -> Swapped {
        let len = value.len();
        let line = match self.protocol {
            Protocol::Text => self.tell(&format!("cas {key} {flags} 0 {len} {unique}"), value),
            Protocol::Meta => self.tell(&format!("ms {key} {len} F{flags} C{unique}"), value),
            Protocol::Binary => {
                let extras = [flags.to_be_bytes(), [0; 4]].concat();
                match self.ask(&frame(SET, unique, &extras, key, value)).status {
                    SUCCESS => return Swapped::Stored,
                    EXISTS => return Swapped::Exists,
                    NOT_FOUND => return Swapped::NotFound,
                    other => panic!("status {other}"),
                }
            }
        };
        match &*line {
            "STORED" | "HD" => Swapped::Stored,
            "EXISTS" | "EX" => Swapped::Exists,
            "NOT_FOUND" | "NF" => Swapped::NotFound,
            other => panic!("{other}"),
        }
    }

    /// Stores where nothing is; whether it did.
    pub(crate) fn add(&mut self, key: &str, value: &[u8]) -> bool {
        let len = value.len();
        match self.protocol {
            Protocol::Text => self.tell(&format!("add {key} 0 0 {len}"), value) == "STORED",
            Protocol::Meta => self.tell(&format!("ms {key} {len} ME"), value) == "HD",
            Protocol::Binary => {
                let add = frame(ADD, 0, &[0; 8], key, value);
                self.ask(&add).status == SUCCESS
            }
        }
    }

    /// The bytes of an append, whose reply [`Self::stored`] reads.
    pub(crate) fn append_bytes(&self, key: &str, value: &[u8]) -> Vec<u8> {
        let len = value.len();
        let line = match self.protocol {
            Protocol::Text => format!("append {key} 0 0 {len}\r\n"),
            Protocol::Meta => format!("ms {key} {len} MA\r\n"),
            Protocol::Binary => return frame(APPEND, 0, &[], key, value),
        };
        [line.as_bytes(), value, b"\r\n"].concat()
    }

    pub(crate) fn append(&mut self, key: &str, value: &[u8]) -> bool {
        let bytes = self.append_bytes(key, value);
        self.conn.send(&bytes);
        self.stored()
    }

    pub(crate) fn delete(&mut self, key: &str) -> bool {
        match self.protocol {
            Protocol::Text => self.conn.ask(&format!("delete {key}")) == "DELETED",
            Protocol::Meta => self.conn.ask(&format!("md {key}")) == "HD",
            Protocol::Binary => self.ask(&frame(DELETE, 0, &[], key, b"")).status == SUCCESS,
        }
    }
}
