//! One reply off the front of the input, judged by what was asked.

use memchr::memchr;

use super::words::{Words, number};
use super::{Broken, ReplyFlags};
use crate::limits::{REPLY_LINE_MAX, VALUE_LEN_MAX};

/// What was asked, and so what may come. An error line may always come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// `get` and `gat`: values without CAS uniques, then `END`.
    Values,
    /// `gets` and `gats`: values with CAS uniques, then `END`.
    ValuesWithCas,
    /// Storage commands: `STORED`, `NOT_STORED`, `EXISTS`, `NOT_FOUND`.
    Store,
    /// `incr` and `decr`: a number, or `NOT_FOUND`.
    Number,
    /// `delete`: `DELETED`, or `NOT_FOUND`.
    Delete,
    /// `touch`: `TOUCHED`, or `NOT_FOUND`.
    Touch,
    /// Admin commands: `OK`.
    Ok,
    /// `version`: `VERSION …`.
    Version,
    /// `stats`: rows, then `END`; or `RESET`, or `OK` of those that set something.
    Stats,
    /// `mn`: `MN`.
    Mn,
    /// `config get cluster`: one block, then `END`.
    Config,
    /// `mg`, `ms`, `md`, `ma`: a code with return flags, and after `VA` a block.
    Meta,
}

