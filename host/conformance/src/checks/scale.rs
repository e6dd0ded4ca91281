//! Checks how much time and memory a policy takes with few and with many entries.

use std::time::Duration;

use media_cache::policy::PolicyFault;

use crate::access_pattern::AccessPattern;
use crate::context::Context;
use crate::counterexample::Counterexample;
use crate::sequence::{Clock, ExtraOperations, Sequence};
use crate::subject::Subject;
use crate::text::grouped;
use crate::tier::Tier;
use crate::timed_subject::{CallTimes, TimedSubject};
use crate::verdict::Verdict;

const MANY: &str = "handles 200,000 entries";
const MEMORY: &str = "uses at most 1 KiB of memory per entry";
const TIME: &str = "decides in time, regardless of the number of entries";

const FEW_ENTRIES: u64 = 2_000;
const MANY_ENTRIES: u64 = 200_000;
const REQUESTS: u64 = 3_000;

/// The maximum memory per entry, on top of a fixed allowance.
const MAX_BYTES_PER_ENTRY: u64 = 1024;
const FIXED_BYTES: u64 = 4 << 20;

/// The maximum mean time per decision.
const MAX_MEAN_DECISION: Duration = Duration::from_micros(200);
/// The maximum ratio of the mean decision time with many entries to that with few.
const MAX_SLOWDOWN: f64 = 20.0;
/// Faster decisions pass, whatever the ratio.
const FAST_DECISION: Duration = Duration::from_micros(50);

/// The measurements for one number of entries.
struct Measurement {
    entries: u64,
    times: CallTimes,
    memory_bytes: u64,
    /// The first wrong answer of a kind that no earlier check found.
    wrong: Option<Counterexample>,
}

pub(crate) fn check(context: &Context) -> Vec<Verdict> {
    let measured = measure(context, FEW_ENTRIES).and_then(|few| Ok((few, measure(context, MANY_ENTRIES)?)));
    match measured {
        Ok((few, many)) => {
            vec![check_answers(&many), check_memory(&few, &many), check_time(&few, &many, context.limits.call_time)]
        }
        Err(fault) => {
            let rest = [MEMORY, TIME].map(|check| Verdict::untried(check, "checked only until it faulted"));
            [Verdict::failed(MANY, fault.to_string())].into_iter().chain(rest).collect()
        }
    }
}

/// Restores entries, accesses half of them, places new ones, and evicts a tenth.
fn measure(context: &Context, entries: u64) -> Result<Measurement, PolicyFault> {
    let (tier, pattern) = (Tier::Items(entries), AccessPattern::OneTime);
    let (clock, extra) = (Clock::Advances, ExtraOperations::default());
    let sequence = Sequence { seed: 11, tier, pattern, requests: REQUESTS, batch: 1024, clock, extra };
    let mut subject = TimedSubject::new(context.start()?);
    let mut player = context.player(&sequence, &mut subject)?;
    player.restore_up_to(entries, entries, &mut subject)?;
    let restored = player.model.len() as u64;
    player.access_every_other(&mut subject)?;
    for _ in 0..REQUESTS {
        player.step(&mut subject)?;
    }
    let memory_bytes = subject.memory_bytes();
    player.evict(entries / 10, &mut subject)?;
    let findings = context.findings();
    let wrong_victims = player.observed.wrong_victims.filter(|_| !findings.wrong_victims);
    let wrong = wrong_victims.or(player.observed.too_little_freed.filter(|_| !findings.frees_too_little));
    Ok(Measurement { entries: restored, times: subject.times, memory_bytes, wrong })
}

fn check_answers(many: &Measurement) -> Verdict {
    match &many.wrong {
        Some(wrong) => Verdict::failed(MANY, wrong.to_string()),
        None => Verdict::passed(MANY, format!("restored in pages, {} decisions, a tenth evicted in one call", grouped(REQUESTS))),
    }
}

fn check_memory(few: &Measurement, many: &Measurement) -> Verdict {
    let growth = many.memory_bytes.saturating_sub(few.memory_bytes);
    let per_entry = growth / (many.entries - few.entries).max(1);
    if growth > FIXED_BYTES + many.entries * MAX_BYTES_PER_ENTRY {
        let (entries, limit) = (grouped(many.entries), grouped(MAX_BYTES_PER_ENTRY));
        Verdict::failed(MEMORY, format!("{per_entry} bytes for each of {entries} entries; the limit is {limit}"))
    } else {
        let (bytes, entries) = (grouped(many.memory_bytes), grouped(many.entries));
        Verdict::passed(MEMORY, format!("{per_entry} bytes per entry, {bytes} in total for {entries}"))
    }
}

fn check_time(few: &Measurement, many: &Measurement, max_call: Duration) -> Verdict {
    let (with_few, with_many) = (few.times.decisions.mean_nanos(), many.times.decisions.mean_nanos());
    let longest = few.times.longest.max(many.times.longest);
    let figures = format!(
        "{:.1} µs per decision and {:.0} ns per event with {} entries, {:.1} µs and {:.0} ns with {}; the longest call took {:.1} ms",
        with_few / 1000.0,
        few.times.updates.mean_nanos(),
        grouped(few.entries),
        with_many / 1000.0,
        many.times.updates.mean_nanos(),
        grouped(many.entries),
        longest.as_secs_f64() * 1000.0
    );
    let limit = if with_few.max(with_many) > MAX_MEAN_DECISION.as_nanos() as f64 {
        format!("{} µs per decision", MAX_MEAN_DECISION.as_micros())
    } else if with_many > MAX_SLOWDOWN * with_few && with_many > FAST_DECISION.as_nanos() as f64 {
        format!("{MAX_SLOWDOWN} times as long per decision with 100 times as many entries")
    } else if longest > max_call.mul_f64(0.8) {
        format!("80 % of the limit of {} ms per call", max_call.as_millis())
    } else {
        return Verdict::passed(TIME, figures);
    };
    Verdict::failed(TIME, format!("{figures}\nexpected: at most {limit}"))
}
