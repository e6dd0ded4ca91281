//! The misses of a shadow at one capacity over several windows.

use crate::estimate::{self, Estimate};
use crate::sums::{GroupSums, Sums};
use crate::window::Window;

/// The misses in those windows in which they count, compared with those of the cache. All sums are scaled up from the sample.
#[derive(Clone, Debug, Default)]
pub(crate) struct Misses {
    /// The number of windows.
    pub windows: usize,
    /// All requests in these windows, and the misses of the cache.
    pub requested: Sums,
    pub missed_live: Sums,
    shadow: GroupSums,
    live: GroupSums,
    unscalable: Sums,
    /// The lowest sampling rate.
    rate: f64,
}

impl Misses {
    /// The misses of a shadow at the capacity with this number.
    pub fn of<'a>(windows: impl IntoIterator<Item = &'a Window>, shadow: usize, capacity: usize) -> Self {
        let mut misses = Self { rate: 1.0, ..Self::default() };
        for window in windows {
            let Some(Some(points)) = window.shadows.get(shadow) else { continue };
            let (point, scale) = (&points[capacity], 1.0 / window.rate);
            misses.windows += 1;
            misses.requested = misses.requested.plus(window.requested, 1.0);
            misses.missed_live = misses.missed_live.plus(window.missed, 1.0);
            misses.shadow.add_weighted(&point.missed, scale);
            misses.live.add_weighted(&window.missed_in_sample, scale);
            misses.unscalable = misses.unscalable.plus(point.unscalable, scale);
            misses.rate = misses.rate.min(window.rate);
        }
        misses
    }

    /// Estimates a measure of the misses. Its error includes that misses of objects that are too large for a scaled cache may be hits in a
    /// whole one.
    pub fn estimate(&self, measure: impl Fn(&Sums) -> f64) -> Estimate {
        let known = self.live.map(&measure);
        let estimate = estimate::total(&self.shadow.map(&measure), &known, measure(&self.missed_live), self.rate);
        Estimate { error: estimate.error + measure(&self.unscalable), ..estimate }
    }

    /// By how much a measure of the cache's misses exceeds that of the shadow's, with the standard error.
    pub fn gain(&self, measure: impl Fn(&Sums) -> f64) -> Estimate {
        estimate::gain(&self.live.map(&measure), &self.shadow.map(&measure))
    }
}
