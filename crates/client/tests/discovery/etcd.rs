//! Keys under leases in a real etcd, changed by its own tool.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use larder_client::{Discovery, Etcd, NodeList};
use tempfile::TempDir;
use tokio::sync::watch;

use super::{PATIENCE, address, becomes, labels};

/// An etcd of one member, until it is dropped.
struct Member {
    child: Child,
    folder: TempDir,
    urls: [String; 2],
}

impl Member {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let urls = [address(), address()].map(|address| format!("http://{address}"));
        let child = spawn(&folder, &urls);
        let member = Self {
            child,
            folder,
            urls,
        };
        member.await_health();
        member
    }

    fn stop(&mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it ended");
    }

    fn restart(&mut self) {
        self.child = spawn(&self.folder, &self.urls);
        self.await_health();
    }

    /// Asks until it answers: the tool itself waits for a moment each time.
    fn await_health(&self) {
        let begin = Instant::now();
        while let Err(said) = self.run(&["get", "nothing"]) {
            assert!(begin.elapsed() < PATIENCE, "etcd answers: {said}");
        }
    }

    fn ctl(&self, args: &[&str]) -> String {
        self.run(args)
            .unwrap_or_else(|said| panic!("{args:?}: {said}"))
    }

    fn run(&self, args: &[&str]) -> Result<String, String> {
        let out = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &self.urls[0]])
            .args(args)
            .output()
            .expect("etcdctl, of Debian's package etcd-client");
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        match out.status.success() {
            true => Ok(text(&out.stdout)),
            false => Err(text(&out.stderr)),
        }
    }

    /// A lease of so many seconds, which nobody renews.
    fn lease(&self, seconds: &str) -> String {
        let granted = self.ctl(&["lease", "grant", seconds]);
        let id = granted.split(' ').nth(1).expect("lease ID granted …");
        format!("--lease={id}")
    }

    fn etcd(&self) -> Etcd {
        Etcd::new(&self.urls[0], "/pool/")
    }
}

fn spawn(folder: &TempDir, [clients, peers]: &[String; 2]) -> Child {
    Command::new("etcd")
        .arg("--data-dir")
        .arg(folder.path())
        .args(["--listen-client-urls", clients])
        .args(["--advertise-client-urls", clients])
        .args(["--listen-peer-urls", peers])
        .args(["--initial-advertise-peer-urls", peers])
        .arg(format!("--initial-cluster=default={peers}"))
        // Nothing here must outlive the test, the disk least of all.
        .arg("--unsafe-no-fsync")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("etcd, of Debian's package etcd-server")
}

impl Drop for Member {
    fn drop(&mut self) {
        // It may have been stopped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn follow(etcd: Etcd) -> watch::Receiver<NodeList> {
    let followed = Discovery::Etcd(etcd).follow().await;
    followed.expect("a list")
}

#[tokio::test]
async fn keys_under_leases_are_followed() {
    let member = Member::start();
    let nothing = Discovery::Etcd(member.etcd()).follow().await;
    let said = nothing.expect_err("no list").to_string();
    assert_eq!(said, "etcd's keys under /pool/: the list of nodes is empty");

    member.ctl(&["put", "/pool/b", "10.0.0.1"]);
    member.ctl(&["put", "/pool/a", "10.0.0.2:11311;weight=2;name=a"]);
    member.ctl(&["put", "/pool", "none of them"]);
    member.ctl(&["put", "/poolside/c", "none of them"]);
    let mut lists = follow(member.etcd()).await;
    assert_eq!(labels(&lists.borrow()), ["a", "10.0.0.1:11211"]);

    let lease = member.lease("1");
    member.ctl(&["put", &lease, "/pool/c", "10.0.0.3;name=c"]);
    becomes(&mut lists, &["a", "10.0.0.1:11211", "c"]).await;
    // Nobody renews the lease: the node goes by itself.
    becomes(&mut lists, &["a", "10.0.0.1:11211"]).await;

    // What cannot be used is passed over, and so is nothing at all.
    member.ctl(&["put", "/pool/d", "::1"]);
    member.ctl(&["del", "--prefix", "/pool/"]);
    member.ctl(&["put", "/pool/e", "e"]);
    becomes(&mut lists, &["e:11211"]).await;
}

#[tokio::test]
async fn outages_are_survived() {
    let mut member = Member::start();
    member.ctl(&["put", "/pool/a", "a"]);
    let away = format!("http://{}", address());
    let etcd = Etcd::new(&away, "/pool/").or(&member.urls[0]);
    let mut lists = follow(etcd).await;
    assert_eq!(labels(&lists.borrow()), ["a:11211"]);

    member.stop();
    let refused = Discovery::Etcd(member.etcd()).follow().await;
    let said = refused.expect_err("nobody is there").to_string();
    assert!(said.contains("Connection refused"), "{said}");
    assert_eq!(labels(&lists.borrow()), ["a:11211"]);

    member.restart();
    member.ctl(&["put", "/pool/b", "b"]);
    becomes(&mut lists, &["a:11211", "b:11211"]).await;
}

/// Keys whose history is gone are read anew, not waited for.
#[tokio::test]
async fn a_compacted_history_is_no_obstacle() {
    let mut member = Member::start();
    member.ctl(&["put", "/pool/a", "a"]);
    let mut lists = follow(member.etcd()).await;
    member.stop();
    member.restart();
    member.ctl(&["put", "/pool/b", "b"]);
    let revision = member.ctl(&["get", "/pool/b", "-w", "fields"]);
    let revision = revision.split("\"ModRevision\" : ").nth(1);
    let revision = revision.and_then(|rest| rest.lines().next());
    member.ctl(&["compact", revision.expect("a revision")]);
    becomes(&mut lists, &["a:11211", "b:11211"]).await;
}

#[tokio::test]
async fn users_and_tokens() {
    let member = Member::start();
    member.ctl(&["put", "/pool/a", "a"]);
    member.ctl(&["user", "add", "root:secret"]);
    member.ctl(&["user", "grant-role", "root", "root"]);
    member.ctl(&["auth", "enable"]);
    let said = async |etcd: Etcd| {
        let refused = Discovery::Etcd(etcd).follow().await;
        refused.expect_err("refused").to_string()
    };
    let nobody = said(member.etcd()).await;
    assert!(nobody.contains("user name is empty"), "{nobody}");
    let wrong = said(member.etcd().credentials("root", "guess")).await;
    assert!(wrong.contains("authentication failed"), "{wrong}");

    let etcd = member.etcd().credentials("root", "secret");
    assert!(!format!("{etcd:?}").contains("secret"));
    let mut lists = follow(etcd.every(Duration::from_secs(1))).await;
    member.ctl(&["--user=root:secret", "put", "/pool/b", "b"]);
    becomes(&mut lists, &["a:11211", "b:11211"]).await;
}
