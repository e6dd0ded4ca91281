//! Checks the invariants of every answer with families of sequences. Each sequence is played against a new instance.

use crate::access_pattern::AccessPattern;
use crate::context::{Context, Findings};
use crate::counterexample::Counterexample;
use crate::observations::Observations;
use crate::sequence::{Clock, ExtraOperations, Sequence};
use crate::text::grouped;
use crate::tier::Tier;
use crate::verdict::Verdict;

const NO_FAULTS: &str = "does not fault";
const VALID_VICTIMS: &str = "names only tracked entries, and none twice";
const FREES_ENOUGH: &str = "frees enough when it can";
const FREES_LITTLE: &str = "rarely frees much more than needed";
const ADMITS: &str = "admits small entries while there is room";
const RESTORES: &str = "ranks restored entries";
const REMOVALS: &str = "forgets removed entries";
const REFUSALS: &str = "handles victims that stay and candidates that are not stored";

/// The minimum share of the capacity in use after evictions that needed to free little, averaged over a sequence.
const MIN_UTILIZATION: f64 = 0.25;
/// The minimum number of such evictions for an average to count.
const MIN_EVICTIONS: u64 = 10;

/// The results of a family of sequences.
#[derive(Default)]
struct Family {
    sequences: u64,
    calls: u64,
    decisions: u64,
    /// The first counterexamples of all sequences.
    observed: Observations,
    /// The lowest average utilization of a sequence after evictions where little had to be freed, and that sequence.
    utilization: f64,
    lowest_in: String,
    fault: Option<Counterexample>,
}

pub(crate) fn check(context: &Context) -> Vec<Verdict> {
    let none = ExtraOperations::default();
    let basic = Family::play_all(context, basic_sequences(ExtraOperations { evictions: true, ..none }));
    let restores = mixed_sequences(ExtraOperations { restores: true, evictions: true, ..none });
    let restores = Family::play_all(context, restores);
    let removals = Family::play_all(context, mixed_sequences(ExtraOperations { removals: true, ..none }));
    let refusals = mixed_sequences(ExtraOperations { refusals: true, ..none });
    let refusals = Family::play_all(context, refusals.chain(mixed_sequences(ExtraOperations::ALL)));

    let families = [&basic, &restores, &removals, &refusals];
    let mut verdicts = vec![no_faults(&families)];
    verdicts.extend(basic.basic_verdicts());
    // A defect that also appears without the extra operations is not reported again.
    let mut findings = Findings { never_starts: false, ..basic.findings() };
    for (check, family) in [(RESTORES, &restores), (REMOVALS, &removals), (REFUSALS, &refusals)] {
        let wrong_victims = family.observed.wrong_victims.as_ref().filter(|_| !findings.wrong_victims);
        let too_little_freed = family.observed.too_little_freed.as_ref().filter(|_| !findings.frees_too_little);
        verdicts.push(family.verdict(check, wrong_victims.or(too_little_freed), ""));
        findings.wrong_victims |= family.findings().wrong_victims;
        findings.frees_too_little |= family.findings().frees_too_little;
    }
    context.set_findings(findings);
    verdicts
}

fn no_faults(families: &[&Family]) -> Verdict {
    let calls: u64 = families.iter().map(|family| family.calls).sum();
    match families.iter().find_map(|family| family.fault.as_ref()) {
        None => Verdict::passed(NO_FAULTS, format!("{} calls", grouped(calls))),
        Some(fault) => Verdict::failed(NO_FAULTS, fault.to_string()),
    }
}

impl Family {
    /// Plays sequences until the policy faults.
    fn play_all(context: &Context, sequences: impl Iterator<Item = Sequence>) -> Self {
        let mut family = Self { utilization: 1.0, ..Self::default() };
        for sequence in sequences {
            if family.fault.is_none() {
                family.play(context, &sequence);
            }
        }
        family
    }

    fn play(&mut self, context: &Context, sequence: &Sequence) {
        let started = context.start().and_then(|mut subject| {
            let player = context.player(sequence, &mut *subject)?;
            Ok((subject, player))
        });
        let (mut subject, mut player) = match started {
            Ok(started) => started,
            Err(fault) => return self.fault = Some(Counterexample::before_first_call(sequence, fault.to_string())),
        };
        if let Err(fault) = player.play(&mut *subject) {
            self.fault = Some(player.counterexample(format!("an answer; {fault}")));
        }
        self.sequences += 1;
        self.calls += player.log.calls;
        self.decisions += player.log.decisions;
        let Observations { wrong_victims, too_little_freed, needless_refusal, small_evictions, utilization_sum, .. } =
            player.observed;
        self.observed.wrong_victims = self.observed.wrong_victims.take().or(wrong_victims);
        self.observed.too_little_freed = self.observed.too_little_freed.take().or(too_little_freed);
        self.observed.needless_refusal = self.observed.needless_refusal.take().or(needless_refusal);
        let utilization = utilization_sum / small_evictions as f64;
        if small_evictions >= MIN_EVICTIONS && utilization < self.utilization {
            (self.utilization, self.lowest_in) = (utilization, sequence.to_string());
        }
    }

