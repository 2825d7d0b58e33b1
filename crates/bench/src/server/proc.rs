//! What Linux says about a process: CPU time and resident memory.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::param::clock_ticks_per_second;

/// CPU time of all threads of a process, user and system. `schedstat` counts nanoseconds; where the kernel is built
/// without it, `stat` counts in ticks of 10 ms.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    match cpu_time_of_threads(pid) {
        Some(time) if !time.is_zero() => Ok(time),
        _ => cpu_time_in_ticks(pid)
            .with_context(|| format!("process {pid} is not there to be measured")),
    }
}

fn cpu_time_of_threads(pid: u32) -> Option<Duration> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        sum += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(sum))
}

fn cpu_time_in_ticks(pid: u32) -> Option<Duration> {
    let ticks = ticks_of(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
    Some(Duration::from_secs_f64(
        ticks as f64 / clock_ticks_per_second() as f64,
    ))
}

/// utime and stime of a line of `/proc/PID/stat`; the name before them may hold spaces and brackets.
fn ticks_of(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system) = (fields.next()?, fields.next()?);
    Some(user.parse::<u64>().ok()? + system.parse::<u64>().ok()?)
}

/// Resident memory of a process in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("process {pid} is not there to be measured"))?;
    resident_of(&status).with_context(|| format!("process {pid} has no resident memory"))
}

fn resident_of(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn fields_are_found_behind_odd_names() {
        let stat = "7 (a) b)) S 1 7 7 0 -1 4194304 100 0 0 0 31 11 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks_of(stat), Some(42));
        assert_eq!(
            resident_of("VmHWM:\t 9 kB\nVmRSS:\t    2048 kB\n"),
            Some(2 * 1024 * 1024)
        );
    }

    #[test]
    fn our_own_figures_can_be_read() {
        let pid = std::process::id();
        assert!(resident_bytes(pid).unwrap() > 100_000);
        // It is told in hundredths of a second: work until one of them is over.
        let works = || (0..3_000_000u64).fold(0, |sum, n| black_box(sum ^ n.wrapping_mul(31)));
        let told = (0..1000).any(|_| works() != 0 && cpu_time(pid).unwrap() > Duration::ZERO);
        assert!(told);
    }
}
