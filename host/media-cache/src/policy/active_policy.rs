//! A policy and its tiers in a cache.

use crate::policy::engine::PolicyEngine;
use crate::policy::fault::PolicyFault;
use crate::policy::instance::{CreateError, PolicyHandle, PolicyInstance};
use crate::policy::residency_log::{Delta, DeltaEntry};
use crate::policy::sandbox::PolicyLimits;
use crate::policy::spec::PolicyChoice;
use crate::policy::types::{Access, Entry, Event};

/// A running policy and its tiers.
pub(super) struct ActivePolicy {
    pub choice: PolicyChoice,
    pub instance: PolicyInstance,
    /// The tiers, indexed by the number that the cache assigned to each.
    tiers: Vec<Option<PolicyHandle>>,
}

impl ActivePolicy {
    /// Starts a policy, and creates tiers with these numbers and capacities.
    pub fn new(
        engine: &PolicyEngine,
        choice: PolicyChoice,
        limits: PolicyLimits,
        tiers: impl IntoIterator<Item = (usize, u64)>,
    ) -> Result<Self, CreateError> {
        let instance = PolicyInstance::new(engine, &choice.component, limits)?;
        let mut active = Self::of(choice, instance);
        for (number, capacity) in tiers {
            active.create(number, capacity)?;
        }
        Ok(active)
    }

    /// A policy that has been started but has no tiers yet.
    pub fn of(choice: PolicyChoice, instance: PolicyInstance) -> Self {
        Self { choice, instance, tiers: Vec::new() }
    }

    /// Makes the policy create a tier.
    pub fn create(&mut self, number: usize, capacity: u64) -> Result<(), CreateError> {
        let tier = self.instance.create(capacity, &self.choice.options)?;
        if number >= self.tiers.len() {
            self.tiers.resize_with(number + 1, || None);
        }
        self.tiers[number] = Some(tier);
        Ok(())
    }

    /// The policy and one of its tiers.
    pub fn tier(&mut self, number: usize) -> Option<(&mut PolicyInstance, &PolicyHandle)> {
        let tier = self.tiers.get(number)?.as_ref()?;
        Some((&mut self.instance, tier))
    }

    /// Releases a tier.
    pub fn forget(&mut self, number: usize) -> Result<(), PolicyFault> {
        match self.tiers.get_mut(number).and_then(Option::take) {
            Some(tier) => self.instance.forget(tier),
            None => Ok(()),
        }
    }

    /// Passes a delta to a tier.
    pub fn apply(&mut self, number: usize, delta: &Delta) -> Result<(), PolicyFault> {
        let Some((policy, tier)) = self.tier(number) else { return Ok(()) };
        if !delta.removed.is_empty() {
            let removed: Vec<Event> = delta.removed.iter().map(|id| Event::Removed(*id)).collect();
            policy.observe(tier, &removed)?;
        }
        let alike = |a: &DeltaEntry, b: &DeltaEntry| std::mem::discriminant(a) == std::mem::discriminant(b);
        for run in delta.entries.chunk_by(alike) {
            let entries: Vec<Entry> = run.iter().filter_map(DeltaEntry::entry).collect();
            if entries.is_empty() {
                let events: Vec<Event> = run.iter().filter_map(DeltaEntry::access).map(Event::Accessed).collect();
                policy.observe(tier, &events)?;
            } else {
                policy.restore(tier, &entries)?;
            }
        }
        Ok(())
    }
}

impl DeltaEntry {
    fn entry(&self) -> Option<Entry> {
        match self {
            Self::Tracked(entry) => Some(*entry),
            Self::Accessed(_) => None,
        }
    }

    fn access(&self) -> Option<Access> {
        match self {
            Self::Accessed(access) => Some(*access),
            Self::Tracked(_) => None,
        }
    }
}
