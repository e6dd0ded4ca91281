//! What holds of every answer: played to fresh instances, one family of sequences after the other.

use super::{grouped, no_ranking};
use crate::conformance::log::Counterexample;
use crate::conformance::player::{Player, Seen};
use crate::conformance::sequences::{Clock, Happenings, Sequence, Shape, Tier};
use crate::conformance::{Context, Known, Verdict};

const FAULTS: &str = "does not break off";
const NAMES: &str = "never names an entry that does not reside, nor one twice";
const ENOUGH: &str = "frees enough when it can";
const SURPLUS: &str = "frees no more than it has to, by and large";
const ROOM: &str = "keeps what is small while there is room";
const RESTORES: &str = "ranks what is restored";
const REMOVALS: &str = "forgets what is removed";
const REFUSALS: &str = "copes with victims that stay and candidates that are not stored";

/// How much of the capacity has to be in use after evictions of little, on average over a sequence. With so few evictions there is
/// no average.
const LEAST_IN_USE: f64 = 0.25;
const FEW: u64 = 10;

/// What came of a family of sequences.
#[derive(Default)]
struct Tally {
    sequences: u64,
    calls: u64,
    decisions: u64,
    seen: Seen,
    /// The least that was in use after evictions of little, on average, and in which sequence.
    least_in_use: f64,
    least_in: String,
    fault: Option<Counterexample>,
}

pub fn check(context: &Context) -> Vec<Verdict> {
    let happenings = Happenings::default();
    let plain = Tally::of(context, plain(Happenings { evictions: true, ..happenings }));
    let restores = Tally::of(context, busy(Happenings { restores: true, evictions: true, ..happenings }));
    let removals = Tally::of(context, busy(Happenings { removals: true, ..happenings }));
    let all = Happenings { restores: true, removals: true, refusals: true, evictions: true };
    let refusals = Tally::of(context, busy(Happenings { refusals: true, ..happenings }).chain(busy(all)));
    let families = [&plain, &restores, &removals, &refusals];

    let fault = families.iter().find_map(|family| family.fault.as_ref());
    let all_calls: u64 = families.iter().map(|family| family.calls).sum();
    let mut verdicts = vec![match fault {
        None => Verdict::passed(FAULTS, format!("{} calls", grouped(all_calls))),
        Some(fault) => Verdict::failed(FAULTS, fault.to_string()),
    }];
    verdicts.push(plain.verdict(NAMES, plain.seen.wrong_names.as_ref(), ""));
    verdicts.push(plain.verdict(ENOUGH, plain.seen.too_little.as_ref(), ""));
    let in_use = format!("{:.0} % of the capacity in use after an eviction of little, on average", plain.least_in_use * 100.0);
    verdicts.push(if plain.least_in_use < LEAST_IN_USE {
        let (limit, sequence) = (LEAST_IN_USE * 100.0, &plain.least_in);
        Verdict::failed(SURPLUS, format!("sequence: {sequence}\n{in_use}\nexpected: {limit} % or more"))
    } else {
        plain.verdict(SURPLUS, None, &format!("at least {in_use}; "))
    });
    verdicts.push(plain.verdict(ROOM, plain.seen.refused.as_ref(), ""));
    // What is wrong without anything special is wrong with it, and not because of it.
    let seen = &plain.seen;
    let mut known = Known { wrong_names: seen.wrong_names.is_some(), too_little: seen.too_little.is_some(), never_starts: false };
    for (check, family) in [(RESTORES, &restores), (REMOVALS, &removals), (REFUSALS, &refusals)] {
        let wrong_names = family.seen.wrong_names.as_ref().filter(|_| !known.wrong_names);
        let too_little = family.seen.too_little.as_ref().filter(|_| !known.too_little);
        verdicts.push(family.verdict(check, wrong_names.or(too_little), ""));
        known.wrong_names |= family.seen.wrong_names.is_some();
        known.too_little |= family.seen.too_little.is_some();
    }
    context.known.set(known);
    verdicts
}

impl Tally {
    fn of(context: &Context, sequences: impl Iterator<Item = Sequence>) -> Self {
        let mut tally = Self { least_in_use: 1.0, ..Self::default() };
        for sequence in sequences {
            if tally.fault.is_none() {
                tally.play(context, sequence);
            }
        }
        tally
    }

