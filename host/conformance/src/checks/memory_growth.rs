//! Checks that the memory of a policy stays constant while entries come and go.

use media_cache::policy::PolicyFault;

use crate::access_pattern::AccessPattern;
use crate::context::Context;
use crate::sequence::{Clock, ExtraOperations, Sequence};
use crate::text::grouped;
use crate::tier::Tier;
use crate::verdict::Verdict;

const CONSTANT: &str = "uses constant memory as entries come and go";

/// Entries that come and go before the first measurement of memory.
const ENTRIES: u64 = 30_000;
/// The maximum growth of memory while the number of entries doubles, in bytes.
const MAX_GROWTH: u64 = 128 << 10;
/// The maximum number of doublings. A garbage collector may need several before memory stays constant.
const DOUBLINGS: u32 = 4;

pub(crate) fn check(context: &Context) -> Vec<Verdict> {
    vec![play(context).unwrap_or_else(|fault| Verdict::failed(CONSTANT, fault.to_string()))]
}

/// Plays requests for new objects only, until memory stays constant over a doubling.
fn play(context: &Context) -> Result<Verdict, PolicyFault> {
    let (tier, pattern, requests) = (Tier::Blocks(5000), AccessPattern::OneTime, ENTRIES << DOUBLINGS);
    let (clock, extra) = (Clock::Advances, ExtraOperations::default());
    let sequence = Sequence { seed: 11, tier, pattern, requests, batch: 1024, clock, extra };
    let mut subject = context.start()?;
    let mut player = context.player(&sequence, &mut *subject)?;
    let mut measure_after = |steps: u64| -> Result<u64, PolicyFault> {
        (0..steps).try_for_each(|_| player.step(&mut *subject))?;
        Ok(subject.memory_bytes())
    };
    let mut entries = ENTRIES;
    let mut before = measure_after(entries)?;
    let mut growths = Vec::new();
    for _ in 0..DOUBLINGS {
        let after = measure_after(entries)?;
        entries *= 2;
        let growth = after.saturating_sub(before);
        if growth <= MAX_GROWTH {
            let (growth, entries, bytes) = (grouped(growth), grouped(entries), grouped(after));
            let detail = format!("{growth} bytes more over the second half of {entries} entries, {bytes} in total");
            return Ok(Verdict::passed(CONSTANT, detail));
        }
        growths.push(format!("from {} to {} bytes at {} entries", grouped(before), grouped(after), grouped(entries)));
        before = after;
    }
    let growths = growths.join("\n  ");
    let expected = format!("at most {} bytes per doubling, since no more entries are tracked", grouped(MAX_GROWTH));
    Ok(Verdict::failed(
        CONSTANT,
        format!("sequence: {sequence}\nas entries come and go, its memory grows\n  {growths}\nexpected: {expected}"),
    ))
}
