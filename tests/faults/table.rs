//! The table of operations and the consequences of their failure.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::workload::Run;

/// The consequences of an operation that fails with an error.
#[derive(Clone, Debug)]
pub struct Row {
    operation: String,
    error: &'static str,
    /// The steps whose outcome differs from a run without the fault.
    callers: String,
    /// The reported health of the cache.
    reported: String,
}

impl Row {
    /// Compares a run with one without faults. The reason must describe the error with `words`.
    pub fn new(operation: String, error: &'static str, words: &str, undisturbed: &Run, failed: &Run) -> Self {
        let differs = |(step, outcome): &&(&'static str, _)| undisturbed.outcome(step) != Some(outcome);
        let mut by_outcome: BTreeMap<_, Vec<&str>> = BTreeMap::new();
        for (step, outcome) in failed.outcomes.iter().filter(differs) {
            by_outcome.entry(outcome.to_string()).or_default().push(step);
        }
        let callers: Vec<String> = by_outcome.iter().map(|(outcome, steps)| format!("{outcome}: {}", steps.join(", "))).collect();
        let reported = failed.reported.as_deref().map(|reason| {
            assert!(reason.contains(words), "{operation} with {error}: {reason}");
            without_digests(reason.rsplit_once(": ").map_or(reason, |(what, _)| what))
        });
        // The body that a caller supplies is not on the cache's disk, so only the caller gets the error.
        let is_silent = reported.is_none() && !callers.is_empty() && !operation.ends_with("body to be stored");
        assert!(!is_silent, "{operation} with {error}: the health does not report {callers:?}");
        let or_none = |text: String, none: &str| if text.is_empty() { none.into() } else { text };
        Self {
            operation,
            error,
            callers: or_none(callers.join("; "), "unaffected"),
            reported: or_none(reported.unwrap_or_default(), "storing"),
        }
    }
}

/// Replaces the digests of entries in a reason with `*`.
fn without_digests(reason: &str) -> String {
    let words = reason.split(' ').map(|word| match word.split_once('.') {
        Some((stem, rest)) if stem.len() == 64 => format!("*.{rest}"),
        None if word.len() == 64 => "*".into(),
        _ => word.into(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The rows as a table. Rows of an operation with the same consequences are merged.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from("| operation | error | callers | health |\n| --- | --- | --- | --- |\n");
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let count = rest.iter().take_while(|row| row.operation == first.operation).count();
        let (same_operation, others) = rest.split_at(count);
        rest = others;
        let mut groups: Vec<(Vec<&str>, &Row)> = Vec::new();
        for row in same_operation {
            match groups.iter_mut().find(|(_, known)| (&known.callers, &known.reported) == (&row.callers, &row.reported)) {
                Some((errors, _)) => errors.push(row.error),
                None => groups.push((vec![row.error], row)),
            }
        }
        for (errors, Row { operation, callers, reported, .. }) in &groups {
            let errors = if groups.len() == 1 { "any".into() } else { errors.join(", ") };
            let _ = writeln!(text, "| {operation} | {errors} | {callers} | {reported} |");
        }
    }
    text
}
