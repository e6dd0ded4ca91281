//! Decides when to switch to another policy, for `--policy auto`.
//!
//! - **Hysteresis.** Shadows are compared with that of the current policy. A policy is switched to if it was better in each of the last three
//!   windows, by more than twice the standard error of its gain over all three, by more than half a percent of what could be lost at
//!   most, and by more than 2 % of what is lost now. If there are several, the best one in the last window is chosen. A window has at least twice as many requests as there are entries.
//! - **Cool-down.** For three windows after a switch, there is no other.
//! - **Verification.** In the three windows after a switch, the cache still contains what the previous policy kept. After three more, what
//!   the cache has gained is compared with the prediction. If less than half was achieved, the switch is reverted, and that policy is not
//!   considered for a while, each time twice as long.
//! - **People come first.** If somebody else swaps the policy, nothing is switched any more.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use crate::active::Active;
use crate::misses::Misses;
use crate::numbers::{ratio, seconds};
use crate::options::OWN;
use crate::simulation::Simulation;
use crate::window::Window;

/// The number of windows on which a decision is based.
const WINDOWS: usize = 3;

/// The number of complete windows after a switch in which the cache changes its contents.
const SETTLING: u64 = 3;

/// The least gain, as a share of the objective if every request were a miss.
const MIN_GAIN: f64 = 0.005;

/// The least gain, as a share of the objective of the current policy.
const MIN_RELATIVE_GAIN: f64 = 0.02;

/// For how many windows a policy is not considered after its first switch was reverted.
const BARRED: u64 = 24;

/// The number of switches that are reported.
const MAX_SWITCHES: usize = 100;

/// Decides when to switch.
#[derive(Debug, Default)]
pub(crate) struct Auto {
    /// The policy after the last window.
    active: Option<Active>,
    /// The first complete window with the current policy.
    active_from: u64,
    /// The policy that was decided on last, until the cache has switched to it.
    requested: Option<Active>,
    /// How often somebody else has swapped the policy.
    other_swaps: u64,
    /// Whether somebody else has swapped it since the start.
    is_paused: bool,
    /// Whether the last switch is still to be verified.
    is_unverified: bool,
    switches: VecDeque<Switch>,
    /// How often a switch to a policy was reverted, and the first window in which it is considered again.
    barred: HashMap<String, (u32, u64)>,
}

/// A switch to another policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Switch {
    /// When it was decided, in seconds since 1970.
    pub at: f64,
    /// The previous policy.
    pub from: String,
    /// The new policy.
    pub to: String,
    /// By how much the misses were expected to be fewer, as a share of those of the previous policy. `None` for a reversal.
    pub predicted_gain: Option<f64>,
    /// By how much they were fewer. `None` if this is not known yet, or if it cannot be measured.
    pub achieved_gain: Option<f64>,
    /// Whether it was reverted because too little was achieved.
    pub reverted: bool,
    /// How much of the objective per request the cache lost beyond its own shadow before the switch.
    #[serde(skip)]
    excess: f64,
}

/// A decision to switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The policy for which this was decided, with its options.
    pub from: String,
    /// The policy to switch to.
    pub to: String,
}

/// The shadow of a policy, if it has one.
fn own_shadow(set: &Simulation, active: &Active) -> Option<usize> {
    set.shadows.iter().position(|shadow| shadow.active.is_same(active) && shadow.fault().is_none())
}

/// The state of the automatic choice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AutoReport {
    /// What it does.
    pub state: AutoState,
    /// The state in words.
    pub why: String,
    /// The last switches, oldest first.
    pub switches: Vec<Switch>,
}

/// The state of the automatic choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AutoState {
    /// It waits for a better policy.
    Watching,
    /// It waits until the last switch can be verified.
    CoolingDown,
    /// Somebody else has swapped the policy.
    Paused,
}

impl Auto {
    /// Called when a window has closed. Returns what to do, if anything.
    pub fn decide(&mut self, set: &Simulation) -> Option<Decision> {
        let window = set.history.windows.back()?;
        self.follow(window);
        if self.is_paused || self.requested.is_some() {
            return None;
        }
        let since = |first: u64| {
            let windows: Vec<&Window> = set.history.windows.iter().filter(|window| window.number >= first).collect();
            windows.len().checked_sub(WINDOWS).map(|at| windows[at..].to_vec())
        };
        let settled = since(self.active_from + SETTLING).filter(|_| self.is_unverified);
        let reversal = settled.and_then(|windows| {
            self.is_unverified = false;
            self.verify(set, &windows)
        });
        let switch = match reversal {
            Some(reversal) => reversal,
            None => self.better(set, &since(self.active_from)?, window)?,
        };
        let decision = Decision { from: window.active.name.clone(), to: switch.to.clone() };
        self.requested = set.shadows.iter().find(|shadow| shadow.name == switch.to).map(|shadow| shadow.active.clone());
        self.is_unverified = switch.predicted_gain.is_some();
        self.switches.push_back(Switch { at: seconds(window.ended), ..switch });
        if self.switches.len() > MAX_SWITCHES {
            self.switches.pop_front();
        }
        Some(decision)
    }

