//! Where requests end, and the fixed replies to them.

/// The replies, made once.
#[derive(Clone)]
pub(super) struct Replies {
    /// A value with its line.
    value: Vec<u8>,
    /// The whole reply to a get of one key.
    one_value: Vec<u8>,
}

const END: &[u8] = b"END\r\n";
const STORED: &[u8] = b"STORED\r\n";

impl Replies {
    pub(super) fn new(key_length: usize, value_length: usize) -> Self {
        let mut value =
            format!("VALUE {} 0 {value_length}\r\n", "k".repeat(key_length)).into_bytes();
        value.extend(std::iter::repeat_n(b'v', value_length));
        value.extend_from_slice(b"\r\n");
        let one_value = [&value, END].concat();
        Self { value, one_value }
    }

    /// Answers all complete requests at the front of `input` and says how many bytes they were. A line that is no
    /// request of ours is an ERROR.
    pub(super) fn answer(&self, input: &[u8], out: &mut Vec<u8>) -> usize {
        let mut taken = 0;
        while let Some(end) = memchr::memchr(b'\n', &input[taken..]) {
            let line = &input[taken..taken + end];
            let mut whole = line.len() + 1;
            if let Some(keys) = line.strip_prefix(b"get ") {
                self.answer_get(keys, out);
            } else if let Some(fields) = line.strip_prefix(b"set ") {
                let Some(length) = data_length(fields) else {
                    out.extend_from_slice(b"CLIENT_ERROR bad data chunk\r\n");
                    taken += whole;
                    continue;
                };
                whole += length + 2;
                if taken + whole > input.len() {
                    break;
                }
                out.extend_from_slice(STORED);
            } else {
                out.extend_from_slice(b"ERROR\r\n");
            }
            taken += whole;
        }
        taken
    }

    fn answer_get(&self, keys: &[u8], out: &mut Vec<u8>) {
        if memchr::memchr(b' ', keys).is_none() {
            out.extend_from_slice(&self.one_value);
            return;
        }
        for _ in 0..=memchr::memchr_iter(b' ', keys).count() {
            out.extend_from_slice(&self.value);
        }
        out.extend_from_slice(END);
    }
}

/// The fourth of `<key> <flags> <exptime> <bytes>\r`.
fn data_length(fields: &[u8]) -> Option<usize> {
    let mut rest = fields;
    for _ in 0..3 {
        let space = memchr::memchr(b' ', rest)?;
        rest = &rest[space + 1..];
    }
    let mut length = 0usize;
    for &byte in rest {
        match byte {
            b'0'..=b'9' => {
                length = length
                    .checked_mul(10)?
                    .checked_add(usize::from(byte - b'0'))?;
            }
            b'\r' | b' ' => break,
            _ => return None,
        }
    }
    // Above this no value is, and sums with it cannot overflow.
    (length <= 1 << 30).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_complete_request_gets_its_reply() {
        let replies = Replies::new(3, 2);
        let input = b"get abc\r\nset abc 0 0 12\r\n123456789\r\n0\r\nget abc def\r\nversion\r\nset abc 0 0 2\r\n12\r";
        let mut out = Vec::new();
        let taken = replies.answer(input, &mut out);
        assert_eq!(&input[taken..], b"set abc 0 0 2\r\n12\r");
        let value = "VALUE kkk 0 2\r\nvv\r\n";
        let expected = format!("{value}END\r\nSTORED\r\n{value}{value}END\r\nERROR\r\n");
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn lengths_that_are_none_are_refused() {
        assert_eq!(data_length(b"k 0 0 17\r"), Some(17));
        for wrong in [
            &b"k 0 0\r"[..],
            b"k 0 0 x\r",
            b"k 0 0 99999999999999999999999\r",
            b"k 0 0 9999999999\r",
        ] {
            assert_eq!(data_length(wrong), None);
        }
    }
}
