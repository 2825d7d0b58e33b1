//! Servers that ask who is there.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use larder_client::{Client, Ttl};
use tempfile::TempDir;

use crate::server::{Kind, PATIENCE, Server};

/// A folder that a server may read when it has become nobody.
pub(crate) fn open_folder() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    folder
}

#[tokio::test]
async fn a_user_and_a_password() {
    let folder = open_folder();
    let file = folder.path().join("users");
    fs::write(&file, "ada:love:lace\n").expect("written");
    let file = file.to_str().expect("a path");
    let server = Server::start(Kind::Memcached, &["-Y", file]);
    let builder = || Client::builder().nodes([server.node()]).timeout(PATIENCE);
    let builder = || builder().connect_timeout(PATIENCE);
    let client = builder().credentials("ada", "love:lace").build();
    let client = client.expect("a client");
    client.set("k", "v", Ttl::Never).await.expect("set");
    assert!(client.get("k").await.expect("get").is_some());
    let wrong = builder().credentials("ada", "lovelace").build();
    let error = wrong.expect("a client").get("k").await;
    let error = error.expect_err("refused").to_string();
    assert!(
        error.contains("the user and password were refused"),
        "{error}"
    );
    let nobody = builder().build().expect("a client").get("k").await;
    let error = nobody.expect_err("refused").to_string();
    assert!(error.contains("unauthenticated"), "{error}");
}