    fn findings(&self) -> Findings {
        let Observations { wrong_victims, too_little_freed, .. } = &self.observed;
        Findings { never_starts: false, wrong_victims: wrong_victims.is_some(), frees_too_little: too_little_freed.is_some() }
    }

    fn basic_verdicts(&self) -> [Verdict; 4] {
        let Observations { wrong_victims, too_little_freed, needless_refusal, .. } = &self.observed;
        [
            self.verdict(VALID_VICTIMS, wrong_victims.as_ref(), ""),
            self.verdict(FREES_ENOUGH, too_little_freed.as_ref(), ""),
            self.utilization_verdict(),
            self.verdict(ADMITS, needless_refusal.as_ref(), ""),
        ]
    }

    fn utilization_verdict(&self) -> Verdict {
        let in_use = format!("{:.0} % of the capacity in use after a small eviction, on average", self.utilization * 100.0);
        if self.utilization < MIN_UTILIZATION {
            let (limit, sequence) = (MIN_UTILIZATION * 100.0, &self.lowest_in);
            Verdict::failed(FREES_LITTLE, format!("sequence: {sequence}\n{in_use}\nexpected: {limit} % or more"))
        } else {
            self.verdict(FREES_LITTLE, None, &format!("at least {in_use}; "))
        }
    }

    fn verdict(&self, check: &'static str, wrong: Option<&Counterexample>, measured: &str) -> Verdict {
        let Self { sequences, calls, decisions, fault, .. } = self;
        let tried =
            format!("{measured}{sequences} sequences, {} calls, {} of them decisions", grouped(*calls), grouped(*decisions));
        match (wrong, fault) {
            (Some(wrong), _) => Verdict::failed(check, wrong.to_string()),
            (None, Some(_)) => Verdict::untried(check, format!("checked only until it faulted: {tried}")),
            (None, None) => Verdict::passed(check, tried),
        }
    }
}

/// All access patterns in all tiers. The smallest tiers come first, which makes counterexamples small.
fn basic_sequences(extra: ExtraOperations) -> impl Iterator<Item = Sequence> {
    let few = [1, 2, 3].into_iter().flat_map(|items| {
        let patterns = [AccessPattern::Zipf(2 * items + 1, 0.8), AccessPattern::Loop(items + 1), AccessPattern::Churn];
        patterns.into_iter().map(move |pattern| (Tier::Items(items), pattern, 250))
    });
    let more = [
        (Tier::Items(64), AccessPattern::Zipf(400, 0.9), 1500),
        (Tier::Items(64), AccessPattern::ZipfWithScans(200), 1500),
        (Tier::Items(64), AccessPattern::Loop(72), 700),
        (Tier::Items(64), AccessPattern::Churn, 700),
        // Almost all requests are hits, which fills batches.
        (Tier::Items(64), AccessPattern::Zipf(66, 1.1), 6000),
        (Tier::SparseItems(64), AccessPattern::Zipf(400, 0.9), 1500),
        (Tier::Blocks(1), AccessPattern::Churn, 250),
        (Tier::Blocks(256), AccessPattern::Zipf(600, 0.8), 1500),
        (Tier::Blocks(256), AccessPattern::Loop(120), 700),
        (Tier::Blocks(256), AccessPattern::Churn, 700),
        (Tier::Blocks(4096), AccessPattern::ZipfWithScans(3000), 4000),
    ];
    sequences(few.chain(more).collect(), 3, extra)
}

/// A selection of access patterns and tiers, for sequences with extra operations.
fn mixed_sequences(extra: ExtraOperations) -> impl Iterator<Item = Sequence> {
    let workloads = [
        (Tier::Items(1), AccessPattern::Zipf(3, 0.8), 300),
        (Tier::Items(3), AccessPattern::Zipf(6, 0.8), 600),
        (Tier::Items(64), AccessPattern::Zipf(300, 0.9), 1500),
        (Tier::Items(64), AccessPattern::Churn, 700),
        (Tier::Items(64), AccessPattern::Zipf(66, 1.1), 3000),
        (Tier::SparseItems(64), AccessPattern::ZipfWithScans(300), 1000),
        (Tier::Blocks(256), AccessPattern::Zipf(600, 0.8), 1500),
        (Tier::Blocks(4096), AccessPattern::ZipfWithScans(3000), 2500),
    ];
    sequences(workloads.into(), 2, extra)
}

/// All workloads (a tier, an access pattern and a number of requests) in each pass, with different seeds, batches and clocks.
fn sequences(workloads: Vec<(Tier, AccessPattern, u64)>, passes: u64, extra: ExtraOperations) -> impl Iterator<Item = Sequence> {
    let all = (0..passes).flat_map(move |pass| workloads.clone().into_iter().map(move |workload| (pass, workload)));
    all.zip(1..).map(move |((pass, (tier, pattern, requests)), seed)| Sequence {
        seed,
        tier,
        pattern,
        requests,
        batch: [1024, 1, 16][(seed + pass) as usize % 3],
        clock: [Clock::Advances, Clock::StepsBack, Clock::Frozen][(seed + 2 * pass) as usize % 3],
        extra,
    })
}
