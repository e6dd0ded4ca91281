//! Selects entries by their cache keys.

pub use media_cache_key_rules::EntryFilter as Filter;

use crate::bindings::exports::media_cache::cache::cache::EntryFilter;

impl TryFrom<EntryFilter> for Filter {
    /// Why the filter cannot match anything.
    type Error = String;

    fn try_from(filter: EntryFilter) -> Result<Self, String> {
        Ok(match filter {
            EntryFilter::Host(host) => Self::host(&host).map_err(|error| error.to_string())?,
            EntryFilter::Prefix(prefix) => Self::Prefix(prefix),
            EntryFilter::All => Self::All,
        })
    }
}
