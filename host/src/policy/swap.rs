//! Replacing the policy of a cache that goes on serving.
//!
//! The new policy is started, tried and told of what resides on a thread of its own. The cache's thread gives it pages of entries
//! between two requests, and in the end, between two calls into a policy, puts it in the place of the old one. Whatever goes wrong
//! until then changes nothing.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::record::{PolicyStatus, Record};
use super::seat::Seat;
use super::slot::{Outline, PAGE, PolicySlot};
use super::trial::{self, TrialError};
use super::{CreateError, PolicyChoice, PolicyFault, PolicyLimits};
use crate::driver::Request;
use crate::engine::Engine;

/// Why the policy was not replaced. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// One swap at a time.
    #[error("another policy is being put in place; wait until it is there")]
    Busy,
    /// There was no policy before this one.
    #[error("there is no policy to go back to: none was replaced since the cache was opened")]
    NothingBefore,
    /// It does not work by itself.
    #[error("the policy cannot be used: {0}")]
    Unfit(#[from] TrialError),
    /// It did wrong while it was told of what is stored.
    #[error("the policy did wrong while it was told of what is stored: {0}")]
    Fault(#[from] PolicyFault),
    /// It takes longer to be told of what is stored than that is used.
    #[error("the policy is told of what is stored more slowly than that is used, and would never be done")]
    CannotKeepUp,
    /// The cache component broke down meanwhile.
    #[error("the cache component broke down meanwhile; asking once more is worth a try")]
    Interrupted,
    /// The cache was closed.
    #[error("the cache is closed")]
    Closed,
}

impl From<CreateError> for SwapError {
    fn from(error: CreateError) -> Self {
        Self::Unfit(error.into())
    }
}

/// Makes way for the next swap when it is dropped, also by a panic.
struct EndsSwap<'a>(&'a Record);

impl Drop for EndsSwap<'_> {
    fn drop(&mut self) {
        self.0.end_swap();
    }
}

/// What swaps the policies of a cache.
pub(crate) struct Swapper {
    pub engine: Engine,
    pub limits: PolicyLimits,
    pub record: Arc<Record>,
    pub requests: mpsc::WeakSender<Request>,
}

impl Swapper {
    /// Puts a policy in place. It goes on when whoever asked goes away. Must be called within a Tokio runtime.
    pub async fn swap(self: Arc<Self>, choice: PolicyChoice) -> Result<PolicyStatus, SwapError> {
        if !self.record.begin_swap(&choice) {
            return Err(SwapError::Busy);
        }
        let work = tokio::task::spawn_blocking(move || {
            let ended = EndsSwap(&self.record);
            let before = self.record.choice().spec();
            let (to, result) = (choice.spec(), self.put_in_place(choice));
            drop(ended);
            match &result {
                Ok(()) => tracing::info!("the policy {to} is in place of {before}"),
                Err(error) => tracing::warn!("the policy {before} stays, and {to} is not put in its place: {error}"),
            }
            result.map(|()| self.record.status())
        });
        work.await.unwrap_or(Err(SwapError::Interrupted))
    }

    fn put_in_place(&self, choice: PolicyChoice) -> Result<(), SwapError> {
        trial::run(&self.engine, &choice, self.limits)?;
        let Outline { swap, rankings } = self.with_slot(PolicySlot::follow)?;
        self.seed(swap, choice, &rankings).inspect_err(|_| {
            // A cache that is closed, or started again, has forgotten the swap by itself.
            let _ = self.with_slot(move |slot| slot.unfollow(swap));
        })
    }

    fn seed(&self, swap: u64, choice: PolicyChoice, rankings: &[(usize, u64, usize)]) -> Result<(), SwapError> {
        let capacities = rankings.iter().map(|(number, capacity, _)| (*number, *capacity));
        let mut seat = Seat::new(&self.engine, choice, self.limits, capacities)?;
        let total: usize = rankings.iter().map(|(_, _, entries)| entries).sum();
        self.record.progress(0, total as u64);
        let (mut told, enough) = (0, total.saturating_mul(4).saturating_add(64 * PAGE));
        // What is used while a round is told comes in the next. When a round is short, the rest is told as the policy takes over.
        loop {
            let mut round = 0;
            for (number, _, _) in rankings.iter().copied() {
                loop {
                    let page = self.with_slot(move |slot| slot.page(swap, number))?.ok_or(SwapError::Interrupted)?;
                    seat.tell(number, &page)?;
                    self.record.progress(page.entries.len() as u64, 0);
                    round += page.len();
                    told += page.len();
                    if told > enough {
                        return Err(SwapError::CannotKeepUp);
                    }
                    if page.len() < PAGE {
                        break;
                    }
                }
            }
            if round < PAGE {
                break;
            }
        }
        let before = self.with_slot(move |slot| slot.take_over(swap, seat))??;
        // Its memory is given back here, and not on the cache's thread.
        drop(before);
        Ok(())
    }

