//! The words for rules in the configuration: those of the rules without arguments, and the names of the presets.

use crate::preset::PRESETS;

/// Removes fragments.
pub(crate) const FRAGMENTS: &str = "fragments";

/// Converts schemes and hosts to lower case.
pub(crate) const HOST_CASE: &str = "host-case";

/// All of these words, as an error message lists them.
pub(crate) fn listed() -> String {
    let presets = PRESETS.iter().map(|preset| preset.name);
    presets.chain([FRAGMENTS, HOST_CASE]).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
