//! Rules by name.

use crate::KeyRules;
use crate::rule::ParameterRule;

/// Rules for a site that many fetch from. A preset also drops fragments and takes hosts in lower case, which is right for every site
/// that serves over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// What it is called.
    pub name: &'static str,
    /// The hosts that it covers.
    pub hosts: &'static [&'static str],
    /// The parameters that are left out.
    pub parameters: &'static [&'static str],
}

/// All that there are.
pub const PRESETS: &[Preset] = &[
    // Attachments are signed anew each day: `ex`pires, `is`sued, `hm`ac. The other parameters (`width`, `format`, …) change the bytes.
    Preset { name: "discord", hosts: &["cdn.discordapp.com", "media.discordapp.net"], parameters: &["ex", "is", "hm"] },
];

impl Preset {
    /// The preset of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// Its rules.
    #[must_use]
    pub fn rules(&self) -> KeyRules {
        let rule = |host: &&str| ParameterRule::unchecked(host, self.parameters.iter().copied());
        KeyRules { drop_fragments: true, lower_case_hosts: true, parameters: self.hosts.iter().map(rule).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_discord_attachment_is_one_entry_however_it_is_signed() {
        let rules: KeyRules = "discord".parse().unwrap();
        let path = "/attachments/1/2/cat.png";
        let signed = |host: &str, ex: &str, rest: &str| format!("https://{host}{path}?ex={ex}&is=65e0&hm=0123abcd&{rest}");
        let key = format!("https://cdn.discordapp.com{path}");
        for ex in ["65f1", "65f2"] {
            assert_eq!(rules.key(&signed("cdn.discordapp.com", ex, "")), key);
            assert_eq!(rules.key(&signed("CDN.DiscordApp.com", ex, "#top")), key);
            let small = rules.key(&signed("media.discordapp.net", ex, "=&format=webp&width=100")).into_owned();
            assert_eq!(small, format!("https://media.discordapp.net{path}?=&format=webp&width=100"));
        }
        let elsewhere = signed("cdn.discordapp.com.evil.net", "65f1", "");
        assert_eq!(rules.key(&elsewhere), elsewhere);
    }

    #[test]
    fn every_preset_is_what_rules_of_ones_own_could_say() {
        for preset in PRESETS {
            let own = preset.hosts.iter().map(|host| format!("{host}:{}", preset.parameters.join("+")));
            let own: KeyRules = own.chain(["fragments".into(), "host-case".into()]).map(|rule| rule.parse().unwrap()).collect();
            assert_eq!(preset.rules(), own, "{}", preset.name);
        }
    }
}
