//! Which URLs denote the same entry of a media cache.
//!
//! [`KeyRules`] turn a URL into its cache key: they remove the parts that they name, convert the host to lower case, and keep everything
//! else byte for byte. Two URLs therefore have the same cache key only if they differ in nothing but parts that a rule names. Anything else
//! that is unusual about a URL remains in its cache key, so a URL that is fetched from one place never has the cache key of another place.
//! A URL whose host is ambiguous is its own cache key.
//!
//! The cache component applies the rules, and so does its host, which serves hits without calling the component. Both use this crate, so
//! they compute the same cache keys.

mod entry_filter;
mod host_pattern;
mod key_rules;
mod parameter_rule;
mod parse;
mod preset;
mod rule_error;
mod rule_names;
mod url_parts;
mod url_text;

pub use entry_filter::{EntryFilter, InvalidHost};
pub use host_pattern::HostPattern;
pub use key_rules::KeyRules;
pub use parameter_rule::ParameterRule;
pub use preset::{PRESETS, Preset};
pub use rule_error::RuleError;
pub use url_text::check_url;
