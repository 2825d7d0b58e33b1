//! As much of HTTP as the pages here need: one GET on a connection, and the whole answer.

use std::io::{Read, Write};

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u32,
    /// Its first line and its headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks for a path, with more headers, each with its end of line.
pub(crate) fn get(mut stream: impl Read + Write, path: &str, headers: &str) -> Answer {
    // In one piece: PHP's server takes a request that comes in several for malformed.
    let request = format!("GET {path} HTTP/1.0\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let body = answer.split_off(end.expect("a head") + 4);
    let head = String::from_utf8(answer).expect("text");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Answer {
        status: status.expect("a status"),
        head,
        body,
    }
}
