//! The chart of a comparison: CPU time per request, a group of bars for each way of asking.
//!
//! A get alone costs ten times what one of sixteen costs, so each group has a panel and a scale of its own; the scale
//! begins at 0, as it must where lengths of bars are compared.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::figures::Comparison;

const WIDTH: u32 = 960;
const HEIGHT: u32 = 400;
const HEAD: u32 = 60;
const FOOT: u32 = 40;
/// Told apart by people who see few colours, too (Okabe and Ito's palette).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(213, 94, 0),
    RGBColor(86, 180, 233),
];
const GREY: RGBColor = RGBColor(150, 150, 150);
const TEXT: RGBColor = RGBColor(60, 60, 60);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws the chart into a file.
pub(super) fn draw(path: &Path, comparison: &Comparison, subtitle: &str) -> Result<()> {
    let root = SVGBackend::new(path, (WIDTH, HEIGHT)).into_drawing_area();
    draw_on(&root, comparison, subtitle)
        .and_then(|()| Ok(root.present()?))
        .map_err(|error| {
            anyhow!(
                "the chart could not be drawn into {}: {error}",
                path.display()
            )
        })
}

type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

fn draw_on(root: &Area<'_>, comparison: &Comparison, subtitle: &str) -> Drawn {
    root.fill(&WHITE)?;
    let middle = Pos::new(HPos::Center, VPos::Center);
    let style = |size: i32| ("sans-serif", size).into_font().color(&TEXT).pos(middle);
    let centre = WIDTH as i32 / 2;
    root.draw(&Text::new(
        "CPU time of the server per request, in µs",
        (centre, 20),
        style(20),
    ))?;
    root.draw(&Text::new(subtitle.to_owned(), (centre, 44), style(18)))?;
    let panels = root
        .margin(HEAD, FOOT, 0, 0)
        .split_evenly((1, comparison.ways.len()));
    for (way, panel) in panels.iter().enumerate() {
        draw_panel(panel, comparison, way)?;
    }
    draw_legend(root, comparison)
}

/// One group of bars with its title below and each figure above its bar.
fn draw_panel(panel: &Area<'_>, comparison: &Comparison, way: usize) -> Drawn {
    let figures: Vec<f64> = (0..comparison.servers.len())
        .map(|server| {
            comparison
                .median(server, way)
                .map_or(0.0, |sample| sample.cpu_us)
        })
        .collect();
    let highest = figures.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let (width, height) = panel.dim_in_pixel();
    let (width, height) = (f64::from(width), f64::from(height));
    let (ground, room) = (height - 30.0, height - 60.0);
    let step = (width - 40.0) / figures.len() as f64;
    let label = ("sans-serif", 17).into_font().color(&TEXT);
    let centred = |vertical| label.clone().pos(Pos::new(HPos::Center, vertical));
    for (server, figure) in figures.iter().enumerate() {
        let left = 20.0 + step * server as f64;
        let top = ground - room * figure / highest;
        let corners = [
            ((left + step * 0.1) as i32, top as i32),
            ((left + step * 0.9) as i32, ground as i32),
        ];
        panel.draw(&Rectangle::new(
            corners,
            colour(comparison, server).filled(),
        ))?;
        let above = ((left + step * 0.5) as i32, top as i32 - 4);
        panel.draw(&Text::new(
            format!("{figure:.2}"),
            above,
            centred(VPos::Bottom),
        ))?;
    }
    panel.draw(&PathElement::new(
        [(12, ground as i32), (width as i32 - 12, ground as i32)],
        TEXT,
    ))?;
    let below = ((width / 2.0) as i32, ground as i32 + 8);
    panel.draw(&Text::new(
        comparison.ways[way].clone(),
        below,
        centred(VPos::Top),
    ))?;
    Ok(())
}

fn draw_legend(root: &Area<'_>, comparison: &Comparison) -> Drawn {
    let step = WIDTH as i32 / (comparison.servers.len() as i32 + 1);
    let y = (HEIGHT - FOOT / 2) as i32;
    let style = ("sans-serif", 18)
        .into_font()
        .color(&TEXT)
        .pos(Pos::new(HPos::Left, VPos::Center));
    for (server, name) in comparison.servers.iter().enumerate() {
        let x = step / 2 + step * server as i32;
        root.draw(&Rectangle::new(
            [(x, y - 6), (x + 12, y + 6)],
            colour(comparison, server).filled(),
        ))?;
        root.draw(&Text::new(name.clone(), (x + 18, y), style.clone()))?;
    }
    Ok(())
}

/// The floor is no competitor and has no colour.
fn colour(comparison: &Comparison, server: usize) -> RGBColor {
    if comparison.servers[server] == "floor" {
        GREY
    } else {
        COLOURS[server % COLOURS.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_and_way_is_in_the_chart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chart.svg");
        draw(&path, &super::super::figures::tests::small(), "a subtitle").unwrap();
        let svg = std::fs::read_to_string(path).unwrap();
        for text in [
            "larderd",
            "other",
            "floor",
            "get",
            "set",
            "a subtitle",
            "3.00",
            "6.00",
        ] {
            assert!(svg.contains(text), "{text} is not in the chart");
        }
        assert!(
            draw(
                Path::new("/no/such/folder/x.svg"),
                &super::super::figures::tests::small(),
                ""
            )
            .is_err()
        );
    }
}
