//! Replaces the eviction policy or the component of a cache while the cache is serving requests.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::cache::{MediaCache, Shared};
use crate::component::cache_component::CacheComponent;
use crate::component::record::{ComponentRecord, ComponentStatus};
use crate::component::remembered::RememberedComponent;
use crate::component::swap_error::ComponentSwapError;
use crate::policy::RememberedPolicy;
use crate::policy::record::{PolicyStatus, PolicyTotals, Record};
use crate::policy::spec::{PolicyChoice, PolicySpec};
use crate::policy::swap_error::SwapError;
use crate::request::Request;

impl MediaCache {
    /// The status of the eviction policy. Calls neither the policy nor the component, and does not wait.
    #[must_use]
    pub fn policy(&self) -> PolicyStatus {
        self.0.swapper.record.status()
    }

    /// The active policy, with the options that were given.
    #[must_use]
    pub fn policy_spec(&self) -> PolicySpec {
        self.0.swapper.record.choice().spec()
    }

    /// Totals over all policies since the cache was opened, including replaced ones.
    #[must_use]
    pub fn policy_totals(&self) -> PolicyTotals {
        self.0.swapper.record.totals()
    }

    /// The active eviction policy and its options.
    #[must_use]
    pub fn policy_choice(&self) -> PolicyChoice {
        self.0.swapper.record.choice()
    }

    /// The eviction policy that [`rollback_policy`](Self::rollback_policy) would restore, and its options.
    #[must_use]
    pub fn previous_policy(&self) -> Option<PolicyChoice> {
        self.0.swapper.record.previous()
    }

    /// Replaces the eviction policy while the cache is serving requests. No request waits for the swap, no entry is lost, and the new
    /// policy learns the current order of use. The policy must have been compiled by the same [`engine`](Self::engine).
    ///
    /// The swap continues if the caller drops this future; [`policy`](Self::policy) reports its progress.
    ///
    /// # Errors
    /// See [`SwapError`]. After an error, the old policy remains active, except that the swap may still succeed after
    /// [`SwapError::Unavailable`].
    pub async fn swap_policy(&self, choice: impl Into<PolicyChoice>) -> Result<PolicyStatus, SwapError> {
        tokio::select! {
            biased;
            outage = self.0.availability.next_outage() => Err(SwapError::Unavailable(outage.reason)),
            swapped = self.0.swapper.clone().swap(choice.into()) => swapped,
        }
    }

    /// Restores the policy that was active before the last swap, with its options.
    ///
    /// # Errors
    /// As for [`swap_policy`](Self::swap_policy); [`SwapError::NothingBefore`] if no policy was replaced since the cache was opened.
    pub async fn rollback_policy(&self) -> Result<PolicyStatus, SwapError> {
        let previous = self.previous_policy().ok_or(SwapError::NothingBefore)?;
        self.swap_policy(previous).await
    }

    /// Remembers the active policy for the next start, in `remembered`. `upload` contains its bytes if it was just uploaded. A failure is
    /// logged. This blocks.
    pub fn remember_policy(&self, remembered: &RememberedPolicy, upload: Option<&[u8]>) {
        let written = remembered.remember(&self.policy_choice(), upload, self.previous_policy().as_ref());
        written.unwrap_or_else(|error| tracing::warn!("cannot save the selected policy for the next start: {error}"));
    }

    /// The status of the cache component and of its swaps. Does not call the component, and does not wait.
    #[must_use]
    pub fn component(&self) -> ComponentStatus {
        self.0.components.status()
    }

    /// The active cache component.
    #[must_use]
    pub fn current_component(&self) -> CacheComponent {
        self.0.components.current()
    }

    /// The cache component that [`rollback_component`](Self::rollback_component) would restore.
    #[must_use]
    pub fn previous_component(&self) -> Option<CacheComponent> {
        self.0.components.previous()
    }

    /// Replaces the cache component while the cache is serving requests. No request fails. Entries, their order of use, hits and counters
    /// are kept; residents and remembered failures are not. The new component must have been compiled by the same [`engine`](Self::engine).
    ///
    /// The new component loads the index log while the old one serves, and then takes over. Requests that change something wait until the
    /// new one has taken over. Downloads in progress are finished by the old component and stored by the new one. If the old component no
    /// longer starts, the new one replaces it immediately.
    ///
    /// The swap continues if the caller drops this future; [`component`](Self::component) reports its outcome.
    ///
    /// # Errors
    /// See [`ComponentSwapError`]. After an error, the old component continues to serve, except that the swap may still succeed after
    /// [`ComponentSwapError::Unavailable`].
    pub async fn swap_component(&self, component: CacheComponent) -> Result<ComponentStatus, ComponentSwapError> {
        self.swap(component, None).await
    }

