//! The misses of a shadow at one capacity over several windows.

use crate::estimate::{self, Chance, Estimate};
use crate::sums::{GroupSums, Sums};
use crate::window::Window;

/// The misses in those windows in which they count, compared with those of the cache.
#[derive(Clone, Debug, Default)]
pub(crate) struct Misses {
    /// The number of windows.
    pub windows: usize,
    /// By how much a miss ratio may differ because the caches are scaled.
    scaling_error: f64,
    /// All requests in these windows, and the misses of the cache.
    pub requested: Sums,
    pub missed_live: Sums,
    shadow: GroupSums,
    live: GroupSums,
}

impl Misses {
    /// The misses of a shadow at the capacity with this number.
    pub fn of<'a>(windows: impl IntoIterator<Item = &'a Window>, shadow: usize, capacity: usize) -> Self {
        let mut misses = Self::default();
        for window in windows {
            let Some(Some(points)) = window.shadows.get(shadow) else { continue };
            misses.windows += 1;
            misses.scaling_error = misses.scaling_error.max(window.scaling_errors[shadow]);
            misses.requested = misses.requested.plus(window.requested, 1.0);
            misses.missed_live = misses.missed_live.plus(window.missed, 1.0);
            misses.shadow.add_all(&points[capacity]);
            misses.live.add_all(&window.missed_in_sample);
        }
        misses
    }

    /// Estimates a measure of the misses.
    pub fn estimate(&self, measure: impl Fn(&Sums) -> f64) -> Estimate {
        let chance = Chance { of: self.shadow.map_chance(&measure), of_known: self.live.map_chance(&measure) };
        let estimate = estimate::total(&self.shadow.map(&measure), &self.live.map(&measure), measure(&self.missed_live), &chance);
        Estimate { error: estimate.error + self.scaling_error * measure(&self.requested), ..estimate }
    }

    /// By how much a measure of the cache's misses exceeds that of the shadow's, with the standard error.
    pub fn gain(&self, measure: impl Fn(&Sums) -> f64) -> Estimate {
        let gain = estimate::gain(&self.live.map(&measure), &self.shadow.map(&measure));
        Estimate { error: gain.error + self.scaling_error / 2.0 * measure(&self.requested), ..gain }
    }

    /// By how much a measure of these misses exceeds that of another shadow's in the same windows, with the standard error.
    pub fn gain_of(&self, other: &Self, measure: impl Fn(&Sums) -> f64) -> Estimate {
        let gain = estimate::gain(&self.shadow.map(&measure), &other.shadow.map(&measure));
        let scaling_error = self.scaling_error.max(other.scaling_error);
        Estimate { error: gain.error + scaling_error / 2.0 * measure(&self.requested), ..gain }
    }
}
