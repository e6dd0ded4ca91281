//! Runs `media-cache simulate` to its end.

use media_cache_test_support::command::{CommandOutput, run_blocking};
use serde_json::Value;

/// A real trace, relative to the root of the repository.
pub const MEDIA: &str = "tests/data/media.csv.xz";

/// Runs `media-cache simulate`.
pub fn simulate(arguments: &[&str]) -> CommandOutput {
    simulate_input(arguments, &[])
}

/// Runs `media-cache simulate` with something on standard input.
pub fn simulate_input(arguments: &[&str], input: &[u8]) -> CommandOutput {
    run_blocking(&[&["simulate"], arguments].concat(), input)
}

/// The rows of a report in JSON, which must be complete.
#[track_caller]
pub fn complete_rows(output: CommandOutput) -> Vec<Value> {
    rows(&output.succeeded_silently())
}

/// The rows of a report in JSON.
#[track_caller]
pub fn rows(json: &str) -> Vec<Value> {
    match serde_json::from_str(json) {
        Ok(Value::Array(rows)) => rows,
        other => panic!("{other:?}: {json}"),
    }
}
