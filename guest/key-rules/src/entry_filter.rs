//! Selects entries by their cache keys.

use crate::host_pattern::HostPattern;

/// Which entries to select.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryFilter {
    /// Entries of these hosts.
    Host(HostPattern),
    /// Entries whose cache key begins with this text.
    Prefix(String),
    /// Every entry.
    All,
}

/// Text that cannot be the host of any entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a host; write a name such as cdn.example.org, or *.example.org for every host below it")]
pub struct InvalidHost(pub String);

impl EntryFilter {
    /// Selects the entries of a host, or of all hosts below one.
    ///
    /// # Errors
    /// Fails if the text cannot be the host of any entry.
    pub fn host(host: &str) -> Result<Self, InvalidHost> {
        HostPattern::new(host).map(Self::Host).map_err(|_| InvalidHost(host.into()))
    }

    /// Whether an entry with this cache key is selected.
    #[must_use]
    pub fn matches(&self, cache_key: &str) -> bool {
        match self {
            Self::Host(host) => host.matches_url(cache_key),
            Self::Prefix(prefix) => cache_key.starts_with(prefix),
            Self::All => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 5] = ["https://x.org/a", "https://X.org:81/b", "http://cdn.x.org/a", "https://y.org/x.org", "test:x.org"];

    fn matching(filter: &EntryFilter) -> Vec<usize> {
        (0..KEYS.len()).filter(|at| filter.matches(KEYS[*at])).collect()
    }

    #[test]
    fn a_host_selects_its_entries_on_any_port_and_in_any_case() {
        assert_eq!(matching(&EntryFilter::host("X.ORG").unwrap()), [0, 1]);
        assert_eq!(matching(&EntryFilter::host("*.x.org").unwrap()), [2]);
    }

    #[test]
    fn text_that_is_not_a_host_is_an_error() {
        for text in ["", "*", "https://x.org", "x.org:81", "x.org/a"] {
            assert_eq!(EntryFilter::host(text), Err(InvalidHost(text.into())));
        }
    }

    #[test]
    fn a_prefix_is_compared_byte_for_byte() {
        assert_eq!(matching(&EntryFilter::Prefix("https://x.org/".into())), [0]);
        assert_eq!(matching(&EntryFilter::Prefix("https://".into())), [0, 1, 3]);
        assert_eq!(matching(&EntryFilter::Prefix(String::new())).len(), KEYS.len());
        assert_eq!(matching(&EntryFilter::All).len(), KEYS.len());
    }
}
