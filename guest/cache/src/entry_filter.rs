//! Selects entries by their cache keys.

use media_cache_key_rules::HostPattern;

use crate::bindings::exports::media_cache::cache::cache::EntryFilter;

/// See `entry-filter` in the WIT.
pub enum Filter {
    /// Entries of these hosts.
    Host(HostPattern),
    /// Entries whose cache key begins with this text.
    Prefix(String),
    /// Every entry.
    All,
}

fn not_a_host(text: &str) -> String {
    format!("{text:?} is not a host; write a name such as cdn.example.org, or *.example.org for every host below it")
}

impl TryFrom<EntryFilter> for Filter {
    /// Why the filter cannot match anything.
    type Error = String;

    fn try_from(filter: EntryFilter) -> Result<Self, String> {
        Ok(match filter {
            EntryFilter::Host(host) => Self::Host(HostPattern::new(&host).map_err(|_| not_a_host(&host))?),
            EntryFilter::Prefix(prefix) => Self::Prefix(prefix),
            EntryFilter::All => Self::All,
        })
    }
}

impl Filter {
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

    fn matching(filter: EntryFilter) -> Vec<usize> {
        let filter = Filter::try_from(filter).unwrap();
        (0..KEYS.len()).filter(|at| filter.matches(KEYS[*at])).collect()
    }

    #[test]
    fn a_host_selects_its_entries_on_any_port_and_in_any_case() {
        assert_eq!(matching(EntryFilter::Host("X.ORG".into())), [0, 1]);
        assert_eq!(matching(EntryFilter::Host("*.x.org".into())), [2]);
    }

    #[test]
    fn text_that_is_not_a_host_is_an_error() {
        for text in ["", "*", "https://x.org", "x.org:81", "x.org/a"] {
            let Err(reason) = Filter::try_from(EntryFilter::Host(text.into())) else { panic!("{text} is accepted") };
            assert_eq!(reason, not_a_host(text));
        }
    }

    #[test]
    fn a_prefix_selects_byte_for_byte() {
        assert_eq!(matching(EntryFilter::Prefix("https://x.org/".into())), [0]);
        assert_eq!(matching(EntryFilter::Prefix("https://".into())), [0, 1, 3]);
        assert_eq!(matching(EntryFilter::Prefix(String::new())).len(), KEYS.len());
        assert_eq!(matching(EntryFilter::All).len(), KEYS.len());
    }
}