    /// Has the cache's thread do something with the policy, between two requests.
    fn with_slot<T: Send + 'static>(&self, work: impl FnOnce(&mut PolicySlot) -> T + Send + 'static) -> Result<T, SwapError> {
        let (reply, answer) = oneshot::channel();
        let work = move |slot: &mut PolicySlot| drop(reply.send(work(slot)));
        let requests = self.requests.upgrade().ok_or(SwapError::Closed)?;
        requests.blocking_send(Request::WithPolicy(Box::new(work))).map_err(|_| SwapError::Closed)?;
        drop(requests);
        answer.blocking_recv().map_err(|_| match self.requests.upgrade() {
            Some(requests) if !requests.is_closed() => SwapError::Interrupted,
            _ => SwapError::Closed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::embedded;
    use crate::policy::Description;
    use media_cache_test_components as components;

    fn swapper() -> (Arc<Swapper>, mpsc::Sender<Request>, mpsc::Receiver<Request>) {
        let (sender, receiver) = mpsc::channel(1);
        let engine = Engine::new().unwrap();
        let lru = PolicyChoice::from(engine.built_in_policy(embedded::LRU).unwrap());
        let description = Description { name: "lru".into(), version: String::new(), doc: String::new(), options: Vec::new() };
        let record = Arc::new(Record::new(lru, description));
        let swapper = Swapper { engine, limits: PolicyLimits::default(), record, requests: sender.downgrade() };
        (Arc::new(swapper), sender, receiver)
    }

    #[tokio::test]
    async fn a_question_that_nobody_answers_is_over_with_the_cache_or_with_its_component() {
        for closes in [false, true] {
            let (swapper, _sender, mut requests) = swapper();
            let choice = swapper.record.choice();
            let drop_one = async {
                let request = requests.recv().await.unwrap();
                if closes {
                    requests.close();
                }
                drop(request);
            };
            let (swapped, ()) = futures::future::join(swapper.clone().swap(choice), drop_one).await;
            let error = swapped.unwrap_err();
            assert!(matches!((&error, closes), (SwapError::Interrupted, false) | (SwapError::Closed, true)), "{closes}: {error}");
            assert_eq!((swapper.record.status().swap, swapper.record.status().swaps), (None, 0));
        }
    }

    #[tokio::test]
    async fn a_swap_that_came_to_nothing_is_not_followed_any_more() {
        let directory = tempfile::tempdir().unwrap();
        let cache = crate::MediaCache::builder().directory(directory.path()).open().await.unwrap();
        cache.put("x:a", "bytes", "text/plain", "a.txt").await.unwrap();
        let component = components::TRAPS_WHEN_SEEDED;
        let policy = cache.engine().compile_policy(crate::policy::PolicyOrigin::Upload, component).unwrap();
        assert!(matches!(cache.swap_policy(policy).await, Err(SwapError::Fault(_))));
        let swapper = cache.0.swapper.clone();
        let page = tokio::task::spawn_blocking(move || swapper.with_slot(|slot| slot.page(1, 0).or(slot.page(1, 1)).is_some()));
        assert!(!page.await.unwrap().unwrap(), "what goes from now on would be remembered for ever");
    }

    #[tokio::test]
    async fn a_swap_after_the_last_cache_is_gone_ends_at_once() {
        let (swapper, sender, requests) = swapper();
        drop((sender, requests));
        let choice = swapper.record.choice();
        assert!(matches!(swapper.clone().swap(choice).await, Err(SwapError::Closed)));
        assert_eq!(swapper.record.status().swap, None);
    }
}
