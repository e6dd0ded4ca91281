//! Remembers which address the kept HTTP/2 connections of a host lead to, so that a request that would have to wait for a permit of
//! that address is not sent first.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use http::uri::Authority;
use http::{Response, Uri, Version};
use hyper_util::client::legacy::connect::HttpInfo;

/// How many hosts are remembered; beyond that all are forgotten. A host that is not remembered costs a request that is reset.
const MAX_HOSTS: usize = 1024;

/// By host and port, the address of the last response.
#[derive(Default)]
pub(crate) struct KeptAddresses(Mutex<HashMap<Authority, IpAddr>>);

impl KeptAddresses {
    /// The address that a request probably goes to over a kept connection.
    pub(crate) fn of(&self, uri: &Uri) -> Option<IpAddr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(uri.authority()?).copied()
    }

    /// Remembers where a response came from.
    pub(crate) fn note<B>(&self, uri: &Uri, response: &Response<B>) {
        let address = response.extensions().get::<HttpInfo>().map(|info| info.remote_addr().ip());
        let (Some(address), Some(authority), Version::HTTP_2) = (address, uri.authority(), response.version()) else { return };
        let mut addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.len() >= MAX_HOSTS {
            addresses.clear();
        }
        addresses.insert(authority.clone(), address);
    }
}
