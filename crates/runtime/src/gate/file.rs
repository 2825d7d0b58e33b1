//! The users file, as text: who is listed, and what each may do.
//!
//! `user:password` is a line as memcached has it: all behind the first colon is the password. What else there is to say
//! of a user has a line of its own that begins with `@`, as no user's name does: `@user read,write prefix=app:`. What is
//! wrong is told with the number of its line, and then nothing of the file holds.

use std::collections::BTreeMap;

use super::acts::Acts;
use super::rights::{Prefix, Rights};
use super::{Admitted, EntryId, STRANGERS, User};
use crate::limits::{
    CERTS_PER_USER_MAX, PASSWORDS_PER_USER_MAX, PREFIXES_PER_USER_MAX, USER_NAME_MAX, USERS_MAX,
};

/// All of whom the file speaks. `P` is what the passwords are read as.
pub struct UsersFile<P> {
    users: BTreeMap<Box<[u8]>, Listed<P>>,
    strangers: Option<Rights>,
}

/// Somebody of whom the file speaks.
struct Listed<P> {
    /// Any of these is right: so one can be replaced while clients still have the old one.
    passwords: Vec<P>,
    certs: Vec<Box<[u8]>>,
    rights: Option<Rights>,
    /// The number of its line that begins with `@`, if it has one.
    said_in: Option<usize>,
}

impl<P> Default for Listed<P> {
    fn default() -> Self {
        Self {
            passwords: Vec::new(),
            certs: Vec::new(),
            rights: None,
            said_in: None,
        }
    }
}

/// What a line that begins with `@` says.
#[derive(Default)]
struct Said<'a> {
    words: Vec<&'a str>,
    prefixes: Vec<Prefix>,
    certs: Vec<Box<[u8]>>,
}

impl<P> UsersFile<P> {
    /// Reads the file's text; `read_password` reads what stands behind a user's name.
    ///
    /// # Errors
    /// What is wrong with which line.
    pub fn read(
        text: &[u8],
        read_password: impl Fn(&[u8]) -> Result<P, String>,
    ) -> Result<Self, String> {
        let mut file = Self {
            users: BTreeMap::new(),
            strangers: None,
        };
        for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let outcome = match line {
                [] | [b'#', ..] => Ok(()),
                [b'@', said @ ..] => file.take_rights(said, at + 1),
                _ => file.take_password(line, &read_password),
            };
            outcome.map_err(|why| format!("line {}: {why}", at + 1))?;
            if file.users.len() > USERS_MAX {
                return Err(format!("there are more than {USERS_MAX} users"));
            }
        }
        file.judge_whole()?;
        Ok(file)
    }

    /// `user:password`.
    fn take_password(
        &mut self,
        line: &[u8],
        read_password: impl Fn(&[u8]) -> Result<P, String>,
    ) -> Result<(), String> {
        let at = line.iter().position(|&byte| byte == b':');
        let (name, password) = at
            .map(|at| (&line[..at], &line[at + 1..]))
            .ok_or("should be user:password")?;
        judge_name(name)?;
        if password.is_empty() {
            return Err("the password is empty".to_owned());
        }
        let user = self.users.entry(name.into()).or_default();
        if user.passwords.len() == PASSWORDS_PER_USER_MAX {
            return Err(format!(
                "a user has {PASSWORDS_PER_USER_MAX} passwords at most"
            ));
        }
        user.passwords.push(read_password(password)?);
        Ok(())
    }

    /// `user read,write prefix=app: cert=NAME`, the `@` apart.
    fn take_rights(&mut self, said: &[u8], number: usize) -> Result<(), String> {
        let mut parts = said
            .split(u8::is_ascii_whitespace)
            .filter(|part| !part.is_empty());
        let name = parts.next().unwrap_or_default();
        if name.contains(&b':') || !said.starts_with(name) {
            return Err(
                "what begins with @ should be @user and rights; no user's name begins with @"
                    .to_owned(),
            );
        }
        judge_name(name)?;
        let said = Said::read(parts)?;
        let rights = said.rights()?;
        if name == STRANGERS {
            if !said.certs.is_empty() || rights.is_none() {
                return Err(
                    "default is whoever has not said who it is: it needs rights, and \
                            has no certificate"
                        .to_owned(),
                );
            }
            if self.strangers.is_some() {
                return Err("there is another line for @default".to_owned());
            }
            self.strangers = rights;
            return Ok(());
        }
        let user = self.users.entry(name.into()).or_default();
        if let Some(other) = user.said_in.replace(number) {
            return Err(format!("line {other} says already what the user may do"));
        }
        (user.rights, user.certs) = (rights, said.certs);
        Ok(())
    }

    /// What only all lines together show.
    fn judge_whole(&self) -> Result<(), String> {
        if self.strangers.is_some() && self.users.contains_key(STRANGERS) {
            return Err(
                "default has a password, and an @default line, which is for whoever has not said \
                 who it is: give the user another name"
                    .to_owned(),
            );
        }
        let mut owners = BTreeMap::new();
        for (name, user) in &self.users {
            let name = name.escape_ascii();
            let Some(number) = user.said_in else {
                continue;
            };
            if user.passwords.is_empty() && user.certs.is_empty() {
                return Err(format!(
                    "line {number}: nobody can be {name}: there is no line {name}:password, and \
                     no cert= here"
                ));
            }
            for cert in &user.certs {
                if let Some(other) = owners.insert(cert, number)
                    && other != number
                {
                    return Err(format!(
                        "line {}: the certificate of line {} is another user's",
                        number.max(other),
                        number.min(other)
                    ));
                }
            }
        }
        Ok(())
    }

    /// How many users there are.
    pub fn count(&self) -> usize {
        self.users.len()
    }

    /// The passwords of a user; none, if it is nobody's name.
    pub fn passwords(&self, name: &[u8]) -> &[P] {
        self.users.get(name).map_or(&[], |user| &user.passwords)
    }

    /// The passwords of each user.
    pub fn all_passwords(&self) -> impl Iterator<Item = (&[u8], &[P])> {
        let users = self.users.iter();
        users.map(|(name, user)| (&name[..], &user.passwords[..]))
    }

    /// Whom the gate lets in; `id` tells passwords apart.
    pub fn admitted(&self, id: impl Fn(&P) -> EntryId) -> Admitted {
        let users = self.users.iter().map(|(name, user)| User {
            name: name.clone(),
            passwords: user.passwords.iter().map(&id).collect(),
            certs: user.certs.clone(),
            rights: user.rights.clone(),
        });
        Admitted {
            users: users.collect(),
            strangers: self.strangers.clone(),
        }
    }
}

