//! Leases, with which nodes avoid that several of them fetch the same media from its origin.
//!
//! A lease is an object that is created only if it does not exist. The node that created it fetches the media; others wait until the media
//! is in the store. A lease that was not deleted in time may be taken over. If anything goes wrong, the media is fetched more than once,
//! and nothing else happens.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use media_cache_entry_files::KeyDigest;
use object_store::UpdateVersion;
use object_store::path::Path;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};
use tracing::Instrument;

use crate::failure::StoreFailure;
use crate::shared::Shared;
use crate::spans;
use crate::status::LeaseOutcome;
use crate::store::{When, seconds_between};

/// The first and the longest interval at which a node checks whether another has uploaded the media.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How long no leases are requested after the store has failed to create one.
const LEASE_PAUSE: Duration = Duration::from_secs(60);

/// How long the difference between the clocks is considered known.
const CLOCK_LIFETIME: Duration = Duration::from_secs(600);

/// A lease of this node. It is given up when this is dropped.
pub(crate) struct Lease(Option<Held>);

struct Held {
    tier: Arc<Shared>,
    path: Path,
    version: UpdateVersion,
    since: Instant,
}

/// The result of a request for a lease.
pub(crate) enum Request {
    Granted(Lease),
    /// Another node has it.
    Held,
    /// The store failed, or does not support leases.
    Failed,
}

/// The result of waiting for another node.
pub(crate) enum Waited {
    /// The media is in the store.
    Uploaded,
    /// It did not arrive in time. This node has taken over the lease if there is one.
    Expired(Option<Lease>),
}

impl Shared {
    /// Requests the lease for an entry. A store that cannot create one is not asked again for a while. Only its silence counts as a failure
    /// of the store itself, since some stores can do everything but this.
    pub async fn request_lease(self: &Arc<Self>, digest: KeyDigest) -> Request {
        let requested = async {
            let request = self.try_lease(digest).await;
            spans::record_outcome(match &request {
                Request::Granted(_) => "granted",
                Request::Held => "held",
                Request::Failed => "failed",
            });
            request
        };
        requested.instrument(spans::of_lease(digest)).await
    }

    async fn try_lease(self: &Arc<Self>, digest: KeyDigest) -> Request {
        let failed = || {
            self.counters.lease(LeaseOutcome::Failed);
            Request::Failed
        };
        let until = *self.no_leases_until.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(permit) = self.store.writes.permit() else { return failed() };
        // An attempt after a pause has to show whether the store accepts objects.
        if permit.is_attempt() || until.is_some_and(|until| Instant::now() < until) {
            return failed();
        }
        let path = self.store.names.lease(digest);
        match self.store.write(&path, self.lease_content(), When::New).await {
            Ok(version) => {
                self.counters.lease(LeaseOutcome::Granted);
                Request::Granted(self.lease(path, version))
            }
            Err(StoreFailure::Conflict) => Request::Held,
            Err(failure) => {
                tracing::debug!("cannot create a lease for {digest} in the second tier: {failure}");
                *self.no_leases_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + LEASE_PAUSE);
                if matches!(failure, StoreFailure::Timeout { .. }) {
                    let _ = permit.report::<()>(Err(failure));
                }
                failed()
            }
        }
    }

    /// Waits until the node that has the lease for an entry has uploaded it, at most until the lease expires.
    pub async fn wait_for_holder(self: &Arc<Self>, digest: KeyDigest) -> Waited {
        let waited = async {
            let waited = tokio::select! {
                waited = self.wait(digest) => waited,
                () = self.closing() => Waited::Expired(None),
            };
            let outcome = match waited {
                Waited::Uploaded => LeaseOutcome::Waited,
                Waited::Expired(_) => LeaseOutcome::Expired,
            };
            self.counters.lease(outcome);
            spans::record_outcome(outcome.name());
            waited
        };
        waited.instrument(spans::of_wait(digest)).await
    }

    async fn wait(self: &Arc<Self>, digest: KeyDigest) -> Waited {
        let (lease, sidecar) = (self.store.names.lease(digest), self.store.names.sidecar(digest));
        let lease_time = self.options.lease_time;
        let deadline = Instant::now() + lease_time;
        let (mut interval, longest) = INTERVALS;
        loop {
            let held = match self.store.meta(&lease).await {
                Ok(held) => held,
                // The holder has uploaded the media, or has failed.
                Err(StoreFailure::NotFound) => {
                    let is_uploaded = self.store.meta(&sidecar).await.is_ok();
                    return if is_uploaded { Waited::Uploaded } else { Waited::Expired(None) };
                }
                Err(_) => return Waited::Expired(None),
            };
            if self.age(held.last_modified.into()).await >= lease_time.as_secs_f64() {
                let version = UpdateVersion { e_tag: held.e_tag, version: held.version };
                return Waited::Expired(self.take_over(lease, version).await);
            }
            if Instant::now() >= deadline {
                return Waited::Expired(None);
            }
            sleep(interval).await;
            interval = (interval * 3 / 2).min(longest);
            if self.store.meta(&sidecar).await.is_ok() {
                return Waited::Uploaded;
            }
        }
    }

    /// Replaces the lease of a node that has not finished in time, unless another node does so first.
    async fn take_over(self: &Arc<Self>, path: Path, version: UpdateVersion) -> Option<Lease> {
        let replaced = match self.store.write(&path, self.lease_content(), When::Unchanged(version)).await {
            // A directory has no conditional replacement.
            Err(StoreFailure::Unsupported(_)) => {
                self.store.delete(&path).await.ok()?;
                self.store.write(&path, self.lease_content(), When::New).await
            }
            replaced => replaced,
        };
        replaced.ok().map(|version| self.lease(path, version))
    }

    fn lease(self: &Arc<Self>, path: Path, version: UpdateVersion) -> Lease {
        Lease(Some(Held { tier: self.clone(), path, version, since: Instant::now() }))
    }

    fn lease_content(&self) -> Bytes {
        Bytes::copy_from_slice(self.options.node.as_bytes())
    }

    /// The age of an object in seconds, by the store's own clock if that can be determined.
    async fn age(&self, modified: SystemTime) -> f64 {
        let known = *self.clock.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lead = match known.filter(|(at, _)| at.elapsed() < CLOCK_LIFETIME) {
            Some((_, lead)) => lead,
            None => {
                let Ok(lead) = self.store.clock_lead().await else { return seconds_between(modified, SystemTime::now()) };
                *self.clock.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), lead));
                lead
            }
        };
        seconds_between(modified, SystemTime::now()) + lead
    }
}

impl Lease {
    /// Gives the lease up.
    pub async fn release(mut self) {
        if let Some(held) = self.0.take() {
            held.release().await;
        }
    }
}

impl Held {
    /// Deletes the lease, unless another node may have taken it over.
    async fn release(self) {
        let Self { tier, path, version, since } = self;
        // The store may have created it earlier than this node knows.
        if since.elapsed() + tier.options.timeout * 2 >= tier.options.lease_time {
            let current = tier.store.meta(&path).await;
            if !current.is_ok_and(|current| current.e_tag == version.e_tag && current.version == version.version) {
                return;
            }
        }
        if let Err(failure) = tier.store.delete(&path).await {
            tracing::debug!("cannot delete the lease {path} in the second tier, so it expires: {failure}");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Without a runtime, the process is about to end, and the lease expires.
        if let (Some(held), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(held.release());
        }
    }
}
