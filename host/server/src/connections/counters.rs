//! Counts connections: how many are open, how many were refused, and how they ended.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections. Clones share the counters.
#[derive(Clone, Default)]
pub struct Connections(Arc<Shared>);

#[derive(Default)]
struct Shared {
    accepted: AtomicU64,
    open: AtomicU64,
    refused: AtomicU64,
    refused_by_address: AtomicU64,
    ended: [AtomicU64; Ending::ALL.len()],
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Either side closed it between two requests.
    Finished,
    /// No request arrived for [`ClientLimits::idle_timeout`](crate::ClientLimits::idle_timeout).
    Idle,
    /// The head of a request took longer than [`ClientLimits::header_timeout`](crate::ClientLimits::header_timeout), or did not
    /// begin.
    SlowHeader,
    /// The body of a request was sent too slowly.
    SlowBody,
    /// A response was read too slowly.
    SlowReader,
    /// The client did not send HTTP, or the head of a request was too large.
    Invalid,
    /// The client did not complete a TLS handshake, or did not begin one where it had to.
    TlsHandshake,
    /// The client disconnected in the middle of a request or response, or the body of a response failed.
    Broken,
    /// The service stopped before the connection ended.
    CutOff,
}

impl Ending {
    /// All endings.
    pub const ALL: [Self; 9] = [
        Self::Finished,
        Self::Idle,
        Self::SlowHeader,
        Self::SlowBody,
        Self::SlowReader,
        Self::Invalid,
        Self::TlsHandshake,
        Self::Broken,
        Self::CutOff,
    ];

    /// The name in metrics, in lower case and with underscores.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Idle => "idle",
            Self::SlowHeader => "slow_header",
            Self::SlowBody => "slow_body",
            Self::SlowReader => "slow_reader",
            Self::Invalid => "invalid",
            Self::TlsHandshake => "tls_handshake",
            Self::Broken => "broken",
            Self::CutOff => "cut_off",
        }
    }
}

/// A snapshot of the counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionStats {
    /// Connections that are being served.
    pub open: u64,
    /// Connections that were served, or are being served.
    pub accepted: u64,
    /// Connections, and concurrent HTTP/2 requests, that were refused because there were too many.
    pub refused: u64,
    /// Connections that were refused because there were too many from the same address.
    pub refused_by_address: u64,
    /// The number of connections that ended in each way.
    pub ended: [(Ending, u64); Ending::ALL.len()],
}

impl Connections {
    /// The current counters.
    #[must_use]
    pub fn stats(&self) -> ConnectionStats {
        let Shared { accepted, open, refused, refused_by_address, ended, .. } = &*self.0;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ConnectionStats {
            open: read(open),
            accepted: read(accepted),
            refused: read(refused),
            refused_by_address: read(refused_by_address),
            ended: Ending::ALL.map(|ending| (ending, read(&ended[ending as usize]))),
        }
    }

    /// Counts a connection that is being served.
    pub(crate) fn open(&self, permit: Option<AddressPermit>) -> OpenConnection {
        add(&self.0.accepted);
        add(&self.0.open);
        OpenConnection { connections: self.clone(), ending: Ending::CutOff, _permit: permit }
    }

    /// Counts a refused connection, or a refused request on one.
    pub(crate) fn count_refusal(&self) {
        add(&self.0.refused);
    }

    /// A permit for a connection from an address. `None` if the address already holds `limit` permits.
    pub(crate) fn address_permit(&self, address: IpAddr, limit: NonZeroUsize) -> Option<AddressPermit> {
        let network = network(address);
        let mut by_address = self.0.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(network).or_default();
        if *count >= limit.get() {
            add(&self.0.refused_by_address);
            return None;
        }
        *count += 1;
        Some(AddressPermit { connections: self.clone(), network })
    }
}

/// Counts a connection as open until this is dropped.
pub(crate) struct OpenConnection {
    connections: Connections,
    /// The ending to count when this is dropped.
    pub ending: Ending,
    _permit: Option<AddressPermit>,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let Shared { open, ended, .. } = &*self.connections.0;
        open.fetch_sub(1, Ordering::Relaxed);
        add(&ended[self.ending as usize]);
    }
}

/// A permit for a connection from an address, held until this is dropped.
pub(crate) struct AddressPermit {
    connections: Connections,
    network: IpAddr,
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let mut by_address = self.connections.0.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.network);
            }
        }
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The network that counts as one address: for IPv6 the whole /64, because a client usually has all of it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_is_available_again_when_its_connection_ends() {
        let (connections, two) = (Connections::default(), NonZeroUsize::new(2).unwrap());
        let permit = |address: &str| connections.address_permit(address.parse().unwrap(), two);
        let permits = (permit("192.0.2.1"), permit("::ffff:192.0.2.1"));
        assert!(permits.0.is_some() && permits.1.is_some() && permit("192.0.2.1").is_none(), "mapped addresses are the same");
        assert!(permit("192.0.2.2").is_some());
        assert_eq!(connections.stats().refused_by_address, 1);
        drop(permits);
        assert!(permit("192.0.2.1").is_some());
        assert!(connections.0.by_address.lock().unwrap().is_empty(), "unused addresses are removed");
    }

    #[test]
    fn ipv6_network_counts_as_one_address() {
        let (connections, one) = (Connections::default(), NonZeroUsize::MIN);
        let permit = |address: &str| connections.address_permit(address.parse().unwrap(), one);
        let first = permit("2001:db8::1");
        assert!(first.is_some() && permit("2001:db8::ffff:2").is_none() && permit("2001:db8:0:1::1").is_some());
    }

    #[test]
    fn every_ending_has_its_own_counter() {
        let connections = Connections::default();
        for ending in Ending::ALL {
            connections.open(None).ending = ending;
        }
        let stats = connections.stats();
        assert_eq!((stats.accepted, stats.open), (9, 0));
        assert_eq!(stats.ended.map(|(ending, count)| (ending.name(), count)), Ending::ALL.map(|ending| (ending.name(), 1)));
    }
}
