//! Likes no options, and says so at length.

use media_cache_hostile_policies::kit::{Algorithm, Entry, EntryId, OptionSpec, Options, export_policy};

/// Nothing: there never is one.
pub struct Policy;

impl Algorithm for Policy {
    const NAME: &'static str = "complains-endlessly";
    const DOC: &'static str = "Never content.";
    const OPTIONS: &'static [OptionSpec] = &[];

    fn new(_capacity: u64, _options: &Options) -> Result<Self, String> {
        Err("\u{1b}[31mno\n".repeat(1 << 20))
    }

    fn insert(&mut self, _entry: &Entry) {}

    fn accessed(&mut self, _id: EntryId, _at: u64) {}

    fn removed(&mut self, _id: EntryId) {}

    fn victim(&mut self) -> Option<(EntryId, u64)> {
        None
    }
}

export_policy!(Policy);
