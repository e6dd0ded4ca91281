//! A shadow: a policy that decides for simulated caches of several capacities.

use media_cache::policy::{
    CreateError, Entry, Event, ObservedKind, Placement, PolicyChoice, PolicyEngine, PolicyFault, PolicyHandle, PolicyInstance,
    PolicyLimits,
};
use media_cache_simulator::{Counts, Policy, SimulatedCache};

use crate::feed::Sampled;
use crate::sampling::SamplingRate;
use crate::sums::{GroupSums, Sums};

/// A shadow. A fault ends it, and it then only names the fault.
pub(crate) struct Shadow {
    choice: PolicyChoice,
    /// The policy with its options, as on a command line.
    pub name: String,
    state: Result<Running, String>,
    /// Whether its misses do not count yet, because its caches are still being filled.
    pub is_warming: bool,
}

/// The simulated caches, and the instance of the policy that decides for all of them.
struct Running {
    instance: PolicyInstance,
    caches: Vec<(PolicyHandle, SimulatedCache)>,
}

/// The misses of a shadow at one capacity in a window.
#[derive(Clone, Debug, Default)]
pub(crate) struct PointMisses {
    /// The misses in the sample.
    pub missed: GroupSums,
    /// Those of objects that would fit into the whole cache, but not into one that is scaled to the sample.
    pub unscalable: Sums,
}

/// The state for one capacity.
struct Tier<'a> {
    instance: &'a mut PolicyInstance,
    handle: &'a PolicyHandle,
}

impl Shadow {
    /// A shadow with empty caches.
    pub fn new(engine: &PolicyEngine, choice: PolicyChoice, limits: PolicyLimits, rate: SamplingRate, capacities: &[u64]) -> Self {
        let empty = capacities.iter().map(|capacity| (*capacity, Vec::new())).collect();
        let state = Running::new(engine, &choice, limits, rate, empty);
        Self { name: choice.spec().to_string(), choice, state, is_warming: true }
    }

    /// Simulates requests. The misses at each capacity are added to `misses`.
    pub fn process(&mut self, rate: SamplingRate, capacities: &[u64], sample: &[Sampled], misses: &mut [PointMisses]) {
        let Ok(running) = &mut self.state else { return };
        if let Err(fault) = running.process(rate, capacities, sample, misses) {
            self.drop_for(fault.to_string());
        }
    }

    /// Starts anew for another sampling rate, with the stored objects that are in the new sample.
    pub fn resample(&mut self, engine: &PolicyEngine, limits: PolicyLimits, rate: SamplingRate, capacities: &[u64]) {
        let Ok(running) = &mut self.state else { return };
        let kept = |cache: &SimulatedCache| {
            cache.entries().into_iter().filter(|entry| rate.includes(entry.fingerprint)).collect::<Vec<Entry>>()
        };
        let contents = capacities.iter().zip(&running.caches).map(|(capacity, (_, cache))| (*capacity, kept(cache))).collect();
        // The memory of the previous instance is released before the next one is created.
        running.caches.clear();
        self.state = Err("it is being restarted".into());
        self.state = Running::new(engine, &self.choice, limits, rate, contents);
        self.is_warming = true;
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
        (policy, policy + running.caches.iter().map(|(_, cache)| cache.memory_bytes()).sum::<u64>())
    }

    /// The counts of the simulated caches since they were created, and the number of objects in each.
    pub fn counts(&self) -> Vec<(Counts, usize)> {
        let caches = self.state.iter().flat_map(|running| &running.caches);
        caches.map(|(_, cache)| (cache.counts(), cache.len())).collect()
    }
}

impl Running {
    /// Starts the policy, with these objects in the caches of these capacities.
    fn new(
        engine: &PolicyEngine,
        choice: &PolicyChoice,
        limits: PolicyLimits,
        rate: SamplingRate,
        contents: Vec<(u64, Vec<Entry>)>,
    ) -> Result<Self, String> {
        let start = || {
            let mut instance = PolicyInstance::new(engine, &choice.component, limits)?;
            let mut caches = Vec::with_capacity(contents.len());
            for (capacity, entries) in contents {
                let capacity = rate.scaled(capacity);
                let handle = instance.create(capacity, &choice.options)?;
                let mut tier = Tier { instance: &mut instance, handle: &handle };
                let cache = SimulatedCache::with_entries(capacity, &mut tier, &entries)?;
                caches.push((handle, cache));
            }
            Ok(Self { instance, caches })
        };
        start().map_err(|error: CreateError| error.to_string())
    }

    fn process(
        &mut self,
        rate: SamplingRate,
        capacities: &[u64],
        sample: &[Sampled],
        misses: &mut [PointMisses],
    ) -> Result<(), PolicyFault> {
        for (((handle, cache), capacity), misses) in self.caches.iter_mut().zip(capacities).zip(misses) {
            let mut tier = Tier { instance: &mut self.instance, handle };
            for Sampled { kind, request, .. } in sample {
                if matches!(kind, ObservedKind::Put | ObservedKind::Restored) {
                    cache.put(&mut tier, request)?;
                } else if !cache.request(&mut tier, request)? {
                    misses.missed.add(request);
                    if request.size > rate.scaled(*capacity) && request.size <= *capacity {
                        misses.unscalable.add(request);
                    }
                }
            }
        }
        Ok(())
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
        self.instance.place(self.handle, events, candidate, needed)
    }
}
