//! The address of a listener: an IP address or a host name, and a port.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::{TcpListener, TcpSocket};

/// `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, or `:8080` for all addresses of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    All,
    Address(IpAddr, u32),
    Name(String),
}

/// The text is not an address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must be an address and a port, such as 127.0.0.1:8080, localhost:8080, or :8080 for all addresses")]
pub struct InvalidListenAddress;

/// A resolved [`ListenAddress`]. The service listens on the first address to which a socket can be bound. Or the address of a socket that
/// listens already.
#[derive(Clone, Debug)]
pub struct ResolvedAddress {
    named: ListenAddress,
    /// At least one.
    candidates: Vec<SocketAddr>,
    /// The socket that listens already.
    passed: Option<Arc<std::net::TcpListener>>,
}

impl FromStr for ListenAddress {
    type Err = InvalidListenAddress;

    fn from_str(text: &str) -> Result<Self, InvalidListenAddress> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(address.into());
        }
        let (host, port) = text.rsplit_once(':').ok_or(InvalidListenAddress)?;
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidListenAddress);
        }
        let port = port.parse().map_err(|_| InvalidListenAddress)?;
        let is_label = |label: &str| {
            (1..=63).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        // A text of digits and dots was meant as an IPv4 address, but is not one.
        let is_number = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        match host {
            "" => Ok(Self { host: Host::All, port }),
            name if !is_number && name.len() <= 253 && name.split('.').all(is_label) => {
                Ok(Self { host: Host::Name(name.to_ascii_lowercase()), port })
            }
            _ => Err(InvalidListenAddress),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::All => write!(f, ":{}", self.port),
            Host::Address(..) => self.addresses().iter().try_for_each(|address| address.fmt(f)),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        let scope = if let SocketAddr::V6(address) = address { address.scope_id() } else { 0 };
        Self { host: Host::Address(address.ip(), scope), port: address.port() }
    }
}

impl ListenAddress {
    /// Resolves the host. `localhost` is 127.0.0.1, without a resolver (RFC 6761, section 6.3).
    ///
    /// # Errors
    /// Returns an error with a message for the user if there is no such host.
    pub async fn resolve(&self) -> anyhow::Result<ResolvedAddress> {
        let candidates = match &self.host {
            Host::Name(name) if name != "localhost" => {
                let found = tokio::net::lookup_host((name.as_str(), self.port)).await;
                found.with_context(|| format!("cannot listen on {self}: there is no host {name}"))?.collect()
            }
            _ => self.addresses(),
        };
        anyhow::ensure!(!candidates.is_empty(), "cannot listen on {self}: the host has no address");
        Ok(ResolvedAddress { named: self.clone(), candidates, passed: None })
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        match &self.host {
            // IPv6 includes IPv4, unless this machine has no IPv6.
            Host::All => vec![(Ipv6Addr::UNSPECIFIED, self.port).into(), (Ipv4Addr::UNSPECIFIED, self.port).into()],
            Host::Address(IpAddr::V6(address), scope) => vec![std::net::SocketAddrV6::new(*address, self.port, 0, *scope).into()],
            Host::Address(address, _) => vec![(*address, self.port).into()],
            Host::Name(_) => vec![(Ipv4Addr::LOCALHOST, self.port).into()],
        }
    }
}

impl fmt::Display for ResolvedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.named.fmt(f)
    }
}

impl ResolvedAddress {
    /// The address of a socket that listens already, in place of the address in an option.
    ///
    /// # Errors
    /// Returns an error with a message for the user if the socket has no address.
    pub fn of(socket: std::net::TcpListener, option: &str) -> anyhow::Result<Self> {
        let address = socket.local_addr().context("cannot use the passed socket: it has no address")?;
        tracing::info!("the service manager listens on {address}, in place of {option}");
        Ok(Self { named: address.into(), candidates: vec![address], passed: Some(Arc::new(socket)) })
    }

    /// The port; 0 to choose a free one.
    pub fn port(&self) -> u16 {
        self.named.port
    }

    /// Whether only this machine can connect, whichever candidate is used. The unspecified address is not loopback.
    pub fn is_loopback(&self) -> bool {
        self.candidates.iter().all(|address| address.ip().to_canonical().is_loopback())
    }

