//! Passes a download's permit to the connection that is opened for the download, through an HTTP client that is unaware of permits. The
//! limit per address thus applies to the address that a connection actually leads to, whichever of a host's addresses that is.

use std::future::pending;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use http::Extensions;
use hyper_util::client::legacy::connect::{CaptureConnection, HttpInfo};

use crate::concurrency_limiter::Permit;

/// The address has reached its limit of concurrent downloads.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many downloads are connected to the same address")]
pub(crate) struct AddressBusy(pub IpAddr);

/// The permit of a download while one of its requests waits for a response. A connection that becomes ready after the response is not
/// needed, and must not change which addresses are claimed.
type PendingRequest = Arc<Permit>;

tokio::task_local! {
    /// The claim for the request that the current task is working on.
    static CLAIM: AddressClaim;
}

/// Runs a request. Meanwhile, [`AddressClaim::current`] is the claim of the download with this permit.
pub(crate) async fn on_behalf_of<F: Future>(permit: Option<&Arc<Permit>>, request: F) -> F::Output {
    let pending: Option<Arc<PendingRequest>> = permit.map(|permit| Arc::new(permit.clone()));
    CLAIM.scope(AddressClaim(pending.as_ref().map(Arc::downgrade)), request).await
}

/// Claims permits for addresses on behalf of a request. A claim does nothing if there is no download, and fails once the request has ended.
#[derive(Clone, Default)]
pub(crate) struct AddressClaim(Option<Weak<PendingRequest>>);

impl AddressClaim {
    /// The claim for the request that the current task is working on.
    pub(crate) fn current() -> Self {
        CLAIM.try_with(Clone::clone).unwrap_or_default()
    }

    /// Removes the addresses that cannot be claimed at the moment. Returns the first of them.
    pub(crate) fn remove_busy(&self, addresses: &mut Vec<IpAddr>) -> Option<AddressBusy> {
        let permit = self.0.as_ref()?.upgrade();
        let mut busy = None;
        addresses.retain(|&address| {
            let is_available = permit.as_ref().is_some_and(|permit| permit.may_claim(address));
            if !is_available {
                busy.get_or_insert(AddressBusy(address));
            }
            is_available
        });
        busy
    }

    /// Claims a permit for the address of a new connection.
    pub(crate) fn claim(&self, address: IpAddr) -> Result<(), AddressBusy> {
        let Some(request) = &self.0 else { return Ok(()) };
        if request.upgrade().is_some_and(|permit| permit.claim(address)) { Ok(()) } else { Err(AddressBusy(address)) }
    }

    /// Claims a permit for the address of the connection that the request uses, and releases those for other addresses.
    fn settle(&self, address: IpAddr) -> Result<(), AddressBusy> {
        self.claim(address)?;
        if let Some(permit) = self.0.as_ref().and_then(Weak::upgrade) {
            permit.settle(address);
        }
        Ok(())
    }

    /// Claims a permit for the address of the connection that the request uses, which may be one that was kept from an earlier request.
    /// Resolves only if the claim fails.
    pub(crate) async fn refused(&self, mut connection: CaptureConnection) -> AddressBusy {
        let mut extensions = Extensions::new();
        if let Some(connected) = connection.wait_for_connection_metadata().await.as_ref() {
            connected.get_extras(&mut extensions);
        }
        match extensions.get::<HttpInfo>().map(|info| self.settle(info.remote_addr().ip())) {
            Some(Err(busy)) => busy,
            Some(Ok(())) | None => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::concurrency_limiter::ConcurrencyLimiter;
    use crate::limiter_options::LimiterOptions;

    #[tokio::test]
    async fn connection_that_becomes_ready_after_the_response_is_refused() {
        let limiter = ConcurrencyLimiter::new(LimiterOptions::default());
        let permit = Arc::new(limiter.acquire(Vec::new()).await.unwrap());
        let [first, second] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().unwrap());
        let late = on_behalf_of(Some(&permit), async {
            let claim = AddressClaim::current();
            assert!(claim.claim(second).is_ok() && claim.settle(first).is_ok());
            claim
        });
        assert!(late.await.claim(second).is_err());
        assert!(AddressClaim::current().claim(second).is_ok(), "there is no download");
        drop(permit);
        assert!(limiter.is_idle());
    }
}
