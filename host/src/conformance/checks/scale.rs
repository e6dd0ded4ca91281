//! What a policy takes up: time and memory, with few entries and with many.

use std::time::Duration;

use super::{grouped, no_ranking};
use crate::conformance::log::Counterexample;
use crate::conformance::meter::{Metered, Spent};
use crate::conformance::player::Player;
use crate::conformance::sequences::{Clock, Happenings, Sequence, Shape, Tier};
use crate::conformance::{Context, Subject, Verdict};
use crate::policy::PolicyFault;

const FLAT: &str = "takes up no more memory as entries come and go";
const MANY: &str = "copes with 200,000 entries";
const MEMORY: &str = "takes up 1 KiB of memory an entry at most";
const TIME: &str = "decides in time, however much resides";

/// Entries that come and go before memory is looked at for the first time.
const CHURN: u64 = 30_000;
/// How much more may be taken up when as many came and went again.
const GROWTH: u64 = 128 << 10;
/// A language that collects its garbage may take its time to do so: as often the number is doubled before the verdict.
const DOUBLINGS: u32 = 4;

const FEW_ENTRIES: u64 = 2_000;
const MANY_ENTRIES: u64 = 200_000;
const TURNS: u64 = 3_000;

/// The most memory that an entry may take up, and what a policy has besides.
const BYTES_PER_ENTRY: u64 = 1024;
const FIXED_BYTES: u64 = 4 << 20;

/// The most that a decision may take on average, and how many times more with a hundred times the entries. What is faster than the
/// second limit in any case is fast enough.
const MEAN_DECISION: Duration = Duration::from_micros(200);
const SLOWDOWN: f64 = 20.0;
const FAST: Duration = Duration::from_micros(50);

fn sequence(tier: Tier, shape: Shape, turns: u64) -> Sequence {
    Sequence { seed: 11, tier, shape, turns, batch: 1024, clock: Clock::Runs, happenings: Happenings::default() }
}

/// Entries come and go, none of them twice, while as many reside all the time.
pub fn check_churn(context: &Context) -> Vec<Verdict> {
    vec![churn(context).unwrap_or_else(|fault| Verdict::failed(FLAT, fault.to_string()))]
}

fn churn(context: &Context) -> Result<Verdict, PolicyFault> {
    let mut subject = (context.start)()?;
    let sequence = sequence(Tier::Blocks(5000), Shape::Once, CHURN << DOUBLINGS);
    let mut player = Player::new(sequence.clone(), &mut *subject, &context.options).map_err(no_ranking)?;
    let mut turn = |turns: u64, subject: &mut dyn Subject| -> Result<u64, PolicyFault> {
        (0..turns).try_for_each(|_| player.turn(subject))?;
        Ok(subject.memory_bytes())
    };
    let mut turns = CHURN;
    let mut before = turn(turns, &mut *subject)?;
    let mut grown = Vec::new();
    for _ in 0..DOUBLINGS {
        let after = turn(turns, &mut *subject)?;
        turns *= 2;
        let growth = after.saturating_sub(before);
        if growth <= GROWTH {
            let (turns, bytes) = (grouped(turns), grouped(after));
            return Ok(Verdict::passed(
                FLAT,
                format!("{} bytes more over the second half of {turns} entries, {bytes} in all", grouped(growth)),
            ));
        }
        grown.push(format!("from {} to {} bytes by the time that {} have", grouped(before), grouped(after), grouped(turns)));
        before = after;
    }
    let grown = grown.join("\n  ");
    let expected = format!("no more than {} bytes from one number to its double, since no more reside", grouped(GROWTH));
    Ok(Verdict::failed(
        FLAT,
        format!("sequence: {sequence}\nas entries come and go, its memory grows\n  {grown}\nexpected: {expected}"),
    ))
}

/// What was measured with so many entries.
struct Measured {
    entries: u64,
    decisions: Spent,
    news: Spent,
    longest: Duration,
    memory_bytes: u64,
    wrong: Option<Counterexample>,
}

