//! The suite detects hostile components, and terminates for each of them.

use std::time::Duration;

use media_cache::policy::{PolicyChoice, PolicyEngine, PolicyLimits, PolicyOrigin};
use media_cache_conformance::{Outcome, Verdict};
use media_cache_test_components as hostile;

/// Short times, since most of these components waste time.
const LIMITS: PolicyLimits = PolicyLimits { memory_bytes: 64 << 20, call_time: Duration::from_millis(100) };

/// The verdicts of the suite for a policy.
fn verdicts(engine: &PolicyEngine, component: &[u8]) -> impl Iterator<Item = Verdict> {
    let choice = PolicyChoice::from(engine.compile(PolicyOrigin::Upload, component).unwrap());
    media_cache_conformance::run(engine, &choice, LIMITS)
}

#[test]
fn suite_terminates_for_policies_that_exhaust_time_or_memory() {
    let engine = PolicyEngine::new().unwrap();
    for component in [hostile::LOOPS, hostile::ALLOCATES, hostile::NAMES_MILLIONS] {
        let failed: Vec<Verdict> = verdicts(&engine, component).filter(|verdict| !verdict.is_passed()).collect();
        assert!(failed.len() > 5 && failed.iter().all(|verdict| verdict.detail.len() < 10_000), "{failed:#?}");
    }
    let verdicts: Vec<Verdict> = verdicts(&engine, hostile::LOOPS_AT_THE_START).collect();
    assert_eq!(
        (verdicts.len(), verdicts[0].detail.as_str()),
        (1, "it failed to start: a call took more than 100 ms of processor time")
    );
}

#[test]
fn every_hostile_policy_fails_the_check_for_its_fault() {
    let engine = PolicyEngine::new().unwrap();
    let policies = [
        (hostile::TRAPS, "does not fault"),
        (hostile::PANICS, "does not fault"),
        (hostile::RECURSES, "does not fault"),
        (hostile::EXITS, "does not fault"),
        (hostile::WAITS, "does not fault"),
        (hostile::HOARDS_HANDLES, "does not fault"),
        (hostile::TRAPS_ON_A_HIT, "does not fault"),
        (hostile::TRAPS_WHEN_SEEDED, "does not fault"),
        (hostile::NAMES_STRANGERS, "names only tracked entries, and none twice"),
        (hostile::NAMES_TWICE, "names only tracked entries, and none twice"),
        (hostile::NAMES_TOO_FEW, "frees enough when it can"),
        (hostile::NAMES_EVERYTHING, "rarely frees much more than needed"),
        (hostile::NAMES_THE_CANDIDATE, "admits small entries while there is room"),
        (hostile::REFUSES, "admits small entries while there is room"),
        (hostile::TRAPS_IN_DESCRIBE, "describes itself"),
        (hostile::DESCRIBES_ENDLESSLY, "describes itself"),
        (hostile::HAS_A_LONG_NAME, "describes itself"),
    ];
    let (engine, policies) = (&engine, &policies);
    std::thread::scope(|scope| {
        for part in 0..2 {
            scope.spawn(move || {
                for (number, (component, check)) in policies.iter().enumerate().skip(part).step_by(2) {
                    let found = verdicts(engine, component).find(|verdict| verdict.check == *check);
                    let found = found.filter(|verdict| verdict.outcome == Outcome::Failed);
                    let found = found.unwrap_or_else(|| panic!("policy {number} passes: {check}"));
                    assert!(found.detail.len() < 10_000 && !found.detail.contains('\u{1b}'), "{}", found.detail);
                }
            });
        }
    });
}
