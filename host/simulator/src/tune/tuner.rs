//! A search from its options to its result.

use std::num::NonZeroUsize;

use media_cache::ComponentError;
use media_cache::policy::{PolicyChoice, PolicyEngine, PolicyFault, PolicySpec};

use crate::bound::lower_bounds_from;
use crate::job::{Job, JobError};
use crate::objective::{NoCosts, Objective};
use crate::parallel::in_parallel;
use crate::tune::candidate::{BLOCKS, Candidate};
use crate::tune::search::{Point, Search};
use crate::tune::setting::Dimensions;
use crate::tune::trial::{TrialError, values_at};
use media_cache_trace::Trace;

/// What to search for, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuner {
    /// What to minimise.
    pub objective: Objective,
    /// The capacity of the cache in bytes, at least 1.
    pub capacity: u64,
    /// The number of requests in the training part.
    pub training_requests: usize,
    /// The maximum number of settings to try on the training part.
    pub trials: NonZeroUsize,
    /// Determines which settings are tried if there are too many.
    pub seed: u64,
    /// The maximum number of concurrent replays. It does not change the result.
    pub threads: NonZeroUsize,
}

/// The result of a search.
#[derive(Clone, Debug)]
pub struct Tuned {
    /// The best setting of each policy, the one with the least value on the training part first, and the baseline.
    pub candidates: Vec<Candidate>,
    /// The policy that a cache has by default, with which the others are compared. It is one of the candidates.
    pub baseline: Candidate,
    /// A lower bound on the value on the held-out part for any policy, if the objective does not count waiting.
    pub lower_bound: Option<f64>,
    /// The number of settings that were tried.
    pub trials: usize,
}

/// Why a search fails.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// There is nothing to learn from, or too little to compare.
    #[error("the training part has {training} requests and the held-out part {held_out}; they need at least 1 and {BLOCKS}")]
    TooShort {
        /// The number of requests in the training part.
        training: usize,
        /// The number of requests in the held-out part.
        held_out: usize,
    },
    /// The objective counts waiting, but the trace has no costs.
    #[error(transparent)]
    NoCosts(#[from] NoCosts),
    /// The default policy cannot be compiled.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// A policy cannot be started.
    #[error(transparent)]
    Start(#[from] JobError),
    /// A policy faulted.
    #[error("{spec} faulted: {fault}")]
    Fault {
        /// The policy.
        spec: Box<PolicySpec>,
        /// What happened.
        fault: PolicyFault,
    },
}

impl Tuner {
    /// The maximum number of requests that a search among this many policies replays.
    #[must_use]
    pub fn replayed_requests(&self, trace: &Trace, policies: usize) -> u64 {
        let training = (self.trials.get() as u64).saturating_mul(self.training_requests as u64);
        training.saturating_add((policies as u64 + 1) * trace.requests().len() as u64)
    }

    /// Searches for the best options of these policies; given options are not changed. A setting that a policy rejects is skipped.
    ///
    /// `engine` must be the one that compiled the policies. `progress` is called from several threads with the number of requests replayed
    /// since the previous call.
    ///
    /// # Errors
    /// If the trace is too short or has no costs that the objective needs, or if a policy cannot be started or faults.
    pub fn run(
        &self,
        engine: &PolicyEngine,
        trace: &Trace,
        policies: &[PolicyChoice],
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Tuned, TuneError> {
        self.objective.check(trace)?;
        let ends = self.ends(trace.requests().len())?;
        let describe = |choice: &PolicyChoice| {
            let policy = self.job(choice.clone()).start(engine)?;
            Ok(Dimensions::of(choice.clone(), policy.instance().description()))
        };
        let dimensions = policies.iter().map(describe).collect::<Result<Vec<_>, JobError>>()?;
        let values = |choice: &PolicyChoice, ends: &[usize]| match values_at(
            ends,
            (engine, trace),
            &self.job(choice.clone()),
            self.objective,
            progress,
        ) {
            Ok(values) => Ok(Some(values)),
            Err(TrialError::Options) => Ok(None),
            Err(TrialError::Fault(fault)) => Err(TuneError::Fault { spec: Box::new(choice.spec()), fault }),
        };
        let mut search = Search::new(&dimensions, self.trials.get());
        search.run(self.seed, |search, points: &[Point]| {
            let value = |point: &Point| Ok(values(&search.choice(point), &ends[..1])?.map(|values| values[0]));
            in_parallel(self.threads, points, value).into_iter().collect::<Result<Vec<_>, TuneError>>()
        })?;
        let baseline = PolicySpec::default();
        let mut choices: Vec<_> = search.best().into_iter().map(|(point, _)| search.choice(point)).collect();
        if !choices.iter().any(|choice| choice.spec() == baseline) {
            choices.push(baseline.choose(engine)?);
        }
        let candidate = |choice: &PolicyChoice| Ok(values(choice, &ends)?.map(|values| Candidate::new(choice.spec(), &values)));
        let candidates = in_parallel(self.threads, &choices, candidate).into_iter().collect::<Result<Vec<_>, TuneError>>()?;
        let candidates: Vec<Candidate> = candidates.into_iter().flatten().collect();
        let Some(baseline) = candidates.iter().find(|candidate| candidate.spec == baseline).cloned() else {
            unreachable!("the default policy has no options to reject")
        };
        let lower_bound = if self.objective.counts_wait() { None } else { self.lower_bound(trace) };
        Ok(Tuned { candidates, baseline, lower_bound, trials: search.tried() })
    }

    /// The value of the lower bounds on missed requests and missed bytes in the held-out part.
    fn lower_bound(&self, trace: &Trace) -> Option<f64> {
        let bound = lower_bounds_from(trace, self.training_requests, &[self.capacity]).into_iter().next()?;
        Some(self.objective.value(bound.object_misses as f64, bound.missed_bytes as f64, 0.0))
    }

    /// The ends of the training part and of each block of the held-out part.
    fn ends(&self, requests: usize) -> Result<Vec<usize>, TuneError> {
        let training = self.training_requests.min(requests);
        let held_out = requests - training;
        if training == 0 || held_out < BLOCKS {
            return Err(TuneError::TooShort { training, held_out });
        }
        let end = |block: usize| training + (held_out as u128 * block as u128 / BLOCKS as u128) as usize;
        Ok((0..=BLOCKS).map(end).collect())
    }

    fn job(&self, choice: PolicyChoice) -> Job {
        Job { choice, capacity: self.capacity }
    }
}

impl Tuned {
    /// The best candidate on the training part of those that are better than the baseline with confidence.
    #[must_use]
    pub fn recommended(&self) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.is_better(&self.baseline))
    }
}
