//! Each check of answers fails a policy that has exactly that fault.

use media_cache_conformance::Outcome;

use crate::wrong::{Fault, failed, fails};

const NAMES: &str = "never names an entry that is not tracked, nor one twice";
const MANY: &str = "copes with 200,000 entries";

#[test]
fn a_policy_without_a_fault_passes() {
    assert_eq!(failed(Fault::None), []);
}

#[test]
fn an_id_that_is_not_tracked_is_found() {
    let detail = fails(Fault::NamesAStranger, &[NAMES]);
    assert!(detail.contains("; 1073741824 is not tracked\nthe calls before it:\n  call "), "{detail}");
}

#[test]
fn an_id_that_is_named_twice_is_found() {
    let detail = fails(Fault::NamesTwice, &[NAMES]);
    assert!(detail.contains(" was named before\n"), "{detail}");
}

#[test]
fn freeing_too_little_is_found() {
    let detail = fails(Fault::FreesHalf, &["frees enough when it can"]);
    assert!(
        detail.contains("needed 1) -> admit([])\nexpected: victims that free 1 or more, or a refusal; these free 0\n"),
        "{detail}"
    );
}

#[test]
fn freeing_much_too_much_is_found() {
    let detail = fails(Fault::FreesMuch, &["frees no more than it has to, by and large"]);
    assert!(detail.contains(" of the capacity in use after an eviction of little, on average\nexpected: 25 % or more"), "{detail}");
}

#[test]
fn refusing_while_there_is_room_is_found() {
    let detail = fails(Fault::RefusesStrangers, &["keeps what is small while there is room"]);
    assert!(detail.contains(" -> refuse\nexpected: that a candidate of size 1 is kept: 1 is free"), "{detail}");
}

#[test]
fn refusing_for_ever_is_found() {
    fails(Fault::RefusesWhenFull, &["lets a new working set in"]);
}

#[test]
fn dropping_what_could_stay_is_found() {
    let detail = fails(Fault::KeepsATenthFree, &["keeps a working set that fits"]);
    assert!(detail.contains("64 objects that fit into 64 items together: "), "{detail}");
}

#[test]
fn keeping_the_unpopular_is_found() {
    fails(Fault::KeepsTheUnpopular, &["keeps what is asked for again and again", "hits at least two thirds as often as LRU"]);
}

#[test]
fn knowing_nothing_of_what_is_restored_is_found() {
    let detail = fails(Fault::IgnoresRestores, &["ranks what is restored"]);
    assert!(detail.contains("restore([{id 0, "), "{detail}");
}

#[test]
fn knowing_what_was_removed_is_found() {
    let detail = fails(Fault::IgnoresRemovals, &["forgets what is removed"]);
    assert!(detail.contains("removed ") && detail.contains("is not tracked"), "{detail}");
}

#[test]
fn passing_over_a_victim_that_stays_is_found() {
    fails(Fault::IgnoresRestoresWhenFull, &["copes with victims that stay and candidates that are not stored"]);
}

#[test]
fn breaking_off_is_found_and_what_it_kept_from_being_tried() {
    let failed = failed(Fault::BreaksOffAtManyHits);
    let found = |outcome| failed.iter().filter(move |verdict| verdict.outcome == outcome).map(|verdict| verdict.check);
    let same = "answers the same for the same calls";
    assert_eq!(found(Outcome::Failed).collect::<Vec<_>>(), ["does not break off", same, "keeps two rankings apart", MANY]);
    assert!(found(Outcome::Untried).any(|check| check == "ranks what is restored"));
    assert!(failed[0].detail.contains(" -> no answer\nexpected: an answer; it trapped: overflow"), "{}", failed[0].detail);
}

#[test]
fn answering_by_chance_is_found() {
    let detail = fails(Fault::AnswersByChance, &["answers the same for the same calls"]);
    assert!(detail.contains("of two instances, call "), "{detail}");
}

#[test]
fn rankings_that_know_of_one_another_are_found() {
    let detail = fails(Fault::SharesAClock, &["keeps two rankings apart"]);
    assert!(detail.contains("the same beside another in one instance, call "), "{detail}");
}

#[test]
fn never_forgetting_is_found() {
    let detail = fails(Fault::NeverForgets, &["takes up no more memory as entries come and go"]);
    assert!(detail.contains("\n  from 305,536 to 545,536 bytes by the time that 60,000 have"), "{detail}");
}

#[test]
fn much_memory_is_found() {
    let detail = fails(Fault::IsLarge, &["takes up 1 KiB of memory an entry at most"]);
    assert!(detail.starts_with("2048 bytes for each of 200,000 entries"), "{detail}");
}

#[test]
fn becoming_slow_is_found() {
    let detail = fails(Fault::IsSlow, &["decides in time, however many entries are tracked"]);
    assert!(detail.contains("expected: at most 200 us a decision"), "{detail}");
}
