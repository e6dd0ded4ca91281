//! Remembers which address the kept HTTP/2 connections to a host lead to, so that a request to a busy address can wait for a permit before
//! it is sent.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::uri::Authority;
use http::{Response, Uri, Version};
use hyper_util::client::legacy::connect::HttpInfo;

/// The maximum number of hosts. When it is reached, expired ones are forgotten, or all if none has expired. A request to a forgotten host
/// may be sent and then reset.
const MAX_HOSTS: usize = 1024;

/// The address of the last response by host and port, for as long as its connection is kept.
pub(crate) struct KeptAddresses {
    keep_idle: Duration,
    addresses: Mutex<HashMap<Authority, Kept>>,
}

struct Kept {
    address: IpAddr,
    expires: Instant,
}

impl KeptAddresses {
    /// Creates an empty map, for connections that are kept for this long after their last use.
    pub(crate) fn new(keep_idle: Duration) -> Self {
        Self { keep_idle, addresses: Mutex::default() }
    }

    /// The address that a request at this time would probably go to over a kept connection.
    pub(crate) fn of(&self, uri: &Uri, now: Instant) -> Option<IpAddr> {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.get(uri.authority()?).filter(|kept| now < kept.expires).map(|kept| kept.address)
    }

    /// Remembers the address of the connection over which a response arrived. Its request was sent at `now`.
    pub(crate) fn note<B>(&self, uri: &Uri, response: &Response<B>, now: Instant) {
        let address = response.extensions().get::<HttpInfo>().map(|info| info.remote_addr().ip());
        if let (Some(address), Some(authority), Version::HTTP_2) = (address, uri.authority(), response.version()) {
            self.insert(authority, address, now);
        }
    }

    fn insert(&self, authority: &Authority, address: IpAddr, now: Instant) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.len() >= MAX_HOSTS {
            addresses.retain(|_, kept| now < kept.expires);
        }
        if addresses.len() >= MAX_HOSTS {
            addresses.clear();
        }
        addresses.insert(authority.clone(), Kept { address, expires: now + self.keep_idle });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_expires_with_its_idle_connection() {
        let (second, start) = (Duration::from_secs(1), Instant::now());
        let kept = KeptAddresses::new(30 * second);
        let (uri, address) = (Uri::from_static("https://a.example/photo"), "192.0.2.1".parse().unwrap());
        kept.insert(uri.authority().unwrap(), address, start);
        assert_eq!(kept.of(&uri, start + 29 * second), Some(address));
        assert_eq!(kept.of(&uri, start + 30 * second), None);
        kept.insert(uri.authority().unwrap(), address, start + 20 * second);
        assert_eq!(kept.of(&uri, start + 49 * second), Some(address), "it was used again");
    }
}
