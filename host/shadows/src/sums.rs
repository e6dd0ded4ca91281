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
    /// Adds a request.
    pub fn add(&mut self, request: &ObjectRequest) {
        self.requests += 1.0;
        self.bytes += request.size as f64;
        self.wait += request.wait() as f64;
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

/// Sums by group of objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupSums([Sums; GROUPS]);

impl GroupSums {
    /// Adds a request.
    pub fn add(&mut self, request: &ObjectRequest) {
        self.0[group(request.fingerprint)].add(request);
    }

    /// Adds other sums, weighted.
    pub fn add_weighted(&mut self, other: &Self, weight: f64) {
        self.0.iter_mut().zip(&other.0).for_each(|(sums, other)| *sums = sums.plus(*other, weight));
    }

    /// A measure of each group.
    pub fn map(&self, measure: impl Fn(&Sums) -> f64) -> [f64; GROUPS] {
        self.0.each_ref().map(measure)
    }
}
