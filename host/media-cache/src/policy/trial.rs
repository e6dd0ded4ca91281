//! A short sequence of calls that a policy has to pass before a cache uses it.

use crate::policy::engine::PolicyEngine;
use crate::policy::fault::PolicyFault;
use crate::policy::instance::{CreateError, PolicyHandle, PolicyInstance};
use crate::policy::sandbox::PolicyLimits;
use crate::policy::spec::PolicyChoice;
use crate::policy::types::{Access, Entry, Event, MediaKind, Placement};

/// Why a policy failed its trial.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrialError {
    /// The policy rejects its options, or faults.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The policy gave an invalid answer; the text says which.
    #[error("{0}")]
    Answer(String),
}

impl From<PolicyFault> for TrialError {
    fn from(fault: PolicyFault) -> Self {
        Self::Create(fault.into())
    }
}

/// The capacity in the trial, in entries of [`SIZE`].
const ENTRIES: u64 = 50;
/// The size of an entry, in bytes.
const SIZE: u64 = 8192;

/// Tries a policy in a separate instance.
pub(super) fn run(engine: &PolicyEngine, choice: &PolicyChoice, limits: PolicyLimits) -> Result<(), TrialError> {
    let mut policy = PolicyInstance::new(engine, &choice.component, limits)?;
    let ranking = policy.create(ENTRIES * SIZE, &choice.options)?;
    let mut trial = Trial { policy, ranking, resident: vec![false; 4 * ENTRIES as usize], kept: 0 };
    let restored: Vec<Entry> = (0..ENTRIES / 2).map(entry).collect();
    trial.policy.restore(&trial.ranking, &restored)?;
    restored.iter().for_each(|entry| trial.resident[entry.id as usize] = true);
    for id in ENTRIES / 2..3 * ENTRIES {
        trial.place(id)?;
    }
    if trial.kept == 0 {
        return Err(TrialError::Answer("it keeps nothing".into()));
    }
    let used = trial.used();
    let victims = trial.policy.evict(&trial.ranking, &[], used)?;
    trial.give_up(&victims)?;
    match trial.used() {
        0 => Ok(()),
        left => Err(TrialError::Answer(format!("it had to free all {used} bytes, but left {left}"))),
    }
}

struct Trial {
    policy: PolicyInstance,
    ranking: PolicyHandle,
    resident: Vec<bool>,
    /// The number of candidates that the policy kept.
    kept: u64,
}

impl Trial {
    fn place(&mut self, id: u64) -> Result<(), TrialError> {
        let events = [Event::Accessed(Access { id: id / 2, at: id })];
        let events = if self.resident[id as usize / 2] { &events[..] } else { &[] };
        let needed = (self.used() + SIZE).saturating_sub(ENTRIES * SIZE);
        match self.policy.place(&self.ranking, events, entry(id), needed)? {
            Placement::Refuse => Ok(()),
            Placement::Admit(victims) => {
                self.resident[id as usize] = true;
                self.give_up(&victims)?;
                self.kept += u64::from(self.resident[id as usize]);
                match self.used() {
                    used if used <= ENTRIES * SIZE => Ok(()),
                    _ => Err(TrialError::Answer(format!("it admitted an entry but freed fewer than the {needed} bytes required"))),
                }
            }
        }
    }

    fn give_up(&mut self, victims: &[u64]) -> Result<(), TrialError> {
        for victim in victims {
            let resides = usize::try_from(*victim).ok().and_then(|at| self.resident.get_mut(at)).map(std::mem::take);
            if resides != Some(true) {
                return Err(TrialError::Answer(format!("it named the victim {victim}, which is not tracked")));
            }
        }
        Ok(())
    }

    fn used(&self) -> u64 {
        self.resident.iter().map(|resides| u64::from(*resides) * SIZE).sum()
    }
}

fn entry(id: u64) -> Entry {
    const KINDS: [MediaKind; 5] = [MediaKind::Image, MediaKind::Animation, MediaKind::Video, MediaKind::Audio, MediaKind::Other];
    let (kind, number) = (KINDS[id as usize % KINDS.len()], id as u32);
    let entry = Entry::new(id, id.wrapping_mul(0x9e37_79b9_7f4a_7c15), SIZE);
    Entry { hits: id % 3, accessed_at: id, cost: number * 10, waiters: number % 4, kind, ..entry }
}
