//! Who may be fetched from: the rules about addresses, hosts and ports, and what is said of those who may not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use url::{Host, Url};

use super::address::{SpecialUse, embedded_v4, special_use};
use super::hosts::HostPattern;

/// Who may be fetched from. The default is strict: every host at an address of the open Internet, and nobody else.
///
/// A list that denies always wins over one that allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessRules {
    /// Addresses that may be connected to although they are not globally routable. An IPv4-mapped IPv6 address is judged as the IPv4
    /// address that it stands for; any other IPv6 address that embeds one has to be in this list, and so has what it embeds unless
    /// that is public.
    pub allow_addresses: Vec<IpNet>,
    /// Addresses that are not connected to, public or not.
    pub deny_addresses: Vec<IpNet>,
    /// Where this is not empty, no other hosts are fetched from. It makes no exception to the rules about addresses.
    pub allow_hosts: Vec<HostPattern>,
    /// Hosts that are not fetched from.
    pub deny_hosts: Vec<HostPattern>,
    /// Where this is not empty, no other ports are connected to. Where it is, all are but those of other protocols, which the Fetch
    /// standard blocks as well.
    pub allow_ports: Vec<u16>,
    /// Ports that are not connected to.
    pub deny_ports: Vec<u16>,
}

/// Why something may not be fetched from where it is. What it says is fit for whoever asked: of a name, it does not tell the address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The address is not one of the open Internet.
    #[error("{address} is not a public address: {special}{}", hint(.special))]
    NotPublic {
        /// The address.
        address: IpAddr,
        /// What it is instead.
        special: SpecialUse,
    },
    /// The address is on the list of those that are denied.
    #[error("connections to {0} are denied here")]
    Address(IpAddr),
    /// A name has an address that must not be connected to. One is enough: answers that mix good and bad ones are an attack.
    #[error("{name} has an address that {}", unnamed(.why))]
    Name {
        /// The name.
        name: String,
        /// What is wrong with the address.
        why: Box<Denied>,
    },
    /// The host is on the list of those that are denied.
    #[error("fetching from {0} is denied here")]
    Host(String),
    /// There is a list of hosts, and this one is not on it.
    #[error("{0} is not among the hosts that are fetched from here")]
    HostNotListed(String),
    /// The port is on the list of those that are denied.
    #[error("connections to port {0} are denied here")]
    Port(u16),
    /// There is a list of ports, and this one is not on it.
    #[error("{0} is not among the ports that are connected to here")]
    PortNotListed(u16),
    /// Whatever listens at this port, it is not meant to speak HTTP.
    #[error("port {0} is one of another protocol, and nothing is fetched from there")]
    BadPort(u16),
    /// Nobody can listen at port 0.
    #[error("port 0 is no port that can be connected to")]
    PortZero,
}

/// What an operator can do about it, where that may be what they want.
fn hint(special: &SpecialUse) -> String {
    if special.may_be_ones_own { format!("; --allow-address {} would allow it", special.range) } else { String::new() }
}

/// The same as the sentence about the address, which it leaves out: strangers must not learn the addresses of internal names.
fn unnamed(why: &Denied) -> String {
    match why {
        Denied::NotPublic { special, .. } if special.range.prefix_len() == special.range.max_prefix_len() => {
            format!("is not public: {} ({})", special.purpose, special.source)
        }
        Denied::NotPublic { special, .. } => format!("is not public: {special}{}", hint(special)),
        _ => "is denied here".into(),
    }
}

