//! Ready-made rules for sites that many caches fetch from.

/// Rules for a site, by name. A preset also removes fragments and converts hosts to lower case, which is correct for every HTTP site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// The name of the preset in the configuration.
    pub name: &'static str,
    /// The hosts that the preset covers.
    pub hosts: &'static [&'static str],
    /// The query parameters that it removes.
    pub parameters: &'static [&'static str],
}

/// All presets.
pub const PRESETS: &[Preset] = &[
    // Attachment URLs get a new signature every day: `ex`pires, `is`sued, `hm`ac. The other parameters (`width`, `format`, …) affect the
    // bytes.
    Preset { name: "discord", hosts: &["cdn.discordapp.com", "media.discordapp.net"], parameters: &["ex", "is", "hm"] },
];

impl Preset {
    /// The preset with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }
}
