//! Draws miss ratio curves.

use std::collections::BTreeSet;

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use crate::bound::LowerBound;
use crate::legend;
use crate::outcome::Outcome;

const SIZE: (u32, u32) = (1200, 560);
const FONT: &str = "sans-serif";
/// The palette of Okabe and Ito, which colour-blind people can distinguish.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];

/// The plot could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw the curves: {0}")]
pub struct PlotError(String);

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A line of the plot.
struct Curve {
    name: String,
    /// The name, shortened to fit.
    label: String,
    /// In order of capacity.
    points: Vec<Point>,
    /// The lower bound is dashed, and its points are circles.
    is_bound: bool,
}

/// The miss ratios at one capacity.
struct Point {
    capacity: u64,
    object_miss_ratio: f64,
    byte_miss_ratio: f64,
}

impl Curve {
    fn new(name: String, is_bound: bool) -> Self {
        Self { label: legend::shortened(&name), name, points: Vec::new(), is_bound }
    }
}

impl From<&Outcome> for Point {
    fn from(outcome: &Outcome) -> Self {
        let (object_miss_ratio, byte_miss_ratio) = (outcome.object_miss_ratio(), outcome.byte_miss_ratio());
        Self { capacity: outcome.capacity, object_miss_ratio, byte_miss_ratio }
    }
}

impl From<&LowerBound> for Point {
    fn from(bound: &LowerBound) -> Self {
        let (object_miss_ratio, byte_miss_ratio) = (bound.object_miss_ratio(), bound.byte_miss_ratio());
        Self { capacity: bound.capacity, object_miss_ratio, byte_miss_ratio }
    }
}

/// Draws the object and byte miss ratios by capacity, as SVG. Outcomes with the same `name` are points of one line. Outcomes with a fault
/// are left out. The lower bounds, if there are any, are a dashed line. A long name is shortened in the legend; viewers that display titles
/// show it in full.
///
/// # Errors
/// If drawing fails.
pub fn plot(outcomes: &[Outcome], bounds: &[LowerBound], name: impl Fn(&Outcome) -> String) -> Result<String, PlotError> {
    let mut curves: Vec<Curve> = Vec::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.fault.is_none()) {
        let name = name(outcome);
        let at = curves.iter().position(|curve| curve.name == name).unwrap_or_else(|| {
            curves.push(Curve::new(name, false));
            curves.len() - 1
        });
        curves[at].points.push(outcome.into());
    }
    if !bounds.is_empty() {
        curves.push(Curve { points: bounds.iter().map(Point::from).collect(), ..Curve::new(LowerBound::NAME.into(), true) });
    }
    curves.iter_mut().for_each(|curve| curve.points.sort_by_key(|point| point.capacity));
    let mut svg = String::new();
    draw(&mut svg, &curves).map_err(|error| PlotError(error.to_string()))?;
    Ok(legend::with_titles(&svg, curves.iter().map(|curve| (curve.label.as_str(), curve.name.as_str()))))
}

fn draw(svg: &mut String, curves: &[Curve]) -> Result<(), Box<dyn std::error::Error>> {
    let canvas = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    canvas.fill(&WHITE)?;
    let (left, right) = canvas.split_horizontally(SIZE.0 / 2);
    chart(&left, "Object miss ratio", curves, |point| point.object_miss_ratio)?;
    chart(&right, "Byte miss ratio", curves, |point| point.byte_miss_ratio)?;
    canvas.present()?;
    Ok(())
}

fn chart(canvas: &Canvas<'_>, title: &str, curves: &[Curve], ratio: fn(&Point) -> f64) -> Result<(), Box<dyn std::error::Error>> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let capacities: BTreeSet<u64> = points().map(|point| point.capacity).collect();
    let positions: Vec<i32> = capacities.iter().map(|capacity| position(*capacity)).collect();
    let (first, last) = (positions.first().copied().unwrap_or(0), positions.last().copied().unwrap_or(position(2)));
    let margin = ((last - first) / 20).max(position(2) / 4);
    let highest = points().map(ratio).fold(0.0, f64::max);
    let top = if highest > 0.0 { (highest * 1.1).min(1.02) } else { 1.0 };
    // With up to eight capacities, each has a label.
    let labels: Vec<i32> = positions.iter().copied().step_by(positions.len().div_ceil(8).max(1)).collect();
    let label_count = labels.len();

    let mut chart = ChartBuilder::on(canvas)
        .caption(title, (FONT, 20))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(56)
        .build_cartesian_2d((first - margin..last + margin).with_key_points(labels), 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .label_style((FONT, 13))
        .axis_desc_style((FONT, 14))
        .x_desc("capacity")
        .x_labels(label_count.max(1))
        .x_label_formatter(&|position| capacity_label(*position))
        .y_labels(8)
        .y_label_formatter(&|ratio| format!("{:.0} %", ratio * 100.0))
        .draw()?;
    for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        let points = || curve.points.iter().map(|point| (position(point.capacity), ratio(point)));
        if curve.is_bound {
            let line = BLACK.stroke_width(2);
            chart
                .draw_series(DashedLineSeries::new(points(), 8, 5, line))?
                .label(&curve.label)
                .legend(move |(x, y)| DashedPathElement::new([(x, y), (x + 18, y)], 5, 3, line));
            chart.draw_series(points().map(|point| Circle::new(point, 3, BLACK)))?;
            continue;
        }
        chart
            .draw_series(LineSeries::new(points(), colour.stroke_width(2)))?
            .label(&curve.label)
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        chart.draw_series(points().map(|point| Circle::new(point, 3, colour.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerLeft)
        .label_font((FONT, 13))
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

/// The position of a capacity on the logarithmic axis, in millionths of a doubling. Only integer coordinates can have chosen labels.
fn position(capacity: u64) -> i32 {
    ((capacity as f64).log2() * 1e6).round() as i32
}

/// The capacity at a position.
fn capacity_label(position: i32) -> String {
    let power = f64::from(position) / 1e6;
    let bytes = power.exp2();
    let unit = (power / 10.0).floor().clamp(0.0, 5.0);
    let number = bytes / (unit * 10.0).exp2();
    let digits = if (number - number.round()).abs() < 0.05 { 0 } else { 1 };
    format!("{number:.digits$} {}", ["B", "KiB", "MiB", "GiB", "TiB", "PiB"][unit as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_label_has_a_suitable_unit() {
        let label = |bytes: u64| capacity_label(position(bytes));
        assert_eq!([1, 1000, 1 << 10, 128 << 20, 1536 << 20].map(label), ["1 B", "1000 B", "1 KiB", "128 MiB", "1.5 GiB"]);
        assert_eq!((label(u64::MAX), label(500_000_000)), ("16384 PiB".into(), "476.8 MiB".into()));
    }

    #[test]
    fn plot_without_outcomes_is_drawn() {
        assert!(plot(&[], &[], |_| String::new()).unwrap().starts_with("<svg"));
    }
}
