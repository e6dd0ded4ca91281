//! Which URLs share an entry.

use clap::Args;
use media_cache::KeyRules;
use media_cache_entry_files::KeyDigest;

/// The key rules, for every command that takes a URL.
#[derive(Args)]
#[command(next_help_heading = "Storage")]
pub struct KeyRuleOptions {
    /// Which URLs share an entry: `discord`, `fragments`, `host-case`, or a host and query parameters to ignore in its URLs, such as
    /// `*.example.org:sig+expires`
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    key_rules: Vec<KeyRules>,
}

impl KeyRuleOptions {
    /// All rules combined.
    pub fn rules(&self) -> KeyRules {
        self.key_rules.iter().cloned().collect()
    }

    /// The digest of the entry of a URL.
    pub fn digest(&self, url: &str) -> KeyDigest {
        KeyDigest::of(&self.rules().key(url))
    }
}
