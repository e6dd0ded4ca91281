//! The rules that decide which addresses, hosts and ports may be fetched from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use url::{Host, Url};

use crate::host_pattern::HostPattern;
use crate::special_addresses::{SpecialUse, embedded_v4, special_use};

/// Decides which origins may be fetched from: by default, all hosts with public addresses, and no others.
///
/// Deny lists take precedence over allow lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessRules {
    /// Addresses that are allowed although they are not public. An IPv4-mapped IPv6 address is treated as its IPv4 address. Any other IPv6
    /// address that embeds an IPv4 address is allowed only if this list contains it, and also contains the embedded address unless that is
    /// public.
    pub allow_addresses: Vec<IpNet>,
    /// Addresses that are denied, public or not.
    pub deny_addresses: Vec<IpNet>,
    /// If not empty, all other hosts are denied. The rules about addresses still apply.
    pub allow_hosts: Vec<HostPattern>,
    /// Hosts that are denied.
    pub deny_hosts: Vec<HostPattern>,
    /// If not empty, all other ports are denied. If empty, all ports are allowed except those of other protocols, which the Fetch standard
    /// also blocks.
    pub allow_ports: Vec<u16>,
    /// Ports that are denied.
    pub deny_ports: Vec<u16>,
}

/// Why a URL or an address is denied. The message is safe for clients: it does not disclose the address that a name resolves to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The address is not public.
    #[error("{address} is not a public address: {special}{}", hint(.special))]
    NotPublic {
        /// The denied address.
        address: IpAddr,
        /// What the address is reserved for.
        special: SpecialUse,
    },
    /// The address is on the deny list.
    #[error("connections to {0} are denied by the access rules")]
    Address(IpAddr),
    /// The name resolves to a denied address. One is enough: a mix of allowed and denied addresses is treated as an attack.
    #[error("{name} has an address that {}", without_address(.reason))]
    Name {
        /// The name that resolves to the denied address.
        name: String,
        /// Why the address is denied.
        reason: Box<Denied>,
    },
    /// The host is on the deny list.
    #[error("downloads from {0} are denied by the access rules")]
    Host(String),
    /// The host is not on the allow list.
    #[error("{0} is not among the allowed hosts")]
    HostNotListed(String),
    /// The port is on the deny list.
    #[error("connections to port {0} are denied by the access rules")]
    Port(u16),
    /// The port is not on the allow list.
    #[error("port {0} is not among the allowed ports")]
    PortNotListed(u16),
    /// The port belongs to another protocol.
    #[error("port {0} belongs to another protocol, and downloads from it are blocked")]
    BadPort(u16),
    /// Port 0 does not exist.
    #[error("cannot connect to port 0")]
    PortZero,
}

/// A hint about the flag that would allow the range, if the range may contain an operator's own origins.
fn hint(special: &SpecialUse) -> String {
    if special.may_have_origins { format!("; --allow-address {} would allow it", special.range) } else { String::new() }
}

/// The message without the address: clients must not learn the addresses of internal names.
fn without_address(denied: &Denied) -> String {
    match denied {
        Denied::NotPublic { special, .. } if special.range.prefix_len() == special.range.max_prefix_len() => {
            format!("is not public: {} ({})", special.purpose, special.source)
        }
        Denied::NotPublic { special, .. } => format!("is not public: {special}{}", hint(special)),
        _ => "is denied by the access rules".into(),
    }
}

