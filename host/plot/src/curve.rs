//! Curves as plain data.

/// A line of a plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The name in the legend.
    pub name: String,
    /// In order of capacity.
    pub points: Vec<Point>,
    /// Whether this is the lower bound, which is dashed.
    pub is_bound: bool,
}

/// The miss ratios at one capacity, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The capacity in bytes.
    pub capacity: u64,
    /// The share of requests that are misses.
    pub object_miss_ratio: f64,
    /// The share of requested bytes that are missed.
    pub byte_miss_ratio: f64,
    /// The error of [`object_miss_ratio`](Self::object_miss_ratio) in either direction, if it is an estimate.
    pub object_error: Option<f64>,
    /// The error of [`byte_miss_ratio`](Self::byte_miss_ratio) in either direction, if it is an estimate.
    pub byte_error: Option<f64>,
}

impl Curve {
    /// A curve through these points, in any order.
    #[must_use]
    pub fn new(name: impl Into<String>, mut points: Vec<Point>) -> Self {
        points.sort_by_key(|point| point.capacity);
        Self { name: name.into(), points, is_bound: false }
    }

    /// The lower bound of all curves.
    #[must_use]
    pub fn bound(name: impl Into<String>, points: Vec<Point>) -> Self {
        Self { is_bound: true, ..Self::new(name, points) }
    }
}

impl Point {
    /// A point whose miss ratios are exact.
    #[must_use]
    pub fn new(capacity: u64, object_miss_ratio: f64, byte_miss_ratio: f64) -> Self {
        Self { capacity, object_miss_ratio, byte_miss_ratio, object_error: None, byte_error: None }
    }
}
