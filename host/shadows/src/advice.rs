//! Which policy would have been better than that of the cache.

use serde::Serialize;

use crate::active::Active;
use crate::misses::Misses;
use crate::numbers::{ratio, seconds};
use crate::options::OWN;
use crate::simulation::Simulation;

/// Advice to use another policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advice {
    /// The policy with its options.
    pub policy: String,
    /// Whether the policy is built in, so that its name is enough to swap to it.
    pub is_built_in: bool,
    /// By how much its misses would have been fewer, as a share of the cache's.
    pub gain: f64,
    /// Half of the width of an interval that contains the gain with a probability of 95 %.
    pub gain_error: f64,
    /// For how long this was measured, in seconds.
    pub seconds: f64,
    /// The advice in words.
    pub text: String,
    /// The command that follows it.
    pub command: String,
}

impl Advice {
    /// The policy with the largest gain in the closed windows, unless its gain may be due to chance.
    pub(crate) fn of(set: &Simulation, active: &Active) -> Option<Self> {
        let windows = &set.history.windows;
        // Only windows with the current policy say something about it.
        let current: Vec<_> = windows.iter().rev().take_while(|window| window.active.is_same(active)).collect();
        let misses = |number| Misses::of(current.iter().copied(), number, OWN);
        // The shadow of the current policy is the better comparison: deletions, for example, cause misses of the cache only.
        let own = set.shadows.iter().position(|shadow| shadow.active.is_same(active)).map(misses).filter(|own| own.windows > 0);
        let measure = |sums: &_| set.value(sums);
        let mut best: Option<(usize, f64, f64)> = None;
        for (number, shadow) in set.shadows.iter().enumerate() {
            if shadow.active.is_same(active) || shadow.fault().is_some() {
                continue;
            }
            let other = misses(number);
            let (gain, total) = match &own {
                Some(own) if own.windows != other.windows => continue,
                Some(own) => (own.gain_of(&other, measure), own.estimate(measure).value),
                None => (other.gain(measure), measure(&other.missed_live)),
            };
            let (share, error) = (ratio(gain.value, total), ratio(2.0 * gain.error, total));
            if share > error && best.is_none_or(|(_, most, _)| share > most) {
                best = Some((number, share, error));
            }
        }
        let (number, gain, gain_error) = best?;
        let seconds = seconds(current.first()?.ended.saturating_sub(current.last()?.began));
        let policy = set.shadows[number].name.clone();
        let what = match set.options.objective.to_string().as_str() {
            "requests" => "missed {} % fewer requests",
            "bytes" => "missed {} % fewer bytes",
            "wait" => "made clients wait {} % less",
            _ => "had a {} % lower objective",
        };
        let percent = |share: f64| format!("{:.0}", share * 100.0);
        let what = what.replace("{}", &percent(gain));
        let text = format!("{policy} would have {what} (±{}) in the last {}", percent(gain_error), duration(seconds));
        let is_built_in = set.shadows[number].is_built_in();
        Some(Self { is_built_in, command: format!("media-cache policy swap {policy}"), policy, gain, gain_error, seconds, text })
    }
}

/// A duration for people.
fn duration(seconds: f64) -> String {
    let (number, unit) = match seconds {
        0.0..100.0 => (seconds, "second"),
        100.0..5400.0 => (seconds / 60.0, "minute"),
        _ => (seconds / 3600.0, "hour"),
    };
    let number = number.round().max(1.0);
    if number == 1.0 { unit.into() } else { format!("{number} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_has_a_suitable_unit() {
        assert_eq!(
            [0.2, 59.0, 121.0, 5399.0, 5400.0, 21_600.0].map(duration),
            ["second", "59 seconds", "2 minutes", "90 minutes", "2 hours", "6 hours"]
        );
    }
}
