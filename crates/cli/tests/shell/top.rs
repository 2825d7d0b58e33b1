//! `larder top` and the question of `larder flush`, in a terminal of their own.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, PtyPair, PtySize, native_pty_system};

use super::larder;
use super::pool::{PATIENCE, Pool};

const SIZE: PtySize = PtySize {
    rows: 12,
    cols: 110,
    pixel_width: 0,
    pixel_height: 0,
};

fn places(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("a terminal has room")
}

/// A terminal with `larder` in it, and somebody who looks at it.
struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    _pair: PtyPair,
}

impl Terminal {
    fn start(pool: &Pool, args: &[&str]) -> Self {
        let pair = native_pty_system().openpty(SIZE).expect("a terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_larder"));
        command.args(args);
        command.args([&pool.option(), "--timeout=30s"]);
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).expect("larder runs");
        let mut reader = pair.master.try_clone_reader().expect("its output");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // When nobody has the terminal open any more, reading it is an error.
            while let Ok(len @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..len].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            keyboard: pair.master.take_writer().expect("its input"),
            output,
            screen: vt100::Parser::new(places(SIZE.rows), places(SIZE.cols), 0),
            _pair: pair,
        }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("typed");
        self.keyboard.flush().expect("typed");
    }

    /// Looks until the screen is as it should be.
    fn shows(&mut self, what: &str, is_shown: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let shown = self.screen.screen().contents();
            if is_shown(&shown) {
                return shown;
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{what} is not shown:\n{shown}")
                }
            }
        }
    }

    fn ends_well(mut self) -> bool {
        self.child.wait().expect("it ends").success()
    }
}

/// The cells behind a name.
fn line<'a>(shown: &'a str, name: &str) -> Vec<&'a str> {
    let line = shown.lines().find(|line| line.starts_with(name));
    line.map(|line| line.split_whitespace().collect())
        .unwrap_or_default()
}

#[test]
fn a_table_that_lives() {
    let mut pool = Pool::start();
    for n in 0..10 {
        pool.done("set", &[&format!("k{n}"), "v"]);
    }
    let mut top = Terminal::start(&pool, &["top", "--every=100ms"]);
    let shown = top.shows("every item", |shown| {
        line(shown, "all").get(1) == Some(&"10") && shown.contains("q leaves")
    });
    assert!(shown.starts_with("node"), "{shown}");
    for name in &pool.names {
        assert!(!line(&shown, name).is_empty(), "{shown}");
    }
    pool.done("set", &["k10", "v"]);
    top.shows("the new item", |shown| {
        line(shown, "all").get(1) == Some(&"11")
    });

    pool.crash(0);
    let name = pool.names[0].clone();
    top.shows("the node that is away", |shown| {
        line(shown, &name).get(1) == Some(&"away") && !shown.contains("q leaves")
    });
    top.press("q");
    assert!(top.ends_well());
}

#[test]
fn control_c_leaves() {
    let pool = Pool::start();
    let mut top = Terminal::start(&pool, &["top"]);
    top.shows("the table", |shown| shown.contains("evicts/s"));
    top.press("\u{3}");
    assert!(top.ends_well());
}

#[test]
fn without_a_terminal_there_is_no_top() {
    let out = larder(&["top", "--node", "127.0.0.1"], b"");
    assert_eq!(out.status.code(), Some(1));
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains("needs a terminal"), "{said}");
}

#[test]
fn flush_believes_only_a_yes() {
    let pool = Pool::start();
    pool.done("set", &["k", "v"]);
    for (answer, is_flushed) in [("no", false), ("", false), ("yes", true)] {
        let mut flush = Terminal::start(&pool, &["flush"]);
        flush.shows("the question", |shown| {
            shown.contains("on 3 nodes? [yes/no]")
        });
        flush.press(&format!("{answer}\r"));
        assert_eq!(flush.ends_well(), is_flushed, "{answer}");
        let found = pool.run("get", &["k"], b"").status.success();
        assert_eq!(found, !is_flushed, "{answer}");
    }
}
