//! A plot as SVG.

use crate::accessible::described;
use crate::draw::draw;
use crate::legend::{shortened, with_titles};
use crate::plot::Plot;

/// The plot could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw the curves: {0}")]
pub struct PlotError(String);

impl Plot {
    /// Draws the plot as SVG. A long name is shortened in the legend; viewers that display titles show it in full.
    ///
    /// # Errors
    /// If drawing fails.
    pub fn svg(&self) -> Result<String, PlotError> {
        let labels: Vec<String> = self.curves.iter().map(|curve| shortened(&curve.name)).collect();
        let mut svg = String::new();
        draw(&mut svg, self, &labels).map_err(|error| PlotError(error.to_string()))?;
        let names = self.curves.iter().map(|curve| curve.name.as_str());
        let svg = with_titles(&svg, labels.iter().map(String::as_str).zip(names));
        Ok(match &self.description {
            Some((title, description)) => described(&svg, title, description),
            None => svg,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::{Curve, Point};
    use crate::plot::{Layout, Mark};
    use crate::theme::Theme;

    fn curves() -> Vec<Curve> {
        let point = |capacity, ratio| Point { object_error: Some(0.05), byte_error: None, ..Point::new(capacity, ratio, ratio) };
        vec![
            Curve::new("lru", vec![point(2 << 20, 0.4), point(1 << 20, 0.6)]),
            Curve::bound("bound", vec![Point::new(1 << 20, 0.2, 0.2)]),
        ]
    }

    #[test]
    fn plot_without_curves_is_drawn() {
        assert!(Plot::new(Vec::new()).svg().unwrap().starts_with("<svg"));
    }

    #[test]
    fn mark_and_description_are_in_the_plot() {
        let mark = Mark { label: "you are here".into(), capacity: 1 << 20, object_miss_ratio: 0.6, byte_miss_ratio: 0.6 };
        let description = Some(("Miss ratios".to_owned(), "lru at 1 MiB".to_owned()));
        let svg = Plot { mark: Some(mark), description, has_legend: false, ..Plot::new(curves()) }.svg().unwrap();
        assert_eq!(svg.matches("you are here").count(), 2, "once in each chart");
        assert!(svg.contains("role=\"img\"") && svg.contains("<desc>lru at 1 MiB</desc>"), "{svg}");
        assert!(!svg.contains("\nbound\n"), "there is no legend");
    }

    #[test]
    fn error_of_an_estimate_is_a_vertical_line() {
        let svg = Plot { has_legend: false, ..Plot::new(curves()) }.svg().unwrap();
        assert_eq!(svg.matches("opacity=\"0.6\"").count(), 2, "at both points of the first chart");
    }

    #[test]
    fn narrow_plot_has_its_charts_below_each_other() {
        let narrow = Plot { layout: Layout::Narrow, theme: Theme::Dark, ..Plot::new(curves()) }.svg().unwrap();
        assert!(narrow.starts_with("<svg width=\"360\" height=\"680\""), "{}", &narrow[..60]);
        assert!(narrow.contains("#16191D"), "the background is dark");
    }
}
