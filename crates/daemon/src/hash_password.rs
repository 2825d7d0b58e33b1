//! `larderd hash-password USER`: a line for the users file, with a password that is typed or piped in.

use std::io::{self, IsTerminal as _, Read as _, Write as _};

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use crate::limits::PASSWORD_MAX;
use crate::refusal::Refusal;
use crate::users::password;

/// Reads the password from the standard input and makes the line. From a terminal it is asked for, and not shown.
pub(crate) fn line(user: &str) -> Result<String, Refusal> {
    if user.contains(':') {
        return Err(Refusal::value("a user's name has no colon"));
    }
    larder_runtime::judge_name(user.as_bytes()).map_err(Refusal::value)?;
    let password = match io::stdin().is_terminal() {
        true => ask(),
        false => read(),
    };
    let password =
        password.map_err(|error| Refusal::system(format!("no password can be read: {error}")))?;
    if password.is_empty() {
        return Err(Refusal::value("the password is empty"));
    }
    let hash = password::hash(&password).map_err(Refusal::system)?;
    Ok(format!("{user}:{hash}\n"))
}

/// One line, without its end; of a terminal that does not show it.
fn ask() -> io::Result<Vec<u8>> {
    let mut stderr = io::stderr();
    stderr.write_all(b"Password: ")?;
    let _hidden = Hidden::begin()?;
    let password = read();
    stderr.write_all(b"\n")?;
    password
}

fn read() -> io::Result<Vec<u8>> {
    let mut password = Vec::new();
    for byte in io::stdin().lock().take(PASSWORD_MAX as u64 + 1).bytes() {
        match byte? {
            b'\n' => break,
            byte => password.push(byte),
        }
    }
    if password.len() > PASSWORD_MAX {
        let why = format!("it is longer than {PASSWORD_MAX} bytes");
        return Err(io::Error::other(why));
    }
    if password.last() == Some(&b'\r') {
        password.pop();
    }
    Ok(password)
}

/// While it lives, the terminal does not show what is typed.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.0);
    }
}