impl<'a> Said<'a> {
    /// Reads the words behind a name.
    fn read(parts: impl Iterator<Item = &'a [u8]>) -> Result<Self, String> {
        let mut said = Self::default();
        for part in parts {
            let text = || String::from_utf8_lossy(part);
            if let Some(prefix) = part.strip_prefix(b"prefix=") {
                said.prefixes.push(Prefix::new(prefix)?);
            } else if let Some(name) = part.strip_prefix(b"cert=") {
                said.certs.push(cert(name)?);
            } else if part.contains(&b'=') {
                return Err(format!("`{}` is neither prefix= nor cert=", text()));
            } else {
                let words = std::str::from_utf8(part).map_err(|_| format!("`{}`?", text()))?;
                said.words
                    .extend(words.split(',').filter(|word| !word.is_empty()));
            }
        }
        if said.prefixes.len() > PREFIXES_PER_USER_MAX || said.certs.len() > CERTS_PER_USER_MAX {
            return Err(format!(
                "a user has {PREFIXES_PER_USER_MAX} prefixes and {CERTS_PER_USER_MAX} \
                 certificates at most"
            ));
        }
        Ok(said)
    }

    /// The rights; none, where there is only a certificate.
    fn rights(&self) -> Result<Option<Rights>, String> {
        match (&self.words[..], &self.prefixes[..], &self.certs[..]) {
            ([], [], []) => Err("it says nothing: give rights (read, write, stats, admin, \
                                 commands by name), prefix= or cert="
                .to_owned()),
            ([], [], _) => Ok(None),
            ([], _, _) => Err(
                "prefix= says with which keys, but not what: add read, write or \
                               commands by name"
                    .to_owned(),
            ),
            (words, prefixes, _) => {
                let acts = Acts::named(words)?;
                Ok(Some(Rights::new(acts, prefixes.to_vec())))
            }
        }
    }
}

/// A name in a certificate, where `%20` is a blank and `%25` the sign itself.
fn cert(name: &[u8]) -> Result<Box<[u8]>, String> {
    if name.is_empty() {
        return Err("cert= should have a name behind it".to_owned());
    }
    let mut decoded = Vec::with_capacity(name.len());
    let mut rest = name;
    while let [byte, behind @ ..] = rest {
        rest = behind;
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let digit = |at: usize| char::from(*rest.get(at)?).to_digit(16);
        let byte = digit(0).zip(digit(1)).map(|(high, low)| high * 16 + low);
        let byte = byte.ok_or("behind a % of cert= there should be two hex digits")?;
        decoded.push(byte as u8);
        rest = &rest[2..];
    }
    Ok(decoded.into())
}

