//! The names of rules in the configuration: the rules without arguments, and the presets.

use crate::preset::PRESETS;

/// Removes fragments.
pub(crate) const FRAGMENTS: &str = "fragments";

/// Converts schemes and hosts to lower case.
pub(crate) const HOST_CASE: &str = "host-case";

/// Returns all of these names, formatted for an error message.
pub(crate) fn listed() -> String {
    let presets = PRESETS.iter().map(|preset| preset.name);
    presets.chain([FRAGMENTS, HOST_CASE]).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
