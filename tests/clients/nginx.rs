//! nginx serves pages out of larderd: its memcached module asks for the page of each path, and somebody else stores them.

use std::fs;
use std::os::unix::net::UnixStream;
use std::process::Command;

use tempfile::TempDir;

use crate::http::{self, Answer};
use crate::support::{Program, Server, value};
use crate::{ROUND_MAX, tell};

/// Its sockets are files, since nginx does not tell which port the system has chosen. On the one it waits long for the
/// server, on the other hardly. Its temporary files lie in the folder.
const CONFIGURATION: &str = r#"
daemon off;
master_process off;
pid FOLDER/pid;
error_log stderr info;
events {}
http {
    access_log off;
    client_body_temp_path FOLDER/client_body;
    proxy_temp_path FOLDER/proxy;
    fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi;
    scgi_temp_path FOLDER/scgi;
    upstream larder { server SERVER; keepalive 4; }
    default_type text/html;
    memcached_next_upstream off;
    server {
        listen unix:FOLDER/patient;
        memcached_connect_timeout 60s;
        memcached_read_timeout 60s;
        location / { set $memcached_key $uri; memcached_pass larder; error_page 404 = @application; }
        location /packed/ { set $memcached_key $uri; memcached_gzip_flag 2; memcached_pass larder; }
        location @application { return 200 "made by the application"; }
    }
    server {
        listen unix:FOLDER/impatient;
        memcached_read_timeout 200ms;
        location / { set $memcached_key $uri; memcached_pass larder; }
    }
}
"#;

struct Nginx(Program);

impl Nginx {
    fn before(server: &Server) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().to_str().expect("text").to_owned();
        let text = CONFIGURATION.replace("FOLDER", &path);
        let text = text.replace("SERVER", &server.name());
        fs::write(folder.path().join("nginx.conf"), text).expect("a configuration file");
        let mut command = Command::new("/usr/sbin/nginx");
        command.args(["-p", &path, "-e", "stderr", "-c", "nginx.conf"]);
        let mut program = Program::start(folder, &mut command);
        let sockets = ["patient", "impatient"].map(|name| program.folder().join(name));
        program.wait_until(|| sockets.iter().all(|path| UnixStream::connect(path).is_ok()));
        Self(program)
    }

    fn get(&self, socket: &str, path: &str) -> Answer {
        let stream = UnixStream::connect(self.0.folder().join(socket)).expect("nginx");
        stream.set_read_timeout(Some(ROUND_MAX)).expect("a timeout");
        http::get(stream, path, "")
    }

    /// The body of an answer that must be a page.
    fn page(&self, path: &str) -> Vec<u8> {
        let answer = self.get("patient", path);
        assert_eq!(answer.status, 200, "{}", answer.head);
        answer.body
    }

    fn status(&self, socket: &str, path: &str) -> u32 {
        self.get(socket, path).status
    }
}

#[test]
fn nginx_serves_pages() {
    let server = Server::larderd(&["-m", "64", "-t", "2"]);
    let nginx = Nginx::before(&server);
    let mut conn = server.connect();
    assert_eq!(conn.set("/greeting", b"<p>hello</p>"), "STORED");
    assert_eq!(conn.set("/empty", b""), "STORED");
    assert_eq!(nginx.page("/greeting"), b"<p>hello</p>");
    assert_eq!(nginx.page("/empty"), b"");
    assert_eq!(nginx.page("/missing"), b"made by the application");

    // What nginx escapes in a key: blanks and what could end the line.
    assert_eq!(
        nginx.page("/a%20b%0d%0aflush_all"),
        b"made by the application"
    );
    assert_eq!(conn.set("/a%20b", b"escaped"), "STORED");
    assert_eq!(nginx.page("/a%20b"), b"escaped");

    for len in [1, 4000, 70_000, 900_000] {
        let (path, page) = (format!("/page{len}"), value("page", len));
        assert_eq!(conn.set(&path, &page), "STORED");
        assert!(nginx.page(&path) == page, "a page of {len} bytes");
    }
    // nginx asks them all over the few connections that it keeps.
    for i in 0..200 {
        let page = format!("page {i}");
        assert_eq!(conn.set("/same", page.as_bytes()), "STORED");
        assert_eq!(nginx.page("/same"), page.as_bytes());
    }
    assert!(conn.stat("curr_connections") < 10, "too many connections");

    // Flag 2 says that the page was stored packed.
    conn.send(b"set /packed/page 2 0 6\r\npacked\r\n");
    assert_eq!(conn.line(), "STORED");
    let answer = nginx.get("patient", "/packed/page");
    assert_eq!((answer.status, &answer.body[..]), (200, &b"packed"[..]));
    assert!(
        answer.head.contains("Content-Encoding: gzip"),
        "{}",
        answer.head
    );
}

#[test]
fn nginx_without_larderd_says_so() {
    let server = Server::larderd(&[]);
    let nginx = Nginx::before(&server);
    let mut conn = server.connect();
    assert_eq!(conn.set("/page", b"there"), "STORED");
    tell(&server, "stop");
    assert_eq!(nginx.status("impatient", "/page"), 504);
    tell(&server, "resume");
    assert_eq!(nginx.page("/page"), b"there");
    tell(&server, "end");
    assert_eq!(nginx.status("impatient", "/page"), 502);
}