    fn play(&mut self, context: &Context, sequence: Sequence) {
        let broken = |fault: String| Counterexample::of_fault(&sequence, fault);
        let started = (context.start)().and_then(|mut subject| {
            let player = Player::new(sequence.clone(), &mut *subject, &context.options).map_err(no_ranking)?;
            Ok((subject, player))
        });
        let (mut subject, mut player) = match started {
            Ok(started) => started,
            Err(fault) => return self.fault = Some(broken(fault.to_string())),
        };
        if let Err(fault) = player.play(&mut *subject) {
            self.fault = Some(player.counterexample(format!("an answer; {fault}")));
        }
        self.sequences += 1;
        self.calls += player.log.calls;
        self.decisions += player.log.decisions;
        let Seen { wrong_names, too_little, refused, small_evictions, left_in_use, .. } = player.seen;
        self.seen.wrong_names = self.seen.wrong_names.take().or(wrong_names);
        self.seen.too_little = self.seen.too_little.take().or(too_little);
        self.seen.refused = self.seen.refused.take().or(refused);
        let in_use = left_in_use / small_evictions as f64;
        if small_evictions >= FEW && in_use < self.least_in_use {
            (self.least_in_use, self.least_in) = (in_use, sequence.to_string());
        }
    }

    fn verdict(&self, check: &'static str, wrong: Option<&Counterexample>, measured: &str) -> Verdict {
        let Self { sequences, calls, decisions, fault, .. } = self;
        let tried =
            format!("{measured}{sequences} sequences, {} calls, {} of them decisions", grouped(*calls), grouped(*decisions));
        match (wrong, fault) {
            (Some(wrong), _) => Verdict::failed(check, wrong.to_string()),
            (None, Some(_)) => Verdict::untried(check, format!("only until it broke off: {tried}")),
            (None, None) => Verdict::passed(check, tried),
        }
    }
}

/// All shapes in all tiers, from the smallest on, so that a counterexample is as small as can be.
fn plain(happenings: Happenings) -> impl Iterator<Item = Sequence> {
    let few = [1, 2, 3].into_iter().flat_map(|items| {
        let shapes = [Shape::Zipf(2 * items + 1, 0.8), Shape::Loop(items + 1), Shape::Churn];
        shapes.into_iter().map(move |shape| (Tier::Items(items), shape, 250))
    });
    let more = [
        (Tier::Items(64), Shape::Zipf(400, 0.9), 1500),
        (Tier::Items(64), Shape::Scans(200), 1500),
        (Tier::Items(64), Shape::Loop(72), 700),
        (Tier::Items(64), Shape::Churn, 700),
        // Nearly all are hits, so that batches get full.
        (Tier::Items(64), Shape::Zipf(66, 1.1), 6000),
        (Tier::SparseItems(64), Shape::Zipf(400, 0.9), 1500),
        (Tier::Blocks(1), Shape::Churn, 250),
        (Tier::Blocks(256), Shape::Zipf(600, 0.8), 1500),
        (Tier::Blocks(256), Shape::Loop(120), 700),
        (Tier::Blocks(256), Shape::Churn, 700),
        (Tier::Blocks(4096), Shape::Scans(3000), 4000),
    ];
    sequences(few.chain(more).collect(), 3, happenings)
}

/// A few sequences in which other things happen besides.
fn busy(happenings: Happenings) -> impl Iterator<Item = Sequence> {
    let shapes = [
        (Tier::Items(1), Shape::Zipf(3, 0.8), 300),
        (Tier::Items(3), Shape::Zipf(6, 0.8), 600),
        (Tier::Items(64), Shape::Zipf(300, 0.9), 1500),
        (Tier::Items(64), Shape::Churn, 700),
        (Tier::Items(64), Shape::Zipf(66, 1.1), 3000),
        (Tier::SparseItems(64), Shape::Scans(300), 1000),
        (Tier::Blocks(256), Shape::Zipf(600, 0.8), 1500),
        (Tier::Blocks(4096), Shape::Scans(3000), 2500),
    ];
    sequences(shapes.into(), 2, happenings)
}

/// The first shapes first, and then all of them again with other numbers, batches and times.
fn sequences(shapes: Vec<(Tier, Shape, u64)>, passes: u64, happenings: Happenings) -> impl Iterator<Item = Sequence> {
    let all = (0..passes).flat_map(move |pass| shapes.clone().into_iter().map(move |shape| (pass, shape)));
    all.zip(1..).map(move |((pass, (tier, shape, turns)), seed)| Sequence {
        seed,
        tier,
        shape,
        turns,
        batch: [1024, 1, 16][(seed + pass) as usize % 3],
        clock: [Clock::Runs, Clock::GoesBack, Clock::StandsStill][(seed + 2 * pass) as usize % 3],
        happenings,
    })
}
