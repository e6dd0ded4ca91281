//! The report on clusters.

use indicatif::BinaryBytes;
use media_cache_simulator::{ClusterCounts, ClusterOutcome, ClusterPlan, Counts, Node, Objective, Phase};
use serde_json::{Value, json};

use crate::simulate::single_report::{json_row, label};
use crate::table::{aligned, change, percent, significant};

/// A row for each outcome, as JSON.
pub fn as_json(outcomes: &[ClusterOutcome], plan: &ClusterPlan, objective: Option<Objective>) -> Value {
    let row = |outcome: &ClusterOutcome| {
        let mut row = json_row(&outcome.total, objective);
        row["nodes"] = outcome.nodes.iter().map(|node| json_node(node, plan)).collect();
        add_behind(&mut row, &outcome.counts, plan);
        if let Some(size) = plan.tier() {
            row["tier"]["size"] = size.into();
            row["tier"]["peak_bytes"] = outcome.tier_peak_bytes.into();
            if let Some(row) = row.as_object_mut() {
                // Not all of the misses waited for an origin.
                row.remove("missed_wait");
            }
        }
        if plan.has_changes() {
            row["phases"] = outcome.phases.iter().map(|phase| json_phase(phase, plan)).collect();
        }
        if let Some(node) = outcome.faulty_node {
            row["faulty_node"] = node.into();
        }
        row
    };
    Value::from_iter(outcomes.iter().map(row))
}

fn json_node(node: &Node, plan: &ClusterPlan) -> Value {
    let mut row = json_counts(&node.counts);
    row["node"] = node.number.into();
    for (name, holds) in [("lost", node.is_lost), ("added", is_added(node, plan))] {
        if holds {
            row[name] = true.into();
        }
    }
    row
}

fn json_phase(phase: &Phase, plan: &ClusterPlan) -> Value {
    let counts = |counts: &ClusterCounts| {
        let mut row = json_counts(&counts.nodes);
        add_behind(&mut row, counts, plan);
        row
    };
    let mut row = counts(&phase.counts);
    row["requests_before"] = phase.from.into();
    row["nodes"] = phase.nodes.into();
    if let Some(unchanged) = &phase.unchanged {
        row["unchanged"] = counts(unchanged);
    }
    row
}

fn json_counts(counts: &Counts) -> Value {
    json!({
        "requests": counts.requests, "object_misses": counts.object_misses, "missed_bytes": counts.missed_bytes,
        "bytes_written": counts.bytes_written, "evictions": counts.evictions,
    })
}

/// Adds what the tier and the origins see.
fn add_behind(row: &mut Value, counts: &ClusterCounts, plan: &ClusterPlan) {
    let (tier, origins) = (&counts.tier, &counts.origins);
    if plan.tier().is_some() {
        row["tier"] = json!({
            "lookups": tier.lookups, "hits": tier.hits, "bytes_read": tier.bytes_read, "bytes_written": tier.bytes_written,
        });
    }
    row["origins"] = json!({ "requests": origins.requests, "bytes": origins.bytes });
}

fn is_added(node: &Node, plan: &ClusterPlan) -> bool {
    node.number > plan.nodes()
}

/// Two tables: one with a row for each node, and one for the tier and the origins. Both have rows for all requests, and for those before
/// and after each change.
pub fn as_text(outcomes: &[ClusterOutcome], plan: &ClusterPlan, requests: usize, objective: Option<Objective>) -> Vec<String> {
    let behind = if plan.tier().is_some() { "tier and origins:" } else { "origins:" };
    let heading = |text: &str| vec![String::new(), text.to_owned()];
    let nodes = aligned(&node_rows(outcomes, plan, objective), &[1, 2]);
    let tables = [heading("nodes:"), nodes, heading(behind), aligned(&behind_rows(outcomes, plan), &[1, 2])];
    [description(plan, requests), tables.concat()].concat()
}

/// The cluster in words.
fn description(plan: &ClusterPlan, requests: usize) -> Vec<String> {
    let nodes = if plan.nodes() == 1 { "1 node".to_owned() } else { format!("{} nodes", plan.nodes()) };
    let tier = plan.tier().map_or_else(String::new, |size| format!(", and a tier of {} behind them", BinaryBytes(size)));
    let lost = plan.lost(requests).map(|(node, at)| (at, format!("node {node} is lost")));
    let added = plan.added(requests).map(|(node, at)| (at, format!("node {node} is added")));
    let mut changes: Vec<(usize, String)> = lost.into_iter().chain(added).collect();
    changes.sort_by_key(|(at, _)| *at);
    let changes = changes.into_iter().map(|(at, change)| format!("after {at} of {requests} requests, {change}"));
    std::iter::once(format!("{nodes} with the capacity shown{tier}")).chain(changes).collect()
}

