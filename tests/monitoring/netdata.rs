//! netdata's memcached collector, which is a script of its python.d plugin, run as netdata runs it.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::Server;
use crate::{Metrics, Monitor};

/// A running plugin.
pub(crate) struct Netdata {
    child: Child,
    folder: TempDir,
}

impl Monitor for Netdata {
    const GET_HITS: &str = "memcached_one.get.get_hits";
    const UNLIKE: &[&str] = &["cache.", "net.", "connections.", "runtime"];

    fn watch(server: &Server) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path();
        let addr = server.addr();
        for name in ["python.d", "lib", "lock"] {
            fs::create_dir(path.join(name)).expect("a folder");
        }
        fs::write(path.join("python.d.conf"), "enabled: yes\n").expect("a configuration file");
        let job = format!("one:\n  host: {}\n  port: {}\n", addr.ip(), addr.port());
        fs::write(path.join("python.d/memcached.conf"), job).expect("a configuration file");
        let shown = File::create(path.join("shown")).expect("a file");
        let child = Command::new("/usr/lib/netdata/plugins.d/python.d.plugin")
            .args(["memcached", "1"])
            .env("NETDATA_USER_CONFIG_DIR", path)
            .env("NETDATA_LIB_DIR", path.join("lib"))
            .env("NETDATA_LOCK_DIR", path.join("lock"))
            .stdin(Stdio::null())
            .stdout(shown)
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| {
                panic!("netdata's plugin cannot be run ({e}); scripts/test installs it")
            });
        Self { child, folder }
    }

    fn metrics(&self) -> Metrics {
        let (mut metrics, mut chart) = (Metrics::new(), "");
        let text = self.told();
        for line in text.lines() {
            if let Some(begun) = line.strip_prefix("BEGIN ") {
                chart = begun.split_whitespace().next().unwrap_or_default();
            } else if let Some(set) = line.strip_prefix("SET ") {
                let (dimension, value) = set.split_once(" = ").expect("a value");
                let value = value.trim().parse().unwrap_or_else(|_| panic!("{line}"));
                metrics.insert(format!("{chart}.{}", dimension.trim_matches('\'')), value);
            }
        }
        metrics
    }

    /// At the end of each look it tells how long that took.
    fn looks(&self) -> usize {
        self.told().matches("BEGIN netdata.runtime_").count()
    }
}

impl Netdata {
    /// What it has told netdata, in whole lines: `BEGIN <chart> …`, then `SET '<dimension>' = <value>`.
    fn told(&self) -> String {
        let mut text = fs::read_to_string(self.folder.path().join("shown")).expect("a text");
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        text
    }
}

impl Drop for Netdata {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
