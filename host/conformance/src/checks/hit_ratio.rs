//! Checks that a policy is useful: whatever it prefers, frequently requested objects must be hits.

use media_cache::policy::{CreateError, Description, Entry, Event, Placement, PolicyFault};

use crate::access_pattern::AccessPattern;
use crate::context::Context;
use crate::observations::Observations;
use crate::player::Player;
use crate::sequence::{Clock, ExtraOperations, Sequence};
use crate::subject::Subject;
use crate::tier::Tier;
use crate::verdict::{CheckResult, Verdict};

const RETAINS: &str = "keeps a working set that fits";
const ADAPTS: &str = "adapts to a new working set";
const POPULAR: &str = "keeps popular objects";
const RATIO: &str = "hits at least two thirds as often as LRU";

/// The minimum hit ratio for the most popular objects, in percent. LRU reaches 100; a policy that evicts the most frequently requested
/// object reaches 50.
const MIN_POPULAR_HITS: f64 = 75.0;
/// The maximum quotient of LRU's hit ratio and the policy's. FIFO has nine tenths of the hits of LRU.
const MAX_LRU_ADVANTAGE: f64 = 1.5;

/// The number of the first object in the second working set.
const SECOND_SET: u64 = 1 << 30;
/// The maximum number of rounds in which a policy must adapt to the second working set.
const MAX_ROUNDS: usize = 60;

/// The details of several tiers if all passed; otherwise the first reason for failure.
type Details = Result<Vec<String>, String>;

pub(crate) fn check(context: &Context) -> Vec<Verdict> {
    let mut verdicts = working_sets(context);
    match workloads(context) {
        Ok(both) => verdicts.extend(both),
        Err(fault) => verdicts.extend([POPULAR, RATIO].map(|check| Verdict::failed(check, fault.to_string()))),
    }
    verdicts
}

fn working_sets(context: &Context) -> Vec<Verdict> {
    let (mut retains, mut adapts): (Details, Details) = (Ok(Vec::new()), Ok(Vec::new()));
    for tier in [Tier::Items(1), Tier::Items(64), Tier::Blocks(512)] {
        let fault = |fault: PolicyFault| (Err(fault.to_string()), Err(fault.to_string()));
        let (retained, adapted) = working_set(context, tier).unwrap_or_else(fault);
        add(&mut retains, retained);
        add(&mut adapts, adapted);
    }
    let retains = retains.map(|details| format!("all hits from the third round on: {}", details.join(", ")));
    let adapts = adapts.map(|details| format!("at least half of the requests in a round were hits: {}", details.join(", ")));
    vec![Verdict::from_result(RETAINS, retains), Verdict::from_result(ADAPTS, adapts)]
}

fn add(details: &mut Details, result: CheckResult) {
    if let Ok(list) = details {
        match result {
            Ok(detail) => list.push(detail),
            Err(reason) => *details = Err(reason),
        }
    }
}

/// Plays two working sets, one after the other. Returns whether the policy retained the first and adapted to the second.
fn working_set(context: &Context, tier: Tier) -> Result<(CheckResult, CheckResult), PolicyFault> {
    let name = match tier {
        Tier::Blocks(_) => format!("{} bytes", tier.capacity()),
        Tier::Items(_) | Tier::SparseItems(_) => format!("{} items", tier.capacity()),
    };
    let mut subject = context.start()?;
    let mut player = context.player(&plain_sequence(tier, AccessPattern::OneTime, 0), &mut *subject)?;

    let first = small_objects(tier, 0, tier.capacity());
    play_rounds(&mut player, &mut *subject, &first, 2)?;
    let missed = play_rounds(&mut player, &mut *subject, &first, 3)?;
    let retained = match missed {
        0 => Ok(format!("{} in {name}", first.len())),
        _ => {
            let requests = 3 * first.len();
            let why = format!(
                "{} objects that all fit into {name}: {missed} misses in {requests} requests after two rounds",
                first.len()
            );
            Err(player.counterexample(format!("hits; {why}")).to_string())
        }
    };

    // The first set becomes popular before requests move to the second.
    play_rounds(&mut player, &mut *subject, &first, 15)?;
    let second = small_objects(tier, SECOND_SET, tier.capacity() - tier.capacity() / 5);
    let all = second.len();
    let (mut rounds, mut missed) = (0, all);
    while rounds < MAX_ROUNDS && missed * 2 > all {
        missed = play_rounds(&mut player, &mut *subject, &second, 1)?;
        rounds += 1;
    }
    let adapted = if missed * 2 > all {
        let why = format!(
            "{all} new objects in {name}, and no more requests for the old ones: {missed} of the new ones were missed in round {rounds}"
        );
        Err(player.counterexample(format!("hits for half of the requests; {why}")).to_string())
    } else {
        Ok(format!("{name} in {rounds} rounds"))
    };
    Ok((retained, adapted))
}