fn node_rows(outcomes: &[ClusterOutcome], plan: &ClusterPlan, objective: Option<Objective>) -> Vec<Vec<String>> {
    const HEAD: [&str; 7] = ["CAPACITY", "POLICY", "NODE", "REQUESTS", "OBJECT MISSES", "BYTE MISSES", "WRITTEN"];
    let mut rows = vec![HEAD.map(String::from).to_vec()];
    rows[0].extend(objective.map(|_| "OBJECTIVE".to_owned()));
    for outcome in outcomes {
        let row = |node: String, counts: &Counts| {
            let mut row = beginning(outcome, node);
            row.push(counts.requests.to_string());
            if outcome.total.fault.is_some() {
                row.push("stopped".into());
                return row;
            }
            row.extend([percent(counts.object_miss_ratio()), percent(counts.byte_miss_ratio())]);
            row.push(BinaryBytes(counts.bytes_written).to_string());
            row.extend(objective.map(|objective| significant(objective.of(counts) / counts.requests.max(1) as f64)));
            row
        };
        for node in &outcome.nodes {
            let (added, lost) = (if is_added(node, plan) { ", added" } else { "" }, if node.is_lost { ", lost" } else { "" });
            rows.push(row(format!("{}{added}{lost}", node.number), &node.counts));
        }
        rows.push(row("all".into(), &outcome.total.counts));
        rows.extend(phases(outcome).map(|(requests, counts, _)| row(format!("all, {requests}"), &counts.nodes)));
    }
    rows
}

fn behind_rows(outcomes: &[ClusterOutcome], plan: &ClusterPlan) -> Vec<Vec<String>> {
    let tier = if plan.tier().is_some() { &["LOOKUPS", "HITS", "READ", "WRITTEN", "PEAK"][..] } else { &[] };
    let compared = if plan.has_changes() { &["VS UNCHANGED"][..] } else { &[] };
    let head = [&["CAPACITY", "POLICY", "REQUESTS"][..], tier, &["ORIGIN REQUESTS", "ORIGIN BYTES"], compared].concat();
    let mut rows = vec![head.into_iter().map(String::from).collect()];
    for outcome in outcomes.iter().filter(|outcome| outcome.total.fault.is_none()) {
        let row = |requests: String, counts: &ClusterCounts, peak: String| {
            let (tier, origins) = (&counts.tier, &counts.origins);
            let mut row = beginning(outcome, requests);
            if plan.tier().is_some() {
                row.extend([tier.lookups.to_string(), percent(tier.hits as f64 / tier.lookups.max(1) as f64)]);
                row.extend([tier.bytes_read, tier.bytes_written].map(|bytes| BinaryBytes(bytes).to_string()));
                row.push(peak);
            }
            row.extend([origins.requests.to_string(), BinaryBytes(origins.bytes).to_string()]);
            row
        };
        rows.push(row("all".into(), &outcome.counts, BinaryBytes(outcome.tier_peak_bytes).to_string()));
        for (requests, counts, unchanged) in phases(outcome) {
            let mut row = row(requests, counts, String::new());
            row.extend(unchanged.map(|unchanged| change(counts.origins.requests as f64, unchanged.origins.requests as f64)));
            rows.push(row);
        }
    }
    rows
}

/// The requests before and after each change in words, their counts, and those of the cluster without the changes. The latter also have
/// rows of their own. None if nothing changes.
fn phases(outcome: &ClusterOutcome) -> impl Iterator<Item = (String, &ClusterCounts, Option<&ClusterCounts>)> {
    let phases = if outcome.phases.len() > 1 { &outcome.phases[..] } else { &[] };
    phases.iter().flat_map(|phase| {
        let requests = format!("{} to {}", phase.from + 1, phase.to);
        let unchanged = phase.unchanged.as_ref().map(|counts| (format!("{requests}, unchanged"), counts, None));
        std::iter::once((requests, &phase.counts, phase.unchanged.as_ref())).chain(unchanged)
    })
}

/// The first cells of a row.
fn beginning(outcome: &ClusterOutcome, part: String) -> Vec<String> {
    vec![BinaryBytes(outcome.total.capacity).to_string(), label(&outcome.total), part]
}
