//! Greedy-Dual Size Frequency: keeps the entries with the most hits for their size.
//!
//! Cherkasova: "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy", HP Laboratories, 1998.
//!
//! Every entry has a priority. The entry with the lowest priority is evicted first:
//!
//! ```text
//! priority = L + frequency × 1,000,000 × size^beta / size
//! ```
//!
//! Frequency divided by size is the value of one byte of the entry. This alone would keep formerly popular entries forever, so the
//! inflation `L` is added: the priority of the latest victim. An entry that is not requested keeps its priority while `L` approaches it; a
//! hit recomputes the priority with the current `L`.
//!
//! With `beta` 0, as published, a video of 32 MiB needs 32,768 hits to be worth as much as an icon of 1 KiB with one hit. That minimises
//! misses, at the cost of many missed bytes. With `beta` 1, size does not matter, which makes the policy LFU with aging. Values in between
//! are a compromise.
//!
//! The option `cost` sets another cost of a miss than `size^beta`, and can therefore not be combined with `beta`:
//!
//! ```text
//! priority = L + frequency × 1,000,000 × cost / size
//! ```
//!
//! | `cost` | of a miss |
//! | --- | --- |
//! | `1` | `size^beta` |
//! | `linear:W` | `1 + W × size / mean size of the requested entries`: `W` trades missed objects for missed bytes, and does so better than `beta` |
//! | `bytes` | the size, as with `beta=1`, so that a priority is a plain count |
//! | `time` | the time of the fetch / its mean; 1 if it is unknown |
//!
//! A mean is the one at the time of the access that sets the priority.
//!
//! A candidate competes immediately: if its own priority is the lowest, it is itself the victim.

use media_cache_policy_sdk::{Algorithm, Entry, EntryId, Heap, OptionSpec, Options, Placement, export_policy};

/// Entries by priority.
pub struct Gdsf {
    entries: Heap<Priority, Meta>,
    cost: Cost,
    /// The means of the sizes of all requests, and of all known times of fetches.
    size: Mean,
    time: Mean,
    /// `L`, the priority of the latest victim.
    inflation: f64,
    /// The number of accesses, including insertions.
    accesses: u64,
}

/// The priority and the number of the access that set it. If priorities are equal, the entry with the older access is evicted first.
type Priority = (f64, u64);

#[derive(Clone, Copy, Default)]
struct Meta {
    size: u64,
    frequency: u64,
    fetch_ms: u32,
}

/// The cost of a miss.
enum Cost {
    /// The size to this power.
    Power(f64),
    /// A constant, and the size with this weight.
    Linear(f64),
    Bytes,
    Time,
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }

    /// A value as a multiple of the mean.
    fn ratio(&self, value: f64) -> f64 {
        value * self.count / self.sum
    }
}

impl Cost {
    fn new(options: &Options) -> Result<Self, String> {
        let beta = options.number("beta", 0.0..=1.0)?;
        let cost = match options.text("cost") {
            "1" => return Ok(Self::Power(beta)),
            "bytes" => Self::Bytes,
            "time" => Self::Time,
            text => {
                let weight = text.strip_prefix("linear:").and_then(|weight| weight.parse().ok());
                let weight = weight.filter(|weight| (0.0..=1000.0).contains(weight));
                Self::Linear(weight.ok_or_else(|| {
                    format!("cost is {text:?}; it has to be one of 1, time, bytes, or linear:W with a number W from 0 to 1000")
                })?)
            }
        };
        if beta != 0.0 {
            let cost = options.text("cost");
            return Err(format!("cost is {cost:?} and beta is {beta}; each sets the cost of a miss, so leave out one of them"));
        }
        Ok(cost)
    }
}

impl Gdsf {
    fn priority(&self, meta: &Meta) -> f64 {
        let size = meta.size.max(1) as f64;
        let frequency = meta.frequency as f64 * 1e6;
        let value = match self.cost {
            // Exactly the published priority, so the size must not be rounded.
            Cost::Power(0.0) => frequency / size,
            Cost::Power(beta) => frequency / size.powf(1.0 - beta),
            Cost::Linear(weight) => frequency * (1.0 + weight * self.size.ratio(size)) / size,
            Cost::Bytes => frequency,
            Cost::Time if meta.fetch_ms == 0 => frequency / size,
            Cost::Time => frequency * self.time.ratio(meta.fetch_ms.into()) / size,
        };
        self.inflation + value
    }

    fn add(&mut self, entry: &Entry, frequency: u64) {
        let meta = Meta { size: entry.size, frequency, fetch_ms: entry.cost };
        if entry.cost > 0 {
            self.time.add(entry.cost.into());
        }
        self.size.add(entry.size.max(1) as f64);
        self.accesses += 1;
        self.entries.push(entry.id, (self.priority(&meta), self.accesses), meta);
    }
}

impl Algorithm for Gdsf {
    const NAME: &'static str = "gdsf";
    const DOC: &'static str = "Greedy-Dual Size Frequency: keeps the entries with the most hits for the space that they take up.";
    const OPTIONS: &'static [OptionSpec] = &[
        OptionSpec {
            name: "beta",
            default: "0",
            doc: "The cost of a miss is the size raised to this power, from 0 (equal for all: fewest misses) to 1 (proportional).",
        },
        OptionSpec {
            name: "cost",
            default: "1",
            doc: "Another cost of a miss, without beta: `time` (of the fetch), `bytes`, or `linear:W`, which is 1 + W * size / mean size.",
        },
    ];

    fn new(_capacity: u64, options: &Options) -> Result<Self, String> {
        Ok(Self {
            entries: Heap::default(),
            cost: Cost::new(options)?,
            size: Mean::default(),
            time: Mean::default(),
            inflation: 0.0,
            accesses: 0,
        })
    }

    fn insert(&mut self, entry: &Entry) {
        self.add(entry, 1);
    }

    fn restore(&mut self, entry: &Entry) {
        self.add(entry, entry.hits.saturating_add(1));
    }

    fn accessed(&mut self, id: EntryId, _at: u64) {
        let Some(mut meta) = self.entries.get(id).copied() else { return };
        self.size.add(meta.size.max(1) as f64);
        meta.frequency = meta.frequency.saturating_add(1);
        self.accesses += 1;
        let key = (self.priority(&meta), self.accesses);
        self.entries.raise(id, |known| {
            *known = meta;
            key
        });
    }

    fn removed(&mut self, id: EntryId) {
        self.entries.remove(id);
    }

    fn victim(&mut self) -> Option<(EntryId, u64)> {
        let (id, (priority, _), meta) = self.entries.pop()?;
        self.inflation = priority;
        Some((id, meta.size))
    }

    fn place(&mut self, candidate: &Entry, needed: u64) -> Placement {
        self.insert(candidate);
        Placement::Admit(self.evict(needed))
    }
}

export_policy!(Gdsf);

#[cfg(test)]
mod tests;
