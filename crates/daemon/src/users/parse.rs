//! The users file, as text: `user:password` a line, as memcached has it.

use std::collections::BTreeMap;

use super::password::Password;
use crate::limits::{PASSWORDS_PER_USER_MAX, USER_NAME_MAX, USERS_MAX};

/// Somebody of whom the file speaks.
#[derive(Default)]
pub(crate) struct Entry {
    /// Any of these is right: so one can be replaced while clients still have the old one.
    pub(crate) passwords: Vec<Password>,
}

/// All of them, by name.
pub(crate) type Entries = BTreeMap<Box<[u8]>, Entry>;

/// Reads the file, or says what is wrong with which line.
pub(crate) fn parse(text: &[u8]) -> Result<Entries, String> {
    let mut entries = Entries::new();
    for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let outcome = match line.first() {
            None | Some(b'#') => Ok(()),
            Some(_) => password_line(line, &mut entries),
        };
        outcome.map_err(|why| format!("line {}: {why}", number + 1))?;
        if entries.len() > USERS_MAX {
            return Err(format!("there are more than {USERS_MAX} users"));
        }
    }
    Ok(entries)
}

/// `user:password`.
fn password_line(line: &[u8], entries: &mut Entries) -> Result<(), String> {
    let at = line.iter().position(|&byte| byte == b':');
    let (name, password) = at
        .map(|at| (&line[..at], &line[at + 1..]))
        .ok_or("should be user:password")?;
    judge_name(name)?;
    if password.is_empty() {
        return Err("the password is empty".to_owned());
    }
    let entry = entries.entry(name.into()).or_default();
    if entry.passwords.len() == PASSWORDS_PER_USER_MAX {
        return Err(format!(
            "a user has {PASSWORDS_PER_USER_MAX} passwords at most"
        ));
    }
    entry.passwords.push(Password::read(password)?);
    Ok(())
}

/// Whether clients can say this name, and the file can hold it.
pub(crate) fn judge_name(name: &[u8]) -> Result<(), String> {
    let sayable = |byte: &u8| byte.is_ascii_graphic() || !byte.is_ascii();
    match name {
        [] => Err("the user has no name".to_owned()),
        [b'@', ..] => Err("a user's name does not begin with @".to_owned()),
        _ if name.len() > USER_NAME_MAX => {
            Err(format!("a user's name has {USER_NAME_MAX} bytes at most"))
        }
        _ if !name.iter().all(sayable) => {
            Err("a user's name has no blanks and no control characters".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let entries = parse(text.as_bytes()).unwrap_or_else(|why| panic!("{text:?}: {why}"));
        let names = entries.keys().map(|name| name.escape_ascii().to_string());
        names.collect()
    }

    #[test]
    fn lines_of_memcacheds_file_are_read_as_they_are() {
        assert_eq!(names("foo:bar"), ["foo"]);
        assert_eq!(
            names("foo:bar\nbaz:a:b c\r\n\n# foo2:bar\n"),
            ["baz", "foo"]
        );
        assert_eq!(names(""), [""; 0]);
        let entries = parse(b"baz:a:b c\nbaz:new\n").expect("a file");
        let passwords = &entries[&b"baz"[..]].passwords;
        assert!(passwords[0].is(b"a:b c") && passwords[1].is(b"new"));
        assert!(!passwords[0].is(b"a") && !passwords[1].is(b"a:b c"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let long = format!("{}:x", "n".repeat(USER_NAME_MAX + 1));
        let table = [
            ("foo:bar\nfoo", "line 2: should be user:password"),
            (":bar", "line 1: the user has no name"),
            ("foo:", "line 1: the password is empty"),
            ("f oo:bar", "line 1: a user's name has no blanks"),
            ("f\0o:bar", "line 1: a user's name has no blanks"),
            ("@foo:bar", "line 1: a user's name does not begin with @"),
            ("foo:$argon2id$", "line 1: the hash cannot be read"),
            ("a:1\na:2\na:3\na:4\na:5", "line 5: a user has 4 passwords"),
            (&long, "line 1: a user's name has 128 bytes at most"),
        ];
        for (text, words) in table {
            let why = parse(text.as_bytes()).err().expect(text);
            assert!(why.starts_with(words), "{text:?}: {why}");
        }
        let many: String = (0..=USERS_MAX).map(|n| format!("u{n}:x\n")).collect();
        assert!(parse(many.as_bytes()).is_err_and(|why| why.contains("more than")));
    }
}
