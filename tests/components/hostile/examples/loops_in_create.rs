//! Makes no ranking, and takes for ever to.

use media_cache_hostile_policies::kit::{Algorithm, Entry, EntryId, OptionSpec, Options, export_policy};
use media_cache_hostile_policies::spin;

/// Nothing: there never is one.
pub struct Policy;

impl Algorithm for Policy {
    const NAME: &'static str = "loops-in-create";
    const DOC: &'static str = "Never there.";
    const OPTIONS: &'static [OptionSpec] = &[];

    fn new(_capacity: u64, _options: &Options) -> Result<Self, String> {
        spin()
    }

    fn insert(&mut self, _entry: &Entry) {}

    fn accessed(&mut self, _id: EntryId, _at: u64) {}

    fn removed(&mut self, _id: EntryId) {}

    fn victim(&mut self) -> Option<(EntryId, u64)> {
        None
    }
}

export_policy!(Policy);
