//! A shadow: a policy that decides for simulated caches of several capacities.

use std::sync::atomic::{AtomicBool, Ordering};

use media_cache::policy::{
    Access, CreateError, Entry, Event, ObservedKind, Placement, PolicyChoice, PolicyEngine, PolicyFault, PolicyHandle,
    PolicyInstance, PolicyLimits, PolicyOrigin,
};
use media_cache_simulator::{Counts, ObjectRequest, Policy, SimulatedCache};

use crate::active::Active;
use crate::feed::Sampled;
use crate::sampling::{Sample, SamplingRate};
use crate::sums::GroupSums;

/// By how much a miss ratio may differ because a cache is scaled to a sample: measured with five policies, at five capacities and four rates.
const SCALING_ERROR: f64 = 0.015;

/// The same for policies that divide their capacity, for example into a window and a main queue. A large object may fit into a part of a
/// whole cache, but not into that of a scaled one.
const SCALING_ERROR_OF_PARTS: f64 = 0.04;

/// A shadow. A fault ends it, and it then only names the fault.
pub(crate) struct Shadow {
    choice: PolicyChoice,
    /// The policy with its options, as on a command line.
    pub name: String,
    /// For comparison with the policy of the cache.
    pub active: Active,
    state: Result<Running, String>,
    /// Whether the policy decides differently if it has another capacity.
    divides_capacity: bool,
    /// Whether its misses do not count yet, because its caches are still being filled.
    pub is_warming: bool,
}

/// The simulated caches, and the instance of the policy that decides for all of them.
struct Running {
    instance: PolicyInstance,
    caches: Vec<Cache>,
}

/// A simulated cache of one capacity.
struct Cache {
    handle: PolicyHandle,
    /// The capacity from the policy's point of view.
    visible_capacity: u64,
    contents: SimulatedCache,
}

/// The policy's side of a simulated cache.
struct Tier<'a> {
    instance: &'a mut PolicyInstance,
    handle: &'a PolicyHandle,
    /// The capacity from the policy's point of view. No candidate may be larger.
    capacity: u64,
}

impl Shadow {
    /// A shadow with empty caches.
    pub fn new(
        engine: &PolicyEngine,
        choice: PolicyChoice,
        limits: PolicyLimits,
        sampling: &Sample,
        capacities: &[u64],
        visible_share: f64,
    ) -> Self {
        let empty = capacities.iter().map(|capacity| (*capacity, Vec::new())).collect();
        let state = Running::new(engine, &choice, limits, sampling, empty, visible_share);
        let divides_capacity = divides_capacity(engine, &choice, limits);
        let active =
            state.as_ref().map_or_else(|_| Active::default(), |running| Active::new(&choice, running.instance.description()));
        Self { name: choice.spec().to_string(), active, choice, state, divides_capacity, is_warming: true }
    }

    /// Simulates requests. The misses at each capacity are added to `misses`.
    pub fn process(&mut self, sampling: &Sample, sample: &[Sampled], misses: &mut [GroupSums], stop: &AtomicBool) {
        let Ok(running) = &mut self.state else { return };
        if let Err(fault) = running.process(sampling, sample, misses, stop) {
            self.drop_for(fault.to_string());
        }
    }

    /// Starts anew for another sampling rate, with the stored objects that are in the new sample.
    pub fn resample(&mut self, engine: &PolicyEngine, limits: PolicyLimits, sampling: &Sample, capacities: &[u64]) {
        let Ok(running) = &mut self.state else { return };
        let kept = |cache: &SimulatedCache| {
            cache.entries().into_iter().filter(|entry| sampling.includes(entry.fingerprint, entry.size)).collect::<Vec<Entry>>()
        };
        let contents = capacities.iter().zip(&running.caches).map(|(capacity, cache)| (*capacity, kept(&cache.contents))).collect();
        // The memory of the previous instance is released before the next one is created.
        running.caches.clear();
        self.state = Err("it is being restarted".into());
        self.state = Running::new(engine, &self.choice, limits, sampling, contents, 1.0);
        self.is_warming = true;
    }

    /// Whether the policy is built in.
    pub fn is_built_in(&self) -> bool {
        matches!(self.choice.component.origin(), PolicyOrigin::BuiltIn(_))
    }

    /// By how much its miss ratios may differ because its caches are scaled to a sample.
    pub fn scaling_error(&self, rate: SamplingRate) -> f64 {
        match self.divides_capacity {
            _ if rate.is_full() => 0.0,
            true => SCALING_ERROR_OF_PARTS,
            false => SCALING_ERROR,
        }
    }

    /// Ends the shadow.
    pub fn drop_for(&mut self, why: String) {
        tracing::warn!("the shadow policy {} was dropped: {why}", self.name);
        self.state = Err(why);
    }

    /// Why the shadow was dropped.
    pub fn fault(&self) -> Option<&str> {
        self.state.as_ref().err().map(String::as_str)
    }

    /// The linear memory of the policy, and all memory of the shadow, in bytes.
    pub fn memory_bytes(&self) -> (u64, u64) {
        let Ok(running) = &self.state else { return (0, 0) };
        let policy = running.instance.memory_bytes();
        (policy, policy + running.caches.iter().map(|cache| cache.contents.memory_bytes()).sum::<u64>())
    }

    /// The counts of the simulated caches since they were created, and the number of objects in each.
    pub fn counts(&self) -> Vec<(Counts, usize)> {
        let caches = self.state.iter().flat_map(|running| &running.caches);
        caches.map(|cache| (cache.contents.counts(), cache.contents.len())).collect()
    }
}

