//! System calls, as strace's summary counts them.

use std::collections::HashMap;

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::server::Wrapper;

/// Starts the server under strace, which with `-D` is its grandchild and not its parent: the server is ours to end.
pub(super) fn wrapper() -> Wrapper {
    let words = ["strace", "-D", "-f", "-c", "-o", "{output}"];
    Wrapper {
        words: words.map(str::to_owned).to_vec(),
        end: " total\n",
    }
}

/// Calls by their names, of the run that wrote this.
pub(super) fn read(output: &str) -> Result<HashMap<String, u64>> {
    let calls = summary(output);
    ensure!(!calls.is_empty(), "strace wrote no summary");
    Ok(calls)
}

/// Rows are `% time, seconds, usecs/call, calls, errors, syscall`, and errors are left out where there are none.
fn summary(text: &str) -> HashMap<String, u64> {
    let mut calls = HashMap::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [_, _, _, count, .., name] = fields[..]
            && name != "total"
            && let Ok(count) = count.parse::<u64>()
        {
            *calls.entry(name.to_owned()).or_default() += count;
        }
    }
    calls
}

/// Calls per request by what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Calls {
    pub(super) read: f64,
    pub(super) write: f64,
    pub(super) wait: f64,
    pub(super) other: f64,
}

impl Calls {
    /// The difference between two runs over the requests that one had more.
    pub(super) fn per_request(
        few: &HashMap<String, u64>,
        many: &HashMap<String, u64>,
        requests: u64,
    ) -> Self {
        let mut sum = Self {
            read: 0.0,
            write: 0.0,
            wait: 0.0,
            other: 0.0,
        };
        for (name, count) in many {
            let more = *count as f64 - few.get(name).copied().unwrap_or(0) as f64;
            *sum.kind(name) += more / requests as f64;
        }
        // A handful of calls more or less at the start is nothing per request.
        sum.other = sum.other.max(0.0);
        sum
    }

    fn kind(&mut self, name: &str) -> &mut f64 {
        match name {
            "read" | "readv" | "recvfrom" | "recvmsg" | "recvmmsg" => &mut self.read,
            "write" | "writev" | "sendto" | "sendmsg" | "sendmmsg" => &mut self.write,
            "epoll_wait" | "epoll_pwait" | "epoll_pwait2" | "poll" | "ppoll" | "select"
            | "pselect6" => &mut self.wait,
            _ => &mut self.other,
        }
    }

    pub(super) fn each(&self) -> [(&'static str, f64); 4] {
        [
            ("read", self.read),
            ("write", self.write),
            ("wait", self.wait),
            ("other", self.other),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 66.67    0.000002           0       400       200 read
 33.33    0.000001           0       200           sendmsg
  0.00    0.000000           0       210           epoll_wait
------ ----------- ----------- --------- --------- ----------------
100.00    0.000003           0       810       200 total
";

    #[test]
    fn rows_with_and_without_errors_are_read() {
        let calls = summary(SUMMARY);
        assert_eq!(calls.len(), 3);
        assert_eq!((calls["read"], calls["sendmsg"]), (400, 200));
    }

    #[test]
    fn what_both_runs_had_cancels_out() {
        let few = HashMap::from([
            ("read".to_owned(), 200),
            ("futex".to_owned(), 9),
            ("epoll_wait".to_owned(), 110),
        ]);
        let calls = Calls::per_request(&few, &summary(SUMMARY), 100);
        assert_eq!(
            calls,
            Calls {
                read: 2.0,
                write: 2.0,
                wait: 1.0,
                other: 0.0
            }
        );
    }
}
