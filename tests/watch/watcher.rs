//! A connection that watches.

use crate::support::{Conn, Server};

/// One watcher.
pub(crate) struct Watcher {
    pub(crate) conn: Conn,
}

impl Watcher {
    /// Watches these streams.
    pub(crate) fn start(server: &Server, streams: &str) -> Self {
        let mut conn = server.connect();
        assert_eq!(conn.ask(format!("watch {streams}").trim_end()), "OK");
        Self { conn }
    }

    /// The next line, without its end.
    pub(crate) fn line(&mut self) -> String {
        let line = String::from_utf8(self.conn.until(b"\n")).expect("lines are plain text");
        assert!(!line.ends_with("\r\n"), "a bare line end: {line:?}");
        line.trim_end().to_owned()
    }

    /// The lines up to the first with these words, which is the last of them.
    pub(crate) fn until(&mut self, words: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            lines.push(self.line());
            if lines.last().is_some_and(|line| line.contains(words)) {
                return lines;
            }
        }
    }
}

/// One field of a line.
pub(crate) fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let fields = line.split(' ').filter_map(|word| word.split_once('='));
    let mut values = fields.filter(|(field, _)| *field == name);
    let (_, value) = values
        .next()
        .unwrap_or_else(|| panic!("no {name} in {line}"));
    value
}

/// A number of a line.
pub(crate) fn number(line: &str, name: &str) -> u64 {
    let value = field(line, name);
    value
        .parse()
        .unwrap_or_else(|_| panic!("{name} is no number in {line}"))
}
