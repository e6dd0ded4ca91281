//! Computes the figures of the report.

use media_cache::policy::PolicyChoice;

use crate::active::Active;
use crate::advice::Advice;
use crate::auto::AutoReport;
use crate::estimate::Estimate;
use crate::misses::Misses;
use crate::numbers::{ratio, seconds};
use crate::options::FACTORS;
use crate::report::{
    Allowance, Bound, Capacity, Live, OpenWindow, Point, Report, Sampling, ShadowReport, ShadowState, Span, Totals, Used,
};
use crate::simulation::Simulation;
use crate::sums::Sums;

/// The report on all shadows. `active` is the policy of the cache.
pub(crate) fn report(set: &Simulation, active: &Active, used: Used, auto: Option<AutoReport>) -> Report {
    let options = &set.options;
    let is_running = |shadow: &ShadowReport| shadow.state != ShadowState::Dropped;
    let shadows: Vec<ShadowReport> = match set.shadows.len() {
        0 => set.options.policies.iter().map(|choice| waiting(choice, active)).collect(),
        shadows => (0..shadows).map(|shadow| shadow_report(set, shadow, active)).collect(),
    };
    let why_not = if options.policies.is_empty() {
        Some("no shadow policies are configured".into())
    } else if !shadows.is_empty() && !shadows.iter().any(is_running) {
        Some("all shadow policies were dropped because of faults".into())
    } else {
        None
    };
    let capacity = |(factor, bytes): (&f64, &u64)| Capacity { factor: *factor, bytes: *bytes };
    Report {
        enabled: why_not.is_none(),
        why_not,
        objective: options.objective.to_string(),
        allowance: Allowance { memory_bytes: options.memory_bytes, cpu_percent: options.cpu_share * 100.0 },
        used,
        sampling: sampling(set),
        window: OpenWindow {
            number: set.window.number,
            requests: set.window.requested.requests as u64,
            target: set.target(),
            since: seconds(set.window.began),
        },
        span: span(set),
        live: live(set, active),
        capacities: FACTORS.iter().zip(&set.capacities).map(capacity).collect(),
        bound: bounds(set),
        shadows,
        advice: Advice::of(set, active),
        auto,
    }
}

fn sampling(set: &Simulation) -> Sampling {
    let mut notes = Vec::new();
    if !set.rate.is_full() {
        let share = 1.0 / set.rate.fraction();
        notes.push(format!(
            "Simulating every request would exceed the allowance, so one object in {share} is simulated. The figures have errors."
        ));
    }
    if set.lost > 0 {
        let lost = set.lost;
        notes.push(format!("{lost} requests came faster than they could be simulated. Their windows are not counted."));
    }
    Sampling { rate: set.rate.fraction(), changes: set.rate_changes, notes }
}

fn span(set: &Simulation) -> Option<Span> {
    let windows = &set.history.windows;
    let (first, last) = (windows.front()?, windows.back()?);
    let requested = windows.iter().fold(Sums::default(), |sum, window| sum.plus(window.requested, 1.0));
    Some(Span {
        windows: windows.len(),
        requests: requested.requests as u64,
        requested_bytes: requested.bytes as u64,
        seconds: seconds(last.ended.saturating_sub(first.began)),
        since: seconds(first.began),
    })
}

fn live(set: &Simulation, active: &Active) -> Option<Live> {
    let capacity_bytes = *set.capacities.get(crate::options::OWN)?;
    let sum = |of: fn(&crate::window::Window) -> Sums| {
        set.history.windows.iter().map(of).fold(Sums::default(), |sum, sums| sum.plus(sums, 1.0))
    };
    let (requested, missed) = (sum(|window| window.requested), sum(|window| window.missed));
    Some(Live {
        policy: active.name.clone(),
        capacity_bytes,
        entries: set.entries,
        misses: missed.requests as u64,
        missed_bytes: missed.bytes as u64,
        missed_wait_ms: missed.wait as u64,
        object_miss_ratio: ratio(missed.requests, requested.requests),
        byte_miss_ratio: ratio(missed.bytes, requested.bytes),
        objective: ratio(set.value(&missed), requested.requests),
    })
}

fn bounds(set: &Simulation) -> Vec<Bound> {
    let (requested, rate) = set.history.bounded;
    let bound = |((factor, capacity_bytes), bound): ((&f64, &u64), &media_cache_simulator::LowerBound)| Bound {
        factor: *factor,
        capacity_bytes: *capacity_bytes,
        object_miss_ratio: ratio(bound.object_misses as f64 / rate, requested.requests).min(1.0),
        byte_miss_ratio: ratio(bound.missed_bytes as f64 / rate, requested.bytes).min(1.0),
    };
    FACTORS.iter().zip(&set.capacities).zip(&set.history.bounds).map(bound).collect()
}

/// A shadow of a cache whose capacity is not known yet, because there has been no request.
fn waiting(choice: &PolicyChoice, active: &Active) -> ShadowReport {
    let policy = choice.spec().to_string();
    let is_active = policy == active.name;
    ShadowReport { policy, state: ShadowState::Warming, why: None, memory_bytes: 0, is_active, points: Vec::new() }
}

fn shadow_report(set: &Simulation, number: usize, active: &Active) -> ShadowReport {
    let shadow = &set.shadows[number];
    let state = match (shadow.fault(), shadow.is_warming) {
        (Some(_), _) => ShadowState::Dropped,
        (None, true) => ShadowState::Warming,
        (None, false) => ShadowState::Counting,
    };
    let counts = shadow.counts();
    let point = |(at, (factor, capacity_bytes)): (usize, (&f64, &u64))| {
        let misses = Misses::of(&set.history.windows, number, at);
        let is_known = misses.windows > 0;
        let estimate = |measure: &dyn Fn(&Sums) -> f64| is_known.then(|| misses.estimate(measure));
        let per = |estimate: Option<Estimate>, total: f64| estimate.map(|estimate| estimate.scaled(1.0 / total.max(1.0)));
        let (requests, bytes, wait) = (estimate(&|sums| sums.requests), estimate(&|sums| sums.bytes), estimate(&|sums| sums.wait));
        let object_ratio = per(requests, misses.requested.requests);
        let byte_ratio = per(bytes, misses.requested.bytes);
        let objective = per(estimate(&|sums| set.value(sums)), misses.requested.requests);
        let value = |estimate: Option<Estimate>| estimate.map(|estimate| estimate.value);
        let error = |estimate: Option<Estimate>| estimate.map(|estimate| estimate.error);
        Point {
            factor: *factor,
            capacity_bytes: *capacity_bytes,
            misses: value(requests),
            missed_bytes: value(bytes),
            missed_wait_ms: value(wait),
            object_miss_ratio: value(object_ratio),
            object_miss_ratio_error: error(object_ratio),
            byte_miss_ratio: value(byte_ratio),
            byte_miss_ratio_error: error(byte_ratio),
            objective: value(objective),
            objective_error: error(objective),
            total: counts.get(at).map_or_else(Totals::default, |(counts, entries)| Totals {
                requests: counts.requests,
                requested_bytes: counts.requested_bytes,
                misses: counts.object_misses,
                missed_bytes: counts.missed_bytes,
                bytes_written: counts.bytes_written,
                evictions: counts.evictions,
                entries: *entries as u64,
            }),
        }
    };
    ShadowReport {
        policy: shadow.name.clone(),
        state,
        why: shadow.fault().map(str::to_owned),
        memory_bytes: shadow.memory_bytes().1,
        is_active: shadow.active.is_same(active),
        points: FACTORS.iter().zip(&set.capacities).enumerate().map(point).collect(),
    }
}
