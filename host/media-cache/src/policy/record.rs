//! The status of a cache's policy, across swaps and instances. Any thread can read it at any time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::histogram::{Histogram, HistogramSnapshot};
use crate::policy::active_policy::ActivePolicy;
use crate::policy::component::PolicyOrigin;
use crate::policy::spec::{PolicyChoice, PolicySpec};
use crate::policy::types::Description;

/// Bounds of the histogram of calls to a policy. Most calls take less than a microsecond, and the default limit is 250 ms.
const CALL_BOUNDS: &[Duration] = &[
    Duration::from_nanos(250),
    Duration::from_nanos(500),
    Duration::from_micros(1),
    Duration::from_nanos(2500),
    Duration::from_micros(5),
    Duration::from_micros(10),
    Duration::from_micros(25),
    Duration::from_micros(100),
    Duration::from_millis(1),
    Duration::from_millis(10),
    Duration::from_millis(100),
    Duration::from_secs(1),
];

/// Totals over all policies of a cache since it was opened, including replaced ones.
#[derive(Clone, Debug)]
pub struct PolicyTotals {
    /// The durations of calls.
    pub calls: HistogramSnapshot,
    /// The number of ids that were ignored in the policies' answers, because they were not tracked or were named twice.
    pub rejected_ids: u64,
}

/// Records what [`PolicyStatus`] and [`PolicyTotals`] report.
pub(crate) struct Record {
    facts: Mutex<Facts>,
    usage: Usage,
    all_calls: Histogram,
    all_rejected: AtomicU64,
}

/// The usage of the active policy.
#[derive(Default)]
struct Usage {
    calls: AtomicU64,
    nanoseconds: AtomicU64,
    memory_bytes: AtomicU64,
    rejected: AtomicU64,
}

struct Facts {
    choice: PolicyChoice,
    description: Description,
    previous: Option<PolicyChoice>,
    since: SystemTime,
    swaps: u64,
    fallbacks: u64,
    last_fault: Option<FaultReport>,
    swap: Option<SwapProgress>,
    /// Whether the cache component is being replaced, which also replaces the policy's instance.
    component_swap: bool,
}

/// A fault of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultReport {
    /// The name of the policy.
    pub policy: String,
    /// The fault.
    pub why: String,
    /// When it happened.
    pub at: SystemTime,
}

/// The progress of a swap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapProgress {
    /// The origin of the new policy.
    pub to: PolicyOrigin,
    /// The number of entries in both tiers with which the new policy has been seeded so far. Entries that are used during the swap count
    /// again.
    pub seeded: u64,
    /// The number of entries in both tiers when the swap began.
    pub entries: u64,
    /// When the swap began.
    pub since: SystemTime,
}

/// The status of the eviction policy of a cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// The name of the policy, from its description.
    pub name: String,
    /// The version of the policy, from its description.
    pub version: String,
    /// Which entries the policy prefers to keep, from its description.
    pub doc: String,
    /// The origin of the policy.
    pub origin: PolicyOrigin,
    /// The SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// All options of the policy with their values, including defaults.
    pub options: Vec<(String, String)>,
    /// When the policy became active.
    pub since: SystemTime,
    /// The number of calls to the policy since then.
    pub calls: u64,
    /// Time spent in these calls.
    pub time: Duration,
    /// The linear memory of the policy in bytes.
    pub memory_bytes: u64,
    /// The number of ids that were ignored in the policy's answers, because they were not tracked or were named twice.
    pub rejected_ids: u64,
    /// How often the policy was replaced on demand since the cache was opened.
    pub swaps: u64,
    /// How often a policy was disabled because of a fault and replaced with the built-in LRU.
    pub fallbacks: u64,
    /// The last fault.
    pub last_fault: Option<FaultReport>,
    /// The policy that a rollback would restore, with its options.
    pub previous: Option<PolicySpec>,
    /// The swap in progress.
    pub swap: Option<SwapProgress>,
}

