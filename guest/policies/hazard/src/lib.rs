//! Hazard.

mod rates;

use media_cache_policy_sdk::{Algorithm, Entry, EntryId, History, OptionSpec, Options, Placement, export_policy, spread};

use crate::rates::{Classes, Rates, exp2, log2};

/// The greatest step of learning, with few tracked entries; with many, it is `STEP / √tracked`.
const MAX_STEP: f32 = 0.15;
const STEP: f32 = 8.0;
/// The number of entries that a requested entry is compared with.
const OTHERS: usize = 2;
/// The number of positions that are tried to find them.
const SAMPLES: usize = 4;
/// The number of ghosts in addition to the share of the entries, and of entries in addition to those that a count fades with.
const SPARE: usize = 64;
/// A count fades by half within this many requests per tracked entry.
const FADING: f32 = 8.0;
/// The number of queues that are candidates between two scans of all queues.
const CANDIDATES: usize = 12;
/// The greatest number of evictions between two scans, and the number of queues for each.
const MAX_EVICTIONS: usize = 32;
const QUEUES_PER_EVICTION: usize = 8;

/// Entries and ghosts by their classes, and what was learned about them.
pub struct Hazard {
    tracked: History<Meta>,
    rates: Rates,
    cost: Cost,
    ghosts: f64,
    /// The number of requests, which is the time.
    now: u64,
    /// The queues with the lowest scores in the latest scan, and the queue of the newest entry.
    candidates: Vec<u16>,
    /// The number of evictions before the next scan.
    evictions_until_scan: usize,
    random: u64,
}

#[derive(Clone, Copy)]
struct Meta {
    size: u64,
    /// The time of the latest request.
    requested: u64,
    /// The number of requests, which fades.
    count: f32,
    /// The time that it took to fetch the entry, 0 if unknown.
    fetch_ms: u32,
}

/// The cost of a miss.
struct Cost {
    /// Whether it is the measured time of the fetch.
    is_time: bool,
    mix: f32,
    /// Of all requests.
    sizes: Mean,
    /// Of all fetches whose time is known.
    times: Mean,
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: f64,
    /// A reciprocal of the mean.
    per_mean: f32,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
        self.per_mean = (self.count / self.sum) as f32;
    }
}

impl Cost {
    /// The cost of a miss per byte.
    fn per_byte(&self, meta: &Meta) -> f32 {
        let size = meta.size as f32;
        let cost = match meta.fetch_ms {
            0 if self.is_time => 1.0,
            time if self.is_time => time as f32 * self.times.per_mean,
            _ => 1.0 + self.mix * size * self.sizes.per_mean,
        };
        cost / size
    }
}

impl Hazard {
    /// Records a request for a tracked entry, and returns its new classes and history.
    fn request(&mut self, at: usize) -> (u16, Meta) {
        self.now += 1;
        self.learn(at);
        let mut meta = *self.tracked.get(at).0;
        let interval = self.now - meta.requested;
        let tracked = (self.tracked.entries() + self.tracked.ghosts() + SPARE) as f32;
        meta.count = meta.count * exp2(-(interval as f32) / (FADING * tracked)) + 1.0;
        meta.requested = self.now;
        self.cost.sizes.add(meta.size as f64);
        (Classes::new(meta.size, meta.count, Some(interval)).0, meta)
    }

    /// Learns from a request, by comparison with random other entries and ghosts.
    fn learn(&mut self, at: usize) {
        let mut at_risk = [self.at_risk(at); 1 + OTHERS];
        let mut found = 1;
        for _ in 0..SAMPLES {
            self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let other = self.tracked.sample((spread(self.random) >> 32) as u32).filter(|other| *other != at);
            if let Some(other) = other {
                at_risk[found] = self.at_risk(other);
                found += 1;
                if found > OTHERS {
                    break;
                }
            }
        }
        let tracked = (self.tracked.entries() + self.tracked.ghosts()) as f32;
        self.rates.learn(&at_risk[..found], MAX_STEP.min(STEP / tracked.sqrt()));
    }

    fn at_risk(&self, at: usize) -> (Classes, u64) {
        let (meta, queue) = self.tracked.get(at);
        (Classes(queue), self.now - meta.requested)
    }

    /// The logarithm of what an entry saves per byte of the cache and request.
    fn score(&self, at: usize) -> f32 {
        let (meta, queue) = self.tracked.get(at);
        self.rates.log_rate(Classes(queue), self.now - meta.requested) + log2(self.cost.per_byte(meta))
    }