/// One reply. Keys, values and texts lie in the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// One item of a get.
    Value {
        /// The item's key.
        key: &'a [u8],
        /// The client flags.
        flags: u32,
        /// The CAS unique, if it was asked for.
        cas: Option<u64>,
        /// The value. It ends two bytes, the block's CRLF, before the end of the reply.
        value: &'a [u8],
    },
    /// The end of a get's values or of a stats command's rows.
    End,
    /// Stored.
    Stored,
    /// The storage command's condition did not hold.
    NotStored,
    /// The item has changed since its CAS unique was read.
    Exists,
    /// No such item.
    NotFound,
    /// Deleted.
    Deleted,
    /// Touched.
    Touched,
    /// Carried out.
    Ok,
    /// `stats reset` was carried out.
    Reset,
    /// What `mn` answers.
    Mn,
    /// The new number.
    Number(u64),
    /// The server's version, as it says it.
    Version(&'a [u8]),
    /// One row of a stats command. The value may be empty and may hold blanks.
    Stat {
        /// The name.
        name: &'a [u8],
        /// The rest of the line.
        value: &'a [u8],
    },
    /// The cluster's description. It ends two bytes before the end of the reply.
    Config(&'a [u8]),
    /// What a meta command answers.
    Meta {
        /// The code.
        code: Code,
        /// The return flags.
        flags: ReplyFlags<'a>,
        /// The block after `VA`. It ends two bytes before the end of the reply.
        value: Option<&'a [u8]>,
    },
    /// The server could not or would not.
    Error(ServerError<'a>),
}

/// The first word of a meta reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// `HD`: done, or found.
    Hd,
    /// `VA`: found, with a value.
    Va,
    /// `EN`: a miss of `mg`.
    En,
    /// `NF`: no such item.
    Nf,
    /// `NS`: not stored.
    Ns,
    /// `EX`: the item has changed.
    Ex,
}

/// An error line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerError<'a> {
    /// `ERROR`: the server does not know the command, and may say more.
    Unknown(&'a [u8]),
    /// `CLIENT_ERROR`: the request was wrong.
    Client(&'a [u8]),
    /// `SERVER_ERROR`: the server could not.
    Server(&'a [u8]),
}

/// What the front of the input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Not a whole reply yet. Asking again is of no use before the input has this many bytes in all: so a large value
    /// is looked at when its line has come, and when it has.
    Incomplete {
        /// Bytes that the input must have from its front.
        needed: usize,
    },
    /// A whole reply.
    Complete {
        /// Its bytes in the input, its line end or block end included.
        len: usize,
        /// What it says.
        reply: Reply<'a>,
    },
}

/// A reply before its block, if it has one, is looked at.
enum Line<'a> {
    Whole(Reply<'a>),
    Block { value_len: u32, finish: Finish<'a> },
}

/// What the block belongs to.
enum Finish<'a> {
    Value {
        key: &'a [u8],
        flags: u32,
        cas: Option<u64>,
    },
    Config,
    Meta(ReplyFlags<'a>),
}

/// Decodes the reply at the front of `buf`.
///
/// # Errors
/// [`Broken`] when these bytes, or any that could follow them, do not answer what was asked.
pub fn decode(buf: &[u8], expect: Expect) -> Result<Step<'_>, Broken> {
    let line_max = buf.get(..REPLY_LINE_MAX).unwrap_or(buf);
    let Some(newline) = memchr(b'\n', line_max) else {
        if buf.len() >= REPLY_LINE_MAX {
            return Err(Broken::new("the end of the line", buf));
        }
        return Ok(Step::Incomplete {
            needed: buf.len() + 1,
        });
    };
    let line_len = newline + 1;
    let line = buf.get(..line_len).and_then(|l| l.strip_suffix(b"\r\n"));
    let Some(line) = line else {
        return Err(Broken::new("a line that ends with CR LF", line_max));
    };
    let (value_len, finish) = match parse_line(line, expect)? {
        Line::Whole(reply) => {
            return Ok(Step::Complete {
                len: line_len,
                reply,
            });
        }
        Line::Block { value_len, finish } => (value_len as usize, finish),
    };
    let len = line_len + value_len + 2;
    let Some(block) = buf.get(line_len..len) else {
        return Ok(Step::Incomplete { needed: len });
    };
    let (value, end) = block.split_at(value_len);
    if end != b"\r\n" {
        return Err(Broken::new("CR LF after a block of the length said", end));
    }
    let reply = match finish {
        Finish::Value { key, flags, cas } => Reply::Value {
            key,
            flags,
            cas,
            value,
        },
        Finish::Config => Reply::Config(value),
        Finish::Meta(flags) => Reply::Meta {
            code: Code::Va,
            flags,
            value: Some(value),
        },
    };
    Ok(Step::Complete { len, reply })
}

fn parse_line(line: &[u8], expect: Expect) -> Result<Line<'_>, Broken> {
    if let Some(error) = error(line) {
        return Ok(Line::Whole(Reply::Error(error)));
    }
    let whole = match (expect, line) {
        (Expect::Values | Expect::ValuesWithCas | Expect::Stats | Expect::Config, b"END") => {
            Reply::End
        }
        (Expect::Values, _) => return value_line(line, false),
        (Expect::ValuesWithCas, _) => return value_line(line, true),
        (Expect::Config, _) => return config_line(line),
        (Expect::Meta, _) => return meta_line(line),
        (Expect::Store, b"STORED") => Reply::Stored,
        (Expect::Store, b"NOT_STORED") => Reply::NotStored,
        (Expect::Store, b"EXISTS") => Reply::Exists,
        (Expect::Store | Expect::Number | Expect::Delete | Expect::Touch, b"NOT_FOUND") => {
            Reply::NotFound
        }
        (Expect::Delete, b"DELETED") => Reply::Deleted,
        (Expect::Touch, b"TOUCHED") => Reply::Touched,
        (Expect::Ok | Expect::Stats, b"OK") => Reply::Ok,
        (Expect::Stats, b"RESET") => Reply::Reset,
        (Expect::Mn, b"MN") => Reply::Mn,
        (Expect::Number, _) => {
            Reply::Number(number(line).ok_or_else(|| Broken::new("a number or NOT_FOUND", line))?)
        }
        (Expect::Version, _) => Reply::Version(
            line.strip_prefix(b"VERSION ")
                .ok_or_else(|| Broken::new("VERSION and a version", line))?,
        ),
        (Expect::Stats, _) => stat_line(line)?,
        (Expect::Store, _) => return Err(Broken::new("a storage command's answer", line)),
        (Expect::Delete, _) => return Err(Broken::new("DELETED or NOT_FOUND", line)),
        (Expect::Touch, _) => return Err(Broken::new("TOUCHED or NOT_FOUND", line)),
        (Expect::Ok, _) => return Err(Broken::new("OK", line)),
        (Expect::Mn, _) => return Err(Broken::new("MN", line)),
    };
    Ok(Line::Whole(whole))
}

/// An error line: one of the three words, and whatever the server adds. The colon is memcached's, once.
fn error(line: &[u8]) -> Option<ServerError<'_>> {
    let said = |word: &[u8]| match line.strip_prefix(word)? {
        [] => Some(&line[..0]),
        [b' ' | b':', text @ ..] => Some(text.trim_ascii_start()),
        _ => None,
    };
    if let Some(text) = said(b"ERROR") {
        return Some(ServerError::Unknown(text));
    }
    if let Some(text) = said(b"CLIENT_ERROR") {
        return Some(ServerError::Client(text));
    }
    said(b"SERVER_ERROR").map(ServerError::Server)
}

