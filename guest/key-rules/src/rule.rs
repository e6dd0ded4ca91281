//! Rules as people write them, and what is wrong with those that cannot be.

use std::str::FromStr;

use crate::{KeyRules, PRESETS, Preset};

/// Parameters of a host's URLs that are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterRule {
    host: String,
    drop: Vec<String>,
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// It is no preset, and not of the form `HOST:NAME+NAME` either.
    #[error(
        "there is no key rule `{0}`; there are {known}, and rules of your own such as `*.example.org:sig+expires`",
        known = known()
    )]
    Unknown(String),
    /// What should be a host cannot be one.
    #[error(
        "`{host}` in a key rule is no host; write `cdn.example.org`, or `*.example.org` for all hosts below it, without scheme or port"
    )]
    Host {
        /// What stands there.
        host: String,
    },
    /// What should be the name of a parameter cannot be one.
    #[error(
        "`{name}` in the key rule for {host} is no name of a parameter; write names as they stand in the URL, with `+` between them"
    )]
    Parameter {
        /// The host of the rule.
        host: String,
        /// What stands there.
        name: String,
    },
}

fn known() -> String {
    let presets = PRESETS.iter().map(|preset| preset.name);
    presets.chain([FRAGMENTS, HOST_CASE]).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

const FRAGMENTS: &str = "fragments";
const HOST_CASE: &str = "host-case";

impl ParameterRule {
    /// Leaves these parameters out of URLs with this host, whatever its port. `*.example.org` stands for all hosts below
    /// `example.org`.
    ///
    /// # Errors
    /// [`RuleError::Host`] or [`RuleError::Parameter`] for what can stand in no URL, and so would never do anything.
    pub fn new<'a>(host: &str, drop: impl IntoIterator<Item = &'a str>) -> Result<Self, RuleError> {
        if !is_host(host.strip_prefix("*.").unwrap_or(host)) {
            return Err(RuleError::Host { host: host.into() });
        }
        let rule = Self::unchecked(host, drop);
        match rule.drop.iter().find(|name| !is_name(name)) {
            Some(name) => Err(RuleError::Parameter { host: rule.host, name: name.clone() }),
            None => Ok(rule),
        }
    }

    pub(crate) fn unchecked<'a>(host: &str, drop: impl IntoIterator<Item = &'a str>) -> Self {
        Self { host: host.to_ascii_lowercase(), drop: drop.into_iter().map(Into::into).collect() }
    }

    /// The host, in lower case, or `*.` and the domain that the hosts are below.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The names of the parameters.
    #[must_use]
    pub fn drop(&self) -> &[String] {
        &self.drop
    }

    pub(crate) fn covers(&self, host: &str) -> bool {
        match self.host.strip_prefix('*') {
            Some(domain) => {
                let below = host.len().checked_sub(domain.len()).filter(|below| *below > 0);
                below.is_some_and(|below| host.as_bytes()[below..].eq_ignore_ascii_case(domain.as_bytes()))
            }
            None => host.eq_ignore_ascii_case(&self.host),
        }
    }

    pub(crate) fn names(&self, parameter: &str) -> bool {
        self.drop.iter().any(|name| name == parameter)
    }
}

/// Whether this can stand in a URL as its host.
fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[') {
        let address = address.strip_suffix(']').unwrap_or_default();
        return address.contains(':') && address.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
    }
    // `*` and `+` can, but are nearly always meant as something else here.
    let odd = |char: char| char.is_whitespace() || char.is_control() || r#"#/<>?@[\]^|%:*+&="#.contains(char);
    !text.contains(odd) && !text.split('.').any(str::is_empty)
}

/// Whether this can stand in a URL as the name of a parameter.
fn is_name(text: &str) -> bool {
    let odd = |char: char| char.is_whitespace() || char.is_control() || "&=#+:".contains(char);
    !text.is_empty() && !text.contains(odd)
}

/// Several rules have commas between them.
impl FromStr for KeyRules {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        text.split(',').map(one_rule).collect()
    }
}

fn one_rule(text: &str) -> Result<KeyRules, RuleError> {
    match text {
        FRAGMENTS => return Ok(KeyRules { drop_fragments: true, ..KeyRules::default() }),
        HOST_CASE => return Ok(KeyRules { lower_case_hosts: true, ..KeyRules::default() }),
        _ => {}
    }
    if let Some(preset) = Preset::named(text) {
        return Ok(preset.rules());
    }
    if text.contains("://") {
        return Err(RuleError::Host { host: text.into() });
    }
    let colon = text.find("]:").map(|bracket| bracket + 1).or_else(|| text.find(':'));
    let (host, names) = colon.map(|colon| (&text[..colon], &text[colon + 1..])).ok_or_else(|| RuleError::Unknown(text.into()))?;
    let rule = ParameterRule::new(host, names.split('+'))?;
    Ok(KeyRules { parameters: vec![rule], ..KeyRules::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_one_by_one_or_together() {
        let rules: KeyRules = "fragments,*.Example.org:sig+X-Amz-Date,host-case,[::1]:a".parse().unwrap();
        assert!(rules.drop_fragments && rules.lower_case_hosts);
        let parameters: Vec<_> = rules.parameters.iter().map(|rule| (rule.host(), rule.drop().join(" "))).collect();
        assert_eq!(parameters, [("*.example.org", "sig X-Amz-Date".into()), ("[::1]", "a".into())]);
        let apart =
            ["fragments", "*.example.org:sig+X-Amz-Date", "host-case", "[::1]:a"].map(|rule| rule.parse::<KeyRules>().unwrap());
        assert_eq!(KeyRules::from_iter(apart), rules);
    }

    #[test]
    fn what_is_no_rule_is_said_to_be_none_and_what_would_be_one() {
        let wrong = |text: &str| text.parse::<KeyRules>().unwrap_err().to_string();
        for text in ["", "Discord", "dicord", "example.org", "fragments,", "*"] {
            let why = wrong(text);
            assert!(why.contains("there are `discord`, `fragments`, `host-case`, and rules of your own such as"), "{why}");
        }
        assert!(wrong("discord,x.org").contains("no key rule `x.org`"));
        for (text, host) in [
            ("https://x.org:sig", "https://x.org:sig"),
            (":sig", ""),
            ("*:sig", "*"),
            ("*.:sig", "*."),
            ("*.*.org:sig", "*.*.org"),
            ("x..org:sig", "x..org"),
            ("x.org/a:sig", "x.org/a"),
            ("x org:sig", "x org"),
            ("[]:sig", "[]"),
            ("[x]:sig", "[x]"),
        ] {
            assert!(wrong(text).starts_with(&format!("`{host}` in a key rule is no host; write ")), "{text}: {}", wrong(text));
        }
        for (text, name) in [
            ("x.org:", ""),
            ("x.org:a+", ""),
            ("x.org:a b", "a b"),
            ("x.org:8080:sig", "8080:sig"),
            ("x.org:a=1", "a=1"),
            ("x.org:a&b", "a&b"),
        ] {
            assert!(wrong(text).starts_with(&format!("`{name}` in the key rule for x.org is no name")), "{text}: {}", wrong(text));
        }
    }
}
