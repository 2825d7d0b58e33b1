//! Servers that ask who is there, and servers that are told though they do not ask.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use larder_client::{Builder, Client, Error, Ttl};
use tempfile::TempDir;

use crate::server::{BOTH, Kind, PATIENCE, Server, is_root};

/// The number of the user that servers of root's become, on every Debian.
const NOBODY: u32 = 65534;

/// A folder that a server may read when it has become nobody.
pub(crate) fn open_folder() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    folder
}

/// A file that the server alone may read: larderd takes no other, and memcached reads it when it has become nobody.
pub(crate) fn secret(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
    if is_root() {
        chown(&path, Some(NOBODY), Some(NOBODY)).expect("chown");
    }
    path
}

fn builder(server: &Server) -> Builder {
    let builder = Client::builder().nodes([server.node()]);
    builder.timeout(PATIENCE).connect_timeout(PATIENCE)
}

/// What a client of these credentials is told.
async fn round_trip(server: &Server, user: &str, password: &str) -> Result<(), Error> {
    let client = builder(server).credentials(user, password).build();
    let client = client.expect("a client");
    client.set("k", "v", Ttl::Never).await?;
    assert!(client.get("k").await?.is_some());
    Ok(())
}

#[tokio::test]
async fn a_user_and_a_password() {
    for kind in BOTH {
        let folder = open_folder();
        let users = secret(folder.path(), "users", "ada:love:lace\n");
        let server = Server::start(kind, &["-Y", users.to_str().expect("a path")]);
        let known = round_trip(&server, "ada", "love:lace").await;
        known.expect("they stand in the file");
        let node = server.node().to_string();
        for (user, password) in [("ada", "lovelace"), ("eve", "love:lace"), ("ada", "")] {
            let error = round_trip(&server, user, password).await;
            let error = error.expect_err("refused");
            assert_eq!(error.node(), Some(&*node), "{kind:?}");
            let refused = format!(
                "{node}: the user and password were refused; they must stand in the node's users file (-Y)"
            );
            assert!(error.to_string().starts_with(&refused), "{error}");
        }
        let stranger = builder(&server).build().expect("a client");
        let error = stranger.get("k").await.expect_err("refused").to_string();
        let asks = format!("{node}: it asks for a user and a password; give those");
        assert!(error.starts_with(&asks), "{error}");
        // From then on nobody waits for it, and is told why.
        let error = stranger.get("k").await.expect_err("down");
        assert!(matches!(error, Error::NodeDown { .. }));
        assert!(error.to_string().contains("it asks for a user"), "{error}");
    }
}

#[tokio::test]
async fn a_user_who_may_not_do_everything() {
    let folder = open_folder();
    let lines = "ada:x\n@ada read,write prefix=app:\nmonitor:x\n@monitor stats\n";
    let users = secret(folder.path(), "users", lines);
    let server = Server::start(Kind::Larderd, &["-Y", users.to_str().expect("a path")]);
    let client = |user| {
        builder(&server)
            .credentials(user, "x")
            .build()
            .expect("a client")
    };
    let ada = client("ada");
    ada.set("app:k", "v", Ttl::Never).await.expect("hers");
    let item = ada.get("app:k").await.expect("hers");
    assert!(item.is_some_and(|item| item.data == "v"));
    let error = ada.get("web:k").await.expect_err("another's").to_string();
    assert!(error.contains("permission denied"), "{error}");
    let error = client("monitor").get("app:k").await.expect_err("nobody's");
    assert!(error.to_string().contains("permission denied"), "{error}");
}

#[tokio::test]
async fn a_password_that_is_kept_as_a_hash() {
    let folder = open_folder();
    let line = hashed("ann", "s3cret: with blanks");
    let users = secret(folder.path(), "users", &line);
    let server = Server::start(Kind::Larderd, &["-Y", users.to_str().expect("a path")]);
    let known = round_trip(&server, "ann", "s3cret: with blanks").await;
    known.expect("its hash stands in the file");
    let refused = round_trip(&server, "ann", "s3cret").await;
    assert!(refused.is_err());
}

/// A line of a users file, made by larderd.
fn hashed(user: &str, password: &str) -> String {
    let mut child = Command::new(Kind::Larderd.program())
        .args(["hash-password", user])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("larderd runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(password.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

/// To such a server the words are a `set` like any other, whose value others could read.
#[tokio::test]
async fn a_server_that_asks_for_no_password_does_not_keep_it() {
    for kind in BOTH {
        let server = Server::start(kind, &[]);
        let stranger = builder(&server).build().expect("a client");
        for key in ["auth", "larder:auth"] {
            stranger.set(key, "mine", Ttl::Never).await.expect("set");
        }
        let taken = round_trip(&server, "ada", "love:lace").await;
        taken.expect("nobody asked");
        let data = async |key: &str| stranger.get(key).await.expect("get").map(|v| v.data);
        assert_eq!(data("larder:auth").await, None, "{kind:?}");
        assert_eq!(data("auth").await.as_deref(), Some(&b"mine"[..]));
    }
}