impl Record {
    pub fn new(choice: PolicyChoice, description: Description) -> Self {
        let facts = Facts {
            choice,
            description,
            previous: None,
            since: SystemTime::now(),
            swaps: 0,
            fallbacks: 0,
            last_fault: None,
            swap: None,
            component_swap: false,
        };
        let all_calls = Histogram::new(CALL_BOUNDS);
        Self { facts: Mutex::new(facts), usage: Usage::default(), all_calls, all_rejected: AtomicU64::new(0) }
    }

    /// The active policy.
    pub fn choice(&self) -> PolicyChoice {
        self.facts().choice.clone()
    }

    /// The policy that was active before the last swap.
    pub fn previous(&self) -> Option<PolicyChoice> {
        self.facts().previous.clone()
    }

    /// A separate record for another instance of the same policy.
    pub(super) fn detached(&self) -> Self {
        let facts = self.facts();
        Self::new(facts.choice.clone(), facts.description.clone())
    }

    /// Begins a swap of the cache component, unless the policy is being replaced. Until this swap ends, the policy cannot be replaced.
    pub fn begin_component_swap(&self) -> bool {
        let mut facts = self.facts();
        let free = facts.swap.is_none() && !facts.component_swap;
        facts.component_swap |= free;
        free
    }

    /// Ends a swap of the cache component.
    pub fn end_component_swap(&self) {
        self.facts().component_swap = false;
    }

    /// Begins a swap of the policy, unless a swap of the policy or of the cache component is in progress.
    pub fn begin_swap(&self, to: &PolicyChoice) -> bool {
        let mut facts = self.facts();
        let free = facts.swap.is_none() && !facts.component_swap;
        if free {
            facts.swap = Some(SwapProgress { to: to.component.origin().clone(), seeded: 0, entries: 0, since: SystemTime::now() });
        }
        free
    }

    /// Ends a swap, whether it succeeded or not.
    pub fn end_swap(&self) {
        self.facts().swap = None;
    }

    /// Records the progress of a swap.
    pub fn progress(&self, seeded: u64, entries: u64) {
        if let Some(swap) = &mut self.facts().swap {
            (swap.seeded, swap.entries) = (swap.seeded + seeded, swap.entries + entries);
        }
    }

    /// Records that another policy took over on demand.
    pub(super) fn swapped(&self, active: &ActivePolicy) {
        let mut facts = self.facts();
        // Swapping to the same policy again must not lose the previous one.
        if !facts.choice.is_same(&active.choice) {
            facts.previous = Some(facts.choice.clone());
        }
        facts.swaps += 1;
        self.took_over(&mut facts, active);
    }

    /// Records that the built-in LRU took over from a policy that faulted.
    pub(super) fn fell_back(&self, active: &ActivePolicy) {
        self.took_over(&mut self.facts(), active);
    }

    /// Records that the active policy faulted and was disabled.
    pub fn failed(&self, why: String) {
        let mut facts = self.facts();
        facts.fallbacks += 1;
        facts.last_fault = Some(FaultReport { policy: facts.description.name.clone(), why, at: SystemTime::now() });
    }

    /// Records a call to the policy.
    pub fn called(&self, time: Duration, memory_bytes: u64) {
        self.usage.calls.fetch_add(1, Relaxed);
        self.usage.nanoseconds.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        self.usage.memory_bytes.store(memory_bytes, Relaxed);
        self.all_calls.observe(time);
    }

    /// Records that ids in an answer were ignored.
    pub fn rejected(&self, ids: u64) {
        self.usage.rejected.fetch_add(ids, Relaxed);
        self.all_rejected.fetch_add(ids, Relaxed);
    }

    /// Totals over all policies since the cache was opened.
    pub fn totals(&self) -> PolicyTotals {
        PolicyTotals { calls: self.all_calls.snapshot(), rejected_ids: self.all_rejected.load(Relaxed) }
    }

