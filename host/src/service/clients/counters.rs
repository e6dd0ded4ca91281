//! How many connections there are, and what became of the others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections. Cloning it is cheap, and clones count the same.
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
    /// One side or the other had no more to say.
    Finished,
    /// No request came for [`ClientLimits::idle_timeout`](super::ClientLimits::idle_timeout).
    Idle,
    /// The head of a request took longer than [`ClientLimits::header_timeout`](super::ClientLimits::header_timeout), or did not begin.
    SlowHeader,
    /// The body of a request came too slowly.
    SlowBody,
    /// An answer was taken too slowly.
    SlowReader,
    /// It was not HTTP, or the head was too large.
    Invalid,
    /// It broke: the client went away in the middle, or an answer could not be read to its end.
    Broken,
    /// The service ended before the connection did.
    CutOff,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Finished, Self::Idle, Self::SlowHeader, Self::SlowBody, Self::SlowReader, Self::Invalid, Self::Broken, Self::CutOff];

    /// A name, in lower case and with underscores.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Idle => "idle",
            Self::SlowHeader => "slow_header",
            Self::SlowBody => "slow_body",
            Self::SlowReader => "slow_reader",
            Self::Invalid => "invalid",
            Self::Broken => "broken",
            Self::CutOff => "cut_off",
        }
    }
}

/// What has been counted so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionStats {
    /// Connections that are being served.
    pub open: u64,
    /// Connections that were served or are.
    pub accepted: u64,
    /// Connections that were refused because there were too many.
    pub refused: u64,
    /// Connections that were refused because there were too many from the same address.
    pub refused_by_address: u64,
    /// How many ended in which way.
    pub ended: [(Ending, u64); Ending::ALL.len()],
}

impl Connections {
    /// What has been counted so far.
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

    /// Counts a connection that is served.
    pub(super) fn open(&self, place: Option<PlaceOfAddress>) -> OpenConnection {
        add(&self.0.accepted);
        add(&self.0.open);
        OpenConnection { connections: self.clone(), ending: Ending::CutOff, _place: place }
    }

    /// Counts a connection that is refused.
    pub(super) fn refuse(&self) {
        add(&self.0.refused);
    }

    /// A place for a connection from an address, or nothing where there are `limit` from it already.
    pub(super) fn place(&self, address: IpAddr, limit: NonZeroUsize) -> Option<PlaceOfAddress> {
        let network = network(address);
        let mut by_address = self.0.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(network).or_default();
        if *count >= limit.get() {
            add(&self.0.refused_by_address);
            return None;
        }
        *count += 1;
        Some(PlaceOfAddress { connections: self.clone(), network })
    }
}

/// A connection that is being served, until it is dropped.
pub(super) struct OpenConnection {
    connections: Connections,
    /// What it will have ended as.
    pub ending: Ending,
    _place: Option<PlaceOfAddress>,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let Shared { open, ended, .. } = &*self.connections.0;
        open.fetch_sub(1, Ordering::Relaxed);
        add(&ended[self.ending as usize]);
    }
}

/// One of the connections that an address may have, until it is dropped.
pub(super) struct PlaceOfAddress {
    connections: Connections,
    network: IpAddr,
}

impl Drop for PlaceOfAddress {
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

/// What counts as one address. Whoever has one of IPv6 has all of its /64.
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
    fn a_place_is_free_again_when_its_connection_ends() {
        let (connections, two) = (Connections::default(), NonZeroUsize::new(2).unwrap());
        let place = |address: &str| connections.place(address.parse().unwrap(), two);
        let places = (place("192.0.2.1"), place("::ffff:192.0.2.1"));
        assert!(places.0.is_some() && places.1.is_some() && place("192.0.2.1").is_none(), "mapped addresses are the same");
        assert!(place("192.0.2.2").is_some());
        assert_eq!(connections.stats().refused_by_address, 1);
        drop(places);
        assert!(place("192.0.2.1").is_some());
        assert!(connections.0.by_address.lock().unwrap().is_empty(), "nothing is left behind");
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let (connections, one) = (Connections::default(), NonZeroUsize::MIN);
        let place = |address: &str| connections.place(address.parse().unwrap(), one);
        let first = place("2001:db8::1");
        assert!(first.is_some() && place("2001:db8::ffff:2").is_none() && place("2001:db8:0:1::1").is_some());
    }

    #[test]
    fn every_ending_has_a_counter_of_its_own() {
        let connections = Connections::default();
        for ending in Ending::ALL {
            connections.open(None).ending = ending;
        }
        let stats = connections.stats();
        assert_eq!((stats.accepted, stats.open), (8, 0));
        assert_eq!(stats.ended.map(|(ending, count)| (ending.name(), count)), Ending::ALL.map(|ending| (ending.name(), 1)));
    }
}
