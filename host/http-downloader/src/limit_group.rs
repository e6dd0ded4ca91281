//! The groups of downloads that share a limit: by host, by registrable domain, or by the address that they connect to.

use url::{Host, Url};

use crate::address_block::AddressBlock;

/// Downloads that share a limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LimitGroup {
    /// The same host, on any port.
    Host(Box<str>),
    /// The same registrable domain: wildcard subdomains cost their owner nothing.
    Domain(Box<str>),
    /// The same address block: additional domains are cheap, too.
    Address(AddressBlock),
}

/// The groups of a download that are known from its URL, in the order in which it needs their permits: a slow host must not take all
/// permits of its domain.
pub(crate) fn groups_of(url: &Url) -> Vec<LimitGroup> {
    let host = host_of(url);
    let domain = match url.host() {
        Some(Host::Domain(_)) => registrable_domain(&host).into(),
        // An address counts as its own domain.
        _ => host.clone(),
    };
    vec![LimitGroup::Host(host), LimitGroup::Domain(domain)]
}

/// The group of Matrix media: all `mxc` URLs go to one homeserver.
pub(crate) fn groups_of_mxc() -> Vec<LimitGroup> {
    vec![LimitGroup::Host("mxc:".into())]
}

fn host_of(url: &Url) -> Box<str> {
    url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase().into()
}

/// The registrable domain of a name, according to the public suffix list. A name without one, such as `localhost`, counts as its own
/// domain.
fn registrable_domain(name: &str) -> &str {
    psl::domain_str(name).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_belongs_to_the_groups_of_its_host_and_its_registrable_domain() {
        for (url, host, domain) in [
            ("https://a.b.Example.ORG.:8443/a", "a.b.example.org", "example.org"),
            ("https://example.org/", "example.org", "example.org"),
            ("https://a.b.example.co.uk/", "a.b.example.co.uk", "example.co.uk"),
            ("https://me.github.io/", "me.github.io", "me.github.io"),
            ("https://github.io/", "github.io", "github.io"),
            ("https://a.xn--bcher-kva.example/", "a.xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("http://localhost/", "localhost", "localhost"),
            ("https://[::1]:80/", "[::1]", "[::1]"),
            ("http://192.0.2.1/", "192.0.2.1", "192.0.2.1"),
        ] {
            let expected = [LimitGroup::Host(host.into()), LimitGroup::Domain(domain.into())];
            assert_eq!(groups_of(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