    /// The current status.
    pub fn status(&self) -> PolicyStatus {
        let facts = self.facts();
        PolicyStatus {
            name: facts.description.name.clone(),
            version: facts.description.version.clone(),
            doc: facts.description.doc.clone(),
            origin: facts.choice.component.origin().clone(),
            digest: facts.choice.component.digest(),
            options: facts.choice.all_options(&facts.description),
            since: facts.since,
            calls: self.usage.calls.load(Relaxed),
            time: Duration::from_nanos(self.usage.nanoseconds.load(Relaxed)),
            memory_bytes: self.usage.memory_bytes.load(Relaxed),
            rejected_ids: self.usage.rejected.load(Relaxed),
            swaps: facts.swaps,
            fallbacks: facts.fallbacks,
            last_fault: facts.last_fault.clone(),
            previous: facts.previous.as_ref().map(PolicyChoice::spec),
            swap: facts.swap.clone(),
        }
    }

    fn took_over(&self, facts: &mut Facts, active: &ActivePolicy) {
        facts.choice = active.choice.clone();
        facts.description = active.instance.description().clone();
        facts.since = SystemTime::now();
        for count in [&self.usage.calls, &self.usage.nanoseconds, &self.usage.rejected] {
            count.store(0, Relaxed);
        }
        self.usage.memory_bytes.store(active.instance.memory_bytes(), Relaxed);
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::engine::PolicyEngine;
    use crate::policy::types::OptionDescription;

    fn choice(options: &[(&str, &str)]) -> PolicyChoice {
        let component = PolicyEngine::new().unwrap().built_in("lru").unwrap();
        PolicyChoice { component, options: options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect() }
    }

    fn record(options: &[(&str, &str)]) -> Record {
        let option =
            |name: &str, default: &str| OptionDescription { name: name.into(), default: default.into(), doc: String::new() };
        let options_known = vec![option("window", "10"), option("depth", "4")];
        let description = Description { name: "known".into(), version: "2".into(), doc: "Some.".into(), options: options_known };
        Record::new(choice(options), description)
    }

    #[test]
    fn every_option_has_its_given_or_default_value() {
        let options = |given: &[(&str, &str)]| record(given).status().options;
        assert_eq!(options(&[]), [("window".into(), "10".into()), ("depth".into(), "4".into())]);
        assert_eq!(options(&[("depth", "5")]), [("window".into(), "10".into()), ("depth".into(), "5".into())]);
    }

    #[test]
    fn only_one_swap_runs_at_a_time() {
        let record = record(&[]);
        record.progress(7, 7);
        assert_eq!(record.status().swap, None, "no swap is in progress");
        assert!(record.begin_swap(&choice(&[])));
        assert!(!record.begin_swap(&choice(&[])));
        record.progress(0, 9);
        record.progress(4, 0);
        record.progress(3, 0);
        let swap = record.status().swap.unwrap();
        assert_eq!((swap.seeded, swap.entries), (7, 9));
        assert!(!record.begin_component_swap());
        record.end_swap();
        assert!(record.begin_swap(&choice(&[])));
        assert_eq!(record.status().swap.unwrap().seeded, 0);
        record.end_swap();
        assert!(record.begin_component_swap() && !record.begin_component_swap() && !record.begin_swap(&choice(&[])));
        record.end_component_swap();
        assert!(record.begin_swap(&choice(&[])));
    }

    #[test]
    fn bounds_ascend() {
        assert!(CALL_BOUNDS.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn calls_and_faults_add_up() {
        let record = record(&[]);
        record.called(Duration::from_micros(3), 100);
        record.called(Duration::from_micros(4), 50);
        record.rejected(2);
        record.rejected(0);
        record.failed("it broke".into());
        let status = record.status();
        assert_eq!((status.calls, status.time, status.memory_bytes), (2, Duration::from_micros(7), 50));
        assert_eq!((status.rejected_ids, status.fallbacks, status.swaps), (2, 1, 0));
        let fault = status.last_fault.unwrap();
        assert_eq!((fault.policy.as_str(), fault.why.as_str()), ("known", "it broke"));
    }
}
