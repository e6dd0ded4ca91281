//! The report on single caches.

use indicatif::BinaryBytes;
use media_cache_simulator::{LowerBound, Objective, Outcome};
use serde_json::{Map, Value, json};

use crate::table::{aligned, percent, significant};
use crate::visible::Visible;

/// A policy in the notation of the command line, without options that have their default.
pub fn label(outcome: &Outcome) -> String {
    Visible(&outcome.spec).to_string()
}

/// The lower bound at the capacity of an outcome, if bounds were computed.
fn bound_of<'a>(outcome: &Outcome, bounds: &'a [LowerBound]) -> Option<&'a LowerBound> {
    bounds.iter().find(|bound| bound.capacity == outcome.capacity)
}

/// A row for each outcome, as JSON.
pub fn as_json(outcomes: &[Outcome], bounds: &[LowerBound], objective: Option<Objective>) -> Value {
    Value::from_iter(outcomes.iter().map(|outcome| {
        let mut row = json_row(outcome, objective);
        if let Some(bound) = bound_of(outcome, bounds) {
            row["lower_bound"] = json!({ "object_misses": bound.object_misses, "missed_bytes": bound.missed_bytes });
        }
        row
    }))
}

/// An outcome as JSON.
pub fn json_row(outcome: &Outcome, objective: Option<Objective>) -> Value {
    let options: Map<_, _> = outcome.options.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    let counts = &outcome.counts;
    let mut row = json!({
        "policy": outcome.policy, "origin": outcome.spec.origin.to_string(), "options": options, "capacity": outcome.capacity,
        "requests": counts.requests, "object_misses": counts.object_misses, "missed_bytes": counts.missed_bytes,
        "bytes_written": counts.bytes_written, "evictions": counts.evictions, "seconds": outcome.time.as_secs_f64(),
    });
    if let Some(objective) = objective {
        row["objective"] = objective.of(counts).into();
    }
    // These are included only if they are nonzero.
    for (name, number) in
        [("missed_wait", counts.missed_wait), ("rejected_ids", counts.rejected_ids), ("shortfalls", counts.shortfalls)]
    {
        if number > 0 {
            row[name] = number.into();
        }
    }
    if let Some(fault) = &outcome.fault {
        row["error"] = fault.to_string().into();
    }
    row
}

/// A table with a row for each outcome.
pub fn as_table(outcomes: &[Outcome], bounds: &[LowerBound], objective: Option<Objective>) -> Vec<String> {
    const HEAD: [&str; 6] = ["CAPACITY", "POLICY", "OBJECT MISSES", "BYTE MISSES", "WRITTEN", "TIME/REQUEST"];
    let cells = |outcome: &Outcome| {
        let mut cells = [BinaryBytes(outcome.capacity).to_string(), label(outcome)].to_vec();
        match &outcome.fault {
            Some(_) => cells.push("stopped".into()),
            None => cells.extend([
                percent(outcome.object_miss_ratio()),
                percent(outcome.byte_miss_ratio()),
                BinaryBytes(outcome.counts.bytes_written).to_string(),
                format!("{:.0} ns", outcome.time.as_nanos() as f64 / outcome.counts.requests.max(1) as f64),
            ]),
        }
        if let (Some(objective), None) = (objective, &outcome.fault) {
            cells.push(significant(objective.of(&outcome.counts) / outcome.counts.requests.max(1) as f64));
        }
        cells
    };
    let bound_cells = |bound: &LowerBound| {
        let (capacity, name) = (BinaryBytes(bound.capacity).to_string(), LowerBound::NAME.to_owned());
        vec![capacity, name, percent(bound.object_miss_ratio()), percent(bound.byte_miss_ratio())]
    };
    let mut rows = vec![HEAD.map(String::from).to_vec()];
    rows[0].extend(objective.map(|_| "OBJECTIVE".to_owned()));
    for at_capacity in outcomes.chunk_by(|one, other| one.capacity == other.capacity) {
        rows.extend(at_capacity.iter().map(cells));
        rows.extend(bound_of(&at_capacity[0], bounds).map(bound_cells));
    }
    aligned(&rows, &[1])
}