impl AccessRules {
    /// Checks the host and the port of an http or https URL. If the host is an address, the address is checked as well; if it is a name,
    /// the name is not resolved here. This must also be called for redirects.
    ///
    /// # Errors
    /// Returns why the URL is denied.
    pub fn check_url(&self, url: &Url) -> Result<(), Denied> {
        let host = || url.host_str().unwrap_or_default().to_owned();
        let matches = |pattern: &HostPattern| url.host().is_some_and(|host| pattern.matches(&host));
        if self.deny_hosts.iter().any(matches) {
            return Err(Denied::Host(host()));
        }
        if !self.allow_hosts.is_empty() && !self.allow_hosts.iter().any(matches) {
            return Err(Denied::HostNotListed(host()));
        }
        self.check_port(url.port_or_known_default().unwrap_or_default())?;
        match url.host() {
            Some(Host::Ipv4(address)) => self.check_address(address.into()),
            Some(Host::Ipv6(address)) => self.check_address(address.into()),
            Some(Host::Domain(name)) if is_localhost(name) => self.localhost().map(drop),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }

    /// Checks an address before connecting to it.
    ///
    /// # Errors
    /// Returns why the address is denied.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Denied> {
        let embedded = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => embedded_v4(address).map(IpAddr::V4),
        };
        // A connection to an IPv4-mapped address reaches the IPv4 address.
        let reached = address.to_canonical();
        if contains(&self.deny_addresses, address) || contains(&self.deny_addresses, reached) {
            return Err(Denied::Address(address));
        }
        if contains(&self.allow_addresses, reached) {
            return match embedded {
                Some(embedded) if embedded != reached => self.check_address(embedded),
                _ => Ok(()),
            };
        }
        match special_use(address) {
            Some(special) => Err(Denied::NotPublic { address, special }),
            None => Ok(()),
        }
    }

    /// The allowed addresses of `localhost`. This name is never passed to a resolver (RFC 6761, section 6.3).
    ///
    /// # Errors
    /// Returns why both addresses are denied.
    pub(crate) fn localhost(&self) -> Result<Vec<IpAddr>, Denied> {
        let both = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
        let allowed: Vec<IpAddr> = both.into_iter().filter(|&address| self.check_address(address).is_ok()).collect();
        match self.check_address(both[0]) {
            Err(denied) if allowed.is_empty() => Err(Denied::Name { name: "localhost".into(), reason: Box::new(denied) }),
            _ => Ok(allowed),
        }
    }

    fn check_port(&self, port: u16) -> Result<(), Denied> {
        match port {
            0 => Err(Denied::PortZero),
            _ if self.deny_ports.contains(&port) => Err(Denied::Port(port)),
            _ if self.allow_ports.contains(&port) => Ok(()),
            _ if !self.allow_ports.is_empty() => Err(Denied::PortNotListed(port)),
            _ if BAD_PORTS.contains(&port) => Err(Denied::BadPort(port)),
            _ => Ok(()),
        }
    }
}

/// Whether a name refers to this machine, regardless of what a resolver would return.
pub(crate) fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    last.eq_ignore_ascii_case("localhost")
}

/// Whether one of the ranges contains an address. A range of IPv4-mapped addresses is treated as its IPv4 range.
fn contains(ranges: &[IpNet], address: IpAddr) -> bool {
    ranges.iter().any(|range| range.contains(&address) || unmapped(range).is_some_and(|range| range.contains(&address)))
}

fn unmapped(range: &IpNet) -> Option<IpNet> {
    let IpNet::V6(range) = range else { return None };
    let length = range.prefix_len().checked_sub(96)?;
    Some(Ipv4Net::new(range.addr().to_ipv4_mapped()?, length).ok()?.into())
}

