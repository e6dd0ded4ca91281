//! Each check of a policy's description and options fails a policy with the fault that it looks for.

use crate::wrong::{Fault, verdicts};

const DESCRIBES: &str = "describes itself";
const UNKNOWN: &str = "rejects an unknown option by name";
const VALUES: &str = "accepts any value of an option, or rejects it by name";

/// Asserts that this check of the description fails and the others pass, and returns its detail. The other checks do not depend on options.
#[track_caller]
fn fails(fault: Fault, check: &str) -> String {
    let mut failed: Vec<_> = verdicts(fault).take(4).filter(|verdict| !verdict.is_passed()).collect();
    assert!(failed.len() == 1 && failed[0].check == check, "{failed:#?}");
    failed.remove(0).detail
}

#[test]
fn suite_fails_a_policy_with_an_invalid_name_or_version() {
    let detail = fails(Fault::HasACapitalName, DESCRIBES);
    assert_eq!(detail, "its name is \"Wrong\"; it must be at most 40 characters, all of them a-z, 0-9 or -");
    let detail = fails(Fault::HasNoVersion, DESCRIBES);
    assert_eq!(detail, "its version is \"1\"; it must be three numbers, such as 1.2.3");
}

#[test]
fn suite_fails_a_policy_whose_description_changes() {
    let detail = fails(Fault::DescribesTwoThings, DESCRIBES);
    assert!(detail.starts_with("a second instance describes itself differently: "), "{detail}");
}

#[test]
fn suite_fails_a_policy_that_refuses_its_own_default() {
    let detail = fails(Fault::RefusesItsDefault, "accepts its own defaults");
    assert_eq!(detail, "with [(\"depth\", \"1\")] and a capacity of 1: \"depth has to be 2\"");
}

#[test]
fn suite_fails_a_policy_that_accepts_an_unknown_option() {
    assert_eq!(fails(Fault::TakesAnyOption, UNKNOWN), "it accepts an option called \"no-such-option\"");
}

#[test]
fn suite_fails_a_policy_whose_error_does_not_name_the_option() {
    let detail = fails(Fault::IsSilentOnOptions, UNKNOWN);
    assert_eq!(detail, "its error does not name the option \"no-such-option\": \"no\"");
    let detail = fails(Fault::IsSilentOnValues, VALUES);
    assert_eq!(detail, "with depth=\"\", its error does not name the option: \"no\"");
}

#[test]
fn suite_fails_a_policy_that_traps_on_an_option_value() {
    assert_eq!(fails(Fault::BreaksOffAtValues, VALUES), "with depth=\"\": it trapped: unwrap");
}
