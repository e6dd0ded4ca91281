//! Hazard: evicts the entry with the lowest request rate, times the cost of a miss, per byte. The rates are learned from the requests.
//!
//! To keep an entry saves `rate × cost of a miss`, and takes up `size`. If the rates were known, the best entry to evict would be the one
//! with the least of `rate × cost / size`: a ranking by hazard rate, as LHR (Yan, Li, Towsley: "Learning from optimal caching", 2021)
//! puts it. GDSF estimates the rate by a count, LHD (Beckmann, Chen, Cidon: NSDI 2018) by age and class from histograms. LRB (Song et al.:
//! NSDI 2020), HALP (Song et al.: NSDI 2023) and 3L-Cache (Zhou et al.: FAST 2025) train boosted trees or a network, with labels that
//! become known only after an entry has been requested again or not. Here, the model is small enough to be updated with every request:
//!
//! ```text
//! rate = 2^(A[size class][interval class] + B[frequency class][age class])
//! ```
//!
//! Sizes are classified by octaves; intervals (requests between the latest two for the entry) by factors of 4, or 0 if there was only one;
//! frequencies by octaves of a fading count, `count ← count × 2^(-interval / (8 × (tracked + 64))) + 1`; ages (requests since the latest
//! one for the entry) by half octaves.
//!
//! Initially A is 0, and B is the frequency class − 0.4 × the age class: a rate that grows with the count, and decays as age^-0.8. Time is
//! the number of requests, never the clock.
//!
//! # Learning
//!
//! Only ratios of rates matter. Cox ("Regression models and life tables", 1972) estimates them by partial likelihood: whenever something
//! happens to one of many, the probability that it was this one is its share of all rates. No label has to wait for the future. Comparing
//! with a few others at random is enough (nested case-control sampling: Thomas 1977; Goldstein, Langholz 1992). For each request for a
//! tracked entry, two others are sampled, and each of the three changes both of its cells by
//!
//! ```text
//! step × ((1 if it was requested, otherwise 0) − its share of the three rates),    step = min(0.15, 8 / √tracked)
//! ```
//!
//! which ascends the gradient of the logarithm of the likelihood. The step does not shrink with time, so the rates follow the traffic.
//!
//! **Ghosts**: an evicted entry is still tracked by its fingerprint, with its history, so what it would have been worth is learned too, and
//! an entry that returns is not new. There are at most `ghosts` times as many ghosts as entries, plus 64, in the order of eviction.
//!
//! # Eviction
//!
//! Entries of the same size, frequency and interval class are in one queue, ordered by their latest request. Within a queue, size and count
//! are as good as equal and the rate falls with age, so only the oldest entry can be the next victim (CAMP: Ghandeharizadeh et al., 2014,
//! replaces the heap of GDSF with queues in the same way). The score of a queue is that of its oldest entry, with the typical size of its
//! class: `A + B + log2(cost / size)`. As it changes slowly, all queues are scored only every `min(32, queues / 8)` evictions. In between,
//! the victim is the lowest of the 12 queues that were lowest then, and the queue of the newest entry. A candidate is inserted before the
//! victims are chosen, so it may be one itself.
//!
//! The cost of a miss is `1 + mix × size / mean size of a request`: 0 counts only requests, a large `mix` only bytes. With `cost=time`, it
//! is the time of the fetch (the mean if unknown), and `size / time` takes the place of the size, in classes too.
//!
//! # Cost and limits
//!
//! A hit takes constant time, an eviction `queues / 32 + 13` scores, with some hundreds of queues for any number of entries. An entry or
//! ghost takes 52 to 60 bytes. Equal calls have equal answers on every platform.
//!
//! - A loop over slightly more than fits is missed almost completely, as by LRU. S3-FIFO and W-TinyLFU keep a part of it.
//! - In a cache of a few dozen equal entries, a completely new set of objects takes long to displace the previous one.
//! - Regular scans longer than the cache displace more than with SIEVE (4 % of all requests). `gdsf:beta=1` may miss fewer bytes.