impl Running {
    /// Starts the policy, with these objects in the caches of these capacities.
    fn new(
        engine: &PolicyEngine,
        choice: &PolicyChoice,
        limits: PolicyLimits,
        sampling: &Sample,
        contents: Vec<(u64, Vec<Entry>)>,
        visible_share: f64,
    ) -> Result<Self, String> {
        let start = || {
            let mut instance = PolicyInstance::new(engine, &choice.component, limits)?;
            let mut caches = Vec::with_capacity(contents.len());
            for (capacity, entries) in contents {
                let visible_capacity = visible_capacity(capacity, sampling, &entries, visible_share);
                let handle = instance.create(visible_capacity, &choice.options)?;
                let mut tier = Tier { instance: &mut instance, handle: &handle, capacity: visible_capacity };
                let space = |size| sampling.space(size);
                let contents = SimulatedCache::with_entries(sampling.rate.scaled(capacity), &mut tier, &entries, space)?;
                caches.push(Cache { handle, visible_capacity, contents });
            }
            Ok(Self { instance, caches })
        };
        start().map_err(|error: CreateError| error.to_string())
    }

    fn process(
        &mut self,
        sampling: &Sample,
        sample: &[Sampled],
        misses: &mut [GroupSums],
        stop: &AtomicBool,
    ) -> Result<(), PolicyFault> {
        for (Cache { handle, visible_capacity, contents }, misses) in self.caches.iter_mut().zip(misses) {
            let mut tier = Tier { instance: &mut self.instance, handle, capacity: *visible_capacity };
            for Sampled { kind, request, repeats, .. } in sample {
                // A policy may be slow, and the service must be able to stop.
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let request = ObjectRequest { space: sampling.space(request.size), ..*request };
                if matches!(kind, ObservedKind::Put | ObservedKind::Restored) {
                    contents.put(&mut tier, &request)?;
                } else if !contents.request(&mut tier, &request)? {
                    let is_stored = contents.contains(request.fingerprint);
                    misses.add(&request, sampling.probability(request.size), if is_stored { 1 } else { 1 + repeats });
                }
            }
        }
        Ok(())
    }
}

/// The capacity of a scaled cache from the policy's point of view, which sees the true sizes of its objects. It is estimated from the objects
/// that the cache contains; `share` is the share of the capacity to assume if there are none.
fn visible_capacity(capacity: u64, sampling: &Sample, entries: &[Entry], share: f64) -> u64 {
    let size: u64 = entries.iter().map(|entry| entry.size).sum();
    let space: u64 = entries.iter().map(|entry| sampling.space(entry.size)).sum();
    match space {
        0 => (capacity as f64 * share) as u64,
        _ => (sampling.rate.scaled(capacity) as f64 * size as f64 / space as f64) as u64,
    }
    .clamp(1, capacity)
}

/// Whether the decisions of a policy depend on its capacity, and not only on the space that is needed.
fn divides_capacity(engine: &PolicyEngine, choice: &PolicyChoice, limits: PolicyLimits) -> bool {
    const ENTRIES: u64 = 200;
    let decisions = |capacity| -> Result<Vec<Placement>, CreateError> {
        let mut instance = PolicyInstance::new(engine, &choice.component, limits)?;
        let handle = instance.create(capacity, &choice.options)?;
        let mut decisions = Vec::new();
        for id in 0..2 * ENTRIES {
            // The same number of entries are stored with both capacities, some of them with hits.
            let needed = if id < ENTRIES { 0 } else { 1 };
            let hit = Event::Accessed(Access { id: id / 3, at: id });
            let events = if id % 2 == 1 && id < ENTRIES { vec![hit] } else { Vec::new() };
            decisions.push(instance.place(&handle, &events, Entry::new(id, id.wrapping_mul(0x9e37_79b9_7f4a_7c15), 1), needed)?);
        }
        Ok(decisions)
    };
    match (decisions(ENTRIES), decisions(100 * ENTRIES)) {
        (Ok(one), Ok(other)) => one != other,
        _ => true,
    }
}

impl Policy for Tier<'_> {
    fn restore(&mut self, entries: &[Entry]) -> Result<(), PolicyFault> {
        self.instance.restore(self.handle, entries)
    }

    fn observe(&mut self, events: &[Event]) -> Result<(), PolicyFault> {
        self.instance.observe(self.handle, events)
    }

    fn place(&mut self, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault> {
        let candidate = Entry { size: candidate.size.min(self.capacity), ..candidate };
        self.instance.place(self.handle, events, candidate, needed)
    }

    fn evict(&mut self, events: &[Event], needed: u64) -> Result<Vec<u64>, PolicyFault> {
        self.instance.evict(self.handle, events, needed)
    }
}

#[cfg(test)]
mod tests {
    use media_cache::policy::PolicySpec;

    use super::*;

    #[test]
    fn policies_with_several_queues_divide_their_capacity() {
        let engine = PolicyEngine::new().unwrap();
        let divides = |policy: &str| {
            let choice = policy.parse::<PolicySpec>().unwrap().choose(&engine).unwrap();
            divides_capacity(&engine, &choice, PolicyLimits::default())
        };
        assert_eq!(["lru", "sieve", "gdsf", "gdsf:beta=0.5"].map(divides), [false; 4]);
        assert_eq!(["s3-fifo", "w-tinylfu"].map(divides), [true; 2]);
    }
}
