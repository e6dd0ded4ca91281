//! A plot: what is drawn, and how.

use crate::curve::Curve;
use crate::theme::Theme;

/// Two charts, with the object and the byte miss ratios by capacity.
#[derive(Clone, Debug)]
pub struct Plot {
    /// The curves, in the order of the legend.
    pub curves: Vec<Curve>,
    /// The miss ratios of a running cache.
    pub mark: Option<Mark>,
    /// The background.
    pub theme: Theme,
    /// The arrangement of the charts.
    pub layout: Layout,
    /// Whether each chart has a legend.
    pub has_legend: bool,
    /// A title and a description for screen readers.
    pub description: Option<(String, String)>,
}

/// A marked point in both charts.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// The text next to the point.
    pub label: String,
    /// The capacity in bytes.
    pub capacity: u64,
    /// The share of requests that are misses.
    pub object_miss_ratio: f64,
    /// The share of requested bytes that are missed.
    pub byte_miss_ratio: f64,
}

/// The arrangement of the charts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Next to each other.
    #[default]
    Wide,
    /// Below each other, with text that is readable on a phone.
    Narrow,
}

impl Plot {
    /// A plot with a light background, side by side charts and a legend.
    #[must_use]
    pub fn new(curves: Vec<Curve>) -> Self {
        Self { curves, mark: None, theme: Theme::Light, layout: Layout::Wide, has_legend: true, description: None }
    }
}