mod candidates;
mod cost;
mod rates;

use media_cache_policy_sdk::{Algorithm, Entry, EntryId, History, OptionSpec, Options, Placement, export_policy, spread};

use crate::candidates::Candidates;
use crate::cost::Cost;
use crate::rates::{Classes, Rates, exp2};

/// A step of learning is the lower of `MAX_STEP` and `STEP / √tracked`.
const MAX_STEP: f32 = 0.15;
const STEP: f32 = 8.0;
/// The number of others in a comparison, and of positions that are tried to find them.
const OTHERS: usize = 2;
const SAMPLES: usize = 4;
/// The number of ghosts beyond the share of the entries, and of entries beyond the tracked ones for the fading of a count.
const SPARE: usize = 64;
/// A count fades by half within this many requests per tracked entry.
const FADING: f32 = 8.0;
/// Entries and ghosts by their classes, and what was learned about them.
pub struct Hazard {
    tracked: History<Meta>,
    rates: Rates,
    cost: Cost,
    ghosts: f64,
    /// The time: the number of requests so far.
    now: u64,
    candidates: Candidates,
    random: u64,
}

#[derive(Clone, Copy)]
struct Meta {
    size: u64,
    /// The time of the latest request.
    requested: u64,
    /// The number of requests, which fades.
    count: f32,
    fetch_ms: u32,
}

impl Hazard {
    /// Records a request for an entry or a ghost, and returns its new queue and history.
    fn request(&mut self, at: usize, size: u64, fetch_ms: u32) -> (u16, Meta) {
        self.now += 1;
        self.cost.add_size(size);
        self.learn(at);
        let meta = self.tracked.get(at).0;
        let interval = self.now - meta.requested;
        let faded = exp2(-(interval as f32) / (FADING * (self.total() + SPARE) as f32));
        let count = meta.count * faded + 1.0;
        let queue = Classes::new(self.cost.weight(size, fetch_ms), count, Some(interval)).0;
        (queue, Meta { size, requested: self.now, count, fetch_ms })
    }

    /// Learns from a request, by comparison with random others.
    fn learn(&mut self, at: usize) {
        let mut at_risk = [self.classes_and_age(at); 1 + OTHERS];
        let mut known = 1;
        for _ in 0..SAMPLES {
            self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let other = self.tracked.sample((spread(self.random) >> 32) as u32).filter(|other| *other != at);
            if let (Some(other), true) = (other, known <= OTHERS) {
                at_risk[known] = self.classes_and_age(other);
                known += 1;
            }
        }
        self.rates.learn(&at_risk[..known], MAX_STEP.min(STEP / (self.total() as f32).sqrt()));
    }

    /// The number of entries and ghosts.
    fn total(&self) -> usize {
        self.tracked.entries() + self.tracked.ghosts()
    }

    fn classes_and_age(&self, at: usize) -> (Classes, u64) {
        let (meta, queue) = self.tracked.get(at);
        (Classes(queue), self.now - meta.requested)
    }

    /// The oldest entry of a queue, after the logarithm of the cost that it saves per request and byte.
    fn oldest(&self, queue: u16) -> Option<(f32, usize)> {
        let at = self.tracked.oldest(queue)?;
        let (classes, age) = self.classes_and_age(at);
        let cost = self.cost.log_per_byte(classes.typical_size());
        Some((self.rates.log_rate(classes, age) + cost, at))
    }

    /// Turns an entry into a ghost.
    fn evict_at(&mut self, at: usize) -> EntryId {
        let id = self.tracked.evict(at);
        let limit = (self.tracked.entries() as f64 * self.ghosts) as usize + SPARE;
        self.tracked.limit_ghosts(if self.ghosts > 0.0 { limit } else { 0 });
        id
    }

