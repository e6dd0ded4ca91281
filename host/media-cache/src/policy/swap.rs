//! Replaces the policy of a cache while the cache is serving requests.
//!
//! The new policy is started, tried and seeded on a separate thread. The driver thread passes deltas to it between two requests. Finally,
//! the driver thread replaces the old policy with the new one, between two calls to a policy. If anything fails before that, nothing
//! changes.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::policy::active_policy::ActivePolicy;
use crate::policy::commands::CommandSender;
use crate::policy::engine::PolicyEngine;
use crate::policy::record::{PolicyStatus, Record};
use crate::policy::residency_log::Delta;
use crate::policy::sandbox::{PolicyLimits, processor_time};
use crate::policy::slot::{PolicySlot, TierState};
use crate::policy::spec::PolicyChoice;
use crate::policy::swap_error::SwapError;
use crate::policy::trial::{self};
use crate::policy::types::SEED_PAGE;

/// Allows the next swap when it is dropped, even after a panic.
struct SwapGuard<'a>(&'a Record);

impl Drop for SwapGuard<'_> {
    fn drop(&mut self) {
        self.0.end_swap();
    }
}

/// Swaps the policies of a cache.
pub(crate) struct Swapper {
    pub engine: PolicyEngine,
    pub limits: PolicyLimits,
    pub record: Arc<Record>,
    pub commands: CommandSender,
}

impl Swapper {
    /// Replaces the policy. The swap continues if the caller drops this future. Must be called within a Tokio runtime.
    pub async fn swap(self: Arc<Self>, choice: PolicyChoice) -> Result<PolicyStatus, SwapError> {
        if !self.record.begin_swap(&choice) {
            return Err(SwapError::Busy);
        }
        let work = tokio::task::spawn_blocking(move || {
            let ended = SwapGuard(&self.record);
            let (before, to) = (self.named(), choice.spec());
            let result = self.replace(choice);
            drop(ended);
            match &result {
                Ok(()) => {
                    let now = self.named();
                    tracing::info!(policy = now.as_str(), previous = before.as_str(), "replaced the policy {before} with {now}");
                }
                Err(error) => tracing::warn!(policy = before.as_str(), "kept the policy {before}; {to} cannot replace it: {error}"),
            }
            result.map(|()| self.record.status())
        });
        work.await.unwrap_or(Err(SwapError::Interrupted))
    }

    /// The name and version of the active policy, and its specification as written on a command line.
    fn named(&self) -> String {
        let PolicyStatus { name, version, .. } = self.record.status();
        format!("{name} {version} ({})", self.record.choice().spec())
    }

    fn replace(&self, choice: PolicyChoice) -> Result<(), SwapError> {
        trial::run(&self.engine, &choice, self.limits)?;
        let SwapStart { swap, tiers } = self.on_slot(PolicySlot::begin_swap)?;
        self.seed(swap, choice, &tiers).inspect_err(|_| {
            // If the cache was closed or its component restarted, it has already forgotten the swap.
            let _ = self.on_slot(move |slot| slot.end_swap(swap));
        })
    }

    fn seed(&self, swap: u64, choice: PolicyChoice, tiers: &[(usize, u64, usize)]) -> Result<(), SwapError> {
        let capacities = tiers.iter().map(|(number, capacity, _)| (*number, *capacity));
        let mut active = ActivePolicy::new(&self.engine, choice, self.limits, capacities)?;
        let total: usize = tiers.iter().map(|(_, _, entries)| entries).sum();
        self.record.progress(0, total as u64);
        let (mut seeded, limit) = (0, total.saturating_mul(4).saturating_add(64 * SEED_PAGE));
        // Entries that are used during a round are delivered in the next one. Once a round is short, the rest is delivered as the policy
        // takes over.
        loop {
            let mut round = 0;
            for (number, _, _) in tiers.iter().copied() {
                loop {
                    let delta = self.on_slot(move |slot| slot.delta(swap, number))?.ok_or(SwapError::Interrupted)?;
                    active.apply(number, &delta)?;
                    self.record.progress(delta.entries.len() as u64, 0);
                    round += delta.len();
                    seeded += delta.len();
                    if seeded > limit {
                        return Err(SwapError::CannotKeepUp);
                    }
                    if delta.len() < SEED_PAGE {
                        break;
                    }
                }
            }
            if round < SEED_PAGE {
                break;
            }
        }
        let before = self.on_slot(move |slot| slot.take_over(swap, active))??;
        // Frees the old policy's memory here, and not on the driver thread.
        drop(before);
        Ok(())
    }

    /// Makes the driver thread work on the policy slot, between two requests.
    fn on_slot<T: Send + 'static>(&self, work: impl FnOnce(&mut PolicySlot) -> T + Send + 'static) -> Result<T, SwapError> {
        let (reply, answer) = oneshot::channel();
        let work = move |slot: &mut PolicySlot| drop(reply.send(work(slot)));
        self.commands.blocking_send(Box::new(work)).map_err(|_| SwapError::Closed)?;
        answer.blocking_recv().map_err(|_| match self.commands.is_closed() {
            false => SwapError::Interrupted,
            true => SwapError::Closed,
        })
    }
}

