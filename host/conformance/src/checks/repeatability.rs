//! Checks that answers depend only on the calls to a ranking.

use media_cache::policy::PolicyFault;

use crate::access_pattern::AccessPattern;
use crate::call::Answer;
use crate::context::Context;
use crate::player::Player;
use crate::sequence::{Clock, ExtraOperations, Sequence};
use crate::subject::Subject;
use crate::text::grouped;
use crate::tier::Tier;
use crate::verdict::Verdict;

const REPEATABLE: &str = "gives the same answers to the same calls";
const ISOLATED: &str = "keeps two rankings separate";

/// The number of requests in each sequence.
const REQUESTS: u64 = 2000;
/// The steps at which a third ranking is created and released.
const THIRD_RANKING: [u64; 2] = [500, 1500];

/// All answers in a sequence.
type Transcript = Vec<Answer>;

pub(crate) fn check(context: &Context) -> Vec<Verdict> {
    let transcripts = match play_separately(context) {
        Ok(transcripts) => transcripts,
        Err(fault) => return [REPEATABLE, ISOLATED].map(|check| Verdict::failed(check, fault.to_string())).into(),
    };
    let repeatable = check_repeatable(context, &transcripts);
    let isolated = match repeatable.is_passed() {
        true => check_isolated(context, &transcripts),
        false => Verdict::untried(ISOLATED, "it cannot be checked, since the answers are not repeatable"),
    };
    vec![repeatable, isolated]
}

/// One sequence for the disk tier and one for the memory tier, as in a cache.
fn sequences() -> [Sequence; 2] {
    let sequence = |tier, pattern, batch| {
        let (clock, extra) = (Clock::StepsBack, ExtraOperations::ALL);
        Sequence { seed: 7, tier, pattern, requests: REQUESTS, batch, clock, extra }
    };
    [
        sequence(Tier::Blocks(1024), AccessPattern::ZipfWithScans(1000), 64),
        sequence(Tier::SparseItems(64), AccessPattern::Zipf(300, 0.9), 16),
    ]
}

fn recording_player(context: &Context, sequence: &Sequence, subject: &mut dyn Subject) -> Result<Player, PolicyFault> {
    let mut player = context.player(sequence, subject)?;
    player.log.transcript = Some(Vec::new());
    Ok(player)
}

fn transcript(player: Player) -> Transcript {
    player.log.transcript.unwrap_or_default()
}

/// Plays each sequence against a separate instance.
fn play_separately(context: &Context) -> Result<Vec<Transcript>, PolicyFault> {
    let play = |sequence: &Sequence| {
        let mut subject = context.start()?;
        let mut player = recording_player(context, sequence, &mut *subject)?;
        player.play(&mut *subject)?;
        Ok(transcript(player))
    };
    sequences().iter().map(play).collect()
}

/// Plays both sequences against one instance, alternately. For a while, the instance has a third ranking.
fn play_together(context: &Context) -> Result<Vec<Transcript>, PolicyFault> {
    let mut subject = context.start()?;
    let mut players = Vec::new();
    for sequence in &sequences() {
        players.push(recording_player(context, sequence, &mut *subject)?);
    }
    let mut third = None;
    players.iter_mut().try_for_each(|player| player.start(&mut *subject))?;
    for step in 0..REQUESTS {
        if step == THIRD_RANKING[0] {
            third = Some(context.create(&mut *subject, 10)?);
        } else if step == THIRD_RANKING[1] {
            third.take().map_or(Ok(()), |third| subject.forget(third))?;
        }
        players.iter_mut().try_for_each(|player| player.step(&mut *subject))?;
    }
    players.iter_mut().try_for_each(|player| player.end(&mut *subject))?;
    Ok(players.into_iter().map(transcript).collect())
}

fn check_repeatable(context: &Context, transcripts: &[Transcript]) -> Verdict {
    let again = match play_separately(context) {
        Ok(again) => again,
        Err(fault) => {
            return Verdict::failed(REPEATABLE, format!("a second instance faulted where the first did not: {fault}"));
        }
    };
    match first_difference(transcripts, &again) {
        Some((sequence, difference)) => {
            Verdict::failed(REPEATABLE, format!("sequence: {sequence}\nwith two instances, {difference}"))
        }
        None => Verdict::passed(REPEATABLE, format!("two instances, {} answers each", answers(transcripts))),
    }
}

fn check_isolated(context: &Context, transcripts: &[Transcript]) -> Verdict {
    let together = match play_together(context) {
        Ok(together) => together,
        Err(fault) => {
            return Verdict::failed(ISOLATED, format!("with two rankings in one instance, it faulted: {fault}"));
        }
    };
    match first_difference(transcripts, &together) {
        Some((sequence, difference)) => {
            let rankings = "with a ranking alone (first) and next to another in one instance (second)";
            Verdict::failed(ISOLATED, format!("sequence: {sequence}\n{rankings}, {difference}"))
        }
        None => Verdict::passed(ISOLATED, format!("{} answers are the same alone and next to another", answers(transcripts))),
    }
}

fn answers(transcripts: &[Transcript]) -> String {
    grouped(transcripts.iter().map(Vec::len).sum::<usize>() as u64)
}

/// The first sequence with different answers, and where they differ.
fn first_difference(first: &[Transcript], second: &[Transcript]) -> Option<(Sequence, String)> {
    let transcripts = first.iter().zip(second);
    sequences().into_iter().zip(transcripts).find_map(|(sequence, (first, second))| Some((sequence, difference(first, second)?)))
}

/// Where two transcripts differ. The calls up to that point are the same, because they follow from the answers.
fn difference(first: &[Answer], second: &[Answer]) -> Option<String> {
    let at = first.iter().zip(second).position(|(first, second)| first != second)?;
    Some(format!("call {}: the first answered{}, the second{}", at + 1, first[at], second[at]))
}