/// Requests all objects in turn, for a number of rounds, and returns the number of misses.
fn play_rounds(player: &mut Player, subject: &mut dyn Subject, objects: &[u64], rounds: u64) -> Result<usize, PolicyFault> {
    let before = player.observed.misses();
    for _ in 0..rounds {
        objects.iter().try_for_each(|object| player.request(*object, subject))?;
    }
    Ok((player.observed.misses() - before) as usize)
}

/// Small objects, numbered from `first` on, that all fit into `capacity` at the same time.
fn small_objects(tier: Tier, first: u64, capacity: u64) -> Vec<u64> {
    let mut left = capacity.max(1);
    let mut objects = Vec::new();
    for object in first..first + 2 * tier.max_entries(capacity).max(1) {
        let size = tier.size_of(object);
        if size <= left && tier.is_small(size) {
            left -= size;
            objects.push(object);
        }
    }
    objects
}

/// Compares the hit ratios of the policy with those of LRU for the same requests.
fn workloads(context: &Context) -> Result<[Verdict; 2], PolicyFault> {
    let (mut popular, mut ratios): (Details, Details) = (Ok(Vec::new()), Ok(Vec::new()));
    for (tier, unit, seed) in [(Tier::Items(1000), "items", 1), (Tier::Blocks(16384), "bytes", 2)] {
        let sequence = plain_sequence(tier, AccessPattern::Zipf(20_000, 0.9), seed);
        let policy = play_and_observe_second_half(context, &sequence, &mut *context.start()?)?;
        let lru = play_and_observe_second_half(context, &sequence, &mut ModelLru::new())?;
        let percent = |hits: u64, requests: u64| hits as f64 * 100.0 / requests.max(1) as f64;

        let share = percent(policy.popular_hits, policy.popular_requests);
        let detail = format!("{share:.1} % hits in {unit}");
        add(
            &mut popular,
            if share >= MIN_POPULAR_HITS {
                Ok(detail)
            } else {
                let expected = format!("{MIN_POPULAR_HITS} % or more");
                Err(format!("sequence: {sequence}\n{detail} for the most popular small objects; expected: {expected}"))
            },
        );

        let (ratio, lru_ratio) = (percent(policy.hits, policy.requests), percent(lru.hits, lru.requests));
        let detail = format!("{ratio:.1} % in {unit}, where LRU reaches {lru_ratio:.1} %");
        let is_enough = ratio * MAX_LRU_ADVANTAGE >= lru_ratio;
        add(&mut ratios, if is_enough { Ok(detail) } else { Err(format!("sequence: {sequence}\nit has {detail}")) });
    }
    let join = |details: Vec<String>| details.join("; ");
    Ok([Verdict::from_result(POPULAR, popular.map(join)), Verdict::from_result(RATIO, ratios.map(join))])
}

fn play_and_observe_second_half(
    context: &Context,
    sequence: &Sequence,
    subject: &mut dyn Subject,
) -> Result<Observations, PolicyFault> {
    let mut player = context.player(sequence, subject)?;
    for _ in 0..sequence.requests / 2 {
        player.step(subject)?;
    }
    player.observed = Observations::default();
    for _ in 0..sequence.requests / 2 {
        player.step(subject)?;
    }
    Ok(player.observed)
}

/// A sequence without extra operations.
fn plain_sequence(tier: Tier, pattern: AccessPattern, seed: u64) -> Sequence {
    let (clock, extra) = (Clock::Advances, ExtraOperations::default());
    Sequence { seed, tier, pattern, requests: 24_000, batch: 1024, clock, extra }
}

/// LRU: never names a victim, so that the model evicts the least recently used entries.
struct ModelLru(Description);

impl ModelLru {
    fn new() -> Self {
        Self(Description { name: String::new(), version: String::new(), doc: String::new(), options: Vec::new() })
    }
}

impl Subject for ModelLru {
    fn description(&self) -> &Description {
        &self.0
    }

    fn memory_bytes(&self) -> u64 {
        0
    }

    fn create(&mut self, _capacity: u64, _options: &[(String, String)]) -> Result<usize, CreateError> {
        Ok(0)
    }

    fn restore(&mut self, _ranking: usize, _entries: &[Entry]) -> Result<(), PolicyFault> {
        Ok(())
    }

    fn observe(&mut self, _ranking: usize, _events: &[Event]) -> Result<(), PolicyFault> {
        Ok(())
    }

    fn place(&mut self, _ranking: usize, _events: &[Event], _candidate: Entry, _needed: u64) -> Result<Placement, PolicyFault> {
        Ok(Placement::Admit(Vec::new()))
    }

    fn evict(&mut self, _ranking: usize, _events: &[Event], _needed: u64) -> Result<Vec<u64>, PolicyFault> {
        Ok(Vec::new())
    }

    fn forget(&mut self, _ranking: usize) -> Result<(), PolicyFault> {
        Ok(())
    }
}