    /// Tracks an entry without history.
    fn add(&mut self, entry: &Entry, count: f32, interval: Option<u64>) -> u16 {
        self.now += 1;
        self.cost.add_size(entry.size);
        let queue = Classes::new(self.cost.weight(entry.size, entry.cost), count, interval).0;
        let meta = Meta { size: entry.size, requested: self.now, count, fetch_ms: entry.cost };
        self.tracked.insert(entry.id, entry.fingerprint, queue, meta);
        queue
    }
}

impl Algorithm for Hazard {
    const NAME: &'static str = "hazard";
    const DOC: &'static str = "Keeps the entries with the highest learned request rate, times the cost of a miss, per byte.";
    const OPTIONS: &'static [OptionSpec] = &[
        OptionSpec {
            name: "mix",
            default: "1",
            doc: "The cost of a miss is 1 + mix * size / mean size, from 0 (equal for all: fewest misses) to 1000 (bytes).",
        },
        OptionSpec {
            name: "ghosts",
            default: "1",
            doc: "The number of evicted entries that are remembered per entry, from 0 to 4.",
        },
        OptionSpec { name: "cost", default: "mix", doc: "The cost of a miss: `mix`, or `time`, the measured time of the fetch." },
    ];

    fn new(_capacity: u64, options: &Options) -> Result<Self, String> {
        Ok(Self {
            tracked: History::default(),
            rates: Rates::new(),
            cost: Cost::new(options)?,
            ghosts: options.number("ghosts", 0.0..=4.0)?,
            now: 0,
            candidates: Candidates::default(),
            random: 0,
        })
    }

    fn insert(&mut self, entry: &Entry) {
        self.cost.add_time(entry.cost);
        let queue = if let Some(at) = self.tracked.ghost(entry.fingerprint) {
            let (queue, meta) = self.request(at, entry.size, entry.cost);
            self.tracked.revive(at, entry.id, queue, meta);
            queue
        } else {
            self.add(entry, 1.0, None)
        };
        self.candidates.add(queue);
    }

    fn restore(&mut self, entry: &Entry) {
        self.cost.add_time(entry.cost);
        if let Some(at) = self.tracked.ghost(entry.fingerprint) {
            self.now += 1;
            let (meta, queue) = self.tracked.get(at);
            let meta = Meta { size: entry.size, requested: self.now, fetch_ms: entry.cost, ..*meta };
            let queue = Classes(queue).with_size(self.cost.weight(entry.size, entry.cost)).0;
            self.tracked.revive(at, entry.id, queue, meta);
        } else {
            // The interval is unknown. An entry was hit while it was stored, so it is in the order of the number of entries.
            let interval = (entry.hits > 0).then_some(self.tracked.entries() as u64);
            self.add(entry, entry.hits as f32 + 1.0, interval);
        }
    }

    fn accessed(&mut self, id: EntryId, _at: u64) {
        if let Some(at) = self.tracked.entry(id) {
            let Meta { size, fetch_ms, .. } = *self.tracked.get(at).0;
            let (queue, meta) = self.request(at, size, fetch_ms);
            self.tracked.renew(at, queue, meta);
        }
    }

    fn removed(&mut self, id: EntryId) {
        if let Some(at) = self.tracked.entry(id) {
            self.evict_at(at);
        }
    }

    fn victim(&mut self) -> Option<(EntryId, u64)> {
        let mut candidates = std::mem::take(&mut self.candidates);
        let lowest = candidates.lowest(self.tracked.queues(), |queue| self.oldest(queue));
        self.candidates = candidates;
        let size = self.tracked.get(lowest?).0.size;
        Some((self.evict_at(lowest?), size))
    }

    fn place(&mut self, candidate: &Entry, needed: u64) -> Placement {
        self.insert(candidate);
        Placement::Admit(self.evict(needed))
    }
}

export_policy!(Hazard);

#[cfg(test)]
mod tests;
