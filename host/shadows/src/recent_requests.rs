//! The requests of the current window, from which the lower bound is computed.

use media_cache_simulator::{LowerBound, WindowRequest, lower_bounds_of_window};

use crate::feed::Sampled;
use crate::sampling::SamplingRate;

/// The maximum number of requests. If a window has more, they are sampled more sparsely.
const MAX_REQUESTS: usize = 1 << 16;

/// The number of bits of the filter. With two million objects, about one new object in eight is taken for a known one.
const FILTER_BITS: usize = 1 << 23;

/// The number of bits that each object sets.
const HASHES: u32 = 4;

/// Requests of a sample, in order.
pub(crate) struct RecentRequests {
    rate: SamplingRate,
    requests: Vec<WindowRequest>,
    /// A Bloom filter of the objects that were requested or stored before (Bloom, "Space/Time Trade-offs in Hash Coding with Allowable
    /// Errors", Communications of the ACM 13(7), 1970).
    known: Vec<u64>,
}

impl Default for RecentRequests {
    fn default() -> Self {
        Self { rate: SamplingRate::FULL, requests: Vec::new(), known: vec![0; FILTER_BITS / 64] }
    }
}

impl RecentRequests {
    /// The memory used, in bytes, with what is needed to compute the bounds.
    pub fn memory_bytes() -> u64 {
        (MAX_REQUESTS * 2 * size_of::<WindowRequest>() + MAX_REQUESTS * 64 + FILTER_BITS / 8) as u64
    }

    /// Begins a window, sampled at this rate.
    pub fn begin(&mut self, rate: SamplingRate) {
        self.rate = rate;
        self.requests.clear();
    }

    /// Adds a request that is the one with this number in the window.
    pub fn add(&mut self, sampled: &Sampled, clock: u64) {
        let fingerprint = sampled.request.fingerprint;
        if !self.rate.includes(fingerprint) {
            return;
        }
        let is_known = self.insert(fingerprint);
        self.requests.push(WindowRequest { fingerprint, size: sampled.request.size, clock, is_known });
        if self.requests.len() == MAX_REQUESTS {
            self.rate = self.rate.halved();
            self.requests.retain(|request| self.rate.includes(request.fingerprint));
        }
    }

    /// Records that an object was stored.
    pub fn add_stored(&mut self, fingerprint: u64) {
        self.insert(fingerprint);
    }

    /// The lower bounds for the window, which has `length` requests, at these capacities, and the sampling rate.
    pub fn lower_bounds(&self, length: u64, capacities: &[u64]) -> (Vec<LowerBound>, f64) {
        let scaled: Vec<u64> = capacities.iter().map(|capacity| self.rate.scaled(*capacity)).collect();
        (lower_bounds_of_window(&self.requests, length, &scaled), self.rate.fraction())
    }

    /// Adds an object to the filter. Returns whether it may have been in it.
    fn insert(&mut self, fingerprint: u64) -> bool {
        let mut is_known = true;
        for hash in 0..HASHES {
            let bit = (fingerprint.rotate_left(hash * 16) as usize) % FILTER_BITS;
            let word = &mut self.known[bit / 64];
            is_known &= *word >> (bit % 64) & 1 == 1;
            *word |= 1 << (bit % 64);
        }
        is_known
    }
}
