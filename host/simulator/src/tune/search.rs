//! The search: a coarse grid of each policy, and then steps from the best settings, which become smaller.
//!
//! Half of the trials go to the grids, in turns between the policies, beginning with their defaults. If a grid does not fit, its settings
//! are tried in an order that the seed determines. The remaining trials go to the neighbours of the best setting of each of the
//! [`REFINED`] best policies. The steps are halved whenever none of the neighbours is better.

use std::collections::HashSet;

use media_cache::policy::PolicyChoice;

use crate::tune::setting::{Dimensions, Setting};

/// The number of policies whose best settings are refined.
const REFINED: usize = 3;

/// The smallest step: a share of the distance between two numbers of the grid.
const SMALLEST_STEP: f64 = 1.0 / 16.0;

/// A setting of one of the policies.
#[derive(Clone)]
pub(crate) struct Point {
    /// The number of the policy.
    pub policy: usize,
    setting: Setting,
}

/// A search in progress.
pub(crate) struct Search<'d> {
    dimensions: &'d [Dimensions],
    /// The number of trials that are left.
    trials: usize,
    /// The policies with their settings that have been tried or rejected, as text.
    seen: HashSet<String>,
    /// The number of settings that have been tried.
    tried: usize,
    /// The best setting of each policy with its value.
    best: Vec<Option<(Point, f64)>>,
}

impl<'d> Search<'d> {
    pub fn new(dimensions: &'d [Dimensions], trials: usize) -> Self {
        Self { dimensions, trials, seen: HashSet::new(), tried: 0, best: vec![None; dimensions.len()] }
    }

    /// The policy with a setting.
    pub fn choice(&self, point: &Point) -> PolicyChoice {
        self.dimensions[point.policy].choice(&point.setting)
    }

    /// The best setting of each policy that has one, with its value, the best first.
    pub fn best(&self) -> Vec<&(Point, f64)> {
        let mut best: Vec<_> = self.best.iter().flatten().collect();
        best.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        best
    }

    /// The number of different settings that have been tried, without those that were rejected.
    pub fn tried(&self) -> usize {
        self.tried
    }

    /// Tries settings until there are no trials left, or no settings. `evaluate` returns the values of settings, `None` for one that the
    /// policy rejects.
    ///
    /// # Errors
    /// Those of `evaluate`.
    pub fn run<E>(&mut self, seed: u64, mut evaluate: impl FnMut(&Self, &[Point]) -> Result<Vec<Option<f64>>, E>) -> Result<(), E> {
        let (all, in_grids) = (self.trials, (self.trials / 2).max(self.dimensions.len()).min(self.trials));
        self.trials = in_grids;
        let grid = self.grid(seed);
        self.try_all(grid, &mut evaluate)?;
        self.trials += all - in_grids;
        let mut step = 1.0;
        while self.trials > 0 && step >= SMALLEST_STEP {
            let of_best = |(point, _): &&(Point, f64)| {
                let neighbours = self.dimensions[point.policy].neighbours(&point.setting, step).into_iter();
                neighbours.map(|setting| Point { policy: point.policy, setting }).collect::<Vec<_>>()
            };
            let neighbours = self.best().iter().take(REFINED).flat_map(of_best).collect();
            if !self.try_all(neighbours, &mut evaluate)? {
                step /= 2.0;
            }
        }
        Ok(())
    }

    /// The grids of all policies, a setting of each in turn, beginning with the defaults.
    fn grid(&self, seed: u64) -> Vec<Point> {
        let mut random = seed;
        let shuffled = |dimensions: &Dimensions| {
            let mut grid = dimensions.grid();
            for at in (1..grid.len()).rev() {
                grid.swap(at, (next(&mut random) % (at as u64 + 1)) as usize);
            }
            grid.insert(0, dimensions.default_setting());
            grid
        };
        let mut grids: Vec<_> = self.dimensions.iter().map(shuffled).map(Vec::into_iter).collect();
        let mut points = Vec::new();
        loop {
            let before = points.len();
            for (policy, grid) in grids.iter_mut().enumerate() {
                points.extend(grid.next().map(|setting| Point { policy, setting }));
            }
            if points.len() == before {
                return points;
            }
        }
    }