    /// Whether the two could be the same address. With port 0 they never are.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.port() != 0 && self.candidates.iter().any(|address| other.candidates.contains(address))
    }

    /// Listens.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn listen(&self) -> anyhow::Result<TcpListener> {
        let adopt = |socket: &std::net::TcpListener| {
            socket.set_nonblocking(true)?;
            TcpListener::from_std(socket.try_clone()?)
        };
        match &self.passed {
            Some(socket) => adopt(socket).with_context(|| format!("cannot use the passed socket, {self}")),
            None => TcpListener::bind(&*self.candidates).await.with_context(|| format!("cannot listen on {self}")),
        }
    }

    /// Checks that this machine has the address and that this process may use the port. Another process, such as the service to be
    /// replaced, may be using it.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn check(&self) -> anyhow::Result<()> {
        let bind = |address: &SocketAddr| {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            match socket.bind(*address) {
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Ok(()),
                bound => bound,
            }
        };
        let mut failed = Ok(());
        for address in &self.candidates {
            match bind(address) {
                Ok(()) => return Ok(()),
                Err(error) => failed = Err(error),
            }
        }
        failed.with_context(|| format!("cannot listen on {self}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolved(text: &str) -> ResolvedAddress {
        text.parse::<ListenAddress>().unwrap().resolve().await.unwrap()
    }

    #[test]
    fn address_is_displayed_as_it_was_parsed() {
        for text in ["127.0.0.1:8080", "[::1]:0", "[fe80::1%2]:1", "localhost:8080", "media.example.org:65535", ":8080"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        let invalid = ["", "8080", "localhost", "localhost:", "localhost:99999", "localhost:+1", "::1:8080", "[::1]", "1.2.3:80"];
        for text in invalid.into_iter().chain(["999.1.1.1:80", "http://localhost:80", "a b:80", "a..b:80", "[x]:80", "-:x"]) {
            assert_eq!(text.parse::<ListenAddress>(), Err(InvalidListenAddress), "{text}");
        }
    }

    #[tokio::test]
    async fn only_loopback_addresses_are_local() {
        for address in ["127.0.0.1:1", "127.255.3.4:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "localhost:1"] {
            assert!(resolved(address).await.is_loopback(), "{address}");
        }
        for address in
            [":1", "0.0.0.0:1", "[::]:1", "10.0.0.1:1", "192.0.2.1:1", "[::ffff:0.0.0.0]:1", "[fe80::1]:1", "[::ffff:10.0.0.1]:1"]
        {
            assert!(!resolved(address).await.is_loopback(), "{address}");
        }
    }

    #[tokio::test]
    async fn a_host_name_and_its_address_overlap_unless_a_port_is_zero() {
        let overlap = async |one: &str, other: &str| resolved(one).await.overlaps(&resolved(other).await);
        assert!(overlap("localhost:1", "127.0.0.1:1").await && overlap(":1", "0.0.0.0:1").await);
        assert!(!overlap("localhost:1", "127.0.0.1:2").await && !overlap("localhost:0", "127.0.0.1:0").await);
    }

    #[tokio::test]
    async fn passed_socket_is_used_as_it_is() {
        let passed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = passed.local_addr().unwrap();
        let resolved = ResolvedAddress::of(passed, "--listen").unwrap();
        assert_eq!((resolved.to_string(), resolved.port()), (address.to_string(), address.port()));
        assert!(resolved.is_loopback() && resolved.overlaps(&resolved));
        assert_eq!(resolved.listen().await.unwrap().local_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn check_rejects_an_unbindable_address_and_accepts_one_in_use() {
        let listener = resolved("localhost:0").await.listen().await.unwrap();
        assert!(listener.local_addr().unwrap().ip().is_loopback());
        resolved(&listener.local_addr().unwrap().to_string()).await.check().unwrap();
        let error = resolved("192.0.2.1:8080").await.check().unwrap_err();
        assert!(format!("{error:#}").starts_with("cannot listen on 192.0.2.1:8080: "), "{error:#}");
    }
}
