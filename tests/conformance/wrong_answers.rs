//! Each check of a policy's answers fails a policy with the fault that it looks for.

use media_cache_conformance::Outcome;

use crate::wrong::{Fault, failed, fails};

const NAMES: &str = "names only tracked entries, and none twice";
const MANY: &str = "handles 200,000 entries";

#[test]
fn a_policy_without_a_fault_passes() {
    assert_eq!(failed(Fault::None), []);
}

#[test]
fn suite_fails_a_policy_that_names_an_untracked_id() {
    let detail = fails(Fault::NamesAStranger, &[NAMES]);
    assert!(detail.contains("; 1073741824 is not tracked\nthe calls before it:\n  call "), "{detail}");
}

#[test]
fn suite_fails_a_policy_that_names_an_id_twice() {
    let detail = fails(Fault::NamesTwice, &[NAMES]);
    assert!(detail.contains(" was named before\n"), "{detail}");
}

#[test]
fn suite_fails_a_policy_that_frees_too_little() {
    let detail = fails(Fault::FreesHalf, &["frees enough when it can"]);
    assert!(
        detail.contains("needed 1) -> admit([])\nexpected: victims that free at least 1, or a refusal; these free 0\n"),
        "{detail}"
    );
}

#[test]
fn suite_fails_a_policy_that_frees_far_too_much() {
    let detail = fails(Fault::FreesMuch, &["rarely frees much more than needed"]);
    assert!(detail.contains(" of the capacity in use after a small eviction, on average\nexpected: 25 % or more"), "{detail}");
}

#[test]
fn suite_fails_a_policy_that_refuses_while_there_is_space() {
    let detail = fails(Fault::RefusesStrangers, &["admits small entries while there is room"]);
    assert!(detail.contains(" -> refuse\nexpected: a candidate of size 1 to be admitted, since 1 is free"), "{detail}");
}

#[test]
fn suite_fails_a_policy_that_always_refuses_when_full() {
    fails(Fault::RefusesWhenFull, &["adapts to a new working set"]);
}

#[test]
fn suite_fails_a_policy_that_evicts_from_a_working_set_that_fits() {
    let detail = fails(Fault::KeepsATenthFree, &["keeps a working set that fits"]);
    assert!(detail.contains("64 objects that all fit into 64 items: "), "{detail}");
}

#[test]
fn suite_fails_a_policy_that_keeps_unpopular_entries() {
    fails(Fault::KeepsTheUnpopular, &["keeps popular objects", "hits at least two thirds as often as LRU"]);
}

#[test]
fn suite_fails_a_policy_that_ignores_restored_entries() {
    let detail = fails(Fault::IgnoresRestores, &["ranks restored entries"]);
    assert!(detail.contains("restore([{id 0, "), "{detail}");
}

#[test]
fn suite_fails_a_policy_that_ignores_removals() {
    let detail = fails(Fault::IgnoresRemovals, &["forgets removed entries"]);
    assert!(detail.contains("removed ") && detail.contains("is not tracked"), "{detail}");
}

#[test]
fn suite_fails_a_policy_that_forgets_victims_that_were_not_evicted() {
    fails(Fault::IgnoresRestoresWhenFull, &["handles victims that stay and candidates that are not stored"]);
}

#[test]
fn suite_fails_a_policy_that_traps_and_lists_the_untried_checks() {
    let failed = failed(Fault::BreaksOffAtManyHits);
    let found = |outcome| failed.iter().filter(move |verdict| verdict.outcome == outcome).map(|verdict| verdict.check);
    let same = "gives the same answers to the same calls";
    assert_eq!(found(Outcome::Failed).collect::<Vec<_>>(), ["does not fault", same, "keeps two rankings separate", MANY]);
    assert!(found(Outcome::Untried).any(|check| check == "ranks restored entries"));
    assert!(failed[0].detail.contains(" -> no answer\nexpected: an answer; it trapped: overflow"), "{}", failed[0].detail);
}

#[test]
fn suite_fails_a_policy_that_is_not_deterministic() {
    let detail = fails(Fault::AnswersByChance, &["gives the same answers to the same calls"]);
    assert!(detail.contains("with two instances, call "), "{detail}");
}

#[test]
fn suite_fails_a_policy_whose_states_are_not_independent() {
    let detail = fails(Fault::SharesAClock, &["keeps two rankings separate"]);
    assert!(detail.contains("next to another in one instance (second), call "), "{detail}");
}

#[test]
fn suite_fails_a_policy_that_leaks_memory() {
    let detail = fails(Fault::NeverForgets, &["uses constant memory as entries come and go"]);
    assert!(detail.contains("\n  from 305,536 to 545,536 bytes at 60,000 entries"), "{detail}");
}

#[test]
fn suite_fails_a_policy_that_takes_too_much_memory_per_entry() {
    let detail = fails(Fault::IsLarge, &["uses at most 1 KiB of memory per entry"]);
    assert!(detail.starts_with("2048 bytes for each of 200,000 entries"), "{detail}");
}

#[test]
fn suite_fails_a_policy_that_slows_down_with_many_entries() {
    let detail = fails(Fault::IsSlow, &["decides in time, regardless of the number of entries"]);
    assert!(detail.contains("expected: at most 200 µs per decision"), "{detail}");
}
