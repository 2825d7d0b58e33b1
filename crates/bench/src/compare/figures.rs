//! What a comparison measured, and its medians.

use serde::Serialize;

use crate::numbers::median;

/// One server, one way of asking, one round.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Sample {
    /// CPU time of the server process per request, or per key of a request that has many.
    pub(super) cpu_us: f64,
    pub(super) requests_per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
}

/// All rounds of one server and one way of asking.
#[derive(Debug, Serialize)]
pub(super) struct Cell {
    pub(super) server: String,
    pub(super) way: String,
    pub(super) median: Option<Sample>,
    rounds: Vec<Sample>,
}

/// All of them, by way and then by server.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Comparison {
    cells: Vec<Cell>,
    #[serde(skip)]
    pub(super) servers: Vec<String>,
    #[serde(skip)]
    pub(super) ways: Vec<String>,
}

impl Comparison {
    pub(super) fn new<'a>(
        servers: impl Iterator<Item = &'a str>,
        ways: impl Iterator<Item = &'a str>,
    ) -> Self {
        let servers: Vec<String> = servers.map(str::to_owned).collect();
        let ways: Vec<String> = ways.map(str::to_owned).collect();
        let cells = ways.iter().flat_map(|way| {
            servers.iter().map(|server| Cell {
                server: server.clone(),
                way: way.clone(),
                median: None,
                rounds: Vec::new(),
            })
        });
        Self {
            cells: cells.collect(),
            servers,
            ways,
        }
    }

    pub(super) fn add(&mut self, server: usize, way: usize, sample: Sample) {
        let cell = &mut self.cells[way * self.servers.len() + server];
        cell.rounds.push(sample);
        let over = |figure: fn(&Sample) -> f64| median(cell.rounds.iter().map(figure).collect());
        cell.median = Some(Sample {
            cpu_us: over(|sample| sample.cpu_us),
            requests_per_second: over(|sample| sample.requests_per_second),
            p50_us: over(|sample| sample.p50_us),
            p99_us: over(|sample| sample.p99_us),
            p999_us: over(|sample| sample.p999_us),
        });
    }

    /// The median of a server, if it was measured.
    pub(super) fn median(&self, server: usize, way: usize) -> Option<&Sample> {
        self.cells[way * self.servers.len() + server]
            .median
            .as_ref()
    }

    /// The median over rounds of the ratio of one server's CPU time to another's in the same round: what slowed a
    /// whole round down cancels out.
    pub(super) fn cpu_ratio(&self, server: usize, to: usize, way: usize) -> f64 {
        let rounds = |server: usize| &self.cells[way * self.servers.len() + server].rounds;
        median(
            rounds(server)
                .iter()
                .zip(rounds(to))
                .map(|(one, other)| one.cpu_us / other.cpu_us)
                .collect(),
        )
    }

    /// The server of this name.
    pub(super) fn server(&self, name: &str) -> Option<usize> {
        self.servers.iter().position(|server| server == name)
    }

    /// The first that is neither ours nor the floor.
    pub(super) fn first_peer(&self) -> Option<usize> {
        self.servers
            .iter()
            .position(|server| server != "larderd" && server != "floor")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::compare) fn small() -> Comparison {
        let mut comparison = Comparison::new(
            ["larderd", "other", "floor"].into_iter(),
            ["get", "set"].into_iter(),
        );
        for (round, slow) in [1.0, 3.0, 1.5].into_iter().enumerate() {
            for server in 0..3 {
                for way in 0..2 {
                    let cpu_us = slow * [2.0, 4.0, 1.0][server] + way as f64;
                    let sample = Sample {
                        cpu_us,
                        requests_per_second: 1e6,
                        p50_us: 1.0,
                        p99_us: 2.0,
                        p999_us: round as f64,
                    };
                    comparison.add(server, way, sample);
                }
            }
        }
        comparison
    }

    #[test]
    fn medians_are_over_rounds_and_ratios_within_them() {
        let comparison = small();
        let median = comparison.median(0, 0).unwrap();
        assert_eq!((median.cpu_us, median.p999_us), (3.0, 1.0));
        assert_eq!(
            comparison.cpu_ratio(0, comparison.server("floor").unwrap(), 0),
            2.0
        );
        assert_eq!(comparison.first_peer(), Some(1));
    }
}
