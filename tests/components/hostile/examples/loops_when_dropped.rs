//! Never finishes dropping a policy.

use media_cache_hostile_policies::sdk::{Algorithm, Entry, EntryId, OptionSpec, Options, export_policy};
use media_cache_hostile_policies::spin;

/// Ids and sizes in the order of arrival.
pub struct Policy(Vec<(EntryId, u64)>);

impl Drop for Policy {
    fn drop(&mut self) {
        spin()
    }
}

impl Algorithm for Policy {
    const NAME: &'static str = "loops-when-dropped";
    const DOC: &'static str = "Last in, first out.";
    const OPTIONS: &'static [OptionSpec] = &[];

    fn new(_capacity: u64, _options: &Options) -> Result<Self, String> {
        Ok(Self(Vec::new()))
    }

    fn insert(&mut self, entry: &Entry) {
        self.0.push((entry.id, entry.size));
    }

    fn accessed(&mut self, _id: EntryId, _at: u64) {}

    fn removed(&mut self, id: EntryId) {
        self.0.retain(|(entry, _)| *entry != id);
    }

    fn victim(&mut self) -> Option<(EntryId, u64)> {
        self.0.pop()
    }
}

export_policy!(Policy);