    /// Like [`swap_component`](Self::swap_component), but also remembers the component for the next start once it has taken over, even if
    /// that happens after this has returned [`ComponentSwapError::Unavailable`] or the caller has dropped the future. `upload` contains the
    /// bytes of an uploaded component. If the component cannot be remembered, a warning is logged.
    ///
    /// # Errors
    /// As for [`swap_component`](Self::swap_component).
    pub async fn swap_and_remember_component(
        &self,
        component: CacheComponent,
        memory: RememberedComponent,
        upload: Option<Bytes>,
    ) -> Result<ComponentStatus, ComponentSwapError> {
        self.swap(component, Some(Memory { memory, upload })).await
    }

    async fn swap(&self, component: CacheComponent, memory: Option<Memory>) -> Result<ComponentStatus, ComponentSwapError> {
        let swap = tokio::spawn(replace(self.0.clone(), component, memory));
        tokio::select! {
            biased;
            // A component that fails to start can still be replaced, so only an unresponsive thread counts here.
            outage = self.0.availability.next_silence() => Err(ComponentSwapError::Unavailable(outage.reason)),
            swapped = swap => swapped.unwrap_or(Err(ComponentSwapError::Interrupted)),
        }
    }

    /// Restores the cache component that was active before the last swap.
    ///
    /// # Errors
    /// As for [`swap_component`](Self::swap_component); [`ComponentSwapError::NothingBefore`] if no component was replaced since the cache
    /// was opened.
    pub async fn rollback_component(&self) -> Result<ComponentStatus, ComponentSwapError> {
        let previous = self.previous_component().ok_or(ComponentSwapError::NothingBefore)?;
        self.swap_component(previous).await
    }
}

/// Allows the next swap when it is dropped.
struct SwapGuard<'a> {
    components: &'a ComponentRecord,
    policies: &'a Record,
}

impl<'a> SwapGuard<'a> {
    fn begin(cache: &'a Shared, to: &CacheComponent) -> Option<Self> {
        let (components, policies) = (&*cache.components, &*cache.swapper.record);
        if !components.begin_swap(to) {
            return None;
        }
        if !policies.begin_component_swap() {
            components.end_swap();
            return None;
        }
        Some(Self { components, policies })
    }
}

impl Drop for SwapGuard<'_> {
    fn drop(&mut self) {
        self.policies.end_component_swap();
        self.components.end_swap();
    }
}

/// Where a component is remembered.
struct Memory {
    memory: RememberedComponent,
    upload: Option<Bytes>,
}

impl Memory {
    /// Remembers the component that has just become active.
    async fn remember(self, cache: &Shared) {
        let (current, previous) = (cache.components.current(), cache.components.previous());
        let remember = move || self.memory.remember(&current, self.upload.as_deref(), previous.as_ref());
        let written = tokio::task::spawn_blocking(remember).await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        written.unwrap_or_else(|error| tracing::warn!("cannot remember the cache component for the next start: {error}"));
    }
}

async fn replace(
    cache: Arc<Shared>,
    component: CacheComponent,
    memory: Option<Memory>,
) -> Result<ComponentStatus, ComponentSwapError> {
    let guard = SwapGuard::begin(&cache, &component).ok_or(ComponentSwapError::Busy)?;
    let (before, to) = (cache.components.current().description().to_string(), component.description().to_string());
    let swapped = request_swap(&cache, component).await;
    if let (Ok(()), Some(memory)) = (&swapped, memory) {
        memory.remember(&cache).await;
    }
    drop(guard);
    match &swapped {
        Ok(()) => tracing::info!("replaced the cache component {before} with {to}"),
        Err(error) => {
            cache.components.failed();
            tracing::warn!("kept the cache component {before}; {to} cannot replace it: {error}");
        }
    }
    swapped.map(|()| cache.components.status())
}

async fn request_swap(cache: &Shared, component: CacheComponent) -> Result<(), ComponentSwapError> {
    if !cache.engine.has_compiled(&component) {
        return Err(ComponentSwapError::Start("it was compiled by another engine".into()));
    }
    // A component that fails to start never loads the directory.
    if cache.loaded.report().is_none() && cache.availability.outage().is_none() {
        return Err(ComponentSwapError::Loading);
    }
    let (reply, answer) = oneshot::channel();
    cache.requests.send(Request::Replace { component, reply }).await.map_err(|_| ComponentSwapError::Closed)?;
    answer.await.unwrap_or_else(|_| match cache.requests.is_closed() {
        false => Err(ComponentSwapError::Interrupted),
        true => Err(ComponentSwapError::Closed),
    })
}
