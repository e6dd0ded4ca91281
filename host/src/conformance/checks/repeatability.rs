//! Whether the answers depend on the calls, and on nothing else.

use super::{grouped, no_ranking};
use crate::conformance::log::Answer;
use crate::conformance::player::Player;
use crate::conformance::sequences::{Clock, Happenings, Sequence, Shape, Tier};
use crate::conformance::{Context, Subject, Verdict};
use crate::policy::PolicyFault;

const SAME: &str = "answers the same for the same calls";
const APART: &str = "keeps two rankings apart";

pub fn check(context: &Context) -> Vec<Verdict> {
    let alone = match alone(context) {
        Ok(alone) => alone,
        Err(fault) => return [SAME, APART].map(|check| Verdict::failed(check, fault.to_string())).into(),
    };
    let same = same(context, &alone);
    let apart = match same.is_passed() {
        true => apart(context, &alone),
        false => Verdict::untried(APART, "it cannot be told from answers that are not the same twice"),
    };
    vec![same, apart]
}

/// One for the disk and one for memory, as a cache has them.
fn sequences() -> [Sequence; 2] {
    let happenings = Happenings { restores: true, removals: true, refusals: true, evictions: true };
    let sequence = |tier, shape, batch| Sequence { seed: 7, tier, shape, turns: 2000, batch, clock: Clock::GoesBack, happenings };
    [sequence(Tier::Blocks(1024), Shape::Scans(1000), 64), sequence(Tier::SparseItems(64), Shape::Zipf(300, 0.9), 16)]
}

fn player(sequence: &Sequence, subject: &mut dyn Subject, context: &Context) -> Result<Player, PolicyFault> {
    let mut player = Player::new(sequence.clone(), subject, &context.options).map_err(no_ranking)?;
    player.log.transcript = Some(Vec::new());
    Ok(player)
}

/// The answers of an instance to each sequence.
fn alone(context: &Context) -> Result<Vec<Vec<Answer>>, PolicyFault> {
    let transcript = |sequence: &Sequence| {
        let mut subject = (context.start)()?;
        let mut player = player(sequence, &mut *subject, context)?;
        player.play(&mut *subject)?;
        Ok(player.log.transcript.unwrap_or_default())
    };
    sequences().iter().map(transcript).collect()
}

fn same(context: &Context, alone: &[Vec<Answer>]) -> Verdict {
    let again = match self::alone(context) {
        Ok(again) => again,
        Err(fault) => return Verdict::failed(SAME, format!("a second instance broke off where the first did not: {fault}")),
    };
    for ((sequence, first), second) in sequences().iter().zip(alone).zip(&again) {
        if let Some(difference) = difference(first, second) {
            return Verdict::failed(SAME, format!("sequence: {sequence}\nof two instances, {difference}"));
        }
    }
    let answers: usize = alone.iter().map(Vec::len).sum();
    Verdict::passed(SAME, format!("two instances, {} answers each", grouped(answers as u64)))
}

/// Both sequences are played in turns to one instance, which has a third ranking for a while.
fn apart(context: &Context, alone: &[Vec<Answer>]) -> Verdict {
    let together = || -> Result<Vec<Vec<Answer>>, PolicyFault> {
        let mut subject = (context.start)()?;
        let mut players = Vec::new();
        for sequence in &sequences() {
            players.push(player(sequence, &mut *subject, context)?);
        }
        let mut third = None;
        players.iter_mut().try_for_each(|player| player.start(&mut *subject))?;
        for turn in 0..sequences()[0].turns {
            match turn {
                500 => third = Some(subject.create(10, &context.options).map_err(no_ranking)?),
                1500 => third.take().map_or(Ok(()), |third| subject.forget(third))?,
                _ => {}
            }
            players.iter_mut().try_for_each(|player| player.turn(&mut *subject))?;
        }
        players.iter_mut().try_for_each(|player| player.end(&mut *subject))?;
        Ok(players.into_iter().map(|player| player.log.transcript.unwrap_or_default()).collect())
    };
    let together = match together() {
        Ok(together) => together,
        Err(fault) => return Verdict::failed(APART, format!("with two rankings in one instance it broke off: {fault}")),
    };
    for ((sequence, alone), together) in sequences().iter().zip(alone).zip(&together) {
        if let Some(difference) = difference(alone, together) {
            let rankings = "a ranking by itself, and the same beside another in one instance";
            return Verdict::failed(APART, format!("sequence: {sequence}\nof {rankings}, {difference}"));
        }
    }
    let answers: usize = alone.iter().map(Vec::len).sum();
    Verdict::passed(APART, format!("{} answers are the same by itself and beside another", grouped(answers as u64)))
}

/// Where two transcripts part. The calls are the same up to there, for they follow from the answers.
fn difference(first: &[Answer], second: &[Answer]) -> Option<String> {
    let at = first.iter().zip(second).position(|(first, second)| first != second)?;
    Some(format!("call {}: the first answered{}, the second{}", at + 1, first[at], second[at]))
}
