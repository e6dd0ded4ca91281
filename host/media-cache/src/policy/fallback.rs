//! Handles policies that trap, exceed their limits or return invalid results: the policy is disabled, and the built-in LRU takes over in
//! the same call, seeded with all tracked entries.

use media_cache_components as embedded;

use crate::component_error::ComponentError;
use crate::policy::active_policy::ActivePolicy;
use crate::policy::fault::PolicyFault;
use crate::policy::instance::CreateError;
use crate::policy::slot::PolicySlot;
use crate::policy::types::{Entry, SEED_PAGE};

impl PolicySlot {
    /// Disables the policy and replaces it with the built-in LRU.
    pub(super) fn fall_back(&mut self, fault: &PolicyFault) {
        let failed = self.active.take();
        let name = failed.as_ref().map_or("", |active| &active.instance.description().name);
        tracing::error!(policy = name, "the policy was disabled and replaced with the built-in LRU: {fault}");
        self.record.failed(fault.to_string());
        if failed.is_some_and(|active| active.choice.is_built_in(embedded::LRU)) {
            return;
        }
        match self.start_lru() {
            Ok(active) => {
                self.record.fell_back(&active);
                self.active = Some(active);
            }
            Err(error) => {
                tracing::error!("the built-in LRU failed as well: {error}");
                self.record.failed(error.to_string());
            }
        }
    }

    fn start_lru(&mut self) -> Result<ActivePolicy, StartLruError> {
        let lru = self.engine.built_in(embedded::LRU)?;
        let tier = || self.tiers.iter().enumerate().filter_map(|(number, tier)| Some((number, tier.as_ref()?)));
        let capacities = tier().map(|(number, tier)| (number, tier.capacity));
        let mut active = ActivePolicy::new(&self.engine, lru.into(), self.limits, capacities)?;
        for (number, tier) in tier() {
            let entries: Vec<Entry> = tier.residency.coldest_first().collect();
            for page in entries.chunks(SEED_PAGE) {
                let Some((policy, tier)) = active.tier(number) else { break };
                policy.restore(tier, page).map_err(CreateError::Fault)?;
            }
        }
        Ok(active)
    }
}

#[derive(Debug, thiserror::Error)]
enum StartLruError {
    #[error(transparent)]
    Component(#[from] ComponentError),
    #[error(transparent)]
    Create(#[from] CreateError),
}
