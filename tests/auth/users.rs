//! Servers with a users file.

use std::time::Duration;

use crate::support::{Conn, Secrets, Server, wait_until};

/// Longest that something may take that must happen.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A larderd and its users file.
pub(crate) struct Guarded {
    pub(crate) server: Server,
    files: Secrets,
}

impl Guarded {
    /// Starts one with such a file, and options of the test's own.
    pub(crate) fn start(users: &str, more: &[&str]) -> Self {
        let files = Secrets::new();
        files.write("users", users);
        Self::of(files, more)
    }

    /// The same with a folder whose `users` is that file.
    pub(crate) fn of(files: Secrets, more: &[&str]) -> Self {
        let path = files.path("users").display().to_string();
        let mut args = vec!["-Y", &path];
        args.extend(more);
        Self {
            server: Server::larderd(&args),
            files,
        }
    }

    /// A connection that has said nothing.
    pub(crate) fn connect(&self) -> Conn {
        self.server.connect()
    }

    /// A connection of a user.
    pub(crate) fn connect_as(&self, user: &str, password: &str) -> Conn {
        let mut conn = self.connect();
        assert_eq!(say(&mut conn, user, password), "STORED", "{user}");
        conn
    }

    /// Puts another file into the place of the users file.
    pub(crate) fn replace(&self, users: &str) {
        self.files.write("users", users);
    }

    /// Writes another file of its folder.
    pub(crate) fn write_beside(&self, text: &str) {
        self.files.write("other", text);
    }

    pub(crate) fn wait_for_log(&self, words: &str) {
        wait_until(LIMIT, words, || self.server.log().contains(words));
    }
}

/// Says over the text protocol who it is; what is answered.
pub(crate) fn say(conn: &mut Conn, user: &str, password: &str) -> String {
    conn.set("auth", format!("{user} {password}").as_bytes())
}