impl AccessRules {
    /// Whether what a URL names may be fetched, as far as that can be told before its name is resolved. Redirects are to be asked about
    /// as much as what they come from. The URL is one of http or https, which have a host and a port.
    ///
    /// # Errors
    /// Why not.
    pub fn check_url(&self, url: &Url) -> Result<(), Denied> {
        let shown = || url.host_str().unwrap_or_default().to_owned();
        let matches = |pattern: &HostPattern| url.host().is_some_and(|host| pattern.matches(&host));
        if self.deny_hosts.iter().any(matches) {
            return Err(Denied::Host(shown()));
        }
        if !self.allow_hosts.is_empty() && !self.allow_hosts.iter().any(matches) {
            return Err(Denied::HostNotListed(shown()));
        }
        self.check_port(url.port_or_known_default().unwrap_or_default())?;
        match url.host() {
            Some(Host::Ipv4(address)) => self.check_address(address.into()),
            Some(Host::Ipv6(address)) => self.check_address(address.into()),
            Some(Host::Domain(name)) if is_localhost(name) => self.localhost().map(drop),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }

    /// Whether an address may be connected to.
    ///
    /// # Errors
    /// Why not.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Denied> {
        let embedded = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => embedded_v4(address).map(IpAddr::V4),
        };
        // A connection to a mapped address is one to what it stands for.
        let meant = address.to_canonical();
        if contains(&self.deny_addresses, address) || contains(&self.deny_addresses, meant) {
            return Err(Denied::Address(address));
        }
        if contains(&self.allow_addresses, meant) {
            return match embedded {
                Some(embedded) if embedded != meant => self.check_address(embedded),
                _ => Ok(()),
            };
        }
        match special_use(address) {
            Some(special) => Err(Denied::NotPublic { address, special }),
            None => Ok(()),
        }
    }

    /// The addresses of `localhost` that may be connected to. That name is asked of no resolver (RFC 6761, section 6.3).
    ///
    /// # Errors
    /// Why none of them may be.
    pub(super) fn localhost(&self) -> Result<Vec<IpAddr>, Denied> {
        let both = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
        let allowed: Vec<IpAddr> = both.into_iter().filter(|&address| self.check_address(address).is_ok()).collect();
        match self.check_address(both[0]) {
            Err(why) if allowed.is_empty() => Err(Denied::Name { name: "localhost".into(), why: Box::new(why) }),
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

/// Whether a name is one of this machine, whatever a resolver would say.
pub(super) fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    last.eq_ignore_ascii_case("localhost")
}

/// Whether one of the ranges has an address. A range of IPv4-mapped addresses is one of what they stand for.
fn contains(ranges: &[IpNet], address: IpAddr) -> bool {
    ranges.iter().any(|range| range.contains(&address) || unmapped(range).is_some_and(|range| range.contains(&address)))
}

fn unmapped(range: &IpNet) -> Option<IpNet> {
    let IpNet::V6(range) = range else { return None };
    let length = range.prefix_len().checked_sub(96)?;
    Some(Ipv4Net::new(range.addr().to_ipv4_mapped()?, length).ok()?.into())
}

/// The ports that the Fetch standard blocks (<https://fetch.spec.whatwg.org/#port-blocking>): a request to a server that speaks another
/// protocol can be understood as one in that protocol.
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

    fn says(rules: &AccessRules, url: &str) -> String {
        rules.check_url(&Url::parse(url).unwrap()).map_or_else(|why| why.to_string(), |()| "fetched".into())
    }

    #[track_caller]
    fn expect(rules: &AccessRules, table: &[(&str, &str)]) {
        for (url, expected) in table {
            let said = says(rules, url);
            assert!(said.contains(expected), "{url}: {said}");
            assert!(!said.contains("secret"), "{url}: {said}");
        }
    }

    #[test]
    fn by_default_only_public_addresses_are_fetched_from_and_the_reason_says_what_an_address_is() {
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
        // What nobody's own origin is at is not advertised.
        for url in ["http://169.254.169.254/", "http://224.0.0.1/", "http://[::ffff:10.1.2.3]/", "http://192.0.2.1/"] {
            assert!(!says(&AccessRules::default(), url).contains("--allow-address"), "{url}");
        }
    }

    #[test]
    fn addresses_may_be_allowed_and_what_is_denied_stays_so() {
        let allow_addresses = ranges(&["10.0.0.0/8", "127.0.0.1/32"]);
        let rules = AccessRules { allow_addresses, deny_addresses: ranges(&["10.1.0.0/16", "8.8.4.0/24"]), ..Default::default() };
        let table = [
            ("http://10.2.0.1/", "fetched"),
            ("http://10.1.0.1/", "connections to 10.1.0.1 are denied here"),
            ("http://8.8.4.4/", "denied here"),
            ("http://[::ffff:8.8.4.4]/", "denied here"),
            ("http://[::ffff:10.2.0.1]/", "fetched"),
            ("http://[::ffff:10.1.0.1]/", "denied here"),
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
    fn ranges_of_ipv6_let_no_ipv4_address_in_that_is_not_allowed_itself() {
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
    fn lists_of_hosts_narrow_what_is_fetched_and_widen_nothing() {
        let (allow_hosts, deny_hosts) = (hosts(&["*.example.org", "10.0.0.1"]), hosts(&["bad.example.org"]));
        let table = [
            ("http://a.example.org/", "fetched"),
            ("http://A.EXAMPLE.org./", "fetched"),
            ("http://example.org/?secret", "example.org is not among the hosts"),
            ("http://bad.example.org/", "fetching from bad.example.org is denied"),
            ("http://bad.example.org./", "is denied"),
            ("http://8.8.8.8/", "not among the hosts"),
            ("http://10.0.0.1/", "private"),
        ];
        expect(&AccessRules { allow_hosts, deny_hosts, ..Default::default() }, &table);
    }

    #[test]
    fn ports_of_other_protocols_are_not_connected_to_unless_they_are_listed() {
        let table = [
            ("http://example.org:0/", "port 0"),
            ("http://example.org:25/", "port 25 is one of another protocol"),
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
            ("http://example.org/", "80 is not among the ports"),
            ("http://example.org:0/", "port 0"),
        ];
        expect(&rules, &table);
        assert!(BAD_PORTS.is_sorted());
    }
}
