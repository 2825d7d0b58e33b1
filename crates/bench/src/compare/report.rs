//! The tables of a comparison.

use super::figures::Comparison;
use crate::numbers::grouped;
use crate::table::Table;

/// A summary of CPU time, one row a server, and the details, one row a server and way of asking.
pub(super) fn tables(comparison: &Comparison) -> [Table; 2] {
    [summary(comparison), details(comparison)]
}

fn summary(comparison: &Comparison) -> Table {
    let floor = comparison.server("floor");
    let mut table = Table::new(
        ["CPU µs per request (× floor)"]
            .into_iter()
            .chain(comparison.ways.iter().map(|way| &**way)),
    );
    for (server, name) in comparison.servers.iter().enumerate() {
        let cells = (0..comparison.ways.len()).map(|way| {
            let cpu = comparison
                .median(server, way)
                .map_or(f64::NAN, |sample| sample.cpu_us);
            match floor {
                Some(floor) if floor != server => {
                    format!("{cpu:.2} ({:.2})", comparison.cpu_ratio(server, floor, way))
                }
                _ => format!("{cpu:.2}"),
            }
        });
        table.row([name.clone()].into_iter().chain(cells));
    }
    table
}

fn details(comparison: &Comparison) -> Table {
    let references = [comparison.server("floor"), comparison.first_peer()];
    let mut header: Vec<String> = [
        "",
        "server",
        "CPU µs",
        "requests/s",
        "p50 µs",
        "p99 µs",
        "p99.9 µs",
    ]
    .map(str::to_owned)
    .to_vec();
    header.extend(
        references
            .iter()
            .flatten()
            .map(|&server| format!("CPU × {}", comparison.servers[server])),
    );
    let mut table = Table::new(header);
    for (way, way_name) in comparison.ways.iter().enumerate() {
        for (server, name) in comparison.servers.iter().enumerate() {
            let Some(sample) = comparison.median(server, way) else {
                continue;
            };
            let mut cells = vec![
                way_name.clone(),
                name.clone(),
                format!("{:.3}", sample.cpu_us),
            ];
            cells.push(grouped(sample.requests_per_second as u64));
            cells.extend(
                [sample.p50_us, sample.p99_us, sample.p999_us].map(|us| format!("{us:.0}")),
            );
            let ratios = references
                .iter()
                .flatten()
                .map(|&to| format!("{:.2}", comparison.cpu_ratio(server, to, way)));
            cells.extend(ratios);
            table.row(cells);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_stand_beside_the_figures() {
        let [summary, details] =
            tables(&super::super::figures::tests::small()).map(|table| table.to_string());
        assert!(
            summary.contains("3.00 (2.00)") && summary.contains("1.50 |"),
            "{summary}"
        );
        assert!(details.contains("CPU × floor | CPU × other |"), "{details}");
    }
}
