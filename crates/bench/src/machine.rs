//! The machine that figures were taken on, since they mean little without it.

use std::fmt;
use std::fs;

use serde::Serialize;

use crate::cores;

/// What is worth writing beside figures.
#[derive(Serialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let cpu = model(&cpuinfo).unwrap_or("an unnamed CPU").to_owned();
        Self {
            cpu,
            cores: cores::available(),
            kernel: kernel.trim().to_owned(),
        }
    }
}

/// The first core's name; x86 has one, Arm may have none.
fn model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim())
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {} cores, Linux {}",
            self.cpu, self.cores, self.kernel
        )
    }
}

#[cfg(test)]
mod tests {
    use super::model;

    #[test]
    fn the_first_name_is_taken() {
        assert_eq!(
            model("processor : 0\nmodel name\t: Fast 9000 @ 3 GHz\nmodel name : other\n"),
            Some("Fast 9000 @ 3 GHz")
        );
        assert_eq!(model("processor : 0\n"), None);
    }
}
