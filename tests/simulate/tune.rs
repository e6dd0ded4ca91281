//! `media-cache policy tune`, and the search in the library.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use media_cache::embedded;
use media_cache::policy::{PolicyChoice, PolicySpec};
use media_cache_simulator::{BLOCKS, Job, Objective, SearchSpace, Trace, TuneError, Tuned, Tuner, run, search_space};
use media_cache_test_support::command::{CommandOutput, run_blocking};
use media_cache_test_support::workspace::workspace_path;
use serde_json::Value;

use crate::counts::{engine, start};
use crate::generated::{csv, requests};
use crate::process::MEDIA;

fn number(value: usize) -> NonZeroUsize {
    NonZeroUsize::new(value).unwrap()
}

fn choices(specs: &[&str]) -> Vec<PolicyChoice> {
    specs.iter().map(|spec| spec.parse::<PolicySpec>().unwrap().choose(engine()).unwrap()).collect()
}

fn generated(count: u64) -> Trace {
    Trace::read(csv(&requests(count, 5)).as_bytes()).unwrap()
}

fn tuner(trace: &Trace, trials: usize) -> Tuner {
    Tuner {
        objective: Objective::REQUESTS,
        capacity: 9000,
        training_requests: trace.requests().len() / 2,
        trials: number(trials),
        seed: 0,
        threads: number(2),
    }
}

fn tune(tuner: &Tuner, trace: &Trace, specs: &[&str]) -> Tuned {
    tuner.run(engine(), trace, &choices(specs), &|_replayed| {}).unwrap()
}

/// Runs `media-cache policy tune`.
fn command(arguments: &[&str], input: &str) -> CommandOutput {
    run_blocking(&[&["policy", "tune"], arguments].concat(), input.as_bytes())
}

fn json(output: CommandOutput) -> Value {
    serde_json::from_str(&output.succeeded_silently()).unwrap()
}

#[test]
fn every_option_of_every_built_in_policy_has_a_search_space_with_its_default_and_valid_values() {
    let trace = generated(1);
    for policy in embedded::policy_names() {
        let component = PolicySpec::built_in(policy).compile(engine()).unwrap();
        for option in &start(policy, 1000).instance().description().options {
            let name = &option.name;
            let Some(space) = search_space(policy, name) else {
                panic!(
                    "the option {name} of {policy} is not tuned: add it to `SPACES` in host/simulator/src/tune/search_space.rs, with its \
                     default as the only choice if it should not be"
                )
            };
            let values: Vec<String> = match space {
                SearchSpace::Numbers(numbers) => numbers.iter().map(f64::to_string).collect(),
                SearchSpace::Choices(choices) => choices.iter().map(|choice| (*choice).into()).collect(),
            };
            assert!(values.contains(&option.default), "{policy}: {name} has the default {}", option.default);
            let choice =
                |value: &String| PolicyChoice { component: component.clone(), options: vec![(name.clone(), value.clone())] };
            let jobs: Vec<Job> = values.iter().map(|value| Job { choice: choice(value), capacity: 1000 }).collect();
            run(engine(), &trace, &jobs, number(1), &|_replayed| {}).unwrap_or_else(|error| panic!("{policy}: {error}"));
        }
    }
}

#[test]
fn search_finds_the_best_setting_of_an_exhaustive_one() {
    let trace = generated(4000);
    let tuned = tune(&tuner(&trace, 1000), &trace, &["gdsf"]);
    let training: Vec<Job> = (0..=100)
        .map(|beta| Job { choice: choices(&[&format!("gdsf:beta={}", f64::from(beta) / 100.0)]).remove(0), capacity: 9000 })
        .collect();
    let first_half = Trace::read(csv(&requests(4000, 5)[..2000]).as_bytes()).unwrap();
    let outcomes = run(engine(), &first_half, &training, number(2), &|_replayed| {}).unwrap();
    let fewest = outcomes.iter().map(|outcome| outcome.counts.object_misses).min().unwrap();
    assert_eq!(tuned.candidates[0].training, fewest as f64);
}

#[test]
fn held_out_part_is_counted_in_a_warm_cache_and_divided_into_blocks() {
    let trace = generated(3001);
    let tuned = tune(&Tuner { training_requests: 1000, ..tuner(&trace, 1) }, &trace, &["lru"]);
    assert_eq!((tuned.trials, tuned.candidates.len(), &tuned.candidates[0]), (1, 1, &tuned.baseline));
    let misses = |end: usize| {
        let part = Trace::read(csv(&requests(3001, 5)[..end]).as_bytes()).unwrap();
        let jobs = [Job { choice: choices(&["lru"]).remove(0), capacity: 9000 }];
        run(engine(), &part, &jobs, number(1), &|_replayed| {}).unwrap()[0].counts.object_misses as f64
    };
    let lru = &tuned.baseline;
    assert_eq!((lru.training, lru.held_out()), (misses(1000), misses(3001) - misses(1000)));
    assert_eq!(
        (lru.blocks.len(), lru.blocks[0], lru.blocks[9]),
        (BLOCKS, misses(1200) - misses(1000), misses(3001) - misses(2800))
    );
    assert!(tuned.lower_bound.unwrap() <= lru.held_out() && tuned.recommended().is_none());
}

