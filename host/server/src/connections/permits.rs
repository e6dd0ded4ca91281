//! Decides which connections and concurrent requests a listener has room for.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connections::counters::{AddressPermit, Connections, OpenConnection};
use crate::connections::limits::{ClientLimits, RETRY_AFTER};
use crate::problem::Problem;

/// The permits of a listener. Clones share them.
#[derive(Clone)]
pub(crate) struct Permits {
    connections: Connections,
    all: Arc<Semaphore>,
    /// Half of them: what requests on HTTP/2 connections can have, beyond one at a time. The rest is left for new connections, which are
    /// closed without a response if there is none.
    streams: Arc<Semaphore>,
    per_address: Option<NonZeroUsize>,
}

/// Permission to serve a connection.
pub(crate) struct ConnectionPermit {
    pub open: OpenConnection,
    pub permit: OwnedSemaphorePermit,
}

/// Permission to serve a request while others are served on the same connection.
pub(crate) struct StreamPermit {
    _all: OwnedSemaphorePermit,
    _streams: OwnedSemaphorePermit,
    _address: Option<AddressPermit>,
}

/// Why a connection or a request is refused.
pub(crate) enum Refusal {
    /// There are too many.
    Full(Problem),
    /// There are too many from this address.
    Address(Problem),
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Full(problem) | Refusal::Address(problem) => problem,
        }
    }
}

impl Permits {
    /// The permits of a listener with these limits.
    pub fn new(limits: &ClientLimits, connections: Connections) -> Self {
        let max = limits.max_connections.get().min(Semaphore::MAX_PERMITS);
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        let per_address = limits.max_connections_per_address;
        Self { connections, all: semaphore(max), streams: semaphore(max.div_ceil(2)), per_address }
    }

    /// A permit for a connection.
    ///
    /// # Errors
    /// Returns the reason if there is none.
    pub fn for_connection(&self, address: IpAddr) -> Result<ConnectionPermit, Refusal> {
        let permit = self.take(&self.all)?;
        Ok(ConnectionPermit { open: self.connections.open(self.for_address(address)?), permit })
    }

    /// A permit for a request in addition to another one on the same connection.
    ///
    /// # Errors
    /// Returns the reason if there is none.
    pub fn for_stream(&self, address: IpAddr) -> Result<StreamPermit, Refusal> {
        let (streams, all) = (self.take(&self.streams)?, self.take(&self.all)?);
        Ok(StreamPermit { _all: all, _streams: streams, _address: self.for_address(address)? })
    }

    fn take(&self, permits: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Refusal> {
        permits.clone().try_acquire_owned().map_err(|_| {
            self.connections.count_refusal();
            let (code, why) = ("too-many-connections", "there are too many connections and concurrent requests");
            Refusal::Full(Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, why).with_retry_after(RETRY_AFTER))
        })
    }

    fn for_address(&self, address: IpAddr) -> Result<Option<AddressPermit>, Refusal> {
        let Some(limit) = self.per_address else { return Ok(None) };
        let permit = self.connections.address_permit(address, limit).ok_or_else(|| {
            let (code, why) = ("too-many-from-address", "there are too many connections and concurrent requests from this address");
            Refusal::Address(Problem::new(StatusCode::TOO_MANY_REQUESTS, code, why).with_retry_after(RETRY_AFTER))
        })?;
        Ok(Some(permit))
    }
}