/// Many entries are restored, asked for, placed and evicted.
pub fn check_scale(context: &Context) -> Vec<Verdict> {
    let measured = measure(context, FEW_ENTRIES).and_then(|few| Ok((few, measure(context, MANY_ENTRIES)?)));
    let (few, many) = match measured {
        Ok(measured) => measured,
        Err(fault) => {
            let rest = [MEMORY, TIME].map(|check| Verdict::untried(check, "only until it broke off"));
            return [Verdict::failed(MANY, fault.to_string())].into_iter().chain(rest).collect();
        }
    };
    let copes = match &many.wrong {
        Some(wrong) => Verdict::failed(MANY, wrong.to_string()),
        None => Verdict::passed(MANY, format!("restored in pages, {} decisions, a tenth evicted at once", grouped(TURNS))),
    };
    let taken = many.memory_bytes.saturating_sub(few.memory_bytes);
    let each = taken / (many.entries - few.entries).max(1);
    let memory = if taken > FIXED_BYTES + many.entries * BYTES_PER_ENTRY {
        let (entries, limit) = (grouped(many.entries), grouped(BYTES_PER_ENTRY));
        Verdict::failed(MEMORY, format!("{each} bytes for each of {entries} entries; {limit} are the limit"))
    } else {
        Verdict::passed(
            MEMORY,
            format!("{each} bytes an entry, {} in all for {}", grouped(many.memory_bytes), grouped(many.entries)),
        )
    };
    vec![copes, memory, time(&few, &many, context.limits.call_time)]
}

fn time(few: &Measured, many: &Measured, call_time: Duration) -> Verdict {
    let (before, after) = (few.decisions.mean(), many.decisions.mean());
    let figures = format!(
        "{:.1} us a decision and {:.0} ns an event with {} entries, {:.1} us and {:.0} ns with {}; the longest call took {:.1} ms",
        before / 1000.0,
        few.news.mean(),
        grouped(few.entries),
        after / 1000.0,
        many.news.mean(),
        grouped(many.entries),
        few.longest.max(many.longest).as_secs_f64() * 1000.0
    );
    let limit = if before.max(after) > MEAN_DECISION.as_nanos() as f64 {
        format!("{} us a decision", MEAN_DECISION.as_micros())
    } else if after > SLOWDOWN * before && after > FAST.as_nanos() as f64 {
        format!("{SLOWDOWN} times the time of a decision with 100 times the entries")
    } else if few.longest.max(many.longest) > call_time.mul_f64(0.8) {
        format!("80 % of the {} ms of a call", call_time.as_millis())
    } else {
        return Verdict::passed(TIME, figures);
    };
    Verdict::failed(TIME, format!("{figures}\nexpected: at most {limit}"))
}

fn measure(context: &Context, entries: u64) -> Result<Measured, PolicyFault> {
    let mut subject = Metered::new((context.start)()?);
    let sequence = sequence(Tier::Items(entries), Shape::Once, TURNS);
    let mut player = Player::new(sequence, &mut subject, &context.options).map_err(no_ranking)?;
    player.restore_up_to(entries, entries, &mut subject)?;
    let entries_before = player.model.len() as u64;
    // Half of them are asked for, and then new ones come.
    player.access_every_other(&mut subject)?;
    for _ in 0..TURNS {
        player.turn(&mut subject)?;
    }
    let memory_bytes = subject.memory_bytes();
    player.evict(entries / 10, &mut subject)?;
    let known = context.known.get();
    let wrong_names = player.seen.wrong_names.filter(|_| !known.wrong_names);
    let wrong = wrong_names.or(player.seen.too_little.filter(|_| !known.too_little));
    let Metered { decisions, news, longest, .. } = subject;
    Ok(Measured { entries: entries_before, decisions, news, longest, memory_bytes, wrong })
}