#[test]
fn result_does_not_depend_on_the_threads() {
    let trace = generated(2000);
    let tuned = |threads| {
        let tuned = tune(&Tuner { seed: 1, threads: number(threads), ..tuner(&trace, 8) }, &trace, &["s3-fifo", "gdsf"]);
        assert_eq!(tuned.trials, 8);
        format!("{tuned:?}")
    };
    let first = tuned(1);
    assert_eq!(first, tuned(1));
    assert_eq!(first, tuned(3));
}

#[test]
fn progress_adds_up_to_at_most_the_announced_requests() {
    let trace = generated(1000);
    let tuner = tuner(&trace, 9);
    let replayed = AtomicU64::new(0);
    let count = |requests| {
        replayed.fetch_add(requests, Ordering::Relaxed);
    };
    let tuned = tuner.run(engine(), &trace, &choices(&["gdsf", "sieve"]), &count).unwrap();
    // The default policy is replayed as well.
    assert_eq!(replayed.into_inner(), 500 * tuned.trials as u64 + 1000 * 3);
    assert_eq!(tuner.replayed_requests(&trace, 2), 500 * 9 + 1000 * 3);
}

#[test]
fn objective_decides_which_policy_is_the_best() {
    // Small objects are requested again after a while, large ones soon, and are expensive to fetch.
    let lines = (0..6000u64).map(|at| match at % 3 {
        0 => format!("{at},large {},800,900,1,video\n", at / 30),
        _ => format!("{at},small {},10,1,,image\n", at * 7 % 300),
    });
    let trace = Trace::read(lines.collect::<String>().as_bytes()).unwrap();
    let value = |objective: &str| {
        let objective = objective.parse().unwrap();
        let tuned = tune(&Tuner { objective, capacity: 3000, ..tuner(&trace, 40) }, &trace, &["lru", "gdsf", "sieve"]);
        assert_eq!(tuned.lower_bound.is_some(), !objective.counts_wait());
        let value =
            |spec: &str| tuned.candidates.iter().find(|candidate| candidate.spec.to_string() == spec).map(|one| one.training);
        (tuned.candidates[0].spec.to_string(), value("lru").unwrap())
    };
    let (best, lru) = value("requests");
    assert_eq!(best, "gdsf");
    let (best, other) = value("bytes");
    assert!(best != "gdsf" && other > lru, "{best} {other}");
    let (best, waited) = value("wait");
    assert!(best != "gdsf" && waited > other, "{best} {waited}");
}

#[test]
fn recommendation_on_the_media_trace_beats_lru_on_the_held_out_part() {
    let trace = workspace_path(MEDIA);
    let arguments =
        ["--json", "--capacity", "512MiB", "--trials", "6", "--policy", "gdsf", "--policy", "sieve", trace.to_str().unwrap()];
    let tuned = json(command(&arguments, ""));
    let recommended = tuned["recommended"].as_str().unwrap();
    let candidates = tuned["candidates"].as_array().unwrap();
    let of = |policy: &str| candidates.iter().find(|candidate| candidate["policy"] == policy).unwrap();
    let held_out = |policy: &str| of(policy)["held_out"].as_f64().unwrap();
    assert!(recommended.starts_with("gdsf") && held_out(recommended) < 0.6 * held_out("lru"), "{tuned:#}");
    assert_eq!((&tuned["trials"], &of(recommended)["better_blocks"]), (&6.into(), &10.into()));
    assert!(tuned["lower_bound"].as_f64().unwrap() < held_out(recommended));
}

#[test]
fn output_is_the_same_for_any_number_of_jobs() {
    let trace = csv(&requests(2000, 5));
    let run =
        |jobs| command(&["--capacity", "9000", "--trials", "20", "--seed", "7", "--jobs", jobs, "-"], &trace).succeeded_silently();
    assert_eq!(run("1"), run("8"));
}