/// Whether clients can say this name, and the file can hold it.
///
/// # Errors
/// What is wrong with it.
pub fn judge_name(name: &[u8]) -> Result<(), String> {
    let sayable = |byte: &u8| byte.is_ascii_graphic() || !byte.is_ascii();
    match name {
        [] => Err("the user has no name".to_owned()),
        [b'@' | b'#', ..] => Err("a user's name does not begin with @ or #".to_owned()),
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
    use super::super::acts::Act;
    use super::*;

    fn read(text: &[u8]) -> Result<UsersFile<Vec<u8>>, String> {
        UsersFile::read(text, |password| match password {
            b"bad" => Err("it is bad".to_owned()),
            good => Ok(good.to_vec()),
        })
    }

    fn names(text: &str) -> Vec<String> {
        let file = read(text.as_bytes()).unwrap_or_else(|why| panic!("{text:?}: {why}"));
        let names = file.users.keys();
        names.map(|name| name.escape_ascii().to_string()).collect()
    }

    #[test]
    fn lines_of_memcacheds_file_are_read_as_they_are() {
        assert_eq!(names("foo:bar"), ["foo"]);
        assert_eq!(
            names("foo:bar\nbaz:a:b c\r\n\n# foo2:bar\n"),
            ["baz", "foo"]
        );
        assert_eq!(names(""), [""; 0]);
        let file = read(b"baz:@a prefix=:b c\nbaz:new\ndefault:x\n").expect("a file");
        assert_eq!(file.passwords(b"baz"), [&b"@a prefix=:b c"[..], b"new"]);
        assert_eq!(file.passwords(b"default"), [b"x"]);
        assert_eq!(file.passwords(b"eve"), [b""; 0]);
        assert!(file.admitted(|_| 0).strangers.is_none());
        assert!(
            file.admitted(|_| 0)
                .users
                .iter()
                .all(|user| user.rights.is_none())
        );
    }

    #[test]
    fn lines_of_rights() {
        let text = b"@ann  read,write,  stats prefix=app: prefix=web:\r\nann:x\nbob:x\n\
            @carl cert=carl.example cert=Carl%20C.%25\n@default get prefix=open:\n\
            @dora admin cert=d\ndora:y\n";
        let Admitted { users, strangers } = read(text).expect("a file").admitted(|_| 0);
        let user = |name: &str| {
            let found = users.iter().find(|user| *user.name == *name.as_bytes());
            found.expect(name).clone()
        };
        let ann = user("ann").rights.expect("rights");
        assert!(ann.may_with(Act::Set, b"app:1") && ann.may_with(Act::Gat, b"web:1"));
        assert!(ann.may(Act::Stats) && !ann.may(Act::FlushAll));
        assert!(!ann.may_with(Act::Get, b"other:1"));
        assert_eq!(user("bob").rights, None);
        let carl = user("carl");
        let certs: Vec<&[u8]> = carl.certs.iter().map(AsRef::as_ref).collect();
        assert_eq!(certs, [&b"carl.example"[..], b"Carl C.%"]);
        assert_eq!(carl.rights, None);
        let dora = user("dora");
        assert!(dora.certs.len() == 1 && dora.rights.is_some_and(|may| may.may(Act::Watch)));
        let strangers = strangers.expect("rights");
        assert!(strangers.may_with(Act::Get, b"open:1") && !strangers.may(Act::Gets));
        assert_eq!(users.len(), 4);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let long = format!("{}:x", "n".repeat(USER_NAME_MAX + 1));
        let prefixes = format!("@a read {}", "prefix=x ".repeat(PREFIXES_PER_USER_MAX + 1));
        let table = [
            ("foo:bar\nfoo", "line 2: should be user:password"),
            (":bar", "line 1: the user has no name"),
            ("foo:", "line 1: the password is empty"),
            ("f oo:bar", "line 1: a user's name has no blanks"),
            ("f\0o:bar", "line 1: a user's name has no blanks"),
            ("\n@foo:bar", "line 2: what begins with @ should be @user"),
            ("@ foo read", "line 1: what begins with @ should be @user"),
            ("@", "line 1: the user has no name"),
            ("@@foo read", "line 1: a user's name does not begin with @"),
            ("foo:bad", "line 1: it is bad"),
            ("a:1\na:2\na:3\na:4\na:5", "line 5: a user has 4 passwords"),
            (&long, "line 1: a user's name has 128 bytes at most"),
            ("a:1\n@a", "line 2: it says nothing"),
            ("a:1\n@a ,", "line 2: it says nothing"),
            ("a:1\n@a prefix=x", "line 2: prefix= says with which keys"),
            ("a:1\n@a reed", "line 2: `reed` is none of read"),
            ("a:1\n@a read,quit", "line 2: `quit` is none of read"),
            ("a:1\n@a read keys=x", "line 2: `keys=x` is neither"),
            ("a:1\n@a read prefix=", "line 2: prefix= is empty"),
            ("a:1\n@a read cert=", "line 2: cert= should have a name"),
            ("@a cert=%2", "line 1: behind a % of cert="),
            ("@a cert=%+2", "line 1: behind a % of cert="),
            ("a:1\n@a read\n\n@a write", "line 4: line 2 says already"),
            ("b:1\n@a read", "line 2: nobody can be a"),
            ("@a cert=x\n@b cert=x", "line 2: the certificate of line 1"),
            ("@default cert=x read", "line 1: default is whoever"),
            ("@default cert=x", "line 1: default is whoever"),
            ("@default read\n@default read", "line 2: there is another"),
            ("default:x\n@default read", "default has a password"),
            (&prefixes, "line 1: a user has 64 prefixes"),
        ];
        for (text, words) in table {
            let why = read(text.as_bytes()).err().expect(text);
            assert!(why.starts_with(words), "{text:?}: {why}");
        }
        let many: String = (0..=USERS_MAX).map(|n| format!("u{n}:x\n")).collect();
        assert!(read(many.as_bytes()).is_err_and(|why| why.contains("more than")));
    }
}
