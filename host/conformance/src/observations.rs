//! What a player observes in the answers of a policy.

use media_cache::policy::Entry;

use crate::counterexample::Counterexample;

/// The first wrong answer of each kind, and the figures that checks evaluate.
#[derive(Default)]
pub(crate) struct Observations {
    /// The first answer with a victim that is not tracked or was named before.
    pub wrong_victims: Option<Counterexample>,
    /// The first answer that frees too little.
    pub too_little_freed: Option<Counterexample>,
    /// The first small candidate that is not admitted although there is room.
    pub needless_refusal: Option<Counterexample>,
    /// The number of answers that name victims although only little had to be freed.
    pub small_evictions: u64,
    /// The sum, over these answers, of the share of the capacity that is in use afterwards.
    pub utilization_sum: f64,
    pub requests: u64,
    pub hits: u64,
    /// Requests for small objects among the most popular ones.
    pub popular_requests: u64,
    pub popular_hits: u64,
}

impl Observations {
    /// Adds an eviction after which `used` of at most `limit` is in use, if only little had to be freed. The largest victim counts as in
    /// use: it may be much larger than needed, which is not waste.
    pub fn add_eviction(&mut self, evicted: &[Entry], needed: u64, used: u64, limit: u64) {
        let freed: u64 = evicted.iter().map(|entry| entry.size).sum();
        if freed > 0 && needed <= (used + freed) / 8 {
            let largest = evicted.iter().map(|entry| entry.size).max().unwrap_or(0);
            self.small_evictions += 1;
            self.utilization_sum += ((used + largest) as f64 / limit as f64).min(1.0);
        }
    }

    pub fn misses(&self) -> u64 {
        self.requests - self.hits
    }
}
