//! Components that mean ill are found out, and the suite comes to its end with each of them.

use std::time::Duration;

use media_cache::conformance::{self, Verdict};
use media_cache::policy::PolicyOrigin;
use media_cache::{Engine, PolicyChoice, PolicyLimits};
use media_cache_test_components as hostile;

/// Time is what most of them waste.
const LIMITS: PolicyLimits = PolicyLimits { memory_bytes: 64 << 20, call_time: Duration::from_millis(100) };

/// The checks that a policy did not pass.
fn failed(engine: &Engine, component: &[u8]) -> Vec<Verdict> {
    let choice = PolicyChoice::from(engine.compile_policy(PolicyOrigin::Upload, component).unwrap());
    conformance::run(engine, &choice, LIMITS).filter(|verdict| !verdict.is_passed()).collect()
}

#[test]
fn each_is_found_out_by_the_check_that_is_there_for_it() {
    let engine = Engine::new().unwrap();
    let policies = [
        (hostile::TRAPS, "does not break off"),
        (hostile::PANICS, "does not break off"),
        (hostile::LOOPS, "does not break off"),
        (hostile::RECURSES, "does not break off"),
        (hostile::ALLOCATES, "does not break off"),
        (hostile::EXITS, "does not break off"),
        (hostile::WAITS, "does not break off"),
        (hostile::HOARDS_HANDLES, "does not break off"),
        (hostile::TRAPS_ON_A_HIT, "does not break off"),
        (hostile::TRAPS_WHEN_SEEDED, "does not break off"),
        (hostile::NAMES_MILLIONS, "does not break off"),
        (hostile::NAMES_STRANGERS, "never names an entry that does not reside, nor one twice"),
        (hostile::NAMES_TWICE, "never names an entry that does not reside, nor one twice"),
        (hostile::NAMES_TOO_FEW, "frees enough when it can"),
        (hostile::NAMES_EVERYTHING, "frees no more than it has to, by and large"),
        (hostile::NAMES_THE_CANDIDATE, "keeps what is small while there is room"),
        (hostile::REFUSES, "keeps what is small while there is room"),
        (hostile::TRAPS_IN_DESCRIBE, "says what it is"),
        (hostile::DESCRIBES_ENDLESSLY, "says what it is"),
        (hostile::HAS_A_LONG_NAME, "says what it is"),
        (hostile::LOOPS_AT_THE_START, "says what it is"),
    ];
    let (engine, policies) = (&engine, &policies);
    std::thread::scope(|scope| {
        for part in 0..2 {
            scope.spawn(move || {
                for (number, (component, check)) in policies.iter().enumerate().skip(part).step_by(2) {
                    let failed = failed(engine, component);
                    let found = failed.iter().find(|verdict| verdict.check == *check);
                    let found = found.unwrap_or_else(|| panic!("policy {number}: {failed:#?}"));
                    assert!(found.detail.len() < 10_000 && !found.detail.contains('\u{1b}'), "{}", found.detail);
                }
            });
        }
    });
}
