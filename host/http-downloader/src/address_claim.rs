//! Passes the permit of a download to the connection that is opened for it, through a client that knows nothing of permits: the limit
//! per address counts where a connection really goes, whichever of a name's addresses that is.

use std::future::pending;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use http::Extensions;
use hyper_util::client::legacy::connect::{CaptureConnection, HttpInfo};

use crate::concurrency_limiter::Permit;

/// As many downloads as may use this address at once use it already.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many downloads are connected to the same address")]
pub(crate) struct AddressBusy(pub IpAddr);

tokio::task_local! {
    /// The permit of the download that a task works for.
    static PERMIT: Weak<Permit>;
}

/// Runs a future in which [`AddressClaim::current`] is that of a download.
pub(crate) async fn on_behalf_of<F: Future>(permit: Option<&Arc<Permit>>, work: F) -> F::Output {
    PERMIT.scope(permit.map(Arc::downgrade).unwrap_or_default(), work).await
}

/// Claims permits of addresses for a download. Does nothing without a download, or after its end.
#[derive(Clone, Default)]
pub(crate) struct AddressClaim(Weak<Permit>);

impl AddressClaim {
    /// That of the download that this task works for.
    pub(crate) fn current() -> Self {
        Self(PERMIT.try_with(Clone::clone).unwrap_or_default())
    }

    /// Claims a permit of the address of a new connection.
    pub(crate) fn claim(&self, address: IpAddr) -> Result<(), AddressBusy> {
        let is_claimed = self.0.upgrade().is_none_or(|permit| permit.claim(address));
        if is_claimed { Ok(()) } else { Err(AddressBusy(address)) }
    }

    /// Claims a permit of the address of whichever connection is used, which may be one that was kept. Resolves only if there is none.
    pub(crate) async fn refused(&self, mut connection: CaptureConnection) -> AddressBusy {
        let mut extensions = Extensions::new();
        if let Some(connected) = connection.wait_for_connection_metadata().await.as_ref() {
            connected.get_extras(&mut extensions);
        }
        match extensions.get::<HttpInfo>().map(|info| self.claim(info.remote_addr().ip())) {
            Some(Err(busy)) => busy,
            Some(Ok(())) | None => pending().await,
        }
    }
}
