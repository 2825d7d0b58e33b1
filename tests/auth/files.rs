//! The users file at the start, and `larderd hash-password`, which makes its lines.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::{Secrets, Tool};
use crate::users::{Guarded, LIMIT, say};

const LARDERD: &str = env!("CARGO_BIN_EXE_larderd");

/// What `larderd hash-password` prints for a user whose password is piped in, and its exit code.
fn hash_password(user: &str, password: &[u8]) -> (String, Option<i32>) {
    let mut child = Command::new(LARDERD)
        .args(["hash-password", user])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("larderd");
    let mut stdin = child.stdin.take().expect("piped");
    // What is refused at once is not read.
    if let Err(error) = stdin.write_all(password) {
        assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{error}");
    }
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).expect("text"), output.status.code())
}

#[test]
fn a_line_made_by_larderd_lets_its_user_in() {
    let (line, code) = hash_password("ann", b"s3cret: with blanks\n");
    assert_eq!(code, Some(0), "{line}");
    assert!(
        line.starts_with("ann:$argon2id$") && !line.contains("s3cret"),
        "{line}"
    );
    let guarded = Guarded::start(&line, &["-t", "2"]);
    let mut conn = guarded.connect();
    let failure = "CLIENT_ERROR authentication failure";
    assert_eq!(say(&mut conn, "ann", "s3cret"), failure);
    assert_eq!(say(&mut conn, "ann", "s3cret: with blanks"), "STORED");
    for _ in 0..100 {
        guarded.connect_as("ann", "s3cret: with blanks");
    }
}

#[test]
fn what_cannot_be_a_line_is_refused() {
    for (user, password, words) in [
        ("a b", &b"secret"[..], "a user's name has no blanks"),
        ("", b"secret", "the user has no name"),
        ("a:b", b"secret", "a user's name has no colon"),
        ("@ann", b"secret", "does not begin with @"),
        ("#ann", b"secret", "does not begin with @ or #"),
        (
            "--help",
            b"secret",
            "needs the name of the user, and nothing else: it asks",
        ),
        ("ann", b"", "the password is empty"),
        ("ann", b"\n", "the password is empty"),
        ("ann", &[b'x'; 600], "longer than 512 bytes"),
    ] {
        let (text, code) = hash_password(user, password);
        assert!(text.contains(words), "{user}: {text}");
        assert!(code.is_some_and(|code| code != 0), "{user}: {text}");
    }
}

#[test]
fn bad_files_are_refused_at_the_start() {
    let files = Secrets::new();
    let path = files.path("users");
    let check = |more: &[&str]| {
        let name = path.display().to_string();
        let args = ["-u", "root", "--check-config", "-p", "-1", "-Y", &name];
        let tool = Tool::run(LARDERD, &[&args[..], more].concat(), LIMIT);
        (tool.status.code(), tool.output)
    };
    let (code, output) = check(&[]);
    assert!(
        code == Some(1) && output.contains("cannot be read"),
        "{output}"
    );
    mkfifo(&path, Mode::S_IRUSR).expect("a pipe");
    let (code, output) = check(&[]);
    assert!(
        code == Some(1) && output.contains("is no regular file"),
        "{output}"
    );
    files.write("users", "foo:bar\nbaz\n");
    let (code, output) = check(&[]);
    assert!(
        code == Some(1) && output.contains("line 2: should be user:password"),
        "{output}"
    );
    files.write("users", "foo:bar\n");
    assert_eq!(check(&[]).0, Some(0));
    assert_eq!(check(&["-S"]).0, Some(0));
    assert_eq!(check(&["-B", "binary"]).0, Some(64));
    let (_, output) = check(&["-o", "entry_timeout=0"]);
    assert!(output.contains("should be a second or more"), "{output}");
    assert_eq!(check(&["-S", "-B", "ascii"]).0, Some(64));
    for (mode, words) in [
        (0o644, "users: anybody may read it (mode 0644)"),
        (
            0o620,
            "users: others than its owner may write it (mode 0620)",
        ),
    ] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
        let (code, output) = check(&[]);
        assert!(code == Some(1) && output.contains(words), "{output}");
        assert_eq!(check(&["-o", "allow_world_readable_secrets"]).0, Some(0));
    }
}
