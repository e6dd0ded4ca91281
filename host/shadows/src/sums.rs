//! Sums over requests, in total and by group of objects.

use crate::sampling::{GROUPS, group};
use media_cache_simulator::ObjectRequest;

/// Sums over requests, such as those that were misses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// The number of requests.
    pub requests: f64,
    /// The sum of their sizes, in bytes.
    pub bytes: f64,
    /// The sum of the times that clients wait for them if they are misses, in milliseconds.
    pub wait: f64,
}

impl Sums {
    /// Of one request.
    #[must_use]
    pub fn of(request: &ObjectRequest) -> Self {
        Self { requests: 1.0, bytes: request.size as f64, wait: request.wait() as f64 }
    }

    /// The sum of both, the other one weighted.
    #[must_use]
    pub fn plus(self, other: Self, weight: f64) -> Self {
        Self {
            requests: self.requests + weight * other.requests,
            bytes: self.bytes + weight * other.bytes,
            wait: self.wait + weight * other.wait,
        }
    }
}

/// Sums of a sample by group of objects, scaled up to all objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupSums {
    sums: [Sums; GROUPS],
    /// The sums of the parts that are due to chance: the differences between two groups are as large as those between two samples.
    chance: [Sums; GROUPS],
}

impl GroupSums {
    /// Adds a number of requests for an object that is in the sample with this probability.
    pub fn add(&mut self, request: &ObjectRequest, probability: f64, times: u32) {
        let (group, sums) = (group(request.fingerprint), Sums::default().plus(Sums::of(request), times.into()));
        self.sums[group] = self.sums[group].plus(sums, 1.0 / probability);
        self.chance[group] = self.chance[group].plus(sums, (1.0 - probability).sqrt() / probability);
    }

    /// Adds other sums.
    pub fn add_all(&mut self, other: &Self) {
        self.sums.iter_mut().zip(&other.sums).for_each(|(sums, other)| *sums = sums.plus(*other, 1.0));
        self.chance.iter_mut().zip(&other.chance).for_each(|(sums, other)| *sums = sums.plus(*other, 1.0));
    }

    /// A measure of each group.
    pub fn map(&self, measure: impl Fn(&Sums) -> f64) -> [f64; GROUPS] {
        self.sums.each_ref().map(measure)
    }

    /// A measure of what is due to chance in each group.
    pub fn map_chance(&self, measure: impl Fn(&Sums) -> f64) -> [f64; GROUPS] {
        self.chance.each_ref().map(measure)
    }
}
