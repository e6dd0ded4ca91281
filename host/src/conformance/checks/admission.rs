//! Whether a policy is of use: what is asked for stays, whatever else it prefers.

use super::no_ranking;
use crate::conformance::player::{Player, Seen};
use crate::conformance::sequences::{Clock, Happenings, Sequence, Shape, Tier};
use crate::conformance::{Context, Subject, Verdict};
use crate::policy::{CreateError, Description, Entry, Event, Placement, PolicyFault};

const FITS: &str = "keeps a working set that fits";
const CHANGES: &str = "lets a new working set in";
const POPULAR: &str = "keeps what is asked for again and again";
const RATIO: &str = "hits at least two thirds as often as LRU";

/// How many of the requests for what is most popular have to be hits, in per cent. LRU has 100; who always evicts what was asked for
/// most often has 50.
const POPULAR_HITS: f64 = 75.0;
/// What the hits of LRU are divided by. First in, first out has nine tenths of them.
const HITS_OF_LRU: f64 = 1.5;

/// Objects of a second working set are different ones.
const OTHERS: u64 = 1 << 30;

pub fn check(context: &Context) -> Vec<Verdict> {
    let mut verdicts = working_sets(context);
    match workloads(context) {
        Ok(both) => verdicts.extend(both),
        Err(fault) => verdicts.extend([POPULAR, RATIO].map(|check| Verdict::failed(check, fault.to_string()))),
    }
    verdicts
}

fn working_sets(context: &Context) -> Vec<Verdict> {
    let (mut fits, mut changes) = (Ok(Vec::new()), Ok(Vec::new()));
    for tier in [Tier::Items(1), Tier::Items(64), Tier::Blocks(512)] {
        match working_set(context, tier) {
            Ok((fit, change)) => {
                fits = fits.and_then(|said| with(said, fit));
                changes = changes.and_then(|said| with(said, change));
            }
            Err(fault) => {
                fits = fits.and(Err(fault.to_string()));
                changes = changes.and(Err(fault.to_string()));
            }
        }
    }
    let fits = fits.map(|said| vec![format!("all hits from the third round on: {}", said.join(", "))]);
    let changes = changes.map(|said| vec![format!("at least half hits: {}", said.join(", "))]);
    [(FITS, fits), (CHANGES, changes)].into_iter().map(|(check, said)| verdict_of(check, said)).collect()
}

fn with(mut said: Vec<String>, more: Result<String, String>) -> Result<Vec<String>, String> {
    said.push(more?);
    Ok(said)
}

fn verdict_of(check: &'static str, said: Result<Vec<String>, String>) -> Verdict {
    match said {
        Ok(said) => Verdict::passed(check, said.join("; ")),
        Err(why) => Verdict::failed(check, why),
    }
}

type Said = Result<String, String>;

/// Two working sets, one after the other.
fn working_set(context: &Context, tier: Tier) -> Result<(Said, Said), PolicyFault> {
    let sequence = quiet(tier, Shape::Once, 0);
    let name = match tier {
        Tier::Blocks(_) => format!("{} bytes", tier.capacity()),
        Tier::Items(_) | Tier::SparseItems(_) => format!("{} items", tier.capacity()),
    };
    let mut subject = (context.start)()?;
    let mut player = Player::new(sequence, &mut *subject, &context.options).map_err(no_ranking)?;

    let first = objects_that_fit(tier, 0, tier.capacity());
    rounds(&mut player, &mut *subject, &first, 2)?;
    let missed = rounds(&mut player, &mut *subject, &first, 3)?;
    let fit = match missed {
        0 => Ok(format!("{} in {name}", first.len())),
        _ => {
            let asked = 3 * first.len();
            let why = format!("{} objects that fit into {name} together: {missed} misses of {asked} after two rounds", first.len());
            Err(player.counterexample(format!("hits; {why}")).to_string())
        }
    };

    // It was popular for a while, but not for ever.
    rounds(&mut player, &mut *subject, &first, 15)?;
    let second = objects_that_fit(tier, OTHERS, tier.capacity() - tier.capacity() / 5);
    let mut since = 0;
    let mut missed = second.len();
    while since < 60 && missed * 2 > second.len() {
        missed = rounds(&mut player, &mut *subject, &second, 1)?;
        since += 1;
    }
    let all = second.len();
    let change = if missed * 2 > all {
        let why = format!("{all} new objects in {name}, and the old ones never again: {missed} of them miss in round {since}");
        Err(player.counterexample(format!("hits for half of them; {why}")).to_string())
    } else {
        Ok(format!("{name} in {since} rounds"))
    };
    Ok((fit, change))
}

