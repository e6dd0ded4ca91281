//! Instances of the component that were replaced and still have requests to answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use tokio::sync::Notify;

use crate::fetching::Fetching;

/// The replaced instances. Clones share the same list.
#[derive(Clone, Default)]
pub(crate) struct RetiredInstances(Arc<Shared>);

#[derive(Default)]
struct Shared {
    instances: Mutex<Vec<Arc<Fetching>>>,
    ended: Notify,
}

/// A replaced instance that has not ended. It counts as ended when this is dropped.
pub(crate) struct Retired {
    instances: RetiredInstances,
    fetching: Arc<Fetching>,
}

impl RetiredInstances {
    /// Adds an instance with its fetches.
    pub fn add(&self, fetching: Arc<Fetching>) -> Retired {
        self.lock().push(fetching.clone());
        Retired { instances: self.clone(), fetching }
    }

    /// The number of replaced instances that have not ended.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Waits until all replaced instances have ended.
    pub async fn all_ended(&self) {
        loop {
            let ended = self.0.ended.notified();
            if self.lock().is_empty() {
                return;
            }
            ended.await;
        }
    }

    /// If replaced instances have requests for this entry in progress, returns a future that completes when the last of these requests
    /// ends.
    pub fn end_of(&self, key: &str) -> Option<BoxFuture<'static, ()>> {
        let ends: Vec<_> = self.lock().iter().filter_map(|fetching| fetching.end_of(key)).collect();
        (!ends.is_empty()).then(|| join_all(ends).map(drop).boxed())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Fetching>>> {
        self.0.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Retired {
    fn drop(&mut self) {
        self.instances.lock().retain(|fetching| !Arc::ptr_eq(fetching, &self.fetching));
        self.instances.0.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_ended_completes_when_the_last_retired_instance_ends() {
        let instances = RetiredInstances::default();
        instances.all_ended().await;
        let (first, second) = (instances.add(Arc::default()), instances.add(Arc::default()));
        let mut end = Box::pin(instances.all_ended());
        drop(second);
        assert!(end.as_mut().now_or_never().is_none());
        let fetch = first.fetching.begin("a".into());
        assert!(instances.end_of("b").is_none());
        let mut fetched = instances.end_of("a").unwrap();
        assert!(fetched.as_mut().now_or_never().is_none());
        drop(fetch);
        fetched.await;
        drop(first);
        end.await;
    }
}
