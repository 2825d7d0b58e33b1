//! collectd with its memcached plugin, writing one file for each metric into a folder of its own.

use std::fs;
use std::process::{Child, Command, Stdio};

use tempfile::{Builder, TempDir};

use crate::support::Server;
use crate::{Metrics, Monitor};

/// A running collectd.
pub(crate) struct Collectd {
    child: Child,
    folder: TempDir,
}

impl Monitor for Collectd {
    const GET_HITS: &str = "memcached_ops-hits.value";
    const UNLIKE: &[&str] = &[
        "cputime",
        "df-cache",
        "octets",
        "uptime",
        "connections",
        "percent",
    ];

    fn watch(server: &Server) -> Self {
        // It writes nothing where a folder's name begins with a dot.
        let folder = Builder::new()
            .prefix("collectd-")
            .tempdir()
            .expect("a temporary folder");
        let (base, addr) = (folder.path().display(), server.addr());
        let config = format!(
            r#"
            BaseDir "{base}"
            PIDFile "{base}/pid"
            PluginDir "/usr/lib/collectd"
            TypesDB "/usr/share/collectd/types.db"
            Interval 1
            Hostname "host"
            LoadPlugin memcached
            LoadPlugin csv
            <Plugin csv>
              DataDir "{base}/csv"
            </Plugin>
            <Plugin memcached>
              <Instance "one">
                Host "{}"
                Port "{}"
              </Instance>
            </Plugin>
            "#,
            addr.ip(),
            addr.port()
        );
        let file = folder.path().join("collectd.conf");
        fs::write(&file, config).expect("a configuration file");
        let child = Command::new("/usr/sbin/collectd")
            .arg("-f")
            .arg("-C")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("collectd cannot be run ({e}); scripts/test installs it"));
        Self { child, folder }
    }

    fn metrics(&self) -> Metrics {
        self.files().iter().flat_map(last_values).collect()
    }

    fn looks(&self) -> usize {
        let lines = |(_, text): &(String, String)| text.matches('\n').count() - 1;
        self.files().iter().map(lines).min().unwrap_or(0)
    }
}

impl Collectd {
    /// Each metric's file: its name, and what of it is whole lines. The first of them names the values.
    fn files(&self) -> Vec<(String, String)> {
        let Ok(files) = fs::read_dir(self.folder.path().join("csv/host/memcached-one")) else {
            return Vec::new();
        };
        let all = files.map(|file| {
            let path = file.expect("a file").path();
            let text = fs::read_to_string(&path).expect("a text");
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), text[..whole].to_owned())
        });
        all.filter(|(_, text)| !text.is_empty()).collect()
    }
}

impl Drop for Collectd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The values of a file's last line, by the names in its first: `epoch,used,free`. The file's own name ends in the day.
fn last_values((name, text): &(String, String)) -> Vec<(String, f64)> {
    let metric = &name[..name.len() - "-2000-01-01".len()];
    let mut lines = text.lines();
    let (Some(head), Some(last)) = (lines.next(), lines.next_back()) else {
        return Vec::new();
    };
    let columns = head.split(',').zip(last.split(','));
    columns
        .skip(1)
        .map(|(column, value)| {
            let value = value.parse().unwrap_or_else(|_| panic!("{name}: {last}"));
            (format!("{metric}.{column}"), value)
        })
        .collect()
}