/// Asks for all objects in turn, so many times, and says how many misses there were.
fn rounds(player: &mut Player, subject: &mut dyn Subject, objects: &[u64], rounds: u64) -> Result<usize, PolicyFault> {
    let before = player.seen.asked - player.seen.hits;
    for _ in 0..rounds {
        objects.iter().try_for_each(|object| player.ask(*object, subject))?;
    }
    Ok((player.seen.asked - player.seen.hits - before) as usize)
}

/// Small objects from a number on that fit into `room` together.
fn objects_that_fit(tier: Tier, from: u64, room: u64) -> Vec<u64> {
    let mut left = room.max(1);
    let mut objects = Vec::new();
    for object in from..from + 2 * tier.most_entries(room).max(1) {
        let size = tier.size_of(object);
        if size <= left && tier.is_small(size) {
            left -= size;
            objects.push(object);
        }
    }
    objects
}

/// The same requests to the policy, and to a cache that evicts by last use.
fn workloads(context: &Context) -> Result<[Verdict; 2], PolicyFault> {
    let (mut popular, mut ratios) = (Ok(Vec::new()), Ok(Vec::new()));
    for (tier, what, seed) in [(Tier::Items(1000), "items", 1), (Tier::Blocks(16384), "bytes", 2)] {
        let sequence = quiet(tier, Shape::Zipf(20_000, 0.9), seed);
        let seen = second_half(&sequence, &mut *(context.start)()?, &context.options)?;
        let lru = second_half(&sequence, &mut ByLastUse::new(), &[])?;
        let percent = |hits: u64, asked: u64| hits as f64 * 100.0 / asked.max(1) as f64;
        let share = percent(seen.popular_hits, seen.popular_asked);
        let said = format!("{share:.1} % hits in {what}");
        popular = popular.and_then(|known| match share {
            share if share >= POPULAR_HITS => with(known, Ok(said)),
            _ => {
                Err(format!("sequence: {sequence}\n{said} for the most popular small objects; expected: {POPULAR_HITS} % or more"))
            }
        });
        let (mine, theirs) = (percent(seen.hits, seen.asked), percent(lru.hits, lru.asked));
        let said = format!("{mine:.1} % in {what}, where LRU has {theirs:.1} %");
        ratios = ratios.and_then(|known| match mine {
            mine if mine * HITS_OF_LRU >= theirs => with(known, Ok(said)),
            _ => Err(format!("sequence: {sequence}\nit has {said}")),
        });
    }
    Ok([verdict_of(POPULAR, popular), verdict_of(RATIO, ratios)])
}

fn second_half(sequence: &Sequence, subject: &mut dyn Subject, options: &[(String, String)]) -> Result<Seen, PolicyFault> {
    let mut player = Player::new(sequence.clone(), subject, options).map_err(no_ranking)?;
    for _ in 0..sequence.turns / 2 {
        player.turn(subject)?;
    }
    player.seen = Seen::default();
    for _ in 0..sequence.turns / 2 {
        player.turn(subject)?;
    }
    Ok(player.seen)
}

fn quiet(tier: Tier, shape: Shape, seed: u64) -> Sequence {
    Sequence { seed, tier, shape, turns: 24_000, batch: 1024, clock: Clock::Runs, happenings: Happenings::default() }
}

/// No policy: what it leaves open, the model decides by last use.
struct ByLastUse(Description);

impl ByLastUse {
    fn new() -> Self {
        Self(Description { name: String::new(), version: String::new(), doc: String::new(), options: Vec::new() })
    }
}

impl Subject for ByLastUse {
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
