//! Patterns that match hosts by name, subdomain or address.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use url::Host;

/// A host or all subdomains of a name: `example.org`, `*.example.org` (without `example.org` itself), `192.0.2.1`, `2001:db8::1`.
///
/// Names are compared as in URLs: in lower case, with international names in Punycode, and without a trailing dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern(Pattern);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Address(IpAddr),
    Name(String),
    Subdomains(String),
}

impl HostPattern {
    /// Whether the pattern matches a host.
    #[must_use]
    pub fn matches(&self, host: &Host<&str>) -> bool {
        match (&self.0, host) {
            (Pattern::Address(pattern), Host::Ipv4(address)) => *pattern == *address,
            (Pattern::Address(pattern), Host::Ipv6(address)) => *pattern == IpAddr::V6(*address).to_canonical(),
            (Pattern::Name(pattern), Host::Domain(name)) => pattern == without_trailing_dot(name),
            (Pattern::Subdomains(pattern), Host::Domain(name)) => {
                without_trailing_dot(name).strip_suffix(pattern).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            _ => false,
        }
    }
}

fn without_trailing_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::Address(address) => address.fmt(f),
            Pattern::Name(name) => name.fmt(f),
            Pattern::Subdomains(name) => write!(f, "*.{name}"),
        }
    }
}

/// The text is not a [`HostPattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a host or a host pattern; use the form example.org, *.example.org, 192.0.2.1 or 2001:db8::1, \
     without a scheme, a port or a path"
)]
pub struct InvalidHostPattern(String);

impl FromStr for HostPattern {
    type Err = InvalidHostPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidHostPattern(text.to_owned());
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(Pattern::Address(address.to_canonical())));
        }
        let (is_subdomains, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
        match Host::parse(name).map_err(|_| invalid())? {
            Host::Domain(name) => {
                let name = without_trailing_dot(&name);
                if name.contains('*') || name.split('.').any(str::is_empty) {
                    return Err(invalid());
                }
                let name = name.to_owned();
                Ok(Self(if is_subdomains { Pattern::Subdomains(name) } else { Pattern::Name(name) }))
            }
            Host::Ipv4(address) if !is_subdomains => Ok(Self(Pattern::Address(address.into()))),
            Host::Ipv6(address) if !is_subdomains => Ok(Self(Pattern::Address(IpAddr::V6(address).to_canonical()))),
            Host::Ipv4(_) | Host::Ipv6(_) => Err(invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_matches_every_spelling_of_its_hosts() {
        let table = [
            (
                "example.org",
                &["example.org", "EXAMPLE.org", "example.org."][..],
                &["a.example.org", "example.org.evil.net", "org"][..],
            ),
            (
                "*.Example.ORG.",
                &["a.example.org", "a.b.example.org."],
                &["example.org", "aexample.org", ".example.org", "example.org.a"],
            ),
            ("*.bücher.example", &["a.xn--bcher-kva.example", "a.BÜCHER.example"], &["bücher.example"]),
            ("192.0.2.1", &["192.0.2.1", "0xc0.0.2.1", "[::ffff:192.0.2.1]"], &["192.0.2.2", "192.0.2.1.example.org"]),
            ("3221225985", &["192.0.2.1"], &["192.0.2.2"]),
            ("2001:db8::1", &["[2001:db8:0::1]"], &["[2001:db8::2]"]),
            ("[2001:db8::1]", &["[2001:db8::1]"], &["[2001:db8::2]"]),
        ];
        for (text, matching, others) in table {
            let pattern: HostPattern = text.parse().unwrap();
            let matches = |host: &str| match Host::parse(host).unwrap() {
                Host::Domain(name) => pattern.matches(&Host::Domain(&name)),
                Host::Ipv4(address) => pattern.matches(&Host::Ipv4(address)),
                Host::Ipv6(address) => pattern.matches(&Host::Ipv6(address)),
            };
            for host in matching {
                assert!(matches(host), "{text} does not match {host}");
            }
            for host in others {
                assert!(!matches(host), "{text} matches {host}");
            }
            assert_eq!(pattern.to_string().parse(), Ok(pattern.clone()), "{text}");
        }
    }

    #[test]
    fn invalid_pattern_is_rejected_with_the_valid_forms() {
        let wrong = [
            "",
            "*",
            "*.",
            ".",
            "a..b",
            "*.*.org",
            "a.*.org",
            "*a.org",
            "*.10.0.0.1",
            "*.[::1]",
            "http://a.org",
            "a.org:80",
            "a.org/x",
            "a b",
            "user@a.org",
            "[::1",
            "10.0.0.0/8",
        ];
        for text in wrong {
            let error = text.parse::<HostPattern>().expect_err(text);
            assert!(error.to_string().contains("*.example.org"), "{error}");
        }
    }
}
