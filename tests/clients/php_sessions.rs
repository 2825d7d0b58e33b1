//! PHP's web server with its sessions in larderd, kept by php-memcached's session handler: visitors, one or many at a
//! time, of two web servers.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;

use tempfile::TempDir;

use crate::http::{self, Answer};
use crate::support::{Program, Server};
use crate::{FOLDER, ROUND_MAX, tell};

struct WebServer {
    program: Program,
    addr: SocketAddr,
}

impl WebServer {
    fn before(server: &Server, binary: bool) -> Self {
        let settings = [
            "session.save_handler=memcached".to_owned(),
            format!("session.save_path={}", server.name()),
            format!("memcached.sess_binary_protocol={}", i32::from(binary)),
            // A visitor's second request waits for the first as long as it takes.
            "memcached.sess_lock_retries=100000".to_owned(),
            "memcached.sess_lock_wait_min=2".to_owned(),
            "memcached.sess_lock_wait_max=10".to_owned(),
        ];
        let mut command = Command::new("/usr/bin/php");
        for setting in &settings {
            command.args(["-d", setting]);
        }
        command
            .args(["-S", "127.0.0.1:0", "session_page.php"])
            .current_dir(FOLDER);
        let folder = TempDir::new().expect("a temporary folder");
        let mut program = Program::start(folder, &mut command);
        let mut addr = None;
        let log = program.folder().join("log");
        program.wait_until(|| {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            addr = text.split_once("(http://").and_then(|(_, rest)| {
                let (addr, _) = rest.split_once(')')?;
                addr.parse().ok()
            });
            addr.is_some()
        });
        let addr = addr.expect("waited for");
        Self { program, addr }
    }

    /// Asks for a page, as the visitor of a session if there is one.
    fn get(&self, path: &str, session: Option<&str>) -> Answer {
        let stream = TcpStream::connect(self.addr).expect("PHP");
        stream.set_read_timeout(Some(ROUND_MAX)).expect("a timeout");
        let cookie = session.map(|id| format!("Cookie: PHPSESSID={id}\r\n"));
        http::get(stream, path, &cookie.unwrap_or_default())
    }

    /// The text of a page that must be there.
    fn page(&self, path: &str, session: Option<&str>) -> String {
        let answer = self.get(path, session);
        assert_eq!(answer.status, 200, "{}{}", answer.head, self.program.log());
        answer.text()
    }

    /// The first page of a new visitor, who is given a session.
    fn new_session(&self) -> String {
        let answer = self.get("/count", None);
        assert_eq!((answer.status, answer.text().as_str()), (200, "1"));
        let (_, rest) = answer.head.split_once("PHPSESSID=").expect("a cookie");
        rest.split([';', '\r']).next().expect("an id").to_owned()
    }
}

fn visits(binary: bool) {
    let server = Server::larderd(&["-m", "64", "-t", "2"]);
    let webs = [(); 2].map(|()| WebServer::before(&server, binary));
    let [web, other] = &webs;
    let mut conn = server.connect();

    let session = web.new_session();
    assert_eq!(other.page("/count", Some(&session)), "2");
    let kept = conn.get(&format!("memc.sess.key.{session}"));
    let kept = String::from_utf8(kept.expect("the session")).expect("text");
    assert!(kept.starts_with("count|i:2;"), "{kept}");
    assert_eq!(conn.get(&format!("memc.sess.key.lock.{session}")), None);

    // A session of 600 KB, and another visitor with one of his own.
    assert_eq!(web.page("/count?words=40000", Some(&session)), "3");
    assert_eq!(other.page("/count", Some(&session)), "4");
    assert_ne!(other.new_session(), session);

    // Many requests of one visitor at once: each locks the session, so that none is lost.
    let session = web.new_session();
    thread::scope(|scope| {
        for web in &webs {
            scope.spawn(|| (0..20).for_each(|_| drop(web.page("/count", Some(&session)))));
        }
    });
    assert_eq!(web.page("/count", Some(&session)), "42");

    assert_eq!(other.page("/leave", Some(&session)), "left");
    assert_eq!(conn.get(&format!("memc.sess.key.{session}")), None);
    assert_eq!(web.page("/count", Some(&session)), "1");

    tell(&server, "end");
    let answer = web.get("/count", Some(&session));
    assert_eq!(answer.status, 503, "{}", answer.text());
}

#[test]
fn php_sessions_in_text() {
    visits(false);
}

#[test]
fn php_sessions_in_binary() {
    visits(true);
}
