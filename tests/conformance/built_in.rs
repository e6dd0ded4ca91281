//! The built-in policies fulfil the contract.

use media_cache::embedded;
use media_cache::policy::{PolicyChoice, PolicyEngine, PolicyLimits};
use media_cache_conformance::Verdict;

fn failed(engine: &PolicyEngine, name: &str, options: &[(&str, &str)]) -> Vec<String> {
    let mut choice = PolicyChoice::from(engine.built_in(name).unwrap());
    choice.options = options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let verdicts = media_cache_conformance::run(engine, &choice, PolicyLimits::default());
    let failed = verdicts.filter(|verdict| !verdict.is_passed());
    failed.map(|Verdict { check, outcome, detail }| format!("{name}: {outcome:?}: {check}\n{detail}")).collect()
}

#[test]
fn every_built_in_policy_passes_every_check() {
    let engine = PolicyEngine::new().unwrap();
    let failed: Vec<String> = std::thread::scope(|scope| {
        let run = |name| {
            let engine = &engine;
            scope.spawn(move || failed(engine, name, &[]))
        };
        let runs: Vec<_> = embedded::policy_names().into_iter().map(run).collect();
        runs.into_iter().flat_map(|run| run.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
