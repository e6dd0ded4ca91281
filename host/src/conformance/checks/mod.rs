//! What is checked, in the order in which it is reported.

mod admission;
mod description;
mod invariants;
mod repeatability;
mod scale;

use super::{Context, Verdict};
use crate::policy::{CreateError, PolicyFault};

/// A group of checks that share what they try.
type Check = fn(&Context) -> Vec<Verdict>;

/// All checks.
pub(super) static ALL: [Check; 6] =
    [description::check, invariants::check, admission::check, repeatability::check, scale::check_churn, scale::check_scale];

/// Why a policy that is made a ranking of does not have one.
fn no_ranking(error: CreateError) -> PolicyFault {
    match error {
        CreateError::Fault(fault) => fault,
        CreateError::Options(why) => PolicyFault::Trapped(format!("it did not take its options: {}", quoted(&why))),
    }
}

/// What a policy said, fit for a terminal: short, and without characters that do something there.
fn quoted(text: &str) -> String {
    const MOST: usize = 200;
    let start: String = text.chars().take(MOST).collect();
    let rest = if start.len() < text.len() { format!("... ({} bytes in all)", text.len()) } else { String::new() };
    format!("{start:?}{rest}")
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{grouped, quoted};

    #[test]
    fn what_a_policy_says_does_nothing_to_a_terminal() {
        assert_eq!(quoted("a \u{1b}[2J\n"), r#""a \u{1b}[2J\n""#);
        assert_eq!(quoted(&"\u{e4}".repeat(1000)).len(), "\"\"... (2000 bytes in all)".len() + 400);
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 48_210, 1_234_567].map(grouped), ["0", "999", "1,000", "48,210", "1,234,567"]);
    }
}