#[test]
fn table_has_a_row_for_each_policy_and_the_bound_and_ends_with_the_configuration() {
    let trace = csv(&requests(3000, 5));
    let arguments = ["--capacity", "9000", "--trials", "12", "--policy", "gdsf:beta=0", "--policy", "s3-fifo:large=refuse", "-"];
    let said = command(&arguments, &trace).succeeded_silently();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("objective requests at 8.79 KiB: "), "{said}");
    assert!(lines[0].ends_with(" tried on the first 1500 requests, the best compared on the other 1500"), "{said}");
    let head = "POLICY TRAINING VS LRU HELD OUT VS LRU BETTER IN ABOVE BOUND";
    assert!(lines[2].split_whitespace().eq(head.split(' ')), "{said}");
    let names: Vec<&str> = lines[3..7].iter().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert!(names[0].starts_with("s3-fifo:") && names[1..] == ["gdsf:beta=0", "lru", "lower"], "{said}");
    assert!(lines[4].contains(" 10 of 10 ") && lines[5].contains(" +0.00 % ") && lines[5].contains(" 0 of 10 "), "{said}");
    // The best on the training part owes that to coincidence.
    assert!(lines[8].starts_with("s3-fifo:") && lines[8].ends_with(" blocks, of which 9 are needed"), "{said}");
    assert!(lines[9].starts_with("gdsf:beta=0 is ") && lines[9].ends_with(" and better in 10 of 10 blocks"), "{said}");
    assert_eq!(lines[11], "as a flag:                  --policy gdsf:beta=0");
    assert_eq!(lines[12..], ["in the configuration file:  policy = \"gdsf:beta=0\""]);
}

#[test]
fn default_policy_is_kept_if_nothing_beats_it_with_confidence() {
    const KEPT: &str = "nothing beats lru, the default policy, with confidence: keep it";
    // Every object is requested twice in a row, and never again: all policies that store it have the same misses.
    let trace: String = (0..200).map(|at| format!("{at},{},10\n", at / 2)).collect();
    let said = command(&["--capacity", "1KB", "--trials", "3", "--policy", "sieve", "-"], &trace).succeeded_silently();
    let expected = [
        "sieve, the best on the training part, is equal to lru on the held-out part, and better in 0 of 10 blocks, of which 9 are needed",
        KEPT,
    ];
    assert_eq!(said.lines().skip(7).collect::<Vec<_>>(), expected);
    let said = command(&["--capacity", "1KB", "--policy", "lru", "-"], &trace).succeeded_silently();
    assert_eq!(said.lines().skip(6).collect::<Vec<_>>(), [KEPT]);
}

mod errors {
    use super::*;

    fn complaint(arguments: &[&str], code: i32) -> String {
        command(&[arguments, &["-"]].concat(), "0,a,10\n1,b,20\n").failed_with(code)
    }

    #[test]
    fn invalid_arguments_are_refused_with_what_is_valid() {
        for (arguments, expected) in [
            (["--objective", "hits"], "\"hits\" is not an objective: give requests, bytes or wait"),
            (["--objective", "bytes=5"], "\"5\" is not a valid amount of bytes"),
            (["--train", "0"], "--train 0: it must be a number from 1 to 99"),
            (["--train", "100"], "--train 100: it must be a number from 1 to 99"),
            (["--trials", "0"], "--trials 0: it must be at least 1"),
            (["--capacity", "much"], "is not a valid size"),
            (["--policy", "lfu"], "there is no policy \"lfu\""),
        ] {
            let said = complaint(&arguments, 2);
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn invalid_option_of_a_policy_is_an_error_and_not_skipped() {
        let long: String = (0..100).map(|at| format!("{at},a,10\n")).collect();
        let said = command(&["--policy", "gdsf:beta=7", "-"], &long).failed_with(1);
        assert!(said.contains("gdsf: beta is \"7\"; it has to be a number from 0 to 1"), "{said}");
    }

    #[test]
    fn short_trace_is_an_error_that_says_how_many_requests_are_needed() {
        let expected = "media-cache: the training part has 1 requests and the held-out part 1; they need at least 1 and 10\n";
        assert_eq!(complaint(&[], 1), expected);
    }

    #[test]
    fn waiting_cannot_be_minimised_without_costs() {
        let expected =
            "media-cache: the objective counts waiting, but the trace has no costs, which are the fourth field of a line\n";
        assert_eq!(complaint(&["--objective", "requests=1,wait=50ms"], 1), expected);
    }

    #[test]
    fn policy_that_faults_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mine.wasm");
        std::fs::write(&path, media_cache_test_components::TRAPS).unwrap();
        let trace = generated(3000);
        let policies = choices(&["lru", path.to_str().unwrap()]);
        let error = tuner(&trace, 5).run(engine(), &trace, &policies, &|_replayed| {}).unwrap_err();
        assert!(matches!(&error, TuneError::Fault { spec, .. } if spec.to_string() == path.to_str().unwrap()), "{error}");
    }
}
