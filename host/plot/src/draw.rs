//! Draws a plot with `plotters`.

use std::collections::BTreeSet;

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use crate::capacity::{label, position};
use crate::curve::Point;
use crate::plot::{Layout, Plot};

const FONT: &str = "sans-serif";

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// One of the two charts.
struct Measure {
    title: &'static str,
    ratio: fn(&Point) -> f64,
    error: fn(&Point) -> Option<f64>,
}

const OBJECTS: Measure =
    Measure { title: "Object miss ratio", ratio: |point| point.object_miss_ratio, error: |point| point.object_error };
const BYTES: Measure = Measure { title: "Byte miss ratio", ratio: |point| point.byte_miss_ratio, error: |point| point.byte_error };

impl Layout {
    fn size(self) -> (u32, u32) {
        match self {
            Self::Wide => (1200, 560),
            Self::Narrow => (360, 680),
        }
    }

    /// How many capacities have a label.
    fn max_labels(self) -> usize {
        match self {
            Self::Wide => 8,
            Self::Narrow => 3,
        }
    }
}

/// Draws a plot. `labels` are the names of its curves in the legend.
pub(crate) fn draw(svg: &mut String, plot: &Plot, labels: &[String]) -> Drawn {
    let size = plot.layout.size();
    let canvas = SVGBackend::with_string(svg, size).into_drawing_area();
    canvas.fill(&plot.theme.palette().paper)?;
    let (first, second) = match plot.layout {
        Layout::Wide => canvas.split_horizontally(size.0 / 2),
        Layout::Narrow => canvas.split_vertically(size.1 / 2),
    };
    let mark = plot.mark.as_ref();
    let at = |ratio: f64| mark.map(|mark| (mark.label.as_str(), position(mark.capacity), ratio));
    chart(&first, plot, labels, &OBJECTS, mark.and_then(|mark| at(mark.object_miss_ratio)))?;
    chart(&second, plot, labels, &BYTES, mark.and_then(|mark| at(mark.byte_miss_ratio)))?;
    canvas.present()?;
    Ok(())
}

fn chart(canvas: &Canvas<'_>, plot: &Plot, labels: &[String], measure: &Measure, mark: Option<(&str, i32, f64)>) -> Drawn {
    let palette = plot.theme.palette();
    let ink = palette.ink;
    let (ratio, error) = (measure.ratio, measure.error);
    let points = || plot.curves.iter().flat_map(|curve| &curve.points);
    let capacities: BTreeSet<i32> = points().map(|point| position(point.capacity)).collect();
    let positions: Vec<i32> = capacities.iter().copied().collect();
    let marked = mark.map(|(_, at, _)| at);
    let first = positions.first().copied().into_iter().chain(marked).min().unwrap_or(0);
    let last = positions.last().copied().into_iter().chain(marked).max().unwrap_or(position(2));
    let margin = ((last - first) / 20).max(position(2) / 4);
    let with_error = |point: &Point| ratio(point) + error(point).unwrap_or(0.0);
    let highest = points().map(with_error).chain(mark.map(|(_, _, ratio)| ratio)).fold(0.0, f64::max);
    let top = if highest > 0.0 { (highest * 1.1).min(1.02) } else { 1.0 };
    // With few capacities, each has a label.
    let labelled: Vec<i32> = positions.iter().copied().step_by(positions.len().div_ceil(plot.layout.max_labels()).max(1)).collect();
    let label_count = labelled.len();

    let mut chart = ChartBuilder::on(canvas)
        .caption(measure.title, (FONT, 20).into_font().color(&ink))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(56)
        .build_cartesian_2d((first - margin..last + margin).with_key_points(labelled), 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(ink.mix(0.12))
        .axis_style(ink)
        .label_style((FONT, 13).into_font().color(&ink))
        .axis_desc_style((FONT, 14).into_font().color(&ink))
        .x_desc("capacity")
        .x_labels(label_count.max(1))
        .x_label_formatter(&|position| label(*position))
        .y_labels(8)
        .y_label_formatter(&|ratio| format!("{:.0} %", ratio * 100.0))
        .draw()?;
    for (index, (curve, label)) in plot.curves.iter().zip(labels).enumerate() {
        let points = || curve.points.iter().map(|point| (position(point.capacity), ratio(point)));
        if curve.is_bound {
            let line = ink.stroke_width(2);
            chart
                .draw_series(DashedLineSeries::new(points(), 8, 5, line))?
                .label(label)
                .legend(move |(x, y)| DashedPathElement::new([(x, y), (x + 18, y)], 5, 3, line));
            chart.draw_series(points().map(|point| Circle::new(point, 3, ink)))?;
            continue;
        }
        let colour = palette.curve(index);
        chart
            .draw_series(LineSeries::new(points(), colour.stroke_width(2)))?
            .label(label)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        let errors = curve.points.iter().filter_map(|point| Some((position(point.capacity), ratio(point), error(point)?)));
        chart.draw_series(errors.map(|(at, ratio, error)| {
            let ends = [(at, (ratio - error).max(0.0)), (at, ratio + error)];
            PathElement::new(ends, colour.mix(0.6).stroke_width(1))
        }))?;
        let point_style = if palette.is_hollow(index) { colour.stroke_width(2) } else { colour.filled() };
        chart.draw_series(points().map(|point| Circle::new(point, 3, point_style)))?;
    }
    if let Some((text, at, ratio)) = mark {
        chart.draw_series([Circle::new((at, ratio), 7, ink.stroke_width(2))])?;
        let is_right = at - first > (last - first) / 2;
        let shift = if is_right { (-12 - 7 * i32::try_from(text.len())?, -18) } else { (12, -18) };
        let style = (FONT, 13).into_font().color(&ink);
        chart.draw_series([EmptyElement::at((at, ratio)) + Text::new(text.to_owned(), shift, style)])?;
    }
    if plot.has_legend {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerLeft)
            .label_font((FONT, 13).into_font().color(&ink))
            .background_style(palette.paper.mix(0.85))
            .border_style(ink.mix(0.3))
            .draw()?;
    }
    Ok(())
}