    fn score_of_queue(&self, queue: u16) -> Option<(f32, usize)> {
        self.tracked.oldest(queue).map(|at| (self.score(at), at))
    }

    /// Chooses the queues whose oldest entries have the lowest scores as candidates.
    fn scan(&mut self) {
        let queues = self.tracked.queues();
        let mut scored: Vec<(f32, u16)> =
            queues.iter().filter_map(|queue| self.score_of_queue(*queue).map(|(score, _)| (score, *queue))).collect();
        if scored.len() > CANDIDATES {
            scored.select_nth_unstable_by(CANDIDATES, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            scored.truncate(CANDIDATES);
        }
        self.evictions_until_scan = MAX_EVICTIONS.min(queues.len() / QUEUES_PER_EVICTION);
        self.candidates = scored.into_iter().map(|(_, queue)| queue).collect();
    }

    /// Makes a queue a candidate until the next scan, in place of the previous one that was not found by a scan.
    fn add_candidate(&mut self, queue: u16) {
        self.candidates.truncate(CANDIDATES);
        if !self.candidates.contains(&queue) {
            self.candidates.push(queue);
        }
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
            doc: "The number of evicted entries to remember, as a multiple of the number of stored entries, from 0 to 4.",
        },
        OptionSpec { name: "cost", default: "mix", doc: "The cost of a miss: `mix`, or `time` for the measured time of the fetch." },
    ];

    fn new(_capacity: u64, options: &Options) -> Result<Self, String> {
        let mix = options.number("mix", 0.0..=1000.0)? as f32;
        let is_time = options.choice("cost", &["mix", "time"])? == 1;
        Ok(Self {
            tracked: History::default(),
            rates: Rates::new(),
            cost: Cost { is_time, mix, sizes: Mean::default(), times: Mean::default() },
            ghosts: options.number("ghosts", 0.0..=4.0)?,
            now: 0,
            candidates: Vec::new(),
            evictions_until_scan: 0,
            random: 0,
        })
    }

    fn insert(&mut self, entry: &Entry) {
        let ghost = self.tracked.ghost(entry.fingerprint);
        let size = entry.size.max(1);
        if entry.cost > 0 {
            self.cost.times.add(entry.cost.into());
        }
        let queue = if let Some(at) = ghost {
            let (queue, meta) = self.request(at);
            self.tracked.revive(at, entry.id, queue, Meta { fetch_ms: entry.cost, size, ..meta });
            queue
        } else {
            self.now += 1;
            self.cost.sizes.add(size as f64);
            let queue = Classes::new(size, 1.0, None).0;
            let meta = Meta { size, requested: self.now, count: 1.0, fetch_ms: entry.cost };
            self.tracked.insert(entry.id, entry.fingerprint, queue, meta);
            queue
        };
        self.add_candidate(queue);
    }

    fn restore(&mut self, entry: &Entry) {
        self.insert(entry);
    }

    fn accessed(&mut self, id: EntryId, _at: u64) {
        if let Some(at) = self.tracked.entry(id) {
            let (queue, meta) = self.request(at);
            self.tracked.renew(at, queue, meta);
        }
    }

    fn removed(&mut self, id: EntryId) {
        if let Some(at) = self.tracked.entry(id) {
            self.tracked.evict(at);
        }
    }

    fn victim(&mut self) -> Option<(EntryId, u64)> {
        let lowest = |hazard: &Self| {
            let scores = hazard.candidates.iter().filter_map(|queue| hazard.score_of_queue(*queue));
            scores.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, at)| at)
        };
        if self.evictions_until_scan == 0 {
            self.scan();
        }
        self.evictions_until_scan = self.evictions_until_scan.saturating_sub(1);
        let victim = match lowest(self) {
            Some(victim) => victim,
            None => {
                self.scan();
                lowest(self)?
            }
        };
        let size = self.tracked.get(victim).0.size;
        let id = self.tracked.evict(victim);
        let limit = (self.tracked.entries() as f64 * self.ghosts) as usize + SPARE;
        self.tracked.limit_ghosts(if self.ghosts > 0.0 { limit } else { 0 });
        Some((id, size))
    }

    fn place(&mut self, candidate: &Entry, needed: u64) -> Placement {
        self.insert(candidate);
        Placement::Admit(self.evict(needed))
    }
}

export_policy!(Hazard);
