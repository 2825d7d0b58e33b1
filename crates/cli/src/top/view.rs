//! The table on the screen.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::Text;
use ratatui::widgets::{Paragraph, Row, Table};

use super::figures::{Figures, Line, Nodes};

/// The columns behind the node's name. On a narrow screen the last ones are left out.
const COLUMNS: [&str; 9] = [
    "items", "memory", "conns", "gets/s", "hits", "sets/s", "evicts/s", "in B/s", "out B/s",
];
const WIDTH: u16 = 8;
/// A name takes as much room as it needs, up to this.
const NAME_WIDTH_MAX: usize = 40;

/// Draws all of it. Which row is the first is brought within what there is.
pub(super) fn draw(frame: &mut Frame<'_>, nodes: &Nodes, first_row: &mut usize) {
    let areas = Layout::vertical([Constraint::Min(2), Constraint::Length(1)]).split(frame.area());
    let lines = nodes.lines();
    // One row is the header's, one the sum's.
    let room = usize::from(areas[0].height).saturating_sub(2);
    *first_row = (*first_row).min(lines.len().saturating_sub(room));
    let name_width = lines.iter().map(|line| line.name.chars().count()).max();
    let name_width = name_width.unwrap_or_default().clamp(4, NAME_WIDTH_MAX) as u16;
    let columns = columns_beside(name_width, areas[0].width);
    let all = row("all", Ok(nodes.sum()), columns).bold();
    let shown = lines.iter().skip(*first_row);
    let shown = shown.map(|line: &Line<'_>| row(line.name, line.figures, columns));
    let rows = std::iter::once(all).chain(shown);
    let mut widths = vec![Constraint::Min(name_width)];
    widths.extend([Constraint::Length(WIDTH)].repeat(columns));
    let shown_columns = COLUMNS.into_iter().take(columns);
    let header = std::iter::once(Text::from("node")).chain(shown_columns.map(right));
    let header = Row::new(header).style(Style::new().reversed());
    frame.render_widget(Table::new(rows, widths).header(header), areas[0]);
    frame.render_widget(Paragraph::new(footer(&lines)), areas[1]);
}

/// How many columns there is room for; each has a blank before it.
fn columns_beside(name_width: u16, width: u16) -> usize {
    let room = width.saturating_sub(name_width) / (WIDTH + 1);
    usize::from(room).min(COLUMNS.len())
}

/// Why nodes are away, or what can be done.
fn footer(lines: &[Line<'_>]) -> Text<'static> {
    let reason = lines.iter().find_map(|line| line.figures.err());
    match reason {
        Some(reason) => Text::from(reason.to_owned()).fg(Color::Red),
        None => Text::from("q leaves, up and down scroll"),
    }
}

fn row<'a>(name: &'a str, figures: Result<Figures, &str>, columns: usize) -> Row<'a> {
    let Ok(figures) = figures else {
        return Row::new([Text::from(name), right("away")]).fg(Color::Red);
    };
    let cells = cells(figures).into_iter().take(columns);
    Row::new(std::iter::once(Text::from(name)).chain(cells.map(right)))
}

fn right<'a>(text: impl Into<Text<'a>>) -> Text<'a> {
    text.into().alignment(Alignment::Right)
}

/// What stands in the columns.
fn cells(figures: Figures) -> [String; COLUMNS.len()] {
    let rate = |rate: Option<f64>| rate.map(short).unwrap_or_default();
    let rates = figures.rates;
    [
        short(figures.items as f64),
        percent(figures.bytes as f64, figures.bytes_max as f64),
        figures.conns.to_string(),
        rate(rates.map(|rates| rates.gets)),
        rates
            .map(|rates| percent(rates.hits, rates.gets))
            .unwrap_or_default(),
        rate(rates.map(|rates| rates.sets)),
        rate(rates.map(|rates| rates.evictions)),
        rate(rates.map(|rates| rates.bytes_read)),
        rate(rates.map(|rates| rates.bytes_written)),
    ]
}

/// A share of something; of nothing there is none.
fn percent(part: f64, whole: f64) -> String {
    match whole > 0.0 {
        true => format!("{:.1} %", 100.0 * part / whole),
        false => String::new(),
    }
}

/// A number in at most six places.
fn short(number: f64) -> String {
    for (unit, size) in [("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e4)] {
        if number >= size {
            let divisor = if unit == "k" { 1e3 } else { size };
            return format!("{:.1}{unit}", number / divisor);
        }
    }
    format!("{number:.0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_do_not_fit_are_left_out() {
        for (name_width, width, expected) in [
            (15, 200, COLUMNS.len()),
            (15, 96, COLUMNS.len()),
            (15, 95, COLUMNS.len() - 1),
            (15, 80, 7),
            (40, 20, 0),
        ] {
            assert_eq!(columns_beside(name_width, width), expected);
        }
    }

    #[test]
    fn numbers_are_short() {
        for (number, expected) in [
            (0.0, "0"),
            (9999.0, "9999"),
            (12_345.0, "12.3k"),
            (999_999.0, "1000.0k"),
            (1_234_567.0, "1.2M"),
            (5e9, "5.0G"),
            (2.5e12, "2.5T"),
        ] {
            assert_eq!(short(number), expected);
        }
        assert_eq!(percent(1.0, 0.0), "");
        assert_eq!(percent(1.0, 3.0), "33.3 %");
    }
}
