//! All shadows of a cache, and the windows over which their misses are counted.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use media_cache::policy::{ObservedKind, PolicyEngine, PolicyLimits};

use crate::active::Active;
use crate::feed::{Batch, Sampled};
use crate::options::{FACTORS, ShadowOptions};
use crate::recent_requests::RecentRequests;
use crate::sampling::SamplingRate;
use crate::shadow::Shadow;
use crate::sums::{GroupSums, Sums};
use crate::window::{History, Window};

/// The share of the allowance that one policy may use. A policy that exceeds it is dropped.
const POLICY_SHARE: f64 = 0.15;

/// The share of the allowance, of all shadows or of one, from which on the sampling rate is halved.
const FULL: f64 = 0.8;

/// The shadows have to grow by this factor after a change of the rate before it is halved again.
const GROWN: f64 = 1.1;

/// If less than this share of the allowances is used, the sampling rate is doubled.
const MOSTLY_UNUSED: f64 = 0.35;

/// The time between an increase of the sampling rate and the previous change, in milliseconds.
const MIN_BETWEEN_INCREASES: u64 = 60 * 60 * 1000;

/// The shadows of a cache.
pub(crate) struct Simulation {
    engine: PolicyEngine,
    pub options: ShadowOptions,
    limits: PolicyLimits,
    pub rate: SamplingRate,
    /// How often the rate was changed, and the time of the last change, in milliseconds since 1970.
    pub rate_changes: u64,
    changed_at: u64,
    /// In bytes, by factor. Empty until the capacity of the cache is known.
    pub capacities: Vec<u64>,
    pub shadows: Vec<Shadow>,
    pub window: Window,
    pub history: History,
    recent: RecentRequests,
    /// The number of entries of the cache.
    pub entries: u64,
    /// Whether a batch is to be abandoned.
    stop: Arc<AtomicBool>,
    /// The memory of the shadows after the last change of the rate. Halving it again only helps if they have grown since.
    resampled_memory: u64,
    /// The number of requests that the shadows have missed because too many waited.
    pub lost: u64,
}

impl Simulation {
    /// Shadows that have simulated nothing yet. `engine` must be the one that compiled their policies, and `now` is the time in milliseconds
    /// since 1970.
    pub fn new(engine: PolicyEngine, options: ShadowOptions, now: u64) -> Self {
        let limits = PolicyLimits { memory_bytes: policy_limit(options.memory_bytes), ..PolicyLimits::default() };
        let window = Window { number: 1, began: now, ..Window::default() };
        Self {
            engine,
            options,
            limits,
            rate: SamplingRate::FULL,
            rate_changes: 0,
            changed_at: now,
            capacities: Vec::new(),
            shadows: Vec::new(),
            window,
            history: History::default(),
            recent: RecentRequests::default(),
            entries: 0,
            stop: Arc::default(),
            resampled_memory: 0,
            lost: 0,
        }
    }

    /// Setting it abandons the batch that is being simulated. Nothing can be simulated afterwards.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    /// Simulates a batch. Returns whether that completed a window.
    pub fn simulate(&mut self, batch: &Batch, now: u64, active: &Active) -> bool {
        if batch.capacity == 0 {
            return false;
        }
        self.follow(batch, now);
        self.entries = batch.entries;
        if batch.lost > 0 {
            self.lost += batch.lost;
            self.begin_window(now);
        }
        let sampling = batch.sampling();
        let before = self.window.requested.requests as u64;
        for shadow in 0..self.shadows.len() {
            let misses = self.window.shadows[shadow].get_or_insert_with(|| vec![GroupSums::default(); FACTORS.len()]);
            self.shadows[shadow].process(&sampling, &batch.sample, misses, &self.stop);
        }
        for sampled @ Sampled { kind, request, number, .. } in &batch.sample {
            match kind {
                ObservedKind::Hit => self.recent.add(sampled, before + number),
                ObservedKind::Miss => {
                    self.recent.add(sampled, before + number);
                    self.window.missed_in_sample.add(request, sampling.probability(request.size), 1);
                }
                ObservedKind::Put | ObservedKind::Restored => self.recent.add_stored(request.fingerprint),
            }
        }
        self.window.requested = self.window.requested.plus(batch.requested, 1.0);
        self.window.missed = self.window.missed.plus(batch.missed, 1.0);
        let is_long = now.saturating_sub(self.window.began) >= self.options.min_window.as_millis() as u64;
        let is_complete = is_long && self.window.requested.requests >= self.target() as f64;
        if is_complete {
            self.close_window(now, active.clone());
        }
        is_complete
    }

    /// The least number of requests in a window.
    pub fn target(&self) -> u64 {
        self.options.min_window_requests.max(2 * self.entries)
    }

