//! The miss ratio curves of all policies, drawn from the report on shadow policies.

use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use media_cache_plot::{Curve, Layout, Mark, Plot, PlotError, Point, Theme};
use serde_json::{Value, json};

use crate::handlers::shadows::report;
use crate::problem::Problem;
use crate::service::Service;
use media_cache_requests::query;

const BOUND: &str = "lower bound (PFOO-L)";

/// `GET /dashboard/curves.svg`: the curves, for a background and a width.
pub(crate) async fn show(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    const HINT: &str = "the parameters are `theme` and `layout`";
    let [theme, layout] = query::read(uri.query().unwrap_or_default(), ["theme", "layout"], HINT)?;
    let theme = match theme.as_deref() {
        None | Some("light") => Theme::Light,
        Some("dark") => Theme::Dark,
        Some(_) => return Err(Problem::bad_request("`theme` must be `light` or `dark`")),
    };
    let layout = match layout.as_deref() {
        None | Some("wide") => Layout::Wide,
        Some("narrow") => Layout::Narrow,
        Some(_) => return Err(Problem::bad_request("`layout` must be `wide` or `narrow`")),
    };
    let document = report(&service)?;
    let broken = |error: PlotError| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "not-drawn", error.to_string());
    let svg = plot(&document, theme, layout).svg().map_err(broken)?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], svg).into_response())
}

/// The colours of the curves, in the order of the report, for legends outside the plot.
pub(crate) fn palette_document() -> Value {
    let colours = |theme: Theme| (0..7).map(|index| theme.palette().css(index)).collect::<Vec<_>>();
    json!({ "light": colours(Theme::Light), "dark": colours(Theme::Dark) })
}

/// The plot of a report.
fn plot(report: &Value, theme: Theme, layout: Layout) -> Plot {
    let shadows = report["shadows"].as_array().map_or(&[][..], Vec::as_slice);
    let mut curves: Vec<Curve> =
        shadows.iter().map(|shadow| Curve::new(text(&shadow["policy"]), points(&shadow["points"]))).collect();
    let bound = points(&report["bound"]);
    if !bound.is_empty() {
        curves.push(Curve::bound(BOUND, bound));
    }
    let live = &report["live"];
    let capacity = live["capacity_bytes"].as_u64().filter(|capacity| *capacity > 0);
    let ratios = live["object_miss_ratio"].as_f64().zip(live["byte_miss_ratio"].as_f64());
    let mark = capacity.zip(ratios).map(|(capacity, (object_miss_ratio, byte_miss_ratio))| Mark {
        label: "you are here".into(),
        capacity,
        object_miss_ratio,
        byte_miss_ratio,
    });
    let title = "Miss ratios of all policies by capacity".to_owned();
    let description = "The table below the charts has the same figures.".to_owned();
    Plot { mark, theme, layout, has_legend: false, description: Some((title, description)), ..Plot::new(curves) }
}

/// The points that have figures.
fn points(points: &Value) -> Vec<Point> {
    let point = |point: &Value| {
        let capacity = point["capacity_bytes"].as_u64().filter(|capacity| *capacity > 0)?;
        let (object, byte) = (point["object_miss_ratio"].as_f64()?, point["byte_miss_ratio"].as_f64()?);
        let (object_error, byte_error) = (point["object_miss_ratio_error"].as_f64(), point["byte_miss_ratio_error"].as_f64());
        Some(Point { object_error, byte_error, ..Point::new(capacity, object, byte) })
    };
    points.as_array().map_or(&[][..], Vec::as_slice).iter().filter_map(point).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plot_has_a_curve_for_each_policy_the_bound_and_the_mark() {
        let point = |ratio: f64| json!({ "capacity_bytes": 1000, "object_miss_ratio": ratio, "byte_miss_ratio": ratio, "object_miss_ratio_error": 0.01 });
        let report = json!({
            "live": { "capacity_bytes": 1000, "object_miss_ratio": 0.5, "byte_miss_ratio": 0.6 },
            "bound": [point(0.1)],
            "shadows": [
                { "policy": "lru", "points": [point(0.5), { "capacity_bytes": 2000, "object_miss_ratio": null }] },
                { "policy": "warming", "points": [] },
            ],
        });
        let plot = plot(&report, Theme::Dark, Layout::Narrow);
        let described: Vec<_> = plot.curves.iter().map(|curve| (curve.name.as_str(), curve.points.len(), curve.is_bound)).collect();
        assert_eq!(described, [("lru", 1, false), ("warming", 0, false), (BOUND, 1, true)]);
        assert_eq!(plot.curves[0].points[0].object_error, Some(0.01));
        assert_eq!(plot.mark.unwrap().byte_miss_ratio, 0.6);
    }

    #[test]
    fn report_without_figures_is_an_empty_plot() {
        let report = json!({ "enabled": false, "live": null, "bound": [], "shadows": [] });
        assert!(plot(&report, Theme::Light, Layout::Wide).svg().is_ok());
    }
}