    pub fn report(&self, set: &Simulation) -> AutoReport {
        let has_shadow = self.active.as_ref().is_none_or(|active| own_shadow(set, active).is_some());
        let (state, why) = if self.is_paused {
            (AutoState::Paused, "the policy was swapped by hand, so it is not changed automatically until the service is restarted")
        } else if self.is_unverified {
            (AutoState::CoolingDown, "the gain of the last switch is still being measured")
        } else if !has_shadow {
            (AutoState::Watching, "the current policy has no shadow with which the others could be compared; add it with --shadow")
        } else {
            (AutoState::Watching, "no other policy has been clearly better in three windows")
        };
        AutoReport { state, why: why.into(), switches: self.switches.iter().cloned().collect() }
    }

    /// Notes that the cache could not switch to the policy that was decided on. The service has logged why.
    pub fn switch_failed(&mut self, window: u64) {
        self.requested = None;
        self.is_unverified = false;
        if let Some(failed) = self.switches.back_mut() {
            failed.reverted = true;
            let to = failed.to.clone();
            self.bar(to, window);
        }
    }

    /// Notices that the policy has changed.
    fn follow(&mut self, window: &Window) {
        let active = &window.active;
        let previous = self.active.replace(active.clone());
        // While the cache is switching, the count may be too low for a moment.
        let has_changed = previous.as_ref().is_some_and(|previous| !previous.is_same(active));
        if has_changed || previous.is_none() {
            self.active_from = window.number + u64::from(has_changed);
        }
        let is_swapped_by_others = active.other_swaps > self.other_swaps;
        self.other_swaps = active.other_swaps.max(self.other_swaps);
        if is_swapped_by_others {
            (self.is_paused, self.is_unverified, self.requested) = (true, false, None);
        } else if has_changed && self.requested.take_if(|requested| requested.is_same(active)).is_none() {
            // The policy was disabled because of a fault.
            self.is_unverified = false;
            if let Some(last) = self.switches.back_mut() {
                let to = last.to.clone();
                self.bar(to, window.number);
            }
        }
    }

    /// Compares what the last switch has achieved with what was predicted. Returns the reversal if that was too little.
    fn verify(&mut self, set: &Simulation, windows: &[&Window]) -> Option<Switch> {
        let last = self.switches.back_mut()?;
        let previous = set.shadows.iter().position(|shadow| shadow.name == last.from && shadow.fault().is_none())?;
        let misses = Misses::of(windows.iter().copied(), previous, OWN);
        if misses.windows < WINDOWS {
            return None;
        }
        let measure = |sums: &_| set.value(sums);
        let gain = last.excess * measure(&misses.requested) - misses.gain(measure).value;
        let achieved = ratio(gain, misses.estimate(measure).value);
        last.achieved_gain = Some(achieved);
        let number = windows.last()?.number;
        if last.predicted_gain.is_none_or(|predicted| achieved >= predicted / 2.0) {
            return None;
        }
        last.reverted = true;
        let (from, to) = (last.to.clone(), last.from.clone());
        self.bar(from.clone(), number);
        Some(Switch { at: 0.0, from, to, predicted_gain: None, achieved_gain: None, reverted: false, excess: 0.0 })
    }

    /// The best policy that is clearly better than the current one, which has to have a shadow.
    fn better(&self, set: &Simulation, windows: &[&Window], last: &Window) -> Option<Switch> {
        let measure = |sums: &_| set.value(sums);
        let misses = |windows: &[&Window], shadow| Misses::of(windows.iter().copied(), shadow, OWN);
        let current = own_shadow(set, &last.active)?;
        let stay = misses(windows, current);
        let mut best: Option<(&str, f64, f64)> = None;
        for (at, shadow) in set.shadows.iter().enumerate() {
            let is_barred = self.barred.get(&shadow.name).is_some_and(|(_, until)| last.number < *until);
            if at == current || shadow.fault().is_some() || is_barred {
                continue;
            }
            let other = misses(windows, at);
            let gain = stay.gain_of(&other, measure);
            let gain_in = |window: &Window| misses(&[window], current).gain_of(&misses(&[window], at), measure).value;
            let recent = windows.last().map_or(0.0, |window| gain_in(window));
            let is_clear = stay.windows == WINDOWS
                && other.windows == WINDOWS
                && gain.value > 2.0 * gain.error
                && gain.value > MIN_GAIN * measure(&stay.requested)
                && gain.value > MIN_RELATIVE_GAIN * stay.estimate(measure).value
                && windows.iter().all(|window| gain_in(window) > 0.0);
            if is_clear && best.is_none_or(|(_, most, _)| recent > most) {
                best = Some((&shadow.name, recent, gain.value));
            }
        }
        let (to, _, gain) = best?;
        let predicted_gain = Some(ratio(gain, stay.estimate(measure).value));
        // What the cache misses beyond its own shadow, for example because of deletions.
        let excess = ratio(stay.gain(measure).value, measure(&stay.requested));
        let (from, to) = (last.active.name.clone(), to.into());
        Some(Switch { at: 0.0, from, to, predicted_gain, achieved_gain: None, reverted: false, excess })
    }

    fn bar(&mut self, policy: String, number: u64) {
        let (times, until) = self.barred.entry(policy).or_default();
        *until = number + (BARRED << (*times).min(10));
        *times += 1;
    }
}
