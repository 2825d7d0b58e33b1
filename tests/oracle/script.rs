//! Reads the scripts: what is sent, and, where memcached on this machine is older than the one we answer like,
//! what 1.6.45 sends back.
//!
//! A script file is a list of these lines; blank lines and `#` lines are for the reader.
//! ```text
//! == name          a new script
//! > text           sends the text and a line end
//! >> text          sends the text alone
//! < text           1.6.45's reply: the text and a line end (only with `! because`)
//! << text          the same without a line end
//! ! because why    1.6.18 answers differently, and why; the `<` lines are the judge instead of memcached
//! ! whole          not cut into pieces: its outcome depends on how the bytes arrive
//! ! closes         the server closes the connection at the end
//! ```
//! In texts `\r \n \t \0 \\ \xNN` are bytes and `{k*250}` is 250 times `k`.

use crate::pair::{Answer, End};
use crate::support::Ended;

/// One script.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// File and title, for failures.
    pub(crate) name: String,
    /// All that is sent.
    pub(crate) send: Vec<u8>,
    /// 1.6.45's reply, where memcached on this machine is not asked.
    pub(crate) expect: Vec<u8>,
    /// Why it is not asked.
    pub(crate) because: Option<String>,
    /// Not to be cut into pieces.
    pub(crate) whole: bool,
    /// The server closes at the end.
    pub(crate) closes: bool,
}

impl Script {
    /// What ends its exchange.
    pub(crate) fn end(&self) -> End {
        if self.closes { End::Close } else { End::Mark }
    }

    /// 1.6.45's answer, as written in the script.
    pub(crate) fn right_answer(&self) -> Answer {
        let ended = if self.closes {
            Ended::Closed
        } else {
            Ended::Found
        };
        Answer {
            bytes: self.expect.clone(),
            ended,
        }
    }
}

/// Every script of a file, in its order.
pub(crate) fn parse(file: &str, text: &str) -> Vec<Script> {
    let mut scripts: Vec<Script> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let at = format!("{file}.txt:{}", number + 1);
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("== ") {
            scripts.push(Script {
                name: format!("{file}: {name}"),
                ..Script::default()
            });
            continue;
        }
        let script = scripts
            .last_mut()
            .unwrap_or_else(|| panic!("{at}: no script yet"));
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        match mark {
            ">" => script
                .send
                .extend([unescape(rest, &at), b"\r\n".to_vec()].concat()),
            ">>" => script.send.extend(unescape(rest, &at)),
            "<" => script
                .expect
                .extend([unescape(rest, &at), b"\r\n".to_vec()].concat()),
            "<<" => script.expect.extend(unescape(rest, &at)),
            "!" => directive(script, rest, &at),
            _ => panic!("{at}: {line}"),
        }
    }
    for script in &scripts {
        let has_judge = script.because.is_some() || script.expect.is_empty();
        assert!(has_judge, "{}: `<` without `! because`", script.name);
    }
    scripts
}

fn directive(script: &mut Script, words: &str, at: &str) {
    match words.split_once(' ').unwrap_or((words, "")) {
        ("because", why) if !why.is_empty() => script.because = Some(why.to_owned()),
        ("whole", "") => script.whole = true,
        ("closes", "") => script.closes = true,
        _ => panic!("{at}: ! {words}"),
    }
}

fn unescape(text: &str, at: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'\\' => rest = escape(&mut out, tail, at),
            b'{' if tail.get(1) == Some(&b'*') => {
                let end = tail
                    .iter()
                    .position(|&b| b == b'}')
                    .unwrap_or_else(|| panic!("{at}: no }}"));
                let count = std::str::from_utf8(&tail[2..end])
                    .ok()
                    .and_then(|n| n.parse().ok());
                let count: usize = count.unwrap_or_else(|| panic!("{at}: a number after *"));
                out.extend(std::iter::repeat_n(tail[0], count));
                rest = &tail[end + 1..];
            }
            other => out.push(*other),
        }
    }
    out
}

fn escape<'a>(out: &mut Vec<u8>, after: &'a [u8], at: &str) -> &'a [u8] {
    let simple = match after.first() {
        Some(b'r') => b'\r',
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'0') => 0,
        Some(b'\\') => b'\\',
        Some(b'x') => {
            let digits = after.get(1..3).and_then(|d| std::str::from_utf8(d).ok());
            let byte = digits.and_then(|d| u8::from_str_radix(d, 16).ok());
            out.push(byte.unwrap_or_else(|| panic!("{at}: \\x wants two digits")));
            return &after[3..];
        }
        _ => panic!("{at}: unknown escape"),
    };
    out.push(simple);
    &after[1..]
}