/// The ports that the Fetch standard blocks (<https://fetch.spec.whatwg.org/#port-blocking>): a server that speaks another protocol may
/// interpret an HTTP request as commands.
#[rustfmt::skip]
const BAD_PORTS: [u16; 82] = [
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115,
    117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587,
    601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679,
    6697, 10080,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(ranges: &[&str]) -> Vec<IpNet> {
        ranges.iter().map(|range| range.parse().unwrap()).collect()
    }

    fn hosts(hosts: &[&str]) -> Vec<HostPattern> {
        hosts.iter().map(|host| host.parse().unwrap()).collect()
    }

    fn verdict(rules: &AccessRules, url: &str) -> String {
        rules.check_url(&Url::parse(url).unwrap()).map_or_else(|denied| denied.to_string(), |()| "fetched".into())
    }

    #[track_caller]
    fn expect(rules: &AccessRules, table: &[(&str, &str)]) {
        for (url, expected) in table {
            let verdict = verdict(rules, url);
            assert!(verdict.contains(expected), "{url}: {verdict}");
            assert!(!verdict.contains("secret"), "{url}: {verdict}");
        }
    }

    #[test]
    fn default_rules_allow_only_public_addresses_and_say_what_others_are_reserved_for() {
        let table = [
            ("http://8.8.8.8/", "fetched"),
            ("https://[2001:4860:4860::8888]/", "fetched"),
            ("http://example.org/", "fetched"),
            (
                "http://10.1.2.3/?secret",
                "10.1.2.3 is not a public address: private (10.0.0.0/8, RFC 1918); --allow-address 10.0.0.0/8",
            ),
            ("http://0x7f.1/", "127.0.0.1 is not a public address: loopback (127.0.0.0/8"),
            ("http://[fd00::1]/", "unique local (fc00::/7, RFC 4193); --allow-address fc00::/7 would allow it"),
            ("http://LocalHost./", "localhost has an address that is not public: loopback"),
            ("http://a.b.localhost:8080/", "--allow-address 127.0.0.0/8"),
        ];
        expect(&AccessRules::default(), &table);
        // Ranges that cannot contain origins have no hint.
        for url in ["http://169.254.169.254/", "http://224.0.0.1/", "http://[::ffff:10.1.2.3]/", "http://192.0.2.1/"] {
            assert!(!verdict(&AccessRules::default(), url).contains("--allow-address"), "{url}");
        }
    }

    #[test]
    fn denied_address_wins_over_allowed_address() {
        let allow_addresses = ranges(&["10.0.0.0/8", "127.0.0.1/32"]);
        let rules = AccessRules { allow_addresses, deny_addresses: ranges(&["10.1.0.0/16", "8.8.4.0/24"]), ..Default::default() };
        let table = [
            ("http://10.2.0.1/", "fetched"),
            ("http://10.1.0.1/", "connections to 10.1.0.1 are denied by the access rules"),
            ("http://8.8.4.4/", "denied by the access rules"),
            ("http://[::ffff:8.8.4.4]/", "denied by the access rules"),
            ("http://[::ffff:10.2.0.1]/", "fetched"),
            ("http://[::ffff:10.1.0.1]/", "denied by the access rules"),
            ("http://[::ffff:8.8.8.8]/", "IPv4-mapped"),
            ("http://[64:ff9b::10.2.0.1]/", "NAT64"),
            ("http://192.168.0.1/", "private"),
            ("http://127.0.0.2/", "loopback"),
            ("http://localhost/", "fetched"),
            ("http://[::1]/", "loopback"),
        ];
        expect(&rules, &table);
        assert_eq!(rules.localhost(), Ok(vec![Ipv4Addr::LOCALHOST.into()]));
    }

    #[test]
    fn ipv6_range_does_not_allow_embedded_ipv4_addresses() {
        let everything = AccessRules { allow_addresses: ranges(&["::/0"]), ..Default::default() };
        let table = [
            ("http://[::1]/", "fetched"),
            ("http://[fd00::1]/", "fetched"),
            ("http://[64:ff9b::8.8.8.8]/", "fetched"),
            ("http://[::ffff:10.0.0.1]/", "IPv4-mapped"),
            ("http://[64:ff9b::10.0.0.1]/", "10.0.0.1 is not a public address"),
            ("http://[2002:7f00:1::]/", "127.0.0.1 is not a public address"),
            ("http://[2a00::5efe:192.168.0.1]/", "192.168.0.1 is not a public address"),
        ];
        expect(&everything, &table);
        let mapped = AccessRules { allow_addresses: ranges(&["::ffff:10.0.0.0/104"]), ..Default::default() };
        expect(
            &mapped,
            &[("http://[::ffff:10.0.0.1]/", "fetched"), ("http://10.0.0.1/", "fetched"), ("http://11.0.0.1/", "fetched")],
        );
    }

    #[test]
    fn host_lists_restrict_hosts_but_do_not_allow_private_addresses() {
        let (allow_hosts, deny_hosts) = (hosts(&["*.example.org", "10.0.0.1"]), hosts(&["bad.example.org"]));
        let table = [
            ("http://a.example.org/", "fetched"),
            ("http://A.EXAMPLE.org./", "fetched"),
            ("http://example.org/?secret", "example.org is not among the allowed hosts"),
            ("http://bad.example.org/", "downloads from bad.example.org are denied"),
            ("http://bad.example.org./", "are denied"),
            ("http://8.8.8.8/", "not among the allowed hosts"),
            ("http://10.0.0.1/", "private"),
        ];
        expect(&AccessRules { allow_hosts, deny_hosts, ..Default::default() }, &table);
    }

    #[test]
    fn ports_of_other_protocols_are_denied_unless_listed() {
        let table = [
            ("http://example.org:0/", "port 0"),
            ("http://example.org:25/", "port 25 belongs to another protocol"),
            ("http://example.org:10080/", "another protocol"),
            ("http://example.org:8080/", "fetched"),
            ("https://example.org/", "fetched"),
        ];
        expect(&AccessRules::default(), &table);
        let rules = AccessRules { allow_ports: vec![0, 25, 443, 444], deny_ports: vec![444], ..Default::default() };
        let table = [
            ("http://example.org:25/", "fetched"),
            ("https://example.org/", "fetched"),
            ("https://example.org:444/", "port 444 are denied"),
            ("http://example.org/", "80 is not among the allowed ports"),
            ("http://example.org:0/", "port 0"),
        ];
        expect(&rules, &table);
        assert!(BAD_PORTS.is_sorted());
    }
}
