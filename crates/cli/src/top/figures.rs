//! What the nodes said, and what they did between two looks.

use std::collections::HashMap;
use std::time::Instant;

use larder_client::NodeResult;

/// The rows of `stats` of one node at one time.
struct Sample {
    at: Instant,
    rows: HashMap<String, u64>,
}

/// All nodes of the pool, in the order of their list.
#[derive(Default)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
}

struct Node {
    name: String,
    /// The last sample, or why there is none.
    now: Result<Sample, String>,
    before: Option<Sample>,
}

/// One line of the table.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) figures: Result<Figures, &'a str>,
}

/// What there is on a node, and what it does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) items: u64,
    pub(super) bytes: u64,
    pub(super) bytes_max: u64,
    pub(super) conns: u64,
    /// Since the look before; none at the first.
    pub(super) rates: Option<Rates>,
}

/// Per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) gets: f64,
    pub(super) hits: f64,
    pub(super) sets: f64,
    pub(super) evictions: f64,
    pub(super) bytes_read: f64,
    pub(super) bytes_written: f64,
}

impl Nodes {
    /// Takes the next answers. A node that is no longer in the list is gone from the table.
    pub(super) fn take(&mut self, answers: Vec<NodeResult<Vec<(String, String)>>>, at: Instant) {
        let mut before: HashMap<String, Sample> = self
            .nodes
            .drain(..)
            .filter_map(|node| Some((node.name, node.now.ok()?)))
            .collect();
        let nodes = answers.into_iter().map(|(name, answer)| {
            let now = answer.map(|rows| Sample::new(at, rows));
            Node {
                before: before.remove(&name),
                now: now.map_err(|error| error.to_string()),
                name,
            }
        });
        self.nodes = nodes.collect();
    }

    /// A line for each node.
    pub(super) fn lines(&self) -> Vec<Line<'_>> {
        let lines = self.nodes.iter().map(|node| Line {
            name: &node.name,
            figures: match &node.now {
                Ok(now) => Ok(now.figures(node.before.as_ref())),
                Err(reason) => Err(reason),
            },
        });
        lines.collect()
    }

    /// All nodes together.
    pub(super) fn sum(&self) -> Figures {
        let lines = self.lines().into_iter();
        lines
            .filter_map(|line| line.figures.ok())
            .fold(Figures::default(), Figures::and)
    }
}

impl Sample {
    fn new(at: Instant, rows: Vec<(String, String)>) -> Self {
        let numbers = rows
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.parse().ok()?)));
        Self {
            at,
            rows: numbers.collect(),
        }
    }

    fn row(&self, name: &str) -> u64 {
        self.rows.get(name).copied().unwrap_or_default()
    }

    fn figures(&self, before: Option<&Self>) -> Figures {
        Figures {
            items: self.row("curr_items"),
            bytes: self.row("bytes"),
            bytes_max: self.row("limit_maxbytes"),
            conns: self.row("curr_connections"),
            rates: before.and_then(|before| self.rates(before)),
        }
    }

    /// None between two processes, or two settings of the same: their counts have nothing to do with each other.
    fn rates(&self, before: &Self) -> Option<Rates> {
        let seconds = (self.at - before.at).as_secs_f64();
        let since = |name: &str| {
            let difference = self.row(name).checked_sub(before.row(name));
            difference.map(|difference| difference as f64 / seconds)
        };
        if seconds == 0.0 || self.row("pid") != before.row("pid") {
            return None;
        }
        Some(Rates {
            gets: since("cmd_get")?,
            hits: since("get_hits")?,
            sets: since("cmd_set")?,
            evictions: since("evictions")?,
            bytes_read: since("bytes_read")?,
            bytes_written: since("bytes_written")?,
        })
    }
}

impl Figures {
    fn and(self, other: Self) -> Self {
        let rates = match (self.rates, other.rates) {
            (Some(a), Some(b)) => Some(a.and(b)),
            (a, b) => a.or(b),
        };
        Self {
            items: self.items + other.items,
            bytes: self.bytes + other.bytes,
            bytes_max: self.bytes_max + other.bytes_max,
            conns: self.conns + other.conns,
            rates,
        }
    }
}

impl Rates {
    fn and(self, other: Self) -> Self {
        Self {
            gets: self.gets + other.gets,
            hits: self.hits + other.hits,
            sets: self.sets + other.sets,
            evictions: self.evictions + other.evictions,
            bytes_read: self.bytes_read + other.bytes_read,
            bytes_written: self.bytes_written + other.bytes_written,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answer(node: &str, rows: &[(&str, u64)]) -> NodeResult<Vec<(String, String)>> {
        let rows = rows.iter();
        let rows = rows.map(|(name, value)| ((*name).to_owned(), value.to_string()));
        (node.to_owned(), Ok(rows.collect()))
    }

    #[test]
    fn what_happened_between_two_looks() {
        let (begun, mut nodes) = (Instant::now(), Nodes::default());
        let later = begun + Duration::from_secs(2);
        let first = [("pid", 1), ("cmd_get", 10), ("get_hits", 5), ("bytes", 7)];
        nodes.take(vec![answer("a", &first), answer("b", &[("pid", 2)])], begun);
        assert_eq!(nodes.sum().bytes, 7);
        assert!(
            nodes
                .lines()
                .iter()
                .all(|line| line.figures.is_ok_and(|f| f.rates.is_none()))
        );

        let second = [("pid", 1), ("cmd_get", 30), ("get_hits", 15), ("bytes", 8)];
        nodes.take(
            vec![answer("a", &second), answer("b", &[("pid", 3)])],
            later,
        );
        let lines = nodes.lines();
        let rates = lines[0].figures.expect("figures").rates.expect("rates");
        assert_eq!((rates.gets, rates.hits), (10.0, 5.0));
        // It is another process under the same name.
        assert_eq!(lines[1].figures.expect("figures").rates, None);
        assert_eq!(nodes.sum().rates, Some(rates));
    }

    #[test]
    fn a_node_that_is_away_says_why() {
        let mut nodes = Nodes::default();
        let away = larder_client::Error::NodeDown {
            node: "a".into(),
            reason: "no route".into(),
        };
        nodes.take(vec![("a".to_owned(), Err(away))], Instant::now());
        let lines = nodes.lines();
        assert!(lines[0].figures.expect_err("away").contains("no route"));
        assert_eq!(nodes.sum(), Figures::default());
    }
}
