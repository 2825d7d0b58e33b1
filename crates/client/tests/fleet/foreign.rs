//! Clients of other languages. Their programs lie beside this file; each is told `write` or `read`, a file with a key and
//! its value on each line, the rule by which it is to spread keys, and the nodes.

use std::fs;
use std::process::{Command, Stdio};

use crate::nutcracker::Nutcracker;
use crate::pool::Pool;
use crate::{Items, items};

/// Where the programs lie, and run.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fleet");
/// Where `scripts/clients` puts what Debian does not package.
const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/clients");

/// A client, set to a rule of its own.
pub(crate) struct Foreign {
    name: &'static str,
    rule: &'static str,
}

impl Foreign {
    pub(crate) const fn new(name: &'static str, rule: &'static str) -> Self {
        Self { name, rule }
    }

    /// Writes what is its own.
    pub(crate) fn write(&self, pool: &Pool) -> Items {
        let items = items(self.name);
        self.run("write", pool, &items);
        items
    }

    /// Reads these, and finds them all.
    pub(crate) fn read(&self, pool: &Pool, items: &Items) {
        self.run("read", pool, items);
    }

    fn run(&self, verb: &str, pool: &Pool, items: &Items) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("items");
        let lines = items.iter().map(|(key, value)| format!("{key}\t{value}\n"));
        fs::write(&file, lines.collect::<String>()).expect("written");
        let mut command = self.program();
        command.arg(verb).arg(&file).arg(self.rule);
        // It is a proxy: the nodes are its own business, and its client asks it alone.
        let nutcracker = (self.name == "nutcracker").then(|| Nutcracker::before(pool, self.rule));
        match &nutcracker {
            Some(nutcracker) => command.arg(nutcracker.socket()),
            None => command.args(pool.words()),
        };
        let done = command.output();
        let name = self.name;
        let done = done.unwrap_or_else(|e| panic!("{name} ({e}); scripts/test installs it"));
        let said = String::from_utf8_lossy(&done.stdout);
        let is_whole = said.trim_end() == format!("{verb} {}", items.len());
        let rule = self.rule;
        assert!(
            done.status.success() && is_whole,
            "{name}, {rule}: {done:?}"
        );
    }

    fn program(&self) -> Command {
        let venv_python = format!("{CLIENTS}/venv/bin/python");
        let node = format!("{CLIENTS}/node");
        let (interpreter, script) = match self.name {
            "php" => ("php", "fleet.php"),
            "pylibmc" => ("/usr/bin/python3", "fleet_pylibmc.py"),
            "npm" => (node.as_str(), "fleet.js"),
            "nutcracker" => ("/usr/bin/python3", "fleet_nutcracker.py"),
            "pymemcache" => ("/usr/bin/python3", "fleet_pymemcache.py"),
            "python-memcached" => (venv_python.as_str(), "fleet_python_memcached.py"),
            "dalli" => ("/usr/bin/ruby", "fleet_dalli.rb"),
            "perl" => ("/usr/bin/perl", "fleet_cache_memcached_fast.pl"),
            other => panic!("no program for {other}"),
        };
        let mut command = Command::new(interpreter);
        command
            .arg(script)
            .current_dir(FOLDER)
            .env("NODE_PATH", format!("{CLIENTS}/npm/node_modules"))
            // Bytecode would lie beside the sources.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null());
        command
    }
}
