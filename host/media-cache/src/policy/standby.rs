//! The policy of a cache component on standby. It learns of the entries, but its status is not reported as that of the cache.

use std::sync::Arc;

use crate::policy::record::Record;
use crate::policy::slot::PolicySlot;

impl PolicySlot {
    /// Records this policy's activity separately from the status of the cache.
    pub fn detach(&mut self) {
        self.record = Arc::new(self.record.detached());
    }

    /// Records this policy's activity in the status of the cache. Returns false if the cache has another policy by now.
    pub fn attach(&mut self, record: &Arc<Record>) -> bool {
        let is_same = self.active.as_ref().is_some_and(|active| active.choice.is_same(&record.choice()));
        if is_same {
            self.record = record.clone();
        }
        is_same
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::component::PolicyOrigin;
    use crate::policy::engine::PolicyEngine;
    use crate::policy::fault::PolicyFault;
    use crate::policy::sandbox::PolicyLimits;
    use crate::policy::spec::PolicyChoice;
    use crate::policy::types::Description;
    use media_cache_components as embedded;

    #[test]
    fn policy_of_a_standby_component_is_separate_from_the_active_one() {
        let engine = PolicyEngine::new().unwrap();
        let sieve = engine.compile(PolicyOrigin::Upload, embedded::policy("sieve").unwrap()).unwrap();
        let description = Description { name: "sieve".into(), version: String::new(), doc: String::new(), options: Vec::new() };
        let record = Arc::new(Record::new(PolicyChoice::from(sieve), description));
        let mut slot = PolicySlot::new(engine, PolicyLimits::default(), record.clone());
        slot.detach();
        let tier = slot.create(9).unwrap();
        slot.evict(&tier, &[], 1);
        assert_eq!((slot.status().calls, record.status().calls), (1, 0));
        assert!(slot.attach(&record));
        slot.evict(&tier, &[], 1);
        assert_eq!(record.status().calls, 1);
        slot.detach();
        slot.fall_back(&PolicyFault::Trapped("for the test".into()));
        assert_eq!((slot.status().fallbacks, record.status().fallbacks), (1, 0));
        assert!(!slot.attach(&record), "the cache has another policy");
    }
}