/// `VALUE <key> <flags> <bytes>[ <cas>]`
fn value_line(line: &[u8], wants_cas: bool) -> Result<Line<'_>, Broken> {
    let Some(rest) = line.strip_prefix(b"VALUE ") else {
        return Err(Broken::new("VALUE or END", line));
    };
    let mut words = Words::of(rest);
    let key = words.word("a key")?;
    let flags = words.number("client flags")?;
    let value_len = value_len(&mut words)?;
    let cas = match wants_cas {
        true => Some(words.number("a CAS unique")?),
        false => None,
    };
    words.end()?;
    Ok(Line::Block {
        value_len,
        finish: Finish::Value { key, flags, cas },
    })
}

/// `CONFIG cluster <flags> <bytes>`
fn config_line(line: &[u8]) -> Result<Line<'_>, Broken> {
    let Some(rest) = line.strip_prefix(b"CONFIG cluster ") else {
        return Err(Broken::new("CONFIG cluster or END", line));
    };
    let mut words = Words::of(rest);
    words.number::<u32>("flags")?;
    let value_len = value_len(&mut words)?;
    words.end()?;
    Ok(Line::Block {
        value_len,
        finish: Finish::Config,
    })
}

/// `<code> <flag>*`, or `VA <bytes> <flag>*`
fn meta_line(line: &[u8]) -> Result<Line<'_>, Broken> {
    let mut words = Words::of(line);
    let code = match words.word("a meta code")? {
        b"HD" => Code::Hd,
        b"EN" => Code::En,
        b"NF" => Code::Nf,
        b"NS" => Code::Ns,
        b"EX" => Code::Ex,
        b"VA" => {
            let value_len = value_len(&mut words)?;
            return Ok(Line::Block {
                value_len,
                finish: Finish::Meta(ReplyFlags::parse(words)?),
            });
        }
        _ => return Err(Broken::new("a meta code", line)),
    };
    Ok(Line::Whole(Reply::Meta {
        code,
        flags: ReplyFlags::parse(words)?,
        value: None,
    }))
}

/// `STAT <name> <value>`; and as `stats cachedump` and `stats detail dump` have it, `ITEM <key> [<facts>]` and
/// `PREFIX <prefix> <counts>`.
fn stat_line(line: &[u8]) -> Result<Reply<'_>, Broken> {
    let words = [&b"STAT "[..], b"ITEM ", b"PREFIX "];
    let Some(rest) = words.into_iter().find_map(|word| line.strip_prefix(word)) else {
        return Err(Broken::new("STAT or END", line));
    };
    let (name, value) = match memchr(b' ', rest) {
        Some(blank) => (&rest[..blank], &rest[blank + 1..]),
        None => (rest, &rest[..0]),
    };
    match name {
        [] => Err(Broken::new("the name of a STAT", line)),
        _ => Ok(Reply::Stat { name, value }),
    }
}

fn value_len(words: &mut Words<'_>) -> Result<u32, Broken> {
    const EXPECTED: &str = "the length of a block";
    let value_len: u32 = words.number(EXPECTED)?;
    match value_len <= VALUE_LEN_MAX {
        true => Ok(value_len),
        false => Err(Broken::new(EXPECTED, value_len.to_string().as_bytes())),
    }
}
