//! The policies that come with the library keep the contract.

use media_cache::conformance::{self, Verdict};
use media_cache::{Engine, PolicyChoice, PolicyLimits, embedded};

fn failed(engine: &Engine, name: &str, options: &[(&str, &str)]) -> Vec<String> {
    let mut choice = PolicyChoice::from(engine.built_in_policy(name).unwrap());
    choice.options = options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let verdicts = conformance::run(engine, &choice, PolicyLimits::default());
    let failed = verdicts.filter(|verdict| !verdict.is_passed());
    failed.map(|Verdict { check, outcome, detail }| format!("{name}: {outcome:?}: {check}\n{detail}")).collect()
}

#[test]
fn every_built_in_policy_passes_every_check() {
    let engine = Engine::new().unwrap();
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