/// The state at the start of a swap.
pub(super) struct SwapStart {
    /// The number of the swap.
    pub swap: u64,
    /// The number, capacity and number of entries of each tier.
    pub tiers: Vec<(usize, u64, usize)>,
}

impl PolicySlot {
    /// Begins a swap: from now on, deltas are available.
    pub(super) fn begin_swap(&mut self) -> SwapStart {
        self.swap += 1;
        self.swapping = true;
        let mut tiers = Vec::new();
        for (number, tier) in self.tiers.iter_mut().enumerate() {
            if let Some(TierState { capacity, residency }) = tier {
                residency.subscribe();
                tiers.push((number, *capacity, residency.len()));
            }
        }
        SwapStart { swap: self.swap, tiers }
    }

    /// The next delta of a tier for the policy that is taking over. `None` if this slot does not know the swap, because the cache component
    /// crashed and was restarted meanwhile.
    pub(super) fn delta(&mut self, swap: u64, number: usize) -> Option<Delta> {
        if !self.is_under_way(swap) {
            return None;
        }
        Some(self.tiers.get_mut(number)?.as_mut()?.residency.delta(SEED_PAGE))
    }

    /// Ends a swap, whether it succeeded or not. From then on, nothing is recorded for it.
    pub(super) fn end_swap(&mut self, swap: u64) {
        if self.is_under_way(swap) {
            self.swapping = false;
            self.tiers.iter_mut().flatten().for_each(|tier| tier.residency.unsubscribe());
        }
    }

    /// Completes a swap: delivers the last deltas to `active` and makes it the active policy. Returns the previous policy.
    pub(super) fn take_over(&mut self, swap: u64, mut active: ActivePolicy) -> Result<Option<ActivePolicy>, SwapError> {
        let numbers: Vec<usize> = (0..self.tiers.len()).filter(|number| self.tiers[*number].is_some()).collect();
        let began = processor_time();
        for number in numbers {
            loop {
                let delta = self.delta(swap, number).ok_or(SwapError::Interrupted)?;
                if delta.len() == 0 {
                    break;
                }
                active.apply(number, &delta)?;
                // The cache is waiting, so the whole takeover may take no longer than one call.
                if processor_time().saturating_sub(began) > self.limits.call_time {
                    return Err(SwapError::CannotKeepUp);
                }
            }
        }
        self.end_swap(swap);
        self.record.swapped(&active);
        Ok(self.active.replace(active))
    }

    fn is_under_way(&self, swap: u64) -> bool {
        self.swapping && self.swap == swap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::commands::CommandReceiver;
    use crate::policy::component::PolicyOrigin;
    use crate::policy::types::Description;
    use media_cache_components as embedded;
    use media_cache_test_components as components;
    use tokio::sync::mpsc;

    fn swapper() -> (Arc<Swapper>, CommandReceiver) {
        let (commands, receiver) = mpsc::channel(1);
        let engine = PolicyEngine::new().unwrap();
        let lru = PolicyChoice::from(engine.built_in(embedded::LRU).unwrap());
        let description = Description { name: "lru".into(), version: String::new(), doc: String::new(), options: Vec::new() };
        let record = Arc::new(Record::new(lru, description));
        let swapper = Swapper { engine, limits: PolicyLimits::default(), record, commands };
        (Arc::new(swapper), receiver)
    }

    #[tokio::test]
    async fn swap_ends_when_the_cache_closes_or_the_component_drops_its_command() {
        for closes in [false, true] {
            let (swapper, mut commands) = swapper();
            let choice = swapper.record.choice();
            let drop_one = async {
                let command = commands.recv().await.unwrap();
                if closes {
                    commands.close();
                }
                drop(command);
            };
            let (swapped, ()) = futures::future::join(swapper.clone().swap(choice), drop_one).await;
            let error = swapped.unwrap_err();
            assert!(matches!((&error, closes), (SwapError::Interrupted, false) | (SwapError::Closed, true)), "{closes}: {error}");
            assert_eq!((swapper.record.status().swap, swapper.record.status().swaps), (None, 0));
        }
    }

    #[tokio::test]
    async fn failed_swap_is_unsubscribed_from_the_residency_log() {
        let directory = tempfile::tempdir().unwrap();
        let cache = crate::cache::MediaCache::builder().directory(directory.path()).open().await.unwrap();
        cache.put("x:a", "bytes", "text/plain", "a.txt").await.unwrap();
        let component = components::TRAPS_WHEN_SEEDED;
        let policy = cache.engine().policies().compile(PolicyOrigin::Upload, component).unwrap();
        assert!(matches!(cache.swap_policy(policy).await, Err(SwapError::Fault(_))));
        let swapper = cache.0.swapper.clone();
        let delta = tokio::task::spawn_blocking(move || swapper.on_slot(|slot| slot.delta(1, 0).or(slot.delta(1, 1)).is_some()));
        assert!(!delta.await.unwrap().unwrap(), "further removals would be recorded forever");
    }

    #[tokio::test]
    async fn swap_after_the_cache_is_closed_fails_immediately() {
        let (swapper, commands) = swapper();
        drop(commands);
        let choice = swapper.record.choice();
        assert!(matches!(swapper.clone().swap(choice).await, Err(SwapError::Closed)));
        assert_eq!(swapper.record.status().swap, None);
    }
}
