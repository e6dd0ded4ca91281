//! Miss ratio curves of a simulation.

use media_cache_plot::{Curve, Plot, PlotError, Point};

use crate::bound::LowerBound;
use crate::outcome::Outcome;

impl From<&Outcome> for Point {
    fn from(outcome: &Outcome) -> Self {
        Self::new(outcome.capacity, outcome.object_miss_ratio(), outcome.byte_miss_ratio())
    }
}

impl From<&LowerBound> for Point {
    fn from(bound: &LowerBound) -> Self {
        Self::new(bound.capacity, bound.object_miss_ratio(), bound.byte_miss_ratio())
    }
}

/// Draws the object and byte miss ratios by capacity, as SVG. Outcomes with the same `name` are points of one line. Outcomes with a fault
/// are left out. The lower bounds, if there are any, are a dashed line. A long name is shortened in the legend; viewers that display titles
/// show it in full.
///
/// # Errors
/// If drawing fails.
pub fn plot(outcomes: &[Outcome], bounds: &[LowerBound], name: impl Fn(&Outcome) -> String) -> Result<String, PlotError> {
    let mut named: Vec<(String, Vec<Point>)> = Vec::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.fault.is_none()) {
        let name = name(outcome);
        match named.iter_mut().find(|(known, _)| *known == name) {
            Some((_, points)) => points.push(outcome.into()),
            None => named.push((name, vec![outcome.into()])),
        }
    }
    let mut curves: Vec<Curve> = named.into_iter().map(|(name, points)| Curve::new(name, points)).collect();
    if !bounds.is_empty() {
        curves.push(Curve::bound(LowerBound::NAME, bounds.iter().map(Point::from).collect()));
    }
    Plot::new(curves).svg()
}
