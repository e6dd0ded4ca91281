//! Handles policies that trap, exceed their limits or give impossible answers: the policy is disabled, and the built-in LRU takes over in
//! the same call, seeded with everything that is tracked.

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
        tracing::error!(policy = name, "the policy is disabled and the built-in LRU takes over: {fault}");
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
                tracing::error!("the built-in LRU does not work either: {error}");
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