    /// The memory that is used, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.shadows_memory() + self.history.memory_bytes() + RecentRequests::memory_bytes() + Batch::MAX_MEMORY_BYTES
    }

    /// The value of the objective for these misses.
    pub fn value(&self, misses: &Sums) -> f64 {
        self.options.objective.value(misses.requests, misses.bytes, misses.wait)
    }

    fn shadows_memory(&self) -> u64 {
        self.shadows.iter().map(|shadow| shadow.memory_bytes().1).sum()
    }

    /// The sampling rate that fits the allowances, if it is not the current one. `cpu` is the share of the allowed processor time that is
    /// used: if that is all of it, requests accumulate in the feed, which then halves the rate.
    pub fn better_rate(&self, cpu: f64, now: u64) -> Option<SamplingRate> {
        let of_policy = |shadow: &Shadow| shadow.memory_bytes().0 as f64 / self.limits.memory_bytes as f64;
        let policies = self.shadows.iter().map(of_policy).fold(0.0, f64::max);
        // Only the memory of the shadows depends on the rate.
        let shadows = self.shadows_memory();
        let available = self.options.memory_bytes.saturating_sub(self.memory_bytes() - shadows).max(1);
        let all = shadows as f64 / available as f64;
        if policies > FULL || all > FULL {
            let has_grown = shadows as f64 > GROWN * self.resampled_memory as f64;
            return Some(self.rate.halved()).filter(|rate| *rate != self.rate && has_grown);
        }
        let is_late = now.saturating_sub(self.changed_at) >= MIN_BETWEEN_INCREASES;
        let is_unused = policies.max(all).max(cpu) < MOSTLY_UNUSED;
        (is_late && is_unused && !self.rate.is_full()).then(|| self.rate.doubled())
    }

    /// Adopts the capacity and the sampling rate of a batch.
    fn follow(&mut self, batch: &Batch, now: u64) {
        let capacities: Vec<u64> = FACTORS.iter().map(|factor| ((batch.capacity as f64 * factor) as u64).max(1)).collect();
        if self.capacities != capacities {
            self.capacities = capacities;
            self.rate = batch.rate;
            let visible = visible_share(batch);
            let start = |choice: &_| {
                Shadow::new(&self.engine, Clone::clone(choice), self.limits, &batch.sampling(), &self.capacities, visible)
            };
            self.shadows = self.options.policies.iter().map(start).collect();
            self.begin_window(now);
        } else if self.rate != batch.rate {
            self.rate = batch.rate;
            (self.rate_changes, self.changed_at) = (self.rate_changes + 1, now);
            for shadow in &mut self.shadows {
                shadow.resample(&self.engine, self.limits, &batch.sampling(), &self.capacities);
                // It would otherwise make the sample smaller and smaller.
                let (policy, _) = shadow.memory_bytes();
                if policy as f64 > FULL * self.limits.memory_bytes as f64 {
                    let limit = self.limits.memory_bytes;
                    shadow.drop_for(format!("it uses {policy} bytes of memory even with fewer entries; its limit is {limit}"));
                }
            }
            self.resampled_memory = self.shadows_memory();
            tracing::info!(
                rate = self.rate.fraction(),
                "the shadow policies simulate another share of the objects, so that they stay within their allowance"
            );
            // Its sums are those of another sample.
            self.begin_window(now);
        }
    }

    fn close_window(&mut self, now: u64, active: Active) {
        let requests = self.window.requested.requests as u64;
        let (bounds, rate) = self.recent.lower_bounds(requests, &self.capacities);
        (self.history.bounds, self.history.bounded) = (bounds, (self.window.requested, rate));
        for (shadow, misses) in self.shadows.iter_mut().zip(&mut self.window.shadows) {
            if std::mem::take(&mut shadow.is_warming) || shadow.fault().is_some() {
                *misses = None;
            }
        }
        (self.window.ended, self.window.active) = (now, active);
        let number = self.window.number + 1;
        let closed = std::mem::replace(&mut self.window, Window { number, ..Window::default() });
        self.history.push(closed);
        self.begin_window(now);
    }

    fn begin_window(&mut self, now: u64) {
        let shadows = vec![None; self.shadows.len()];
        let scaling_errors = self.shadows.iter().map(|shadow| shadow.scaling_error(self.rate)).collect();
        self.window = Window { number: self.window.number, began: now, shadows, scaling_errors, ..Window::default() };
        self.recent.begin(self.rate);
    }
}

/// The share of a capacity that the objects of a batch would take up with their true sizes, if they filled a scaled cache.
fn visible_share(batch: &Batch) -> f64 {
    let (sampling, sizes) = (batch.sampling(), || batch.sample.iter().map(|sampled| sampled.request.size));
    let (size, space) = (sizes().sum::<u64>() as f64, sizes().map(|size| sampling.space(size)).sum::<u64>() as f64);
    if space > 0.0 { (batch.rate.fraction() * size / space).min(1.0) } else { 1.0 }
}

/// The memory that one policy may use, in bytes. Less than this is not enough for any policy.
fn policy_limit(memory_bytes: u64) -> u64 {
    ((memory_bytes as f64 * POLICY_SHARE) as u64).max(2 << 20)
}