    /// Tries those of these settings that have not been tried, as long as there are trials left. A setting that the policy rejects does not
    /// count. Returns whether one of the settings is the best of its policy.
    fn try_all<E>(
        &mut self,
        points: Vec<Point>,
        evaluate: &mut impl FnMut(&Self, &[Point]) -> Result<Vec<Option<f64>>, E>,
    ) -> Result<bool, E> {
        let mut points = points.into_iter();
        let mut is_better = false;
        loop {
            let mut new = Vec::new();
            while new.len() < self.trials
                && let Some(point) = points.next()
            {
                if self.seen.insert(self.choice(&point).spec().to_string()) {
                    new.push(point);
                }
            }
            if new.is_empty() {
                return Ok(is_better);
            }
            let values = evaluate(self, &new)?;
            let accepted = new.into_iter().zip(values).filter_map(|(point, value)| Some((point, value?)));
            for (point, value) in accepted {
                self.trials -= 1;
                self.tried += 1;
                let best = &mut self.best[point.policy];
                if best.as_ref().is_none_or(|(_, least)| value < *least) {
                    *best = Some((point, value));
                    is_better = true;
                }
            }
        }
    }
}

/// The next number of SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut number = *state;
    number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use media_cache::policy::{PolicyEngine, PolicyInstance, PolicyLimits, PolicySpec};

    use super::*;

    fn dimensions(policies: &[&str]) -> Vec<Dimensions> {
        let engine = PolicyEngine::new().unwrap();
        let of = |policy: &&str| {
            let choice = policy.parse::<PolicySpec>().unwrap().choose(&engine).unwrap();
            let instance = PolicyInstance::new(&engine, &choice.component, PolicyLimits::default()).unwrap();
            Dimensions::of(choice, instance.description())
        };
        policies.iter().map(of).collect()
    }

    /// Runs a search, and returns the policies in the order in which they are tried, and the best one.
    fn search(policies: &[&str], trials: usize, seed: u64, value: impl Fn(&str) -> Option<f64>) -> (Vec<String>, Option<String>) {
        let dimensions = dimensions(policies);
        let mut search = Search::new(&dimensions, trials);
        let mut tried = Vec::new();
        let run = search.run(seed, |search, points| {
            let specs: Vec<_> = points.iter().map(|point| search.choice(point).spec().to_string()).collect();
            tried.extend(specs.iter().cloned());
            Ok::<_, Infallible>(specs.iter().map(|spec| value(spec)).collect())
        });
        assert!(run.is_ok() && search.tried() == tried.iter().filter(|spec| value(spec).is_some()).count());
        let best = search.best().first().map(|(point, _)| search.choice(point).spec().to_string());
        (tried, best)
    }

    /// How far the share of the small queue is from 42.
    fn distance(spec: &str) -> Option<f64> {
        let small = spec.split_once("small=").map_or("10", |(_, rest)| rest.split(',').next().unwrap_or_default());
        Some((small.parse::<f64>().unwrap() - 42.0).abs())
    }

    #[test]
    fn defaults_come_first_and_the_seed_orders_a_grid_larger_than_the_trial_limit() {
        let (tried, _) = search(&["lru", "s3-fifo", "gdsf"], 12, 1, |_| Some(1.0));
        assert_eq!((tried.len(), &tried[..3]), (12, &["lru", "s3-fifo", "gdsf"].map(String::from)[..]));
        assert_eq!(tried, search(&["lru", "s3-fifo", "gdsf"], 12, 1, |_| Some(1.0)).0);
        assert_ne!(tried, search(&["lru", "s3-fifo", "gdsf"], 12, 2, |_| Some(1.0)).0);
    }

    #[test]
    fn steps_become_smaller_near_the_best_setting() {
        let (tried, best) = search(&["lru", "s3-fifo"], 1000, 0, distance);
        assert!(distance(&best.unwrap()).unwrap() < 1.0, "{tried:?}");
        assert!(tried.len() > 12 && tried.len() < 60, "{tried:?}");
        let distinct: HashSet<_> = tried.iter().collect();
        assert_eq!(distinct.len(), tried.len());
    }

    #[test]
    fn rejected_settings_are_never_the_best() {
        let value = |spec: &str| distance(spec).filter(|_| spec.contains("large=main"));
        let (tried, best) = search(&["s3-fifo"], 1000, 0, value);
        assert!(best.unwrap().contains("large=main") && tried.iter().any(|spec| !spec.contains("large")));
        assert_eq!(search(&["s3-fifo"], 10, 0, |_| None).1, None);
    }

    #[test]
    fn rejected_settings_do_not_count_as_trials() {
        let value = |spec: &str| distance(spec).filter(|_| !spec.contains("large=main"));
        let (tried, _) = search(&["s3-fifo"], 8, 0, value);
        assert!(tried.len() > 8 && tried.iter().filter(|spec| value(spec).is_some()).count() == 8, "{tried:?}");
    }

    #[test]
    fn fewer_trials_than_policies_try_the_first_ones() {
        assert_eq!(search(&["lru", "sieve", "gdsf"], 2, 0, |_| Some(1.0)).0, ["lru", "sieve"]);
    }
}
